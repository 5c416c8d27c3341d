//! This program's own description of a model. Absent fields take UTA's values.

use serde::Deserialize;

use super::transformer::{Mlp, NormPlacement, QkvBias, TransformerConfig};
use super::{CONTEXT, ModelConfig, TextConfig, VISION_EPS, VOCABULARY, VisionConfig};
use crate::picture::preprocessing::{Interpolation, Preprocessing, ResizeMode};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    name: String,
    image_size: usize,
    patch_size: usize,
    width: usize,
    depth: usize,
    heads: usize,
    mlp_hidden: usize,
    embedding: usize,
    #[serde(default = "vision_eps")]
    norm_eps: f64,
    #[serde(default = "before")]
    norm_placement: NormPlacement,
    #[serde(default = "query_value")]
    qkv_bias: QkvBias,
    #[serde(default)]
    attention_norm: bool,
    #[serde(default = "swiglu")]
    mlp: Mlp,
    #[serde(default = "yes")]
    rope: bool,
    #[serde(default)]
    pre_norm: bool,
    #[serde(default = "yes")]
    patch_bias: bool,
    #[serde(default = "yes")]
    projection_bias: bool,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    #[serde(default)]
    interpolation: Interpolation,
    #[serde(default)]
    resize_mode: ResizeMode,
    text: TextDescription,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextDescription {
    width: usize,
    depth: usize,
    heads: usize,
    /// Four times the width when absent, as in CLIP.
    mlp_hidden: Option<usize>,
    norm_eps: Option<f64>,
    #[serde(default = "gelu")]
    mlp: Mlp,
    #[serde(default = "context")]
    context: usize,
    #[serde(default = "vocabulary")]
    vocabulary: usize,
}

fn vision_eps() -> f64 {
    VISION_EPS
}
fn before() -> NormPlacement {
    NormPlacement::Before
}
fn query_value() -> QkvBias {
    QkvBias::QueryValue
}
fn swiglu() -> Mlp {
    Mlp::SwiGlu
}
fn gelu() -> Mlp {
    Mlp::Gelu
}
fn yes() -> bool {
    true
}
fn context() -> usize {
    CONTEXT
}
fn vocabulary() -> usize {
    VOCABULARY
}

impl Description {
    pub(super) fn into_config(self) -> Result<ModelConfig, String> {
        let text = &self.text;
        if text.mlp == Mlp::SwiGlu {
            return Err("`text.mlp` is swiglu, which no text tower has".into());
        }
        let text_hidden = text.mlp_hidden.unwrap_or(text.width.saturating_mul(4));
        let mut text_config =
            TextConfig::clip([text.width, text.depth, text.heads, text_hidden], text.mlp);
        text_config.context = text.context;
        text_config.vocabulary = text.vocabulary;
        if let Some(eps) = text.norm_eps {
            text_config.transformer.eps = eps;
        }
        let clip = Preprocessing::clip(self.image_size);
        Ok(ModelConfig {
            name: self.name,
            published: None,
            vision: VisionConfig {
                image: self.image_size,
                patch: self.patch_size,
                patch_bias: self.patch_bias,
                pre_norm: self.pre_norm,
                rope: self.rope,
                projection_bias: self.projection_bias,
                transformer: TransformerConfig {
                    width: self.width,
                    depth: self.depth,
                    heads: self.heads,
                    mlp_hidden: self.mlp_hidden,
                    eps: self.norm_eps,
                    norm: self.norm_placement,
                    qkv_bias: self.qkv_bias,
                    attention_norm: self.attention_norm,
                    mlp: self.mlp,
                },
            },
            text: text_config,
            embedding: self.embedding,
            preprocessing: Preprocessing {
                size: self.image_size,
                mean: self.mean.unwrap_or(clip.mean),
                std: self.std.unwrap_or(clip.std),
                interpolation: self.interpolation,
                resize: self.resize_mode,
            },
        })
    }
}

//! open_clip's and EVA-CLIP's descriptions of models.
//!
//! Sources: open_clip 3.3.0 (`model.py`: `CLIPVisionCfg`, `CLIPTextCfg`; `transform.py`:
//! `PreprocessCfg`) and EVA-CLIP (`rei/eva_clip/model.py`), whose defaults these are. Both compute the
//! hidden channels of an MLP as `int(width * mlp_ratio)`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::Fields;
use super::transformer::{Mlp, NormPlacement, QkvBias, TransformerConfig};
use super::{CONTEXT, ModelConfig, TextConfig, VISION_EPS, VOCABULARY, VisionConfig};
use crate::picture::preprocessing::Preprocessing;

/// One number, or one for each of both sides.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Side {
    One(usize),
    Both([usize; 2]),
}

impl Side {
    fn square(self, field: &str) -> Result<usize, String> {
        match self {
            Self::One(side) => Ok(side),
            Self::Both([height, width]) if height == width => Ok(height),
            Self::Both(sides) => Err(format!("`{field}` is {sides:?}, which is no square")),
        }
    }
}

/// Reads a bare description of a model, or one with its preprocessing (`open_clip_config.json`).
///
/// # Errors
/// When a field is missing, has another type, or asks for something that no model here has.
pub(super) fn read(name: &str, value: Value) -> Result<ModelConfig, String> {
    let mut fields = Fields::new("", value)?;
    if !fields.has("model_cfg") {
        return model(name, fields);
    }
    let mut config = model(name, fields.object("model_cfg")?)?;
    if fields.has("preprocess_cfg") {
        let image = config.vision.image;
        config.preprocessing = preprocessing(fields.object("preprocess_cfg")?, image)?;
    }
    fields.end()?;
    Ok(config)
}

fn model(name: &str, mut fields: Fields) -> Result<ModelConfig, String> {
    let embedding = fields.required("embed_dim")?;
    let quick_gelu = fields.or("quick_gelu", false)?;
    // Where the text tower's keys are is seen from the keys.
    fields.ignore(&["custom_text", "init_logit_scale", "init_logit_bias"]);
    let activation = if quick_gelu {
        Mlp::QuickGelu
    } else {
        Mlp::Gelu
    };
    let vision = vision(fields.object("vision_cfg")?, activation)?;
    let text = text(fields.object("text_cfg")?, activation)?;
    fields.end()?;
    Ok(ModelConfig {
        name: name.into(),
        published: None,
        preprocessing: Preprocessing::clip(vision.image),
        vision,
        text,
        embedding,
    })
}

fn vision(mut fields: Fields, activation: Mlp) -> Result<VisionConfig, String> {
    let image: Side = fields.or("image_size", Side::One(224))?;
    let image = image.square("vision_cfg.image_size")?;
    // What counts in training alone, and what says how a program computes rather than what.
    fields.ignore(&[
        "patch_dropout",
        "drop_path_rate",
        "output_tokens",
        "xattn",
        "fusedLN",
    ]);
    let vision = if fields.has("timm_model_name") {
        timm(&mut fields, image)?
    } else if fields.has("eva_model_name") {
        eva(&mut fields, image)?
    } else {
        vit(&mut fields, image, activation)?
    };
    fields.end()?;
    Ok(vision)
}

fn vit(fields: &mut Fields, image: usize, activation: Mlp) -> Result<VisionConfig, String> {
    let sizes = Sizes::take(fields)?;
    let patch: Side = fields.or("patch_size", Side::One(16))?;
    for (name, same) in [
        ("ls_init_value", json!(null)),
        ("attentional_pool", json!(false)),
        ("input_patchnorm", json!(false)),
        ("global_average_pool", json!(false)),
        ("pool_type", json!("tok")),
        ("no_ln_pre", json!(false)),
        ("pos_embed_type", json!("learnable")),
        ("final_ln_after_pool", json!(false)),
        ("qk_norm", json!(false)),
        ("act_kwargs", json!({})),
        ("norm_kwargs", json!({})),
    ] {
        fields.only(name, &[same])?;
    }
    let patch = patch.square("vision_cfg.patch_size")?;
    Ok(VisionConfig::clip(image, patch, sizes.all(), activation))
}

/// EVA-CLIP's tower.
fn eva(fields: &mut Fields, image: usize) -> Result<VisionConfig, String> {
    let sizes = Sizes::take(fields)?;
    let patch = fields.or("patch_size", 16)?;
    let rope = fields.or("rope", false)?;
    let grid: usize = fields.or("pt_hw_seq_len", 14)?;
    let interpolated = fields.or("intp_freq", false)?;
    if rope && (grid != 16 || (!interpolated && image != 16 * patch)) {
        return Err(
            "`vision_cfg` asks for a rotary embedding that is not interpolated to a grid of 16, \
             as that of all published models is"
                .into(),
        );
    }
    let gated = fields.or("naiveswiglu", false)?;
    let inner_norms = fields.or("subln", false)?;
    if gated != inner_norms {
        return Err(
            "`vision_cfg.naiveswiglu` and `vision_cfg.subln` differ, which they do in no published model"
                .into(),
        );
    }
    fields.only("qkv_bias", &[json!(true)])?;
    fields.only("ls_init_value", &[])?;
    fields.only("global_average_pool", &[json!(false)])?;
    let after = fields.or("postnorm", false)?;
    fields.ignore(&["eva_model_name"]);
    Ok(VisionConfig::eva(
        image,
        patch,
        sizes.all(),
        rope,
        if after {
            NormPlacement::After
        } else {
            NormPlacement::Before
        },
        gated,
    ))
}

/// The towers of timm that open_clip's EVA models have (timm's `models/eva.py`).
fn timm(fields: &mut Fields, image: usize) -> Result<VisionConfig, String> {
    let name: String = fields.required("timm_model_name")?;
    fields.only("timm_pool", &[json!("token"), json!("")])?;
    fields.only("timm_proj", &[json!("")])?;
    fields.only("timm_proj_bias", &[json!(false)])?;
    fields.ignore(&[
        "timm_model_pretrained",
        "timm_drop",
        "timm_drop_path",
        "timm_patch_dropout",
    ]);
    let architecture = name.split('.').next().unwrap_or(&name);
    let (patch, sizes, rope, norm) = match architecture {
        "eva02_base_patch16_clip_224" => (16, [768, 12, 12, 2048], true, NormPlacement::Before),
        "eva02_large_patch14_clip_224" | "eva02_large_patch14_clip_336" => {
            (14, [1024, 24, 16, 2730], true, NormPlacement::Before)
        }
        "eva02_enormous_patch14_clip_224" | "eva02_enormous_patch14_plus_clip_224" => {
            (14, [1792, 64, 16, 15_360], false, NormPlacement::After)
        }
        "eva_giant_patch14_224"
        | "eva_giant_patch14_clip_224"
        | "eva_giant_patch14_plus_clip_224" => {
            (14, [1408, 40, 16, 6144], false, NormPlacement::Before)
        }
        _ => {
            return Err(format!(
                "`vision_cfg.timm_model_name` is {name:?}, which this program does not have"
            ));
        }
    };
    Ok(VisionConfig::eva(image, patch, sizes, rope, norm, rope))
}

fn text(mut fields: Fields, activation: Mlp) -> Result<TextConfig, String> {
    let width: usize = fields.or("width", 512)?;
    let ratio: f64 = fields.or("mlp_ratio", 4.0)?;
    let config = TextConfig {
        context: fields.or("context_length", CONTEXT)?,
        vocabulary: fields.or("vocab_size", VOCABULARY)?,
        ..TextConfig::clip(
            [
                width,
                fields.or("layers", 12)?,
                fields.or("heads", 8)?,
                hidden(width, ratio),
            ],
            activation,
        )
    };
    for (name, same) in [
        ("ls_init_value", json!(null)),
        ("embed_cls", json!(false)),
        ("pad_id", json!(0)),
        ("no_causal_mask", json!(false)),
        ("final_ln_after_pool", json!(false)),
        ("pool_type", json!("argmax")),
        ("proj_type", json!("linear")),
        ("proj_bias", json!(false)),
        ("act_kwargs", json!({})),
        ("norm_kwargs", json!({})),
        ("hf_model_name", json!(null)),
        ("hf_tokenizer_name", json!(null)),
        ("tokenizer_kwargs", json!({})),
    ] {
        fields.only(name, &[same])?;
    }
    fields.ignore(&["output_tokens", "xattn", "fusedLN"]);
    fields.end()?;
    Ok(config)
}

/// Sizes of a vision tower.
struct Sizes {
    width: usize,
    depth: usize,
    heads: usize,
    mlp_hidden: usize,
}

impl Sizes {
    fn take(fields: &mut Fields) -> Result<Self, String> {
        let width: usize = fields.or("width", 768)?;
        let head_width: usize = fields.or("head_width", 64)?;
        let ratio: f64 = fields.or("mlp_ratio", 4.0)?;
        if head_width == 0 || !width.is_multiple_of(head_width) {
            return Err(format!(
                "`vision_cfg.width` {width} does not divide into heads of {head_width} channels"
            ));
        }
        Ok(Self {
            width,
            depth: fields.or("layers", 12)?,
            heads: width / head_width,
            mlp_hidden: hidden(width, ratio),
        })
    }

    fn all(&self) -> [usize; 4] {
        [self.width, self.depth, self.heads, self.mlp_hidden]
    }
}

fn hidden(width: usize, ratio: f64) -> usize {
    // Cut off, as Python's `int` does.
    (width as f64 * ratio) as usize
}

fn preprocessing(mut fields: Fields, image: usize) -> Result<Preprocessing, String> {
    let default = Preprocessing::clip(image);
    let size: Side = fields.or("size", Side::One(image))?;
    let size = size.square("preprocess_cfg.size")?;
    if size != image {
        return Err(format!(
            "`preprocess_cfg.size` is {size}, but the model's pictures have {image} x {image} pixels"
        ));
    }
    let preprocessing = Preprocessing {
        size,
        mean: fields.or("mean", default.mean)?,
        std: fields.or("std", default.std)?,
        interpolation: fields.or("interpolation", default.interpolation)?,
        resize: fields.or("resize_mode", default.resize)?,
    };
    fields.only("mode", &[json!("RGB")])?;
    // The colour beside a picture that is smaller than the crop, which none is after resizing.
    fields.ignore(&["fill_color"]);
    fields.end()?;
    Ok(preprocessing)
}

impl VisionConfig {
    /// The tower of CLIP, OpenCLIP, DFN and MetaCLIP; sizes are width, depth, heads, MLP hidden.
    pub(super) fn clip(
        image: usize,
        patch: usize,
        [width, depth, heads, mlp_hidden]: [usize; 4],
        mlp: Mlp,
    ) -> Self {
        Self {
            image,
            patch,
            patch_bias: false,
            pre_norm: true,
            rope: false,
            projection_bias: false,
            transformer: TransformerConfig {
                width,
                depth,
                heads,
                mlp_hidden,
                eps: super::TEXT_EPS,
                norm: NormPlacement::Before,
                qkv_bias: QkvBias::All,
                attention_norm: false,
                mlp,
            },
        }
    }

    /// The tower of EVA-01-CLIP and EVA-02-CLIP. `gated` towers have SwiGLU and LayerNorms inside
    /// attention and MLP, others erf GELU.
    fn eva(
        image: usize,
        patch: usize,
        [width, depth, heads, mlp_hidden]: [usize; 4],
        rope: bool,
        norm: NormPlacement,
        gated: bool,
    ) -> Self {
        Self {
            image,
            patch,
            patch_bias: true,
            pre_norm: false,
            rope,
            projection_bias: true,
            transformer: TransformerConfig {
                width,
                depth,
                heads,
                mlp_hidden,
                eps: VISION_EPS,
                norm,
                qkv_bias: QkvBias::QueryValue,
                attention_norm: gated,
                mlp: if gated { Mlp::SwiGlu } else { Mlp::Gelu },
            },
        }
    }
}

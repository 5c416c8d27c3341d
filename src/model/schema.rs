//! The names and shapes of all tensors that a configuration's towers read.
//!
//! These names are this program's own, the same for all families. What files call the same tensors,
//! [`layouts`](super::layouts) knows.

use super::config::{Mlp, ModelConfig, QkvBias, TextConfig, TransformerConfig, VisionConfig};

/// A tensor that a tower reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<usize>,
}

/// All tensors of a configuration: those of the vision tower below `visual.`, those of the text tower
/// below `text.`.
///
/// Linear layers have their weight as [outputs, inputs]. The tables of a rotary embedding are not among
/// them, since they are computed where a file lacks them.
pub fn tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let mut list = List(Vec::new());
    vision(&mut list, &config.vision, config.embedding);
    text(&mut list, &config.text, config.embedding);
    list.0
}

fn vision(list: &mut List, config: &VisionConfig, embedding: usize) {
    let (patch, width) = (config.patch, config.transformer.width);
    list.add("visual.class_embedding", &[width]);
    list.add("visual.patch_embedding.weight", &[width, 3, patch, patch]);
    if config.patch_bias {
        list.add("visual.patch_embedding.bias", &[width]);
    }
    list.add("visual.positional_embedding", &[config.tokens(), width]);
    if config.pre_norm {
        list.norm("visual.pre_norm", width);
    }
    blocks(list, "visual.blocks", &config.transformer);
    list.norm("visual.norm", width);
    list.add("visual.projection.weight", &[embedding, width]);
    if config.projection_bias {
        list.add("visual.projection.bias", &[embedding]);
    }
}

fn text(list: &mut List, config: &TextConfig, embedding: usize) {
    let width = config.transformer.width;
    list.add("text.token_embedding", &[config.vocabulary, width]);
    list.add("text.positional_embedding", &[config.context, width]);
    blocks(list, "text.blocks", &config.transformer);
    list.norm("text.norm", width);
    list.add("text.projection.weight", &[embedding, width]);
}

fn blocks(list: &mut List, prefix: &str, config: &TransformerConfig) {
    let (width, hidden) = (config.width, config.mlp_hidden);
    for i in 0..config.depth {
        let block = format!("{prefix}.{i}");
        list.norm(&format!("{block}.norm1"), width);
        for part in ["q", "k", "v"] {
            list.add(&format!("{block}.attn.{part}.weight"), &[width, width]);
            if part != "k" || config.qkv_bias == QkvBias::All {
                list.add(&format!("{block}.attn.{part}.bias"), &[width]);
            }
        }
        if config.attention_norm {
            list.norm(&format!("{block}.attn.norm"), width);
        }
        list.linear(&format!("{block}.attn.proj"), width, width);
        list.norm(&format!("{block}.norm2"), width);
        match config.mlp {
            Mlp::SwiGlu => {
                list.linear(&format!("{block}.mlp.gate"), width, hidden);
                list.linear(&format!("{block}.mlp.up"), width, hidden);
                list.norm(&format!("{block}.mlp.norm"), hidden);
                list.linear(&format!("{block}.mlp.down"), hidden, width);
            }
            Mlp::Gelu | Mlp::QuickGelu => {
                list.linear(&format!("{block}.mlp.fc1"), width, hidden);
                list.linear(&format!("{block}.mlp.fc2"), hidden, width);
            }
        }
    }
}

struct List(Vec<TensorSpec>);

impl List {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push(TensorSpec {
            name: name.into(),
            shape: shape.into(),
        });
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.add(&format!("{name}.weight"), &[width]);
        self.add(&format!("{name}.bias"), &[width]);
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(&format!("{name}.weight"), &[outputs, inputs]);
        self.add(&format!("{name}.bias"), &[outputs]);
    }
}

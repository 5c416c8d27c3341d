//! The names and shapes of all tensors that a checkpoint of a configuration has.

use super::config::{ModelConfig, TextConfig, TransformerConfig, VisionConfig};

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<usize>,
    /// Whether a checkpoint must have it. The rotary tables can be computed.
    pub required: bool,
}

/// All tensors of a configuration's checkpoint (the reference's state dict).
pub fn tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let mut list = List(Vec::new());
    list.required("logit_scale", &[]);
    vision(&mut list, &config.vision, config.embedding);
    text(&mut list, &config.text, config.embedding);
    list.0
}

/// The names under which the reference's state dict holds its one pair of rotary tables, in the
/// order in which loading overwrites it; `part` is `cos` or `sin`.
pub fn rope_names(depth: usize, part: &str) -> impl Iterator<Item = String> {
    std::iter::once(format!("visual.rope.freqs_{part}"))
        .chain((0..depth).map(move |i| format!("visual.blocks.{i}.attn.rope.freqs_{part}")))
}

fn vision(list: &mut List, config: &VisionConfig, embedding: usize) {
    let patch = config.patch;
    let (width, mlp_hidden) = (config.transformer.width, config.transformer.mlp_hidden);
    list.required("visual.cls_token", &[1, 1, width]);
    list.required("visual.pos_embed", &[1, config.tokens(), width]);
    list.required("visual.patch_embed.proj.weight", &[width, 3, patch, patch]);
    list.required("visual.patch_embed.proj.bias", &[width]);
    let patches = config.grid() * config.grid();
    for name in ["cos", "sin"]
        .into_iter()
        .flat_map(|part| rope_names(config.transformer.depth, part))
    {
        list.optional(name, &[patches, config.transformer.head_dim()]);
    }
    for i in 0..config.transformer.depth {
        let block = format!("visual.blocks.{i}");
        list.norm(&format!("{block}.norm1"), width);
        list.required(&format!("{block}.attn.q_bias"), &[width]);
        list.required(&format!("{block}.attn.v_bias"), &[width]);
        for name in ["q_proj", "k_proj", "v_proj"] {
            list.required(&format!("{block}.attn.{name}.weight"), &[width, width]);
        }
        list.linear(&format!("{block}.attn.proj"), width, width);
        list.norm(&format!("{block}.norm2"), width);
        list.linear(&format!("{block}.mlp.w1"), width, mlp_hidden);
        list.linear(&format!("{block}.mlp.w2"), width, mlp_hidden);
        list.norm(&format!("{block}.mlp.ffn_ln"), mlp_hidden);
        list.linear(&format!("{block}.mlp.w3"), mlp_hidden, width);
    }
    list.norm("visual.norm", width);
    list.linear("visual.head", width, embedding);
}

fn text(list: &mut List, config: &TextConfig, embedding: usize) {
    let (context, vocabulary) = (config.context, config.vocabulary);
    let TransformerConfig {
        width,
        depth,
        mlp_hidden,
        ..
    } = config.transformer;
    list.required("text.positional_embedding", &[context, width]);
    list.required("text.text_projection", &[width, embedding]);
    list.required("text.token_embedding.weight", &[vocabulary, width]);
    for i in 0..depth {
        let block = format!("text.transformer.resblocks.{i}");
        list.norm(&format!("{block}.ln_1"), width);
        list.required(&format!("{block}.attn.in_proj_weight"), &[3 * width, width]);
        list.required(&format!("{block}.attn.in_proj_bias"), &[3 * width]);
        list.linear(&format!("{block}.attn.out_proj"), width, width);
        list.norm(&format!("{block}.ln_2"), width);
        list.linear(&format!("{block}.mlp.c_fc"), width, mlp_hidden);
        list.linear(&format!("{block}.mlp.c_proj"), mlp_hidden, width);
    }
    list.norm("text.ln_final", width);
}

struct List(Vec<TensorSpec>);

impl List {
    fn required(&mut self, name: &str, shape: &[usize]) {
        self.0.push(TensorSpec {
            name: name.into(),
            shape: shape.into(),
            required: true,
        });
    }

    fn optional(&mut self, name: String, shape: &[usize]) {
        self.0.push(TensorSpec {
            name,
            shape: shape.into(),
            required: false,
        });
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.required(&format!("{name}.weight"), &[width]);
        self.required(&format!("{name}.bias"), &[width]);
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.required(&format!("{name}.weight"), &[outputs, inputs]);
        self.required(&format!("{name}.bias"), &[outputs]);
    }
}

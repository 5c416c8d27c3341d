//! The dimensions and choices of a transformer, of which every tower is one.

use serde::Deserialize;

/// A stack of equal blocks over a residual stream of `width` channels.
///
/// The towers of all CLIP families are such stacks; what differs between the families is a field here.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerConfig {
    /// Channels of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads, which divide the width.
    pub heads: usize,
    /// Hidden channels of the MLP.
    pub mlp_hidden: usize,
    /// Epsilon of every LayerNorm.
    pub eps: f64,
    /// Where a block normalises.
    pub norm: NormPlacement,
    /// Which of queries, keys and values have a bias.
    pub qkv_bias: QkvBias,
    /// Whether a LayerNorm stands between attention and its output projection (EVA-02's
    /// `inner_attn_ln`).
    pub attention_norm: bool,
    /// What the MLP computes.
    pub mlp: Mlp,
}

impl TransformerConfig {
    /// Channels of a head.
    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }
}

/// Where a block's LayerNorms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormPlacement {
    /// `x += attention(norm1(x)); x += mlp(norm2(x))`.
    Before,
    /// `x += norm1(attention(x)); x += norm2(mlp(x))`, as EVA-02-CLIP E has it.
    After,
}

/// Which of queries, keys and values have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkvBias {
    /// Queries and values, as in EVA.
    QueryValue,
    /// All three, as in CLIP.
    All,
}

/// What an MLP computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mlp {
    /// `down(norm(silu(gate(x)) * up(x)))`, as in EVA-02 B and L.
    #[serde(rename = "swiglu")]
    SwiGlu,
    /// `fc2(gelu(fc1(x)))`, with GELU in its erf form.
    Gelu,
    /// `fc2(g(fc1(x)))` with `g(x) = x * sigmoid(1.702 x)`, as in OpenAI's models.
    QuickGelu,
}

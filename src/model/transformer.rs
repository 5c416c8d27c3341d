//! The transformer that every tower is: equal blocks over a residual stream x [R, W].
//!
//! | norms stand | attention | MLP |
//! |---|---|---|
//! | before | `x += proj(norm(attention(norm1(x))))` | `x += down(hidden(norm2(x)))` |
//! | after | `x += norm1(proj(norm(attention(x))))` | `x += norm2(down(hidden(x)))` |
//!
//! The norm between attention and `proj` is EVA-02's alone. `hidden` is a SwiGLU with a LayerNorm, or
//! one layer and an activation. Which it is, says the [`TransformerConfig`]; how it is computed, the
//! [`Backend`]. Names are the canonical ones of tensors below `blocks.`.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::backend::{Activation, Backend, Linear, Norm};
use super::config::{self, NormPlacement, QkvBias, TransformerConfig};

/// Gets copies of the residual stream after each block, and before the first one in the vision tower.
pub type Observe<'a> = &'a mut dyn FnMut(Tensor) -> Result<()>;

/// Shows the residual stream to whoever observes it.
///
/// # Errors
/// Whatever `observe` returns.
pub fn show(x: &Tensor, observe: &mut Option<Observe<'_>>) -> Result<()> {
    match observe {
        // Its memory is overwritten by the next block.
        Some(observe) => observe(x.copy()?),
        None => Ok(()),
    }
}

/// Attention of a block, by its number: from the layer that projects to queries, keys and values, what
/// that layer reads [R, W], and the residual stream [R, W], to what is attended to [R', W] and the rows
/// of the residual stream [R', W] that go on with it.
pub type Attend<'a> =
    &'a mut dyn FnMut(usize, &Linear, &Tensor, Tensor) -> Result<(Tensor, Tensor)>;

/// A stack of blocks.
#[derive(Debug)]
pub struct Transformer {
    backend: Arc<dyn Backend>,
    norm: NormPlacement,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    norm1: Norm,
    /// [W -> 3W]: queries, keys and values side by side.
    qkv: Linear,
    attention_norm: Option<Norm>,
    /// [W -> W]
    proj: Linear,
    norm2: Norm,
    mlp: Mlp,
}

#[derive(Debug)]
struct Mlp {
    hidden: Hidden,
    /// [E -> W]
    down: Linear,
}

#[derive(Debug)]
enum Hidden {
    /// `norm(silu(gate(x)) * up(x))`, both layers [W -> E] as one.
    Gated(Linear, Norm),
    /// `activation(fc1(x))` [W -> E].
    Activated(Linear, Activation),
}

impl Transformer {
    /// Builds the blocks from the weights below `vb`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &TransformerConfig,
        backend: &Arc<dyn Backend>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            backend: Arc::clone(backend),
            norm: config.norm,
            blocks: (0..config.depth)
                .map(|i| Block::new(config, &**backend, &vb.pp(i)))
                .collect::<Result<_>>()?,
        })
    }

    /// The residual stream behind the last block.
    ///
    /// # Errors
    /// When the device fails, and whatever `attend` and `observe` return.
    pub fn forward(
        &self,
        mut x: Tensor,
        attend: Attend<'_>,
        mut observe: Option<Observe<'_>>,
    ) -> Result<Tensor> {
        let backend = &*self.backend;
        let Some(first) = self.blocks.first() else {
            return Ok(x);
        };
        let mut input = match self.norm {
            NormPlacement::Before => backend.normalise(&x, &first.norm1)?,
            NormPlacement::After => backend.operand(&x)?,
        };
        for (i, block) in self.blocks.iter().enumerate() {
            let (mut attended, residual) = attend(i, &block.qkv, &input, x)?;
            if let Some(norm) = &block.attention_norm {
                attended = backend.normalise(&attended, norm)?;
            }
            let Block { proj, mlp, .. } = block;
            match self.norm {
                NormPlacement::Before => {
                    let norm = &block.norm2;
                    (x, input) = backend.project_add_normalise(&attended, proj, residual, norm)?;
                    let hidden = mlp.hidden(backend, &input)?; // [R, E]
                    // What ends a block and what begins the next one are one step.
                    match self.blocks.get(i + 1) {
                        Some(next) => {
                            let norm = &next.norm1;
                            (x, input) =
                                backend.project_add_normalise(&hidden, &mlp.down, x, norm)?;
                        }
                        None => x = backend.project_add(&hidden, &mlp.down, x)?,
                    }
                }
                NormPlacement::After => {
                    let norm = &block.norm1;
                    (x, input) = backend.project_normalise_add(&attended, proj, residual, norm)?;
                    let hidden = mlp.hidden(backend, &input)?; // [R, E]
                    let norm = &block.norm2;
                    (x, input) = backend.project_normalise_add(&hidden, &mlp.down, x, norm)?;
                }
            }
            show(&x, &mut observe)?;
        }
        Ok(x)
    }
}

impl Block {
    fn new(config: &TransformerConfig, backend: &dyn Backend, vb: &VarBuilder) -> Result<Self> {
        let width = config.width;
        let norm = |name: &str| Norm::load(width, config.eps, &vb.pp(name));
        Ok(Self {
            norm1: norm("norm1")?,
            qkv: qkv(config, backend, &vb.pp("attn"))?,
            attention_norm: if config.attention_norm {
                Some(norm("attn.norm")?)
            } else {
                None
            },
            proj: backend.linear(
                &vb.get((width, width), "attn.proj.weight")?,
                &vb.get(width, "attn.proj.bias")?,
            )?,
            norm2: norm("norm2")?,
            mlp: Mlp::new(config, backend, &vb.pp("mlp"))?,
        })
    }
}

/// The layers `q`, `k` and `v` as one: a large matrix product runs closer to the machine's limit than
/// several small ones.
fn qkv(config: &TransformerConfig, backend: &dyn Backend, vb: &VarBuilder) -> Result<Linear> {
    let width = config.width;
    let weight = |name: &str| vb.pp(name).get((width, width), "weight");
    let bias = |name: &str| vb.pp(name).get(width, "bias");
    let (q, v) = (bias("q")?, bias("v")?);
    let k = match config.qkv_bias {
        QkvBias::All => bias("k")?,
        QkvBias::QueryValue => q.zeros_like()?,
    };
    backend.linear(
        &Tensor::cat(&[weight("q")?, weight("k")?, weight("v")?], 0)?,
        &Tensor::cat(&[q, k, v], 0)?,
    )
}

impl Mlp {
    fn new(config: &TransformerConfig, backend: &dyn Backend, vb: &VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.width, config.mlp_hidden);
        let more = backend.padded_hidden(hidden) - hidden;
        // Hidden channels of padding are zeros all the way, whatever the activation.
        let up = |name: &str| -> Result<_> {
            let layer = vb.pp(name);
            let weight = layer.get((hidden, width), "weight")?;
            let bias = layer.get(hidden, "bias")?;
            Ok((
                weight.pad_with_zeros(0, 0, more)?,
                bias.pad_with_zeros(0, 0, more)?,
            ))
        };
        let activated = |activation| -> Result<_> {
            let (weight, bias) = up("fc1")?;
            let layer = backend.linear(&weight, &bias)?;
            Ok((Hidden::Activated(layer, activation), "fc2"))
        };
        let (hidden_layer, down) = match config.mlp {
            config::Mlp::SwiGlu => {
                let (gate, up) = (up("gate")?, up("up")?);
                let layer = backend.gated((&gate.0, &gate.1), (&up.0, &up.1))?;
                let norm = Norm::load(hidden, config.eps, &vb.pp("norm"))?;
                (Hidden::Gated(layer, norm.padded(more)?), "down")
            }
            config::Mlp::Gelu => activated(Activation::Gelu)?,
            config::Mlp::QuickGelu => activated(Activation::QuickGelu)?,
        };
        let down = vb.pp(down);
        let weight = down.get((width, hidden), "weight")?;
        Ok(Self {
            hidden: hidden_layer,
            down: backend.linear(
                &weight.pad_with_zeros(1, 0, more)?,
                &down.get(width, "bias")?,
            )?,
        })
    }

    fn hidden(&self, backend: &dyn Backend, x: &Tensor) -> Result<Tensor> {
        match &self.hidden {
            Hidden::Gated(layer, norm) => backend.gate(x, layer, norm),
            Hidden::Activated(layer, activation) => backend.activate(x, layer, *activation),
        }
    }
}

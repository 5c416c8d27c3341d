//! The vision tower: an EVA-02 transformer, pre-norm, with SwiGLU and a rotary embedding.
//!
//! Source: the reference's `eva_vit_model/eva_vit.py`. Names are the [schema](super::schema)'s below
//! `visual.`. Shapes: B pictures, N = 1 + patches tokens, W width, H heads, D head dim.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};
use candle_nn::{VarBuilder, ops};

use super::compute::{Compute, Kernels};
use super::config::{VISION_EPS, VisionConfig};
use super::layers::{Gated, LayerNorm, Linear};
use super::mixed;
use super::ops::ApplyAttention;
use super::rope::{Rope, RopeTables, Rotation};

/// Gets the residual stream [B, N, W] after the embedding and after each block.
pub type Observe<'a> = &'a mut dyn FnMut(&Tensor) -> Result<()>;

/// Encodes pictures into the space shared with texts.
#[derive(Debug)]
pub enum VisionTower {
    /// Layer by layer.
    Layers(Box<Layers>),
    /// In mixed precision, with kernels that span layers.
    Mixed(Box<mixed::vision::Vision>),
}

/// The tower as layers.
#[derive(Debug)]
pub struct Layers {
    embeddings: Embeddings,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl VisionTower {
    /// Builds the tower from the weights below `visual.` and the rotary tables to use.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &VisionConfig,
        embedding: usize,
        tables: &RopeTables,
        compute: &Compute,
        vb: VarBuilder,
    ) -> Result<Self> {
        let rope = Rope::new(tables)?;
        if let Some(mixed) = compute.mixed() {
            let tower = mixed::vision::Vision::new(config, embedding, &rope, mixed, vb)?;
            return Ok(Self::Mixed(Box::new(tower)));
        }
        let blocks = vb.pp("blocks");
        Ok(Self::Layers(Box::new(Layers {
            embeddings: Embeddings::new(config, compute, vb.clone())?,
            blocks: (0..config.transformer.depth)
                .map(|i| Block::new(config, &rope, compute, blocks.pp(i)))
                .collect::<Result<_>>()?,
            norm: LayerNorm::load(config.transformer.width, VISION_EPS, compute, vb.pp("norm"))?,
            head: Linear::load(
                config.transformer.width,
                embedding,
                compute,
                vb.pp("projection"),
            )?,
        })))
    }

    /// Tokens of one picture.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Layers(layers) => layers.embeddings.tokens,
            Self::Mixed(tower) => tower.tokens(),
        }
    }

    /// Features [B, embedding] of normalised pictures [B, 3, image, image]; not of unit length.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layers(layers) => layers.forward(pictures, None),
            Self::Mixed(tower) => tower.forward(pictures, None),
        }
    }

    /// As [`forward`](Self::forward), showing the residual stream [B, N, W] after the embedding
    /// and after each block.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and whatever `observe` returns.
    pub fn forward_observed(&self, pictures: &Tensor, observe: Observe<'_>) -> Result<Tensor> {
        match self {
            Self::Layers(layers) => layers.forward(pictures, Some(observe)),
            Self::Mixed(tower) => tower.forward(pictures, Some(observe)),
        }
    }
}

impl Layers {
    fn forward(&self, pictures: &Tensor, mut observe: Option<Observe<'_>>) -> Result<Tensor> {
        let mut x = self.embeddings.forward(pictures)?; // [B, N, W]
        if let Some(observe) = &mut observe {
            observe(&x)?;
        }
        for (i, block) in self.blocks.iter().enumerate() {
            // Behind the last block only the class token is used, so only an observer needs others.
            let last = i + 1 == self.blocks.len();
            let wanted = match last && observe.is_none() {
                true => 1,
                false => self.embeddings.tokens,
            };
            x = block.forward(&x, wanted)?;
            if let Some(observe) = &mut observe {
                observe(&x)?;
            }
        }
        let class = x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?; // [B, W]
        self.head.forward(&self.norm.forward(&class)?)
    }
}

/// Patches, class token and learned positions.
#[derive(Debug)]
struct Embeddings {
    patch: usize,
    tokens: usize,
    /// The patch convolution as a linear layer over flattened patches [3 * patch * patch].
    proj: Linear,
    cls_token: Tensor,
    pos_embed: Tensor,
}

impl Embeddings {
    fn new(config: &VisionConfig, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let (patch, width) = (config.patch, config.transformer.width);
        let proj = vb.pp("patch_embedding");
        let weight = proj.get((width, 3, patch, patch), "weight")?;
        Ok(Self {
            patch,
            tokens: config.tokens(),
            proj: Linear::new(
                weight.reshape((width, 3 * patch * patch))?,
                proj.get(width, "bias")?,
                compute,
            )?,
            cls_token: vb.get(width, "class_embedding")?.reshape((1, 1, width))?,
            pos_embed: vb
                .get((config.tokens(), width), "positional_embedding")?
                .unsqueeze(0)?,
        })
    }

    fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, _) = pictures.dims4()?;
        let (patch, grid) = (self.patch, height / self.patch);
        // The stride equals the kernel, so the convolution is a product over separate patches.
        let patches = pictures
            .reshape((batch, channels, grid, patch, grid, patch))?
            .permute((0, 2, 4, 1, 3, 5))? // [B, rows, columns, 3, patch, patch]
            .reshape((batch, grid * grid, channels * patch * patch))?;
        let x = self.proj.forward(&patches)?; // [B, N - 1, W]
        let class = self.cls_token.broadcast_as((batch, 1, x.dim(D::Minus1)?))?;
        Tensor::cat(&[&class, &x], 1)?.broadcast_add(&self.pos_embed)
    }
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: SwiGlu,
}

impl Block {
    fn new(config: &VisionConfig, rope: &Rope, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let norm = |name: &str| {
            LayerNorm::load(config.transformer.width, VISION_EPS, compute, vb.pp(name))
        };
        Ok(Self {
            norm1: norm("norm1")?,
            attn: Attention::new(config, rope, compute, vb.pp("attn"))?,
            norm2: norm("norm2")?,
            mlp: SwiGlu::new(config, compute, vb.pp("mlp"))?,
        })
    }

    /// New states [B, wanted, W] of the first tokens of x [B, N, W].
    fn forward(&self, x: &Tensor, wanted: usize) -> Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let x = self.attn.forward_add(&normed, &x.narrow(1, 0, wanted)?)?;
        self.mlp.forward_add(&self.norm2.forward(&x)?, &x)
    }
}

#[derive(Debug)]
struct Attention {
    /// q, k and v side by side; k has no bias, which is a bias of zero.
    qkv: Linear,
    mixing: Mixing,
    proj: Linear,
}

impl Attention {
    fn new(config: &VisionConfig, rope: &Rope, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let width = config.transformer.width;
        let weight = |name: &str| vb.pp(name).get((width, width), "weight");
        let q_bias = vb.pp("q").get(width, "bias")?;
        let v_bias = vb.pp("v").get(width, "bias")?;
        let k_bias = q_bias.zeros_like()?;
        Ok(Self {
            qkv: Linear::stacked(
                &[weight("q")?, weight("k")?, weight("v")?],
                &[q_bias, k_bias, v_bias],
                compute,
            )?,
            mixing: Mixing::new(config.transformer.heads, rope, compute)?,
            proj: Linear::load(width, width, compute, vb.pp("proj"))?,
        })
    }

    /// For as many of the tokens of x [B, N, W] as `residual` has.
    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let queries = residual.dim(1)?;
        let mixed = self.mixing.forward(&self.qkv.forward(x)?, queries)?; // [B, queries, W]
        self.proj.forward_add(&mixed, residual)
    }
}

/// Softmax attention with rotated queries and keys: [B, N, 3W] -> [B, queries, W].
#[derive(Debug)]
enum Mixing {
    Candle {
        heads: usize,
        rope: Rope,
    },
    Kernel {
        heads: usize,
        rotation: Arc<Rotation>,
        kernels: Kernels,
    },
}

impl Mixing {
    fn new(heads: usize, rope: &Rope, compute: &Compute) -> Result<Self> {
        Ok(match compute.kernels() {
            None => Self::Candle {
                heads,
                rope: rope.clone(),
            },
            Some(kernels) => Self::Kernel {
                heads,
                rotation: rope.rotation(),
                kernels,
            },
        })
    }

    fn forward(&self, qkv: &Tensor, queries: usize) -> Result<Tensor> {
        let (heads, rope) = match self {
            Self::Candle { heads, rope } => (*heads, rope),
            Self::Kernel {
                heads,
                rotation,
                kernels,
            } => {
                let attention = ApplyAttention {
                    heads: *heads,
                    queries,
                    rotation,
                    kernels: *kernels,
                };
                return qkv.apply_op1_no_bwd(&attention);
            }
        };
        let (batch, tokens, channels) = qkv.dims3()?;
        let head_dim = channels / 3 / heads;
        let qkv = qkv
            .reshape((batch, tokens, 3, heads, head_dim))?
            .permute((2, 0, 3, 1, 4))?; // [3, B, H, N, D]
        let q = rope.rotate(&qkv.get(0)?.contiguous()?)?;
        let k = rope.rotate(&qkv.get(1)?.contiguous()?)?;
        let v = qkv.get(2)?.contiguous()?;
        let q = (q.narrow(2, 0, queries)?.contiguous()? * (head_dim as f64).powf(-0.5))?;
        let weights = ops::softmax_last_dim(&q.matmul(&k.t()?)?)?; // [B, H, N, N]
        weights
            .matmul(&v)? // [B, H, queries, D]
            .transpose(1, 2)?
            .reshape((batch, queries, channels / 3))
    }
}

/// `w3(ffn_ln(silu(w1(x)) * w2(x)))`.
#[derive(Debug)]
struct SwiGlu {
    w12: Gated,
    ffn_ln: LayerNorm,
    w3: Linear,
}

impl SwiGlu {
    fn new(config: &VisionConfig, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.transformer.width, config.transformer.mlp_hidden);
        Ok(Self {
            w12: Gated::load(width, hidden, compute, vb.clone())?,
            ffn_ln: LayerNorm::load(hidden, VISION_EPS, compute, vb.pp("norm"))?,
            w3: Linear::load(hidden, width, compute, vb.pp("down"))?,
        })
    }

    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let hidden = self.ffn_ln.forward(&self.w12.forward(x)?)?; // [B, N, hidden]
        self.w3.forward_add(&hidden, residual)
    }
}

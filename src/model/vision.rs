//! The vision tower: an EVA-02 transformer, pre-norm, with SwiGLU and a rotary embedding.
//!
//! Source: the reference's `eva_vit_model/eva_vit.py`. Names are the checkpoint's keys below
//! `visual.`. Shapes: B pictures, N = 1 + patches tokens, W width, H heads, D head dim.

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{LayerNorm, VarBuilder, ops};
use candle_transformers::models::with_tracing::Linear;

use super::layers::{layer_norm, linear, part, stacked};
use super::rope::{Rope, RopeTables};
use super::variant::{VISION_EPS, VisionConfig};

/// Encodes pictures into the space shared with texts.
#[derive(Debug)]
pub struct VisionTower {
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
        vb: VarBuilder,
    ) -> Result<Self> {
        let rope = Rope::new(tables)?;
        let blocks = vb.pp("blocks");
        Ok(Self {
            embeddings: Embeddings::new(config, vb.clone())?,
            blocks: (0..config.depth)
                .map(|i| Block::new(config, &rope, blocks.pp(i)))
                .collect::<Result<_>>()?,
            norm: layer_norm(config.width, VISION_EPS, vb.pp("norm"))?,
            head: linear(config.width, embedding, vb.pp("head"))?,
        })
    }

    /// Features [B, embedding] of normalised pictures [B, 3, image, image]; not of unit length.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        self.forward_observed(pictures, &mut |_| Ok(()))
    }

    /// As [`forward`](Self::forward), showing the residual stream [B, N, W] after the embedding
    /// and after each block.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and whatever `observe` returns.
    pub fn forward_observed(
        &self,
        pictures: &Tensor,
        observe: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let mut x = self.embeddings.forward(pictures)?; // [B, N, W]
        observe(&x)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
            observe(&x)?;
        }
        // LayerNorm works token by token, so only the class token needs it.
        let class = x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?; // [B, W]
        self.head.forward(&self.norm.forward(&class)?)
    }
}

/// Patches, class token and learned positions.
#[derive(Debug)]
struct Embeddings {
    patch: usize,
    /// The patch convolution as a linear layer over flattened patches [3 * patch * patch].
    proj: Linear,
    cls_token: Tensor,
    pos_embed: Tensor,
}

impl Embeddings {
    fn new(config: &VisionConfig, vb: VarBuilder) -> Result<Self> {
        let VisionConfig { patch, width, .. } = *config;
        let proj = vb.pp("patch_embed.proj");
        let weight = proj.get((width, 3, patch, patch), "weight")?;
        Ok(Self {
            patch,
            proj: Linear::from_weights(
                weight.reshape((width, 3 * patch * patch))?,
                Some(proj.get(width, "bias")?),
            ),
            cls_token: vb.get((1, 1, width), "cls_token")?,
            pos_embed: vb.get((1, config.tokens(), width), "pos_embed")?,
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
    fn new(config: &VisionConfig, rope: &Rope, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            norm1: layer_norm(config.width, VISION_EPS, vb.pp("norm1"))?,
            attn: Attention::new(config, rope, vb.pp("attn"))?,
            norm2: layer_norm(config.width, VISION_EPS, vb.pp("norm2"))?,
            mlp: SwiGlu::new(config, vb.pp("mlp"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attn.forward(&self.norm1.forward(x)?)?)?;
        &x + self.mlp.forward(&self.norm2.forward(&x)?)?
    }
}

#[derive(Debug)]
struct Attention {
    heads: usize,
    /// q, k and v side by side; k has no bias, which is a bias of zero.
    qkv: Linear,
    proj: Linear,
    rope: Rope,
}

impl Attention {
    fn new(config: &VisionConfig, rope: &Rope, vb: VarBuilder) -> Result<Self> {
        let width = config.width;
        let weight = |name: &str| vb.pp(name).get((width, width), "weight");
        let q_bias = vb.get(width, "q_bias")?;
        let v_bias = vb.get(width, "v_bias")?;
        let k_bias = q_bias.zeros_like()?;
        Ok(Self {
            heads: config.heads,
            qkv: stacked(
                &[weight("q_proj")?, weight("k_proj")?, weight("v_proj")?],
                &[q_bias, k_bias, v_bias],
            )?,
            proj: linear(width, width, vb.pp("proj"))?,
            rope: rope.clone(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        let head_dim = width / self.heads;
        let qkv = self
            .qkv
            .forward(x)? // [B, N, 3W]
            .reshape((batch, tokens, 3, self.heads, head_dim))?
            .permute((2, 0, 3, 1, 4))?; // [3, B, H, N, D]
        let q = self.rope.rotate(&qkv.get(0)?.contiguous()?)?;
        let k = self.rope.rotate(&qkv.get(1)?.contiguous()?)?;
        let v = qkv.get(2)?.contiguous()?;
        let q = (q * (head_dim as f64).powf(-0.5))?;
        let weights = ops::softmax_last_dim(&q.matmul(&k.t()?)?)?; // [B, H, N, N]
        let mixed = weights
            .matmul(&v)? // [B, H, N, D]
            .transpose(1, 2)?
            .reshape((batch, tokens, width))?;
        self.proj.forward(&mixed)
    }
}

/// `w3(ffn_ln(silu(w1(x)) * w2(x)))`.
#[derive(Debug)]
struct SwiGlu {
    /// w1 and w2 side by side.
    w12: Linear,
    ffn_ln: LayerNorm,
    w3: Linear,
}

impl SwiGlu {
    fn new(config: &VisionConfig, vb: VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.width, config.mlp_hidden);
        let weight = |name: &str| vb.pp(name).get((hidden, width), "weight");
        let bias = |name: &str| vb.pp(name).get(hidden, "bias");
        Ok(Self {
            w12: stacked(&[weight("w1")?, weight("w2")?], &[bias("w1")?, bias("w2")?])?,
            ffn_ln: layer_norm(hidden, VISION_EPS, vb.pp("ffn_ln"))?,
            w3: linear(hidden, width, vb.pp("w3"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let gates = self.w12.forward(x)?; // [B, N, 2 * hidden]
        let hidden = (part(&gates, 0, 2)?.silu()? * part(&gates, 1, 2)?)?;
        self.w3.forward(&self.ffn_ln.forward(&hidden)?)
    }
}

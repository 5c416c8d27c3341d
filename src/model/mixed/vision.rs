//! The vision tower in mixed precision. See [`VisionTower`](crate::model::VisionTower) for names
//! and shapes; here all activations are rows: [B * N, W].

use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;

use super::Mixed;
use super::layers::{Linear, Norm, padded_hidden};
use crate::model::config::{VISION_EPS, VisionConfig};
use crate::model::rope::Rope;
use crate::model::vision::Observe;

/// The tower.
#[derive(Debug)]
pub struct Vision {
    mixed: Mixed,
    patch: usize,
    tokens: usize,
    width: usize,
    heads: usize,
    /// Channels of the MLP, without those that pad them.
    hidden: usize,
    /// Both [N, head dim].
    rotation: (Tensor, Tensor),
    /// Over flattened patches [3 * patch * patch].
    proj: Linear,
    /// [W]
    cls_token: Tensor,
    /// [N, W]
    pos_embed: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
    head: Linear,
}

#[derive(Debug)]
struct Block {
    norm1: Norm,
    qkv: Linear,
    proj: Linear,
    norm2: Norm,
    w12: Linear,
    ffn_ln: Norm,
    w3: Linear,
}

impl Vision {
    /// Builds the tower from the weights below `visual.`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &VisionConfig,
        embedding: usize,
        rope: &Rope,
        mixed: &Mixed,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (patch, width) = (config.patch, config.transformer.width);
        let factors = mixed.factors.dtype();
        let proj = vb.pp("patch_embedding");
        let weight = proj.get((width, 3, patch, patch), "weight")?;
        let blocks = vb.pp("blocks");
        let (cos, sin) = rope.tables();
        Ok(Self {
            mixed: mixed.clone(),
            patch,
            tokens: config.tokens(),
            width,
            heads: config.transformer.heads,
            hidden: config.transformer.mlp_hidden,
            rotation: (cos.contiguous()?, sin.contiguous()?),
            proj: Linear::new(
                &weight.reshape((width, 3 * patch * patch))?,
                proj.get(width, "bias")?,
                factors,
            )?,
            cls_token: vb.get(width, "class_embedding")?,
            pos_embed: vb.get((config.tokens(), width), "positional_embedding")?,
            blocks: (0..config.transformer.depth)
                .map(|i| Block::new(config, factors, blocks.pp(i)))
                .collect::<Result<_>>()?,
            norm: Norm::load(width, VISION_EPS, vb.pp("norm"))?,
            head: Linear::load(width, embedding, factors, vb.pp("projection"))?,
        })
    }

    /// Tokens of one picture.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Mixed precision and its engine.
    pub fn mixed(&self) -> &Mixed {
        &self.mixed
    }

    /// Features [B, embedding] (f32) of pixels [B, S, S, 3] (u8).
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward_bytes(&self, pixels: &Tensor, mean: &Tensor, std: &Tensor) -> Result<Tensor> {
        let patches = self.mixed.patches(pixels, mean, std, self.patch)?;
        self.forward_patches(&patches, None)
    }

    /// Features [B, embedding] (f32) of normalised pictures [B, 3, S, S].
    ///
    /// # Errors
    /// When the device fails, and whatever `observe` returns.
    pub fn forward(&self, pictures: &Tensor, observe: Option<Observe<'_>>) -> Result<Tensor> {
        let (batch, channels, height, _) = pictures.dims4()?;
        let (patch, grid) = (self.patch, height / self.patch);
        let patches = pictures
            .reshape((batch, channels, grid, patch, grid, patch))?
            .permute((0, 2, 4, 1, 3, 5))?
            .reshape((batch * grid * grid, channels * patch * patch))?
            .to_dtype(self.mixed.factors.dtype())?;
        self.forward_patches(&patches, observe)
    }

    fn forward_patches(
        &self,
        patches: &Tensor,
        mut observe: Option<Observe<'_>>,
    ) -> Result<Tensor> {
        let mixed = &self.mixed;
        let products = self.proj.product(patches)?;
        let mut x = mixed.embed(&products, &self.proj.bias, &self.cls_token, &self.pos_embed)?;
        // Behind the last block only the class token is used, so only an observer needs others.
        let class_only = observe.is_none();
        let mut show = |x: &Tensor| match &mut observe {
            Some(observe) => observe(&x.reshape(((), self.tokens, self.width))?),
            None => Ok(()),
        };
        show(&x)?;
        // What ends a block and what begins the next one are one kernel.
        let mut normed = match self.blocks.first() {
            Some(block) => Some(mixed.norm(&x, &block.norm1)?),
            None => None,
        };
        for (i, block) in self.blocks.iter().enumerate() {
            let Some(input) = normed.take() else { break };
            let last = i + 1 == self.blocks.len();
            let hidden = self.hidden(block, &input, &mut x, last && class_only)?;
            let products = block.w3.product(&hidden)?;
            match self.blocks.get(i + 1) {
                Some(next) => {
                    let (sum, next) = mixed.add_norm(&x, &products, &block.w3.bias, &next.norm1)?;
                    (x, normed) = (sum, Some(next));
                }
                None => x = mixed.add(&x, &products, &block.w3.bias)?,
            }
            show(&x)?;
        }
        let class = match class_only && !self.blocks.is_empty() {
            true => x,
            false => self.class_tokens(&x)?,
        };
        let features = self.head.product(&mixed.norm(&class, &self.norm)?)?;
        features
            .to_dtype(DType::F32)?
            .broadcast_add(&self.head.bias)
    }

    /// The class tokens [B, W] among all rows.
    fn class_tokens(&self, rows: &Tensor) -> Result<Tensor> {
        rows.reshape(((), self.tokens, self.width))?
            .narrow(1, 0, 1)?
            .squeeze(1)?
            .contiguous()
    }

    /// Attention, which is added to `x`, and the hidden channels of the MLP; from attention on for
    /// the class tokens alone, if nothing else is wanted.
    fn hidden(
        &self,
        block: &Block,
        input: &Tensor,
        x: &mut Tensor,
        class_only: bool,
    ) -> Result<Tensor> {
        let mixed = &self.mixed;
        let (cos, sin) = &self.rotation;
        let qkv = block.qkv.product(input)?; // [B * N, 3W]
        let heads = mixed.heads(&qkv, &block.qkv.bias, (cos, sin), self.heads)?;
        drop(qkv);
        let mut attended = mixed.attention(&heads)?;
        drop(heads);
        if class_only {
            attended = self.class_tokens(&attended)?;
            *x = self.class_tokens(x)?;
        }
        let products = block.proj.product(&attended)?;
        let (sum, normed) = mixed.add_norm(x, &products, &block.proj.bias, &block.norm2)?;
        *x = sum;
        let both = block.w12.product(&normed)?; // [B * N, 2 * hidden]
        mixed.gate_norm(&both, &block.w12.bias, &block.ffn_ln, self.hidden)
    }
}

impl Block {
    fn new(config: &VisionConfig, factors: DType, vb: VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.transformer.width, config.transformer.mlp_hidden);
        let norm = |name: &str, width| Norm::load(width, VISION_EPS, vb.pp(name));
        let (attn, mlp) = (vb.pp("attn"), vb.pp("mlp"));
        let of_heads = |name: &str| attn.pp(name).get((width, width), "weight");
        let (q_bias, v_bias) = (attn.get(width, "q.bias")?, attn.get(width, "v.bias")?);
        let k_bias = q_bias.zeros_like()?;
        let gate = |name: &str| mlp.pp(name).get((hidden, width), "weight");
        let gate_bias = |name: &str| mlp.pp(name).get(hidden, "bias");
        let more = padded_hidden(hidden) - hidden;
        let longer = |t: Tensor| t.pad_with_zeros(0, 0, more);
        let w3 = mlp.pp("down").get((width, hidden), "weight")?;
        Ok(Self {
            norm1: norm("norm1", width)?,
            qkv: Linear::new(
                &Tensor::cat(&[of_heads("q")?, of_heads("k")?, of_heads("v")?], 0)?,
                Tensor::cat(&[q_bias, k_bias, v_bias], 0)?,
                factors,
            )?,
            proj: Linear::load(width, width, factors, attn.pp("proj"))?,
            norm2: norm("norm2", width)?,
            w12: Linear::new(
                &Tensor::cat(&[longer(gate("gate")?)?, longer(gate("up")?)?], 0)?,
                Tensor::cat(&[longer(gate_bias("gate")?)?, longer(gate_bias("up")?)?], 0)?,
                factors,
            )?,
            ffn_ln: Norm::load(hidden, VISION_EPS, mlp.pp("norm"))?.padded(more)?,
            w3: Linear::new(
                &w3.pad_with_zeros(D::Minus1, 0, more)?,
                mlp.pp("down").get(width, "bias")?,
                factors,
            )?,
        })
    }
}

//! The vision tower: a transformer over the patches of a picture and a class token.
//!
//! Sources: the reference's `eva_vit_model/eva_vit.py`, and open_clip's `transformer.py`
//! (`VisionTransformer`). Names are the canonical ones of tensors below `visual.`. Shapes: B pictures,
//! N = 1 + patches tokens, W width.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::backend::{Backend, Linear, Norm, Picture, cut, first_tokens};
use super::compute::Compute;
use super::config::VisionConfig;
use super::rope::{RopeTables, Rotation};
use super::transformer::{Observe, Transformer, show};

/// Encodes pictures into the space shared with texts.
#[derive(Debug)]
pub struct VisionTower {
    backend: Arc<dyn Backend>,
    config: VisionConfig,
    /// The patch convolution as a linear layer over flattened patches [3 * P * P -> W].
    patch_embedding: Linear,
    /// [W]
    class_embedding: Tensor,
    /// [N, W]
    positional_embedding: Tensor,
    pre_norm: Option<Norm>,
    rotation: Option<Rotation>,
    transformer: Transformer,
    norm: Norm,
    /// [W -> embedding]
    projection: Linear,
}

impl VisionTower {
    /// Builds the tower from the weights below `vb`, and the rotary tables to use where the
    /// configuration has any.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &VisionConfig,
        embedding: usize,
        tables: Option<&RopeTables>,
        compute: &Compute,
        vb: VarBuilder,
    ) -> Result<Self> {
        let backend = &compute.backend;
        let (patch, width, eps) = (
            config.patch,
            config.transformer.width,
            config.transformer.eps,
        );
        let linear = |name: &str, inputs, outputs, shape: &[usize], has_bias| {
            let layer = vb.pp(name);
            let weight = layer.get(shape, "weight")?.reshape((outputs, inputs))?;
            // Adding zeros costs nothing beside the product.
            let bias = if has_bias {
                layer.get(outputs, "bias")?
            } else {
                Tensor::zeros(outputs, weight.dtype(), weight.device())?
            };
            backend.linear(&weight, &bias)
        };
        Ok(Self {
            patch_embedding: linear(
                "patch_embedding",
                3 * patch * patch,
                width,
                &[width, 3, patch, patch],
                config.patch_bias,
            )?,
            class_embedding: vb.get(width, "class_embedding")?,
            positional_embedding: vb.get((config.tokens(), width), "positional_embedding")?,
            pre_norm: if config.pre_norm {
                Some(Norm::load(width, eps, &vb.pp("pre_norm"))?)
            } else {
                None
            },
            rotation: tables.map(Rotation::new).transpose()?,
            transformer: Transformer::new(&config.transformer, backend, &vb.pp("blocks"))?,
            norm: Norm::load(width, eps, &vb.pp("norm"))?,
            projection: linear(
                "projection",
                width,
                embedding,
                &[embedding, width],
                config.projection_bias,
            )?,
            backend: Arc::clone(backend),
            config: config.clone(),
        })
    }

    /// Tokens of one picture.
    pub fn tokens(&self) -> usize {
        self.config.tokens()
    }

    /// Features [B, embedding] of crops [B, image, image, 3] (u8); not of unit length. They are
    /// normalised by `mean` and `std` [3].
    ///
    /// # Errors
    /// When the crops have another size, or the device fails.
    pub fn encode(&self, crops: &Tensor, mean: &Tensor, std: &Tensor) -> Result<Tensor> {
        let patches = self.backend.patches(crops, mean, std, self.config.patch)?;
        self.features(&patches, None)
    }

    /// As [`encode`](Self::encode), of normalised pictures [B, 3, image, image].
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        self.features(&self.patches(pictures)?, None)
    }

    /// As [`forward`](Self::forward), showing the residual stream [B, N, W] in front of the first block
    /// and after each one.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and whatever `observe` returns.
    pub fn forward_observed(&self, pictures: &Tensor, observe: Observe<'_>) -> Result<Tensor> {
        self.features(&self.patches(pictures)?, Some(observe))
    }

    fn patches(&self, pictures: &Tensor) -> Result<Tensor> {
        self.backend.operand(&cut(pictures, self.config.patch)?)
    }

    /// Features [B, embedding] of patches [B * (N - 1), 3 * P * P].
    fn features(&self, patches: &Tensor, observe: Option<Observe<'_>>) -> Result<Tensor> {
        let backend = &*self.backend;
        let tokens = self.tokens();
        let mut x = backend.embed(
            patches,
            &self.patch_embedding,
            &self.class_embedding,
            &self.positional_embedding,
        )?; // [B * N, W]
        if let Some(norm) = &self.pre_norm {
            x = backend.normalise_f32(&x, norm)?;
        }
        // Behind the last block only the class token is used, so only an observer needs others.
        let class_only = observe.is_none();
        let mut by_picture =
            observe.map(|observe| move |x: Tensor| observe(x.reshape(((), tokens, x.dim(1)?))?));
        let mut observe = by_picture.as_mut().map(|observe| observe as Observe<'_>);
        show(&x, &mut observe)?;
        let mut attend = |block: usize, qkv: &Linear, input: &Tensor, x: Tensor| {
            let last = block + 1 == self.config.transformer.depth;
            let queries = if last && class_only { 1 } else { tokens };
            let shape = Picture {
                heads: self.config.transformer.heads,
                tokens,
                queries,
                rotation: self.rotation.as_ref(),
            };
            let attended = backend.attention(input, qkv, &shape)?; // [B * queries, W]
            Ok((attended, first_tokens(&x, tokens, queries)?))
        };
        x = self.transformer.forward(x, &mut attend, observe)?;
        if !class_only {
            x = first_tokens(&x, tokens, 1)?; // [B, W]
        }
        backend.project(&backend.normalise(&x, &self.norm)?, &self.projection)
    }
}

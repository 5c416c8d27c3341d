//! The steps on a GPU.
//!
//! Matrix products are candle's, of f16, bf16 or f32 values with f32 sums; all that happens between
//! two products is one kernel of `kernels::gpu`. The residual stream, LayerNorm and softmax are f32:
//! what the reference's autocast computes.
//!
//! | file | what |
//! |---|---|
//! | `kernels` | the launches: grids, shared memory, arguments |
//! | `ranking` | those behind the towers |
//! | `limits` | what a block of threads can hold |

mod kernels;
mod limits;
mod ranking;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, bail};

pub use limits::TooLarge;
pub use ranking::Ranking;

use super::{Activation, Backend, KeysValues, Linear, Norm, Picture, Rank, first_tokens};
use crate::kernels::gpu::Engine;
use crate::model::config::ModelConfig;
use crate::model::paths::Paths;

/// Tokens that a batch should have: enough for large matrix products, little enough that
/// the largest model's activations take less than 3 GB.
const TOKENS_OF_A_BATCH: usize = 65_536;
const MOST_PICTURES_OF_A_BATCH: usize = 256;
const NODES_AT_ONCE: usize = 16_384;
/// Hidden channels are padded to a multiple of this, so that products stay on the fast path of tensor
/// cores. UTA-L has 2730 of them.
const ALIGNMENT: usize = 64;

/// What the matrix products multiply. Their sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuPrecision {
    F32,
    /// f32 rounded to 10 bits of mantissa inside the product.
    Tf32,
    F16,
    Bf16,
}

impl GpuPrecision {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The type of the tensors that are multiplied.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 | Self::Tf32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// GPU kernels, run by an engine.
#[derive(Debug, Clone)]
pub struct Gpu {
    pub engine: Arc<dyn Engine>,
    pub precision: GpuPrecision,
}

/// The kernel behind a product adds the bias.
#[derive(Debug)]
struct Weights {
    /// [outputs, inputs], in the type that is multiplied.
    weight: Tensor,
    /// [outputs], f32
    bias: Tensor,
}

impl Gpu {
    /// Tries whether a device computes: a small product and two kernels, with a known result.
    ///
    /// # Errors
    /// What does not work.
    pub fn trial(&self, device: &Device) -> Result<()> {
        // Features that point along channels 3 and 1, and a column along each of four channels.
        let rows = [[0f32, 0., 0., 2.], [0., 0.5, 0., 0.]];
        let factors = Tensor::new(&rows, device)?.to_dtype(self.dtype())?;
        let columns = Tensor::eye(4, DType::F32, device)?;
        let product = factors.matmul(&columns.to_dtype(factors.dtype())?)?;
        let column_of = Tensor::new(&[0u32, 1, 2, 3], device)?;
        let places = self.rank(&product.to_dtype(DType::F32)?, &columns, &column_of, 1, 1.0)?;
        let found: Vec<_> = places
            .iter()
            .map(|place| (&place.classes[..], place.logits[0]))
            .collect();
        if found != [(&[3usize][..], 1.0), (&[1][..], 1.0)] {
            bail!("the result is wrong: {found:?}")
        }
        Ok(())
    }

    fn dtype(&self) -> DType {
        self.precision.dtype()
    }

    /// `x W^T` of an operand, and the bias that is still to be added.
    fn product<'a>(&self, x: &Tensor, layer: &'a Linear) -> Result<(Tensor, &'a Tensor)> {
        let Weights { weight, bias } = layer.weights()?;
        Ok((x.matmul(&weight.t()?)?, bias))
    }
}

impl Backend for Gpu {
    fn precision(&self) -> &'static str {
        self.precision.name()
    }

    fn instructions(&self) -> &'static str {
        "cuBLAS's"
    }

    fn check(&self, config: &ModelConfig) -> std::result::Result<(), TooLarge> {
        limits::check(self, config)
    }

    fn batch_size(&self, tokens: usize) -> usize {
        let most = (TOKENS_OF_A_BATCH / tokens.max(1)).clamp(1, MOST_PICTURES_OF_A_BATCH);
        // The largest power of two that is not above.
        1 << most.ilog2()
    }

    /// A batch is what a GPU is given together.
    fn micro_batch(&self, _: usize) -> usize {
        usize::MAX
    }

    fn nodes_of_a_run(&self) -> usize {
        NODES_AT_ONCE
    }

    fn wait(&self) -> Result<()> {
        self.engine.wait()
    }

    fn ranker(&self) -> Option<&dyn Rank> {
        Some(self)
    }

    fn linear(&self, weight: &Tensor, bias: &Tensor) -> Result<Linear> {
        Ok(Linear::of(Weights {
            weight: weight.to_dtype(self.dtype())?.contiguous()?,
            bias: bias.contiguous()?,
        }))
    }

    /// Side by side.
    fn gated(&self, gate: (&Tensor, &Tensor), up: (&Tensor, &Tensor)) -> Result<Linear> {
        self.linear(
            &Tensor::cat(&[gate.0, up.0], 0)?,
            &Tensor::cat(&[gate.1, up.1], 0)?,
        )
    }

    fn padded_hidden(&self, hidden: usize) -> usize {
        hidden.next_multiple_of(ALIGNMENT)
    }

    fn patches(
        &self,
        pixels: &Tensor,
        mean: &Tensor,
        std: &Tensor,
        patch: usize,
    ) -> Result<Tensor> {
        self.normalised_patches(pixels, mean, std, patch)
    }

    fn embed(
        &self,
        patches: &Tensor,
        layer: &Linear,
        class: &Tensor,
        positions: &Tensor,
    ) -> Result<Tensor> {
        let (products, bias) = self.product(patches, layer)?;
        self.embedded(&products, bias, class, positions)
    }

    fn operand(&self, x: &Tensor) -> Result<Tensor> {
        x.to_dtype(self.dtype())
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.norm(x, norm)
    }

    fn normalise_f32(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.in_f32().norm(x, norm)
    }

    fn project(&self, x: &Tensor, layer: &Linear) -> Result<Tensor> {
        let (products, bias) = self.product(x, layer)?;
        products.to_dtype(DType::F32)?.broadcast_add(bias)
    }

    fn project_add(&self, x: &Tensor, layer: &Linear, residual: Tensor) -> Result<Tensor> {
        let (products, bias) = self.product(x, layer)?;
        self.add(&residual, &products, bias)
    }

    fn project_add_normalise(
        &self,
        x: &Tensor,
        layer: &Linear,
        residual: Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        let (products, bias) = self.product(x, layer)?;
        self.add_norm(&residual, &products, bias, norm)
    }

    fn project_normalise_add(
        &self,
        x: &Tensor,
        layer: &Linear,
        residual: Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        let (products, bias) = self.product(x, layer)?;
        self.norm_add(&residual, &products, bias, norm)
    }

    fn activate(&self, x: &Tensor, layer: &Linear, activation: Activation) -> Result<Tensor> {
        let (products, bias) = self.product(x, layer)?;
        self.activated(&products, bias, activation)
    }

    fn gate(&self, x: &Tensor, layer: &Linear, norm: &Norm) -> Result<Tensor> {
        let (products, bias) = self.product(x, layer)?;
        self.gate_norm(&products, bias, norm)
    }

    fn attention(&self, x: &Tensor, qkv: &Linear, shape: &Picture<'_>) -> Result<Tensor> {
        let (products, bias) = self.product(x, qkv)?; // [B * N, 3W]
        let heads = self.heads(&products, bias, shape)?;
        drop(products);
        first_tokens(&self.attend(&heads)?, shape.tokens, shape.queries)
    }

    fn forest_attention(
        &self,
        x: &Tensor,
        qkv: &Linear,
        heads: usize,
        before: Option<KeysValues>,
        paths: &Paths,
    ) -> Result<(Tensor, Option<KeysValues>)> {
        let (products, bias) = self.product(x, qkv)?; // [N, 3W]
        let thirds = self.thirds(&products, bias)?;
        drop(products);
        let (q, mut k, mut v) = (thirds.get(0)?, thirds.get(1)?, thirds.get(2)?);
        if let Some((keys, values)) = before {
            k = Tensor::cat(&[&keys, &k], 0)?; // [P + N, W]
            v = Tensor::cat(&[&values, &v], 0)?;
        }
        let device = x.device();
        let attended = self.forest([&q, &k, &v], paths.flat(device)?, heads)?; // [N, W]
        let kept = match paths.keep(device)? {
            Some(rows) => Some((k.index_select(rows, 0)?, v.index_select(rows, 0)?)),
            None => None,
        };
        Ok((attended, kept))
    }

    fn product_in_f32(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.unrounded_product(a, b)
    }
}

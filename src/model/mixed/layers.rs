//! Weights in the types that the kernels and products take.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// Rows and columns of a weight are padded to a multiple of this, so that products stay on the fast
/// path of tensor cores. UTA-L has 2730 hidden channels.
const ALIGNMENT: usize = 64;

/// The channels that so many hidden ones are padded to.
pub fn padded_hidden(hidden: usize) -> usize {
    hidden.next_multiple_of(ALIGNMENT)
}

/// A linear layer without its bias, which the kernel behind it adds.
#[derive(Debug)]
pub struct Linear {
    /// [outputs, inputs]
    weight: Tensor,
    /// [outputs], f32
    pub bias: Tensor,
}

impl Linear {
    /// A layer of `vb` with `weight` [outputs, inputs] and `bias` [outputs].
    pub fn load(inputs: usize, outputs: usize, factors: DType, vb: VarBuilder) -> Result<Self> {
        Self::new(
            &vb.get((outputs, inputs), "weight")?,
            vb.get(outputs, "bias")?,
            factors,
        )
    }

    /// A layer of `weight` [outputs, inputs] and `bias` [outputs], both f32.
    pub fn new(weight: &Tensor, bias: Tensor, factors: DType) -> Result<Self> {
        Ok(Self {
            weight: weight.to_dtype(factors)?.contiguous()?,
            bias,
        })
    }

    /// `x W^T` of rows [R, inputs].
    pub fn product(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)
    }
}

/// A LayerNorm.
#[derive(Debug)]
pub struct Norm {
    /// [W], f32
    pub weight: Tensor,
    /// [W], f32
    pub bias: Tensor,
    pub eps: f32,
}

impl Norm {
    pub fn load(width: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: vb.get(width, "weight")?,
            bias: vb.get(width, "bias")?,
            eps: eps as f32,
        })
    }

    /// The same with `more` weights of zero.
    pub fn padded(&self, more: usize) -> Result<Self> {
        Ok(Self {
            weight: self.weight.pad_with_zeros(0, 0, more)?,
            bias: self.bias.pad_with_zeros(0, 0, more)?,
            eps: self.eps,
        })
    }
}

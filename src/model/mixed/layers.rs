//! Weights in the types that the kernels and products take.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

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
}

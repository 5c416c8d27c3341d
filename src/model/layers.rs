//! Layers that both towers use, built from checkpoint weights.

use candle_core::{D, Result, Tensor};
use candle_nn::{LayerNorm, VarBuilder};
use candle_transformers::models::with_tracing::Linear;

/// A linear layer `name` [inputs -> outputs] with `name.weight` [outputs, inputs] and `name.bias`.
pub fn linear(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    candle_transformers::models::with_tracing::linear(inputs, outputs, vb)
}

/// Several linear layers over the same input as one: their outputs stand side by side.
///
/// One large matrix product runs closer to the machine's limit than several small ones.
pub fn stacked(weights: &[Tensor], biases: &[Tensor]) -> Result<Linear> {
    Ok(Linear::from_weights(
        Tensor::cat(weights, 0)?,
        Some(Tensor::cat(biases, 0)?),
    ))
}

/// A LayerNorm over the last axis.
pub fn layer_norm(width: usize, eps: f64, vb: VarBuilder) -> Result<LayerNorm> {
    candle_nn::layer_norm(width, eps, vb)
}

/// The `index`-th of `parts` equal slices of the last axis.
pub fn part(x: &Tensor, index: usize, parts: usize) -> Result<Tensor> {
    let width = x.dim(D::Minus1)? / parts;
    x.narrow(D::Minus1, index * width, width)
}

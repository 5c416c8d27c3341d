//! Layers that both towers use, built from checkpoint weights.
//!
//! Each runs on the kernels of this crate, with its neighbours fused into it, or as candle's own
//! operations, which say what it computes.

use std::sync::Arc;

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{VarBuilder, ops};
use candle_transformers::models::with_tracing;

use super::compute::{Compute, Kernels};
use super::ops::{ApplyLinear, ApplyNorm};
use crate::kernels::PackedLinear;

/// A linear layer.
#[derive(Debug)]
pub enum Linear {
    Candle(with_tracing::Linear),
    Packed(Arc<PackedLinear>),
}

impl Linear {
    /// A layer `vb` [inputs -> outputs] with `weight` [outputs, inputs] and `bias`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn load(inputs: usize, outputs: usize, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        Self::new(
            vb.get((outputs, inputs), "weight")?,
            vb.get(outputs, "bias")?,
            compute,
        )
    }

    /// A layer of `weight` [outputs, inputs] and `bias` [outputs].
    ///
    /// # Errors
    /// When the weight is no matrix.
    pub fn new(weight: Tensor, bias: Tensor, compute: &Compute) -> Result<Self> {
        let Some(Kernels { isa, precision }) = compute.kernels() else {
            return Ok(Self::Candle(with_tracing::Linear::from_weights(
                weight,
                Some(bias),
            )));
        };
        let (_, inputs) = weight.dims2()?;
        let (weight, bias) = (values(&weight)?, values(&bias)?);
        let layer = PackedLinear::new(&weight, Some(&bias), inputs, precision, isa);
        Ok(Self::Packed(Arc::new(layer)))
    }

    /// Several layers over the same input as one: their outputs stand side by side.
    ///
    /// One large matrix product runs closer to the machine's limit than several small ones.
    ///
    /// # Errors
    /// When the inputs differ.
    pub fn stacked(weights: &[Tensor], biases: &[Tensor], compute: &Compute) -> Result<Self> {
        Self::new(Tensor::cat(weights, 0)?, Tensor::cat(biases, 0)?, compute)
    }

    /// `x W^T + b`.
    ///
    /// # Errors
    /// When the last axis of `x` has another length.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Candle(layer) => layer.forward(x),
            Self::Packed(layer) => x
                .contiguous()?
                .apply_op1_no_bwd(&ApplyLinear { layer, gelu: false }),
        }
    }

    /// GELU of [`forward`](Self::forward), in the erf form; the tanh form moves the features by
    /// 1.4e-4.
    ///
    /// # Errors
    /// As `forward`.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Candle(layer) => layer.forward(x)?.gelu_erf(),
            Self::Packed(layer) => x
                .contiguous()?
                .apply_op1_no_bwd(&ApplyLinear { layer, gelu: true }),
        }
    }

    /// `residual` plus [`forward`](Self::forward).
    ///
    /// # Errors
    /// As `forward`, or when the shapes differ.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match self {
            Self::Candle(layer) => residual + layer.forward(x)?,
            Self::Packed(layer) => x
                .contiguous()?
                .apply_op2_no_bwd(&residual.contiguous()?, &ApplyLinear { layer, gelu: false }),
        }
    }
}

/// `silu(w1(x)) * w2(x)`.
#[derive(Debug)]
pub enum Gated {
    /// w1 and w2 side by side.
    Candle(Linear),
    Packed(Arc<PackedLinear>),
}

impl Gated {
    /// The layers `gate` and `up` below `vb`, each [inputs -> outputs].
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn load(inputs: usize, outputs: usize, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let weight = |name: &str| vb.pp(name).get((outputs, inputs), "weight");
        let bias = |name: &str| vb.pp(name).get(outputs, "bias");
        let (weights, biases) = (
            [weight("gate")?, weight("up")?],
            [bias("gate")?, bias("up")?],
        );
        let Some(Kernels { isa, precision }) = compute.kernels() else {
            return Ok(Self::Candle(Linear::stacked(&weights, &biases, compute)?));
        };
        let [w1, w2] = [values(&weights[0])?, values(&weights[1])?];
        let [b1, b2] = [values(&biases[0])?, values(&biases[1])?];
        let (first, second) = ((&w1[..], Some(&b1[..])), (&w2[..], Some(&b2[..])));
        Ok(Self::Packed(Arc::new(PackedLinear::gated(
            first, second, inputs, precision, isa,
        ))))
    }

    /// # Errors
    /// When the last axis of `x` has another length.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Candle(w12) => {
                let both = w12.forward(x)?;
                ops::silu(&part(&both, 0, 2)?)? * part(&both, 1, 2)?
            }
            Self::Packed(layer) => x
                .contiguous()?
                .apply_op1_no_bwd(&ApplyLinear { layer, gelu: false }),
        }
    }
}

/// A LayerNorm over the last axis.
#[derive(Debug)]
pub enum LayerNorm {
    Candle(candle_nn::LayerNorm),
    Kernel(ApplyNorm),
}

impl LayerNorm {
    /// A layer of `vb` with `weight` and `bias` [width].
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn load(width: usize, eps: f64, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let Some(Kernels { isa, .. }) = compute.kernels() else {
            return Ok(Self::Candle(candle_nn::layer_norm(width, eps, vb)?));
        };
        Ok(Self::Kernel(ApplyNorm {
            weight: vb.get(width, "weight")?.to_vec1()?,
            bias: vb.get(width, "bias")?.to_vec1()?,
            eps: eps as f32,
            isa,
        }))
    }

    /// # Errors
    /// When the last axis of `x` has another length.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Candle(norm) => norm.forward(x),
            Self::Kernel(norm) => x.contiguous()?.apply_op1_no_bwd(norm),
        }
    }
}

/// The `index`-th of `parts` equal slices of the last axis.
pub fn part(x: &Tensor, index: usize, parts: usize) -> Result<Tensor> {
    let width = x.dim(D::Minus1)? / parts;
    x.narrow(D::Minus1, index * width, width)
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

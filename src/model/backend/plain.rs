//! The steps in candle's own operations, in f32, which say what they compute.

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::ops::{layer_norm_slow, sigmoid, silu, softmax_last_dim};
use candle_transformers::models::with_tracing::Linear as Layer;

use super::{Activation, Backend, KeysValues, Linear, Norm, Picture};
use crate::model::paths::Paths;
use crate::model::rope::Rotation;

/// Nodes of which each may look at each other one.
const NODES_AT_ONCE: usize = 512;

/// candle's operations.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Backend for Plain {
    fn precision(&self) -> &'static str {
        "f32"
    }

    fn instructions(&self) -> &'static str {
        "candle's"
    }

    /// candle does not promise that a picture's bits are the same in any batch.
    fn micro_batch(&self, _: usize) -> usize {
        1
    }

    fn nodes_of_a_run(&self) -> usize {
        NODES_AT_ONCE
    }

    fn linear(&self, weight: &Tensor, bias: &Tensor) -> Result<Linear> {
        let bias = Some(bias.clone());
        Ok(Linear::of(Layer::from_weights(weight.clone(), bias)))
    }

    /// Side by side.
    fn gated(&self, gate: (&Tensor, &Tensor), up: (&Tensor, &Tensor)) -> Result<Linear> {
        self.linear(
            &Tensor::cat(&[gate.0, up.0], 0)?,
            &Tensor::cat(&[gate.1, up.1], 0)?,
        )
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        layer_norm_slow(&x.contiguous()?, &norm.weight, &norm.bias, norm.eps)
    }

    fn project(&self, x: &Tensor, layer: &Linear) -> Result<Tensor> {
        layer.weights::<Layer>()?.forward(x)
    }

    fn project_add(&self, x: &Tensor, layer: &Linear, residual: Tensor) -> Result<Tensor> {
        residual + self.project(x, layer)?
    }

    fn activate(&self, x: &Tensor, layer: &Linear, activation: Activation) -> Result<Tensor> {
        let x = self.project(x, layer)?;
        match activation {
            Activation::Gelu => x.gelu_erf(),
            Activation::QuickGelu => &x * sigmoid(&(&x * 1.702)?)?,
        }
    }

    fn gate(&self, x: &Tensor, layer: &Linear, norm: &Norm) -> Result<Tensor> {
        let both = self.project(x, layer)?.chunk(2, D::Minus1)?;
        self.normalise(&(silu(&both[0])? * &both[1])?, norm)
    }

    fn attention(&self, x: &Tensor, qkv: &Linear, shape: &Picture<'_>) -> Result<Tensor> {
        let Picture {
            heads,
            tokens,
            queries,
            rotation,
        } = *shape;
        let width = x.dim(1)?;
        let qkv = self
            .project(x, qkv)?
            .reshape(((), tokens, 3, heads, width / heads))?
            .permute((2, 0, 3, 1, 4))?; // [3, B, H, N, D]
        let turned = |part| match rotation {
            Some(rotation) => rotate(&qkv.get(part)?.contiguous()?, rotation),
            None => qkv.get(part),
        };
        let q = turned(0)?.narrow(2, 0, queries)?;
        attend(&q, &turned(1)?, &qkv.get(2)?, None)? // [B, H, queries, D]
            .transpose(1, 2)?
            .reshape(((), width))
    }

    fn forest_attention(
        &self,
        x: &Tensor,
        qkv: &Linear,
        heads: usize,
        before: Option<KeysValues>,
        paths: &Paths,
    ) -> Result<(Tensor, Option<KeysValues>)> {
        let (nodes, width) = x.dims2()?;
        let qkv = self.project(x, qkv)?.chunk(3, D::Minus1)?; // [N, W] each
        let (mut k, mut v) = (qkv[1].clone(), qkv[2].clone());
        if let Some((keys, values)) = before {
            k = Tensor::cat(&[&keys, &k], 0)?; // [P + N, W]
            v = Tensor::cat(&[&values, &v], 0)?;
        }
        let split = |x: &Tensor| x.reshape(((), heads, width / heads))?.transpose(0, 1); // [H, R, D]
        let mask = mask(paths, x.device())?; // [N, P + N]
        let attended = attend(
            &split(&qkv[0].contiguous()?)?,
            &split(&k.contiguous()?)?,
            &split(&v.contiguous()?)?,
            Some(&mask),
        )?
        .transpose(0, 1)?
        .reshape((nodes, width))?;
        let kept = match paths.keep(x.device())? {
            Some(rows) => Some((
                k.contiguous()?.index_select(rows, 0)?,
                v.contiguous()?.index_select(rows, 0)?,
            )),
            None => None,
        };
        Ok((attended, kept))
    }
}

/// `softmax(q k^T / sqrt(D) + mask) v` of [.., N, D].
fn attend(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let scale = (q.dim(D::Minus1)? as f64).powf(-0.5);
    let mut scores = (q.contiguous()? * scale)?.matmul(&k.contiguous()?.t()?)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(mask)?;
    }
    softmax_last_dim(&scores)?.matmul(&v.contiguous()?)
}

/// Zero where a node attends to a row, minus infinity elsewhere: [N, P + N].
fn mask(paths: &Paths, device: &Device) -> Result<Tensor> {
    let (nodes, rows) = (paths.each().len(), paths.rows());
    let mut mask = vec![f32::NEG_INFINITY; nodes * rows];
    for (mask, path) in mask.chunks_mut(rows).zip(paths.each()) {
        path.iter().for_each(|row| mask[*row as usize] = 0.0);
    }
    Tensor::from_vec(mask, (nodes, rows), device)
}

/// Rotates adjacent channels of [B, H, N, D]: (a, b) -> (a cos - b sin, b cos + a sin).
fn rotate(x: &Tensor, Rotation { cos, sin }: &Rotation) -> Result<Tensor> {
    let (batch, heads, tokens, head_dim) = x.dims4()?;
    let pairs = x.reshape((batch, heads, tokens, head_dim / 2, 2))?;
    let a = pairs.narrow(D::Minus1, 0, 1)?;
    let b = pairs.narrow(D::Minus1, 1, 1)?;
    let turned = Tensor::cat(&[&b.neg()?, &a], D::Minus1)?.reshape(x.shape())?;
    x.broadcast_mul(cos)? + turned.broadcast_mul(sin)?
}

//! The text tower's blocks in mixed precision, over a forest of token prefixes. See
//! [`TextTower`](crate::model::TextTower) for names and shapes.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::Mixed;
use super::layers::{Linear, Norm};
use crate::model::config::{TEXT_EPS, TextConfig};

/// One residual block.
#[derive(Debug)]
pub struct TextBlock {
    mixed: Mixed,
    heads: usize,
    ln_1: Norm,
    in_proj: Linear,
    out_proj: Linear,
    ln_2: Norm,
    c_fc: Linear,
    c_proj: Linear,
}

impl TextBlock {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &TextConfig, mixed: &Mixed, vb: VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.transformer.width, config.transformer.mlp_hidden);
        let factors = mixed.factors.dtype();
        let (attn, mlp) = (vb.pp("attn"), vb.pp("mlp"));
        Ok(Self {
            mixed: mixed.clone(),
            heads: config.transformer.heads,
            ln_1: Norm::load(width, TEXT_EPS, vb.pp("norm1"))?,
            in_proj: Linear::new(
                &Tensor::cat(
                    &["q", "k", "v"]
                        .map(|name| attn.pp(name).get((width, width), "weight"))
                        .into_iter()
                        .collect::<Result<Vec<_>>>()?,
                    0,
                )?,
                Tensor::cat(
                    &["q", "k", "v"]
                        .map(|name| attn.pp(name).get(width, "bias"))
                        .into_iter()
                        .collect::<Result<Vec<_>>>()?,
                    0,
                )?,
                factors,
            )?,
            out_proj: Linear::load(width, width, factors, attn.pp("proj"))?,
            ln_2: Norm::load(width, TEXT_EPS, vb.pp("norm2"))?,
            c_fc: Linear::load(width, hidden, factors, mlp.pp("fc1"))?,
            c_proj: Linear::load(hidden, width, factors, mlp.pp("fc2"))?,
        })
    }

    /// New states [N, W], and the keys and values [P + N, W] they attended to, from the keys and
    /// values [P, W] of before. `paths` are as [`Mixed::forest`] wants them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(
        &self,
        x: &Tensor,
        before: Option<(Tensor, Tensor)>,
        paths: (&Tensor, &Tensor),
    ) -> Result<(Tensor, (Tensor, Tensor))> {
        let mixed = &self.mixed;
        let products = self.in_proj.product(&mixed.norm(x, &self.ln_1)?)?; // [N, 3W]
        let thirds = mixed.thirds(&products, &self.in_proj.bias)?;
        drop(products);
        let (q, mut k, mut v) = (thirds.get(0)?, thirds.get(1)?, thirds.get(2)?);
        if let Some((keys, values)) = before {
            k = Tensor::cat(&[&keys, &k], 0)?; // [P + N, W]
            v = Tensor::cat(&[&values, &v], 0)?;
        }
        let attended = mixed.forest([&q, &k, &v], paths, self.heads)?; // [N, W]
        let products = self.out_proj.product(&attended)?;
        let (x, normed) = mixed.add_norm(x, &products, &self.out_proj.bias, &self.ln_2)?;
        let hidden = mixed.gelu(&self.c_fc.product(&normed)?, &self.c_fc.bias)?; // [N, hidden]
        let x = mixed.add(&x, &self.c_proj.product(&hidden)?, &self.c_proj.bias)?;
        Ok((x, (k, v)))
    }
}

//! The CPU kernels as candle operations.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, bail};

use super::compute::Kernels;
use super::paths::Paths;
use super::rope::Rotation;
use crate::kernels::{Attention, Epilogue, ForestAttention, Isa, PackedLinear, layer_norm};

/// A packed linear layer, with one operand or with a residual that is added.
pub struct ApplyLinear<'a> {
    pub layer: &'a Arc<PackedLinear>,
    pub gelu: bool,
}

impl ApplyLinear<'_> {
    fn forward(
        &self,
        x: &[f32],
        shape: &Shape,
        epilogue: Epilogue<'_>,
    ) -> Result<(CpuStorage, Shape)> {
        let mut dims = shape.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == self.layer.inputs() => *last = self.layer.outputs(),
            _ => bail!(
                "a linear layer of {} inputs got {shape:?}",
                self.layer.inputs()
            ),
        }
        let shape = Shape::from(dims);
        Ok((CpuStorage::F32(self.layer.forward(x, epilogue)), shape))
    }
}

impl CustomOp1 for ApplyLinear<'_> {
    fn name(&self) -> &'static str {
        "packed-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let epilogue = if self.gelu {
            Epilogue::Gelu
        } else {
            Epilogue::Bias
        };
        self.forward(dense(x, layout)?, layout.shape(), epilogue)
    }
}

impl CustomOp2 for ApplyLinear<'_> {
    fn name(&self) -> &'static str {
        "packed-linear-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let rows = layout.shape().elem_count() / self.layer.inputs().max(1);
        if residual_layout.shape().elem_count() != rows * self.layer.outputs() {
            bail!(
                "a residual of {:?} for {:?}",
                residual_layout.shape(),
                layout.shape()
            )
        }
        let epilogue = Epilogue::Add(dense(residual, residual_layout)?);
        self.forward(dense(x, layout)?, layout.shape(), epilogue)
    }
}

/// LayerNorm over the last axis.
#[derive(Debug)]
pub struct ApplyNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub eps: f32,
    pub isa: Isa,
}

impl CustomOp1 for ApplyNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = layout.shape();
        if shape.dims().last() != Some(&self.weight.len()) {
            bail!(
                "a LayerNorm of {} channels got {shape:?}",
                self.weight.len()
            )
        }
        let x = dense(x, layout)?;
        let out = layer_norm(self.isa, x, &self.weight, &self.bias, self.eps);
        Ok((CpuStorage::F32(out), shape.clone()))
    }
}

/// Attention over [batch, tokens, 3 * heads * head dim], queries and keys rotated.
pub struct ApplyAttention<'a> {
    pub heads: usize,
    /// For so many of the tokens, the first ones.
    pub queries: usize,
    pub rotation: &'a Rotation,
    pub kernels: Kernels,
}

impl CustomOp1 for ApplyAttention<'_> {
    fn name(&self) -> &'static str {
        "rotary-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, channels) = layout.shape().dims3()?;
        let width = channels / 3;
        let Rotation { cos, sin } = self.rotation;
        if cos.len() * self.heads != tokens * width || self.queries > tokens {
            bail!(
                "attention over {:?} with another table of rotations",
                layout.shape()
            )
        }
        let attention = Attention {
            heads: self.heads,
            head_dim: width / self.heads,
            tokens,
            queries: self.queries,
            rotation: (cos, sin),
        };
        let Kernels { isa, precision } = self.kernels;
        let out = attention.forward(isa, precision, dense(qkv, layout)?);
        let shape = Shape::from((batch, self.queries, width));
        Ok((CpuStorage::F32(out), shape))
    }
}

/// Attention over [N, 3 * heads * head dim] along the paths of a forest, whose kept rows have keys and
/// values [P, heads * head dim] if there are any.
pub struct ApplyForestAttention<'a> {
    pub heads: usize,
    pub paths: &'a Paths,
    pub isa: Isa,
}

impl ApplyForestAttention<'_> {
    fn forward(
        &self,
        qkv: &CpuStorage,
        layout: &Layout,
        kept: [&[f32]; 2],
    ) -> Result<(CpuStorage, Shape)> {
        let (nodes, channels) = layout.shape().dims2()?;
        let (paths, width) = (self.paths.each(), channels / 3);
        let [keys, values] = kept.map(<[f32]>::len);
        let rows = nodes + keys / width.max(1);
        if nodes != paths.len() || rows != self.paths.rows() || keys != values {
            bail!(
                "attention over {:?} along the paths of another forest",
                layout.shape()
            )
        }
        let attention = ForestAttention {
            heads: self.heads,
            head_dim: width / self.heads,
            kept,
            paths,
        };
        let out = attention.forward(self.isa, dense(qkv, layout)?);
        Ok((CpuStorage::F32(out), Shape::from((nodes, width))))
    }
}

impl CustomOp1 for ApplyForestAttention<'_> {
    fn name(&self) -> &'static str {
        "forest-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(qkv, layout, [&[], &[]])
    }
}

impl CustomOp3 for ApplyForestAttention<'_> {
    fn name(&self) -> &'static str {
        "forest-attention-from-kept"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let kept = [dense(keys, keys_layout)?, dense(values, values_layout)?];
        self.forward(qkv, layout, kept)
    }
}

/// The values of a dense row-major f32 tensor.
fn dense<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => bail!("expected a contiguous tensor, not {layout:?}"),
    }
}

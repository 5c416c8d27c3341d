//! The steps by this crate's kernels for CPUs.

use std::ops::Deref;

use candle_core::{CpuStorage, D, Device, Result, Storage, Tensor, bail};

use super::{Activation, Backend, KeysValues, Linear, Norm, Picture};
use crate::kernels::{
    Attention, Epilogue, ForestAttention, Isa, PackedLinear, Precision, layer_norm,
};
use crate::model::paths::Paths;

/// Tokens that go through the vision tower together: enough for large matrix products, few enough
/// that activations between layers stay in the processor's last cache (of 32 MB or so).
const TOKENS_AT_ONCE: usize = 1800;
/// The matrix products are large enough to run at full speed, and the largest activation of UTA's
/// text tower takes 32 MB.
const NODES_AT_ONCE: usize = 2048;

/// CPU kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    pub isa: Isa,
    /// Of the linear layers. The residual stream, LayerNorm and softmax are always f32.
    pub precision: Precision,
}

impl Cpu {
    fn apply(&self, x: &Tensor, layer: &Linear, epilogue: Epilogue<'_>) -> Result<Tensor> {
        let layer: &PackedLinear = layer.weights()?;
        let (rows, inputs) = x.dims2()?;
        if inputs != layer.inputs() {
            bail!(
                "a linear layer of {} inputs got {:?}",
                layer.inputs(),
                x.shape()
            )
        }
        let out = layer.forward(&values(x)?, epilogue);
        tensor(out, rows, layer.outputs())
    }
}

impl Backend for Cpu {
    fn precision(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    fn instructions(&self) -> &'static str {
        self.isa.name()
    }

    fn micro_batch(&self, tokens: usize) -> usize {
        (TOKENS_AT_ONCE / tokens).max(1)
    }

    fn nodes_of_a_run(&self) -> usize {
        NODES_AT_ONCE
    }

    fn linear(&self, weight: &Tensor, bias: &Tensor) -> Result<Linear> {
        let (_, inputs) = weight.dims2()?;
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        let (weight, bias) = (values(&weight)?, values(&bias)?);
        let layer = PackedLinear::new(&weight, Some(&bias), inputs, self.precision, self.isa);
        Ok(Linear::of(layer))
    }

    fn gated(&self, gate: (&Tensor, &Tensor), up: (&Tensor, &Tensor)) -> Result<Linear> {
        let (_, inputs) = gate.0.dims2()?;
        let [w1, b1, w2, b2] = [
            values(gate.0)?,
            values(gate.1)?,
            values(up.0)?,
            values(up.1)?,
        ];
        let (first, second) = ((&*w1, Some(&*b1)), (&*w2, Some(&*b2)));
        let layer = PackedLinear::gated(first, second, inputs, self.precision, self.isa);
        Ok(Linear::of(layer))
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        if width != norm.width {
            bail!("a LayerNorm of {} channels got {:?}", norm.width, x.shape())
        }
        let (weight, bias) = (values(&norm.weight)?, values(&norm.bias)?);
        let out = layer_norm(self.isa, &values(x)?, &weight, &bias, norm.eps);
        tensor(out, rows, width)
    }

    fn project(&self, x: &Tensor, layer: &Linear) -> Result<Tensor> {
        self.apply(x, layer, Epilogue::Bias)
    }

    fn project_add(&self, x: &Tensor, layer: &Linear, residual: &Tensor) -> Result<Tensor> {
        let outputs = layer.weights::<PackedLinear>()?.outputs();
        if residual.dims2()? != (x.dim(0)?, outputs) {
            bail!("a residual of {:?} for {:?}", residual.shape(), x.shape())
        }
        self.apply(x, layer, Epilogue::Add(&values(residual)?))
    }

    fn activate(&self, x: &Tensor, layer: &Linear, activation: Activation) -> Result<Tensor> {
        let epilogue = match activation {
            Activation::Gelu => Epilogue::Gelu,
            Activation::QuickGelu => Epilogue::QuickGelu,
        };
        self.apply(x, layer, epilogue)
    }

    fn gate(&self, x: &Tensor, layer: &Linear, norm: &Norm) -> Result<Tensor> {
        self.normalise(&self.apply(x, layer, Epilogue::Bias)?, norm)
    }

    fn attention(&self, x: &Tensor, qkv: &Linear, shape: &Picture<'_>) -> Result<Tensor> {
        let Picture {
            heads,
            tokens,
            queries,
            rotation,
        } = *shape;
        let qkv = self.project(x, qkv)?; // [B * N, 3W]
        let (rows, width) = (qkv.dim(0)?, qkv.dim(D::Minus1)? / 3);
        let head_dim = width / heads;
        if !rows.is_multiple_of(tokens) || queries > tokens {
            bail!(
                "{:?} do not divide into pictures of {tokens} tokens",
                qkv.shape()
            )
        }
        let tables = match rotation {
            Some(tables) if tables.cos.dims2()? != (tokens, head_dim) => bail!(
                "attention over {:?} with another table of rotations",
                qkv.shape()
            ),
            Some(tables) => Some((values(&tables.cos)?, values(&tables.sin)?)),
            None => None,
        };
        let attention = Attention {
            heads,
            head_dim,
            tokens,
            queries,
            rotation: tables.as_ref().map(|(cos, sin)| (&**cos, &**sin)),
        };
        let out = attention.forward(self.isa, self.precision, &values(&qkv)?);
        tensor(out, rows / tokens * queries, width)
    }

    fn forest_attention(
        &self,
        x: &Tensor,
        qkv: &Linear,
        heads: usize,
        before: Option<KeysValues>,
        paths: &Paths,
    ) -> Result<(Tensor, Option<KeysValues>)> {
        let qkv = self.project(x, qkv)?; // [N, 3W]
        let (nodes, width) = (qkv.dim(0)?, qkv.dim(1)? / 3);
        let kept = match &before {
            Some((k, v)) => Some((values(k)?, values(v)?)),
            None => None,
        };
        let kept: [&[f32]; 2] = kept.as_ref().map_or([&[], &[]], |(k, v)| [&**k, &**v]);
        let rows = nodes + kept[0].len() / width.max(1);
        if (nodes, rows) != (paths.each().len(), paths.rows()) || kept[0].len() != kept[1].len() {
            bail!(
                "attention over {:?} along the paths of another forest",
                qkv.shape()
            )
        }
        let attention = ForestAttention {
            heads,
            head_dim: width / heads,
            kept,
            paths: paths.each(),
        };
        let qkv = values(&qkv)?;
        let out = attention.forward(self.isa, &qkv);
        // Few rows are kept, so they are copied one by one.
        let select = |part: usize| {
            let mut selected = Vec::with_capacity(paths.kept_rows().len() * width);
            for row in paths.kept_rows() {
                let before = kept[part - 1];
                selected.extend_from_slice(match row.checked_sub(before.len() / width) {
                    None => &before[row * width..][..width],
                    Some(node) => &qkv[(node * 3 + part) * width..][..width],
                });
            }
            tensor(selected, paths.kept_rows().len(), width)
        };
        let kept = match paths.kept_rows() {
            [] => None,
            _ => Some((select(1)?, select(2)?)),
        };
        Ok((tensor(out, nodes, width)?, kept))
    }
}

fn tensor(values: Vec<f32>, rows: usize, columns: usize) -> Result<Tensor> {
    Tensor::from_vec(values, (rows, columns), &Device::Cpu)
}

/// The values of a dense row-major f32 tensor.
struct Values<S> {
    storage: S,
    start: usize,
    end: usize,
}

/// # Errors
/// When the tensor is another.
fn values(tensor: &Tensor) -> Result<Values<impl Deref<Target = Storage>>> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(_)), Some((start, end))) => Ok(Values {
            storage,
            start,
            end,
        }),
        _ => bail!("expected dense f32 values in memory, not {tensor:?}"),
    }
}

impl<S: Deref<Target = Storage>> Deref for Values<S> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.end],
            _ => &[], // `values` makes none of another kind.
        }
    }
}

//! The steps by this crate's kernels for CPUs.

use std::marker::PhantomData;
use std::ops::Deref;

use candle_core::{
    CpuStorage, DType, Device, InplaceOp2, Layout, Result, Storage, Tensor, WithDType, bail,
};
use half::bf16;

use super::{Activation, Backend, KeysValues, Linear, Norm, Picture};
use crate::kernels::{
    Attention, Epilogue, ForestAttention, Isa, Levels, PackedLinear, Precision, Value, embed,
    layer_norm, patches,
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
    /// Of the linear layers and of the operands between them. The residual stream is always f32, and LayerNorm and softmax
    /// compute in it.
    pub precision: Precision,
}

impl Cpu {
    /// The outputs of a layer, of type V, for operands.
    fn apply<V: Value + WithDType>(
        &self,
        x: &Tensor,
        layer: &Linear,
        epilogue: Epilogue,
    ) -> Result<Tensor> {
        let (layer, rows) = layer_for(x, layer)?;
        let out: Vec<V> = match self.precision {
            Precision::F32 => layer.forward(&values::<f32>(x)?, epilogue),
            Precision::Bf16 => layer.forward(&values::<bf16>(x)?, epilogue),
        };
        tensor(out, rows, layer.outputs())
    }

    /// As [`apply`](Self::apply), with operands as outputs.
    fn apply_to_operand(&self, x: &Tensor, layer: &Linear, epilogue: Epilogue) -> Result<Tensor> {
        match self.precision {
            Precision::F32 => self.apply::<f32>(x, layer, epilogue),
            Precision::Bf16 => self.apply::<bf16>(x, layer, epilogue),
        }
    }

    fn norm<V: Value + WithDType>(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        if width != norm.width {
            bail!("a LayerNorm of {} channels got {:?}", norm.width, x.shape())
        }
        let (weight, bias) = (values(&norm.weight)?, values(&norm.bias)?);
        let out: Vec<V> = match x.dtype() {
            DType::BF16 => {
                let x = values::<bf16>(x)?;
                layer_norm(self.isa, &x, &weight, &bias, norm.eps)
            }
            _ => layer_norm(self.isa, &values::<f32>(x)?, &weight, &bias, norm.eps),
        };
        tensor(out, rows, width)
    }

    /// Attention of operands of type V, [B * N, W].
    fn attend<V: Value + WithDType>(
        &self,
        x: &Tensor,
        qkv: &PackedLinear,
        attention: &Attention<'_>,
    ) -> Result<Tensor> {
        let Attention {
            heads,
            head_dim,
            tokens,
            queries,
            ..
        } = *attention;
        let pictures = x.dim(0)? / tokens;
        // [B, 3, heads, N, head_dim]
        let qkv = qkv.forward_by_heads::<V, V>(&values(x)?, tokens, head_dim);
        let out = attention.forward(self.isa, self.precision, &qkv);
        tensor(out, pictures * queries, heads * head_dim)
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

    fn patches(
        &self,
        pixels: &Tensor,
        mean: &Tensor,
        std: &Tensor,
        patch: usize,
    ) -> Result<Tensor> {
        let (pictures, height, side, channels) = pixels.dims4()?;
        if height != side || channels != 3 || !side.is_multiple_of(patch) {
            bail!("{:?} do not divide into patches of {patch}", pixels.shape())
        }
        let of_channels = |x: &Tensor| -> Result<[f32; 3]> {
            match values::<f32>(x)?[..] {
                [r, g, b] => Ok([r, g, b]),
                _ => bail!("{:?} for three channels", x.shape()),
            }
        };
        let levels = Levels {
            mean: of_channels(mean)?,
            std: of_channels(std)?,
        };
        let pixels = values::<u8>(pixels)?;
        let (rows, width) = (pictures * (side / patch).pow(2), 3 * patch * patch);
        match self.precision {
            Precision::F32 => tensor(patches::<f32>(&pixels, side, patch, levels), rows, width),
            Precision::Bf16 => tensor(patches::<bf16>(&pixels, side, patch, levels), rows, width),
        }
    }

    fn embed(
        &self,
        patches: &Tensor,
        layer: &Linear,
        class: &Tensor,
        positions: &Tensor,
    ) -> Result<Tensor> {
        let (tokens, width) = positions.dims2()?;
        let patches = self.project(patches, layer)?; // [B * (N - 1), W]
        let rows = patches.dim(0)?;
        if patches.dim(1)? != width || class.dims1()? != width || !rows.is_multiple_of(tokens - 1) {
            bail!(
                "patches {:?} with positions {:?}",
                patches.shape(),
                positions.shape()
            )
        }
        let out = embed(&values(&patches)?, &values(class)?, &values(positions)?);
        tensor(out, rows / (tokens - 1) * tokens, width)
    }

    fn operand(&self, x: &Tensor) -> Result<Tensor> {
        match self.precision {
            Precision::F32 => Ok(x.clone()),
            Precision::Bf16 => x.to_dtype(DType::BF16),
        }
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        match self.precision {
            Precision::F32 => self.norm::<f32>(x, norm),
            Precision::Bf16 => self.norm::<bf16>(x, norm),
        }
    }

    fn normalise_f32(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.norm::<f32>(x, norm)
    }

    fn project(&self, x: &Tensor, layer: &Linear) -> Result<Tensor> {
        self.apply::<f32>(x, layer, Epilogue::Bias)
    }

    /// The sums take the residual's place: memory that is read anyway is written faster than other memory.
    fn project_add(&self, x: &Tensor, layer: &Linear, residual: Tensor) -> Result<Tensor> {
        let (layer, rows) = layer_for(x, layer)?;
        if residual.dims2()? != (rows, layer.outputs()) {
            bail!("a residual of {:?} for {:?}", residual.shape(), x.shape())
        }
        residual.inplace_op2(x, &AddTo(layer, self.precision))?;
        Ok(residual)
    }

    fn activate(&self, x: &Tensor, layer: &Linear, activation: Activation) -> Result<Tensor> {
        let epilogue = match activation {
            Activation::Gelu => Epilogue::Gelu,
            Activation::QuickGelu => Epilogue::QuickGelu,
        };
        self.apply_to_operand(x, layer, epilogue)
    }

    fn gate(&self, x: &Tensor, layer: &Linear, norm: &Norm) -> Result<Tensor> {
        self.normalise(&self.apply_to_operand(x, layer, Epilogue::Bias)?, norm)
    }

    fn attention(&self, x: &Tensor, qkv: &Linear, shape: &Picture<'_>) -> Result<Tensor> {
        let Picture {
            heads,
            tokens,
            queries,
            rotation,
        } = *shape;
        let qkv: &PackedLinear = qkv.weights()?;
        let ((rows, inputs), width) = (x.dims2()?, qkv.outputs() / 3);
        let head_dim = width / heads;
        if inputs != qkv.inputs() || !rows.is_multiple_of(tokens) || queries > tokens {
            bail!(
                "{:?} are not pictures of {tokens} tokens with {} channels",
                x.shape(),
                qkv.inputs()
            )
        }
        let tables = match rotation {
            Some(tables) if tables.cos.dims2()? != (tokens, head_dim) => bail!(
                "attention over {:?} with another table of rotations",
                x.shape()
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
        match self.precision {
            Precision::F32 => self.attend::<f32>(x, qkv, &attention),
            Precision::Bf16 => self.attend::<bf16>(x, qkv, &attention),
        }
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
        let out = match self.precision {
            Precision::F32 => tensor(attention.forward::<f32>(self.isa, &qkv), nodes, width)?,
            Precision::Bf16 => tensor(attention.forward::<bf16>(self.isa, &qkv), nodes, width)?,
        };
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
        Ok((out, kept))
    }
}

/// A layer's weights, and how many rows of inputs it gets.
///
/// # Errors
/// When it wants other inputs.
fn layer_for<'a>(x: &Tensor, layer: &'a Linear) -> Result<(&'a PackedLinear, usize)> {
    let layer: &PackedLinear = layer.weights()?;
    let (rows, inputs) = x.dims2()?;
    if inputs != layer.inputs() {
        bail!(
            "a linear layer of {} inputs got {:?}",
            layer.inputs(),
            x.shape()
        )
    }
    Ok((layer, rows))
}

/// `sums += x W^T + b`, of a layer in a precision.
struct AddTo<'a>(&'a PackedLinear, Precision);

impl InplaceOp2 for AddTo<'_> {
    fn name(&self) -> &'static str {
        "project_add"
    }

    fn cpu_fwd(
        &self,
        sums: &mut CpuStorage,
        sums_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let (CpuStorage::F32(sums), Some((start, end))) = (sums, sums_layout.contiguous_offsets())
        else {
            bail!("expected dense values in f32 to add to")
        };
        let sums = &mut sums[start..end];
        match self.1 {
            Precision::F32 => self.0.add_to(dense::<f32>(x, x_layout)?, sums),
            Precision::Bf16 => self.0.add_to(dense::<bf16>(x, x_layout)?, sums),
        }
        Ok(())
    }
}

/// Dense row-major values.
///
/// # Errors
/// When they are others.
fn dense<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let values = T::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("expected dense values, not {layout:?}"),
    }
}

fn tensor<T: WithDType>(values: Vec<T>, rows: usize, columns: usize) -> Result<Tensor> {
    Tensor::from_vec(values, (rows, columns), &Device::Cpu)
}

/// The values of a dense row-major tensor in memory.
struct Values<S, T> {
    storage: S,
    start: usize,
    end: usize,
    of: PhantomData<T>,
}

/// # Errors
/// When the tensor is another.
fn values<T: WithDType>(tensor: &Tensor) -> Result<Values<impl Deref<Target = Storage>, T>> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(_), Some((start, end))) if tensor.dtype() == <T as WithDType>::DTYPE => {
            Ok(Values {
                storage,
                start,
                end,
                of: PhantomData,
            })
        }
        _ => bail!(
            "expected dense values in memory of type {:?}, not {tensor:?}",
            <T as WithDType>::DTYPE
        ),
    }
}

impl<S: Deref<Target = Storage>, T: WithDType> Deref for Values<S, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.storage {
            // `values` makes none of another kind.
            Storage::Cpu(values) => {
                let values = T::cpu_storage_as_slice(values);
                values.map_or(&[], |values| &values[self.start..self.end])
            }
            _ => &[],
        }
    }
}

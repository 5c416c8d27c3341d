//! The kernels as functions of tensors: each knows its grid, its shared memory and its arguments.

use candle_core::{D, DType, Result, Shape, Tensor, bail};

use super::limits::{ATTENTION_WARPS, HeadTiles, MOST_THREADS, TILE, forest_shared, row_shared};
use super::{Activation, Gpu, GpuPrecision, Norm, Picture};
use crate::kernels::gpu::{Argument, Launch};
use crate::model::rope::Rotation;

use Argument::{Float, In, Int, Out};

/// Blocks along the second and third axis of a grid.
const MOST_BLOCKS: usize = 65_535;
/// Values that a thread takes at once.
const STEP: usize = 8;
/// Queries, keys and values [3, B * H, Np, Dp], padded with zeros.
#[derive(Debug)]
pub struct Heads {
    pub qkv: Tensor,
    pub tokens: usize,
    pub heads: usize,
    pub head_dim: usize,
}

impl Gpu {
    /// The same engine, with kernels for f32.
    pub(super) fn in_f32(&self) -> Self {
        Self {
            precision: GpuPrecision::F32,
            ..self.clone()
        }
    }

    /// Runs `kernel` for the type that is multiplied.
    pub(super) fn run(
        &self,
        kernel: &str,
        blocks: [usize; 3],
        threads: usize,
        shared: usize,
        arguments: Vec<Argument<'_>>,
        outputs: Vec<(Shape, DType)>,
    ) -> Result<Vec<Tensor>> {
        for argument in &arguments {
            if let In(tensor) = argument
                && !tensor.is_contiguous()
            {
                bail!("{kernel} got a tensor with gaps: {:?}", tensor.layout())
            }
        }
        let kind = match self.dtype() {
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            _ => "f32",
        };
        let kernel = match kernel.split_once(' ') {
            Some((name, tiles)) => format!("{name}_{kind}_{tiles}"),
            None if matches!(kernel, "rank" | "product") => kernel.into(),
            None => format!("{kernel}_{kind}"),
        };
        if blocks[0] > i32::MAX as usize || blocks[1] > MOST_BLOCKS || blocks[2] > MOST_BLOCKS {
            bail!("{kernel} would need {blocks:?} blocks, more than a GPU takes")
        }
        let blocks = blocks.map(|n| n as u32);
        let launch = Launch {
            kernel,
            blocks,
            threads: threads as u32,
            shared,
            arguments,
            outputs,
        };
        self.engine.run(&launch)
    }

    /// A kernel with a block for each row.
    pub(super) fn rows(
        &self,
        kernel: &str,
        rows: usize,
        width: usize,
        shared: usize,
        arguments: Vec<Argument<'_>>,
        outputs: Vec<(Shape, DType)>,
    ) -> Result<Vec<Tensor>> {
        let threads = width.next_multiple_of(32).clamp(32, MOST_THREADS);
        self.run(kernel, [rows, 1, 1], threads, shared, arguments, outputs)
    }

    /// The same, of kernels that take several values at once where the width allows that.
    fn steps(
        &self,
        kernel: &str,
        rows: usize,
        width: usize,
        shared: usize,
        arguments: Vec<Argument<'_>>,
        outputs: Vec<(Shape, DType)>,
    ) -> Result<Vec<Tensor>> {
        let mut threads = width;
        if width.is_multiple_of(STEP) {
            threads = width / STEP;
            for argument in &arguments {
                if let In(tensor) = argument
                    && !tensor.layout().start_offset().is_multiple_of(STEP)
                {
                    bail!(
                        "{kernel} got a tensor that is not aligned: {:?}",
                        tensor.layout()
                    )
                }
            }
        }
        self.rows(kernel, rows, threads, shared, arguments, outputs)
    }

    /// Normalised patches [B * grid * grid, 3 * patch * patch] of pixels [B, S, S, 3] (u8).
    pub(super) fn normalised_patches(
        &self,
        pixels: &Tensor,
        mean: &Tensor,
        std: &Tensor,
        patch: usize,
    ) -> Result<Tensor> {
        let (pictures, size, _, _) = pixels.dims4()?;
        let (grid, width) = (size / patch, 3 * patch * patch);
        let rows = pictures * grid * grid;
        let arguments = vec![In(pixels), In(mean), In(std), Out, int(grid), int(patch)];
        let out = vec![((rows, width).into(), self.dtype())];
        one(self.rows("patches", rows, width, 0, arguments, out)?)
    }

    /// The residual stream [B * N, W] from the products of the patches [B * (N - 1), W].
    pub(super) fn embedded(
        &self,
        products: &Tensor,
        bias: &Tensor,
        class: &Tensor,
        positions: &Tensor,
    ) -> Result<Tensor> {
        let (patches, width) = products.dims2()?;
        let (tokens, _) = positions.dims2()?;
        let rows = patches / (tokens - 1) * tokens;
        let arguments = vec![
            In(products),
            In(bias),
            In(class),
            In(positions),
            Out,
            int(tokens),
            int(width),
        ];
        let out = vec![((rows, width).into(), DType::F32)];
        one(self.rows("embed", rows, width, 0, arguments, out)?)
    }

    /// LayerNorm of rows [R, W], of f32 or of what is multiplied.
    ///
    /// # Errors
    /// When the device fails.
    pub fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let kernel = if x.dtype() == DType::F32 {
            "norm"
        } else {
            "norm_operand"
        };
        let arguments = vec![
            In(x),
            In(&norm.weight),
            In(&norm.bias),
            Out,
            int(width),
            Float(norm.eps),
        ];
        let out = vec![((rows, width).into(), self.dtype())];
        one(self.steps(kernel, rows, width, row_shared(width), arguments, out)?)
    }

    /// The sum of `x` and (`y` and `bias`), and its LayerNorm.
    ///
    /// # Errors
    /// When the device fails.
    pub fn add_norm(
        &self,
        x: &Tensor,
        y: &Tensor,
        bias: &Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        self.sum_and_operand("add_norm", x, y, bias, norm)
    }

    /// The sum of `x` and LayerNorm(`y` and `bias`), and the same as it is multiplied.
    ///
    /// # Errors
    /// When the device fails.
    pub fn norm_add(
        &self,
        x: &Tensor,
        y: &Tensor,
        bias: &Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        self.sum_and_operand("norm_add", x, y, bias, norm)
    }

    fn sum_and_operand(
        &self,
        kernel: &str,
        x: &Tensor,
        y: &Tensor,
        bias: &Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        let (rows, width) = x.dims2()?;
        let shape = || Shape::from((rows, width));
        let arguments = vec![
            In(x),
            In(y),
            In(bias),
            In(&norm.weight),
            In(&norm.bias),
            Out,
            Out,
            int(width),
            Float(norm.eps),
        ];
        let out = vec![(shape(), DType::F32), (shape(), self.dtype())];
        let mut outputs = self
            .steps(kernel, rows, width, row_shared(width), arguments, out)?
            .into_iter();
        match (outputs.next(), outputs.next()) {
            (Some(sum), Some(operand)) => Ok((sum, operand)),
            _ => bail!("an engine returned fewer tensors than asked for"),
        }
    }

    /// The sum of `x` and (`y` and `bias`).
    ///
    /// # Errors
    /// When the device fails.
    pub fn add(&self, x: &Tensor, y: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let arguments = vec![In(x), In(y), In(bias), Out, int(width)];
        let out = vec![((rows, width).into(), DType::F32)];
        one(self.steps("add", rows, width, 0, arguments, out)?)
    }

    /// LayerNorm of `silu(first half) * second half`: [R, 2 * pitch] -> [R, pitch]. Padding is zero, as
    /// the norm's weights there are.
    ///
    /// # Errors
    /// When the device fails.
    pub fn gate_norm(&self, both: &Tensor, bias: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, twice) = both.dims2()?;
        let pitch = twice / 2;
        let arguments = vec![
            In(both),
            In(bias),
            In(&norm.weight),
            In(&norm.bias),
            Out,
            int(norm.width),
            int(pitch),
            Float(norm.eps),
        ];
        let out = vec![((rows, pitch).into(), self.dtype())];
        let shared = row_shared(pitch);
        one(self.steps("gate_norm", rows, pitch, shared, arguments, out)?)
    }

    /// The activation of `x` and `bias`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn activated(&self, x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
        let kernel = match activation {
            Activation::Gelu => "gelu",
            Activation::QuickGelu => "quick_gelu",
        };
        let (rows, width) = x.dims2()?;
        let arguments = vec![In(x), In(bias), Out, int(width)];
        let out = vec![((rows, width).into(), self.dtype())];
        one(self.steps(kernel, rows, width, 0, arguments, out)?)
    }

    /// Splits [B * N, 3W] into heads, with the bias, the rotation and the scale of attention.
    ///
    /// # Errors
    /// When the channels do not divide into such heads, or the device fails.
    pub fn heads(&self, qkv: &Tensor, bias: &Tensor, shape: &Picture<'_>) -> Result<Heads> {
        let (rows, channels) = qkv.dims2()?;
        let Picture { heads, tokens, .. } = *shape;
        let head_dim = channels / 3 / heads;
        if channels != 3 * heads * head_dim || rows % tokens != 0 || head_dim % 2 != 0 {
            bail!(
                "{:?} does not divide into {heads} heads of {head_dim} channels",
                qkv.shape()
            )
        }
        let (padded_tokens, padded_dim) = match (self.dtype(), HeadTiles::of(head_dim)) {
            (DType::F32, _) => (tokens, head_dim),
            (_, Some(kernel)) => (tokens, kernel.tiles * TILE),
            // For candle's products, which like it so.
            (_, None) => (
                tokens.next_multiple_of(TILE),
                head_dim.next_multiple_of(TILE),
            ),
        };
        let rows = rows / tokens * heads;
        let pairs = padded_dim / 2;
        let of_block = (MOST_THREADS / pairs).max(1);
        let threads = (of_block * pairs).next_multiple_of(32).min(MOST_THREADS);
        let blocks = [rows, padded_tokens.div_ceil(of_block), 3];
        let mut arguments = vec![In(qkv), In(bias)];
        let mut kernel = "heads";
        if let Some(Rotation { cos, sin }) = shape.rotation {
            if cos.dims2()? != (tokens, head_dim) {
                bail!("heads of {tokens} tokens with another table of rotations")
            }
            arguments.extend([In(cos), In(sin)]);
            kernel = "rotated_heads";
        }
        arguments.extend([
            Out,
            int(tokens),
            int(heads),
            int(head_dim),
            int(padded_tokens),
            int(padded_dim),
            int(of_block),
            Float((head_dim as f32).powf(-0.5)),
        ]);
        let out = vec![((3, rows, padded_tokens, padded_dim).into(), self.dtype())];
        let qkv = one(self.run(kernel, blocks, threads, 0, arguments, out)?)?;
        Ok(Heads {
            qkv,
            tokens,
            heads,
            head_dim,
        })
    }

    /// Softmax attention: [B * N, W].
    ///
    /// # Errors
    /// When the device fails.
    pub fn attend(&self, of: &Heads) -> Result<Tensor> {
        let Heads {
            ref qkv,
            tokens,
            heads,
            head_dim,
        } = *of;
        let (_, rows, padded_tokens, padded_dim) = qkv.dims4()?;
        let (pictures, width) = (rows / heads, heads * head_dim);
        if let (DType::F16 | DType::BF16, Some(kernel)) = (self.dtype(), HeadTiles::of(head_dim)) {
            if (padded_tokens, padded_dim) != (tokens, kernel.tiles * TILE) {
                bail!("attention over heads that were split for another kernel: {qkv:?}")
            }
            let blocks = [rows, tokens.div_ceil(kernel.queries()), 1];
            let arguments = vec![In(qkv), Out, int(tokens), int(heads), int(head_dim)];
            let out = vec![((pictures * tokens, width).into(), self.dtype())];
            let name = format!("attention {}", kernel.tiles);
            let (threads, shared) = (32 * ATTENTION_WARPS, kernel.shared());
            return one(self.run(&name, blocks, threads, shared, arguments, out)?);
        }
        let (q, k, v) = (qkv.get(0)?, qkv.get(1)?, qkv.get(2)?); // [B * H, Np, Dp]
        let weights = self.softmax(&q.matmul(&k.t()?)?, tokens)?; // [B * H, Np, Np]
        weights
            .matmul(&v)?
            .narrow(1, 0, tokens)?
            .narrow(D::Minus1, 0, head_dim)?
            .reshape((pictures, heads, tokens, head_dim))?
            .transpose(1, 2)?
            .reshape((pictures * tokens, width))
    }

    /// Softmax of the first `tokens` values of each row; zeros behind.
    fn softmax(&self, scores: &Tensor, tokens: usize) -> Result<Tensor> {
        let padded = scores.dim(D::Minus1)?;
        let rows = scores.elem_count() / padded;
        let arguments = vec![In(scores), Out, int(tokens), int(padded)];
        let out = vec![(scores.shape().clone(), self.dtype())];
        one(self.rows("softmax", rows, padded, row_shared(padded), arguments, out)?)
    }

    /// Queries, keys and values [3, R, W] from products [R, 3W] and their bias.
    pub(super) fn thirds(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (rows, channels) = x.dims2()?;
        let width = channels / 3;
        let arguments = vec![In(x), In(bias), Out, int(width)];
        let out = vec![((3, rows, width).into(), self.dtype())];
        one(self.rows("thirds", rows, channels, 0, arguments, out)?)
    }

    /// Attention of q [N, W] over k and v [P + N, W]: node n attends to the rows
    /// `path[start[n]..start[n + 1]]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forest(
        &self,
        [q, k, v]: [&Tensor; 3],
        (start, path): (&Tensor, &Tensor),
        heads: usize,
    ) -> Result<Tensor> {
        let (nodes, width) = q.dims2()?;
        let head_dim = width / heads;
        let blocks = [(nodes * heads).div_ceil(MOST_THREADS / 32), 1, 1];
        let arguments = vec![
            In(q),
            In(k),
            In(v),
            In(start),
            In(path),
            Out,
            int(nodes),
            int(heads),
            int(head_dim),
            Float((head_dim as f32).powf(-0.5)),
        ];
        let out = vec![((nodes, width).into(), self.dtype())];
        let shared = forest_shared(head_dim);
        one(self.run("forest", blocks, MOST_THREADS, shared, arguments, out)?)
    }
}

pub fn int<'a>(value: usize) -> Argument<'a> {
    // Every dimension is far below 2^31: configurations are validated.
    Int(i32::try_from(value).unwrap_or(i32::MAX))
}

pub fn one(outputs: Vec<Tensor>) -> Result<Tensor> {
    match outputs.into_iter().next() {
        Some(tensor) => Ok(tensor),
        None => bail!("an engine returned no tensor"),
    }
}

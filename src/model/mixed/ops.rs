//! The kernels as functions of tensors: each knows its grid, its shared memory and its arguments.

use candle_core::{D, DType, Result, Shape, Tensor, bail};

use super::Mixed;
use super::launch::{Argument, Launch};
use super::layers::Norm;

use Argument::{Float, In, Int, Out};

/// Threads of a block that works on one row.
const MOST_THREADS: usize = 256;
/// Blocks along the second and third axis of a grid.
const MOST_BLOCKS: usize = 65_535;
/// As in `attention.h`: warps of a block, keys that are looked at together, numbers between rows.
const ATTENTION_WARPS: usize = 4;
const KEYS: usize = 64;
const GAP: usize = 8;
/// Rows and columns of a square that tensor cores multiply.
const TILE: usize = 16;
/// Tiles of a head that the attention kernel is compiled for, and squares of queries for each warp.
const HEADS: [(usize, usize); 4] = [(1, 2), (2, 2), (4, 2), (6, 1)];
/// Channels of a head that the forest kernel can hold.
const MOST_FOREST_CHANNELS: usize = 128;

/// Queries, keys and values [3, B * H, Np, Dp], padded with zeros.
#[derive(Debug)]
pub struct Heads {
    pub qkv: Tensor,
    pub tokens: usize,
    pub heads: usize,
    pub head_dim: usize,
}

/// The first places of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Best first.
    pub classes: Vec<usize>,
    pub logits: Vec<f32>,
    /// Softmax of the best over all classes.
    pub confidence: f32,
    /// Whether all logits are finite; if not, nothing else means anything.
    pub finite: bool,
}

impl Mixed {
    fn dtype(&self) -> DType {
        self.factors.dtype()
    }

    /// Runs `kernel` for the type of the factors.
    fn run(
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
            None if kernel == "rank" => kernel.into(),
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
    fn rows(
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

    /// Normalised patches [B * grid * grid, 3 * patch * patch] of pixels [B, S, S, 3] (u8).
    pub fn patches(
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
    pub fn embed(
        &self,
        products: &Tensor,
        bias: &Tensor,
        cls: &Tensor,
        positions: &Tensor,
    ) -> Result<Tensor> {
        let (patches, width) = products.dims2()?;
        let (tokens, _) = positions.dims2()?;
        let rows = patches / (tokens - 1) * tokens;
        let arguments = vec![
            In(products),
            In(bias),
            In(cls),
            In(positions),
            Out,
            int(tokens),
            int(width),
        ];
        let out = vec![((rows, width).into(), DType::F32)];
        one(self.rows("embed", rows, width, 0, arguments, out)?)
    }

    /// LayerNorm of rows [R, W].
    pub fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let arguments = vec![
            In(x),
            In(&norm.weight),
            In(&norm.bias),
            Out,
            int(width),
            Float(norm.eps),
        ];
        let out = vec![((rows, width).into(), self.dtype())];
        one(self.rows("norm", rows, width, 4 * width, arguments, out)?)
    }

    /// The sum of `x` and (`y` and `bias`), and its LayerNorm.
    pub fn add_norm(
        &self,
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
            .rows("add_norm", rows, width, 4 * width, arguments, out)?
            .into_iter();
        match (outputs.next(), outputs.next()) {
            (Some(sum), Some(normed)) => Ok((sum, normed)),
            _ => bail!("an engine returned fewer tensors than asked for"),
        }
    }

    /// The sum of `x` and (`y` and `bias`).
    pub fn add(&self, x: &Tensor, y: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let arguments = vec![In(x), In(y), In(bias), Out, int(width)];
        let out = vec![((rows, width).into(), DType::F32)];
        one(self.rows("add", rows, width, 0, arguments, out)?)
    }

    /// LayerNorm of `silu(first half) * second half`: [R, 2 * pitch] -> [R, pitch], the channels
    /// behind the norm's width being zero.
    pub fn gate_norm(&self, both: &Tensor, bias: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, twice) = both.dims2()?;
        let (width, pitch) = (norm.weight.dim(0)?, twice / 2);
        let arguments = vec![
            In(both),
            In(bias),
            In(&norm.weight),
            In(&norm.bias),
            Out,
            int(width),
            int(pitch),
            Float(norm.eps),
        ];
        let out = vec![((rows, pitch).into(), self.dtype())];
        one(self.rows("gate_norm", rows, width, 4 * width, arguments, out)?)
    }

    /// GELU of `x` and `bias`, in the erf form.
    pub fn gelu(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let arguments = vec![In(x), In(bias), Out, int(width)];
        let out = vec![((rows, width).into(), self.dtype())];
        one(self.rows("gelu", rows, width, 0, arguments, out)?)
    }

    /// Splits [B * N, 3W] into heads, with the bias, the rotation and the scale of attention.
    pub fn heads(
        &self,
        qkv: &Tensor,
        bias: &Tensor,
        (cos, sin): (&Tensor, &Tensor),
        heads: usize,
    ) -> Result<Heads> {
        let (rows, channels) = qkv.dims2()?;
        let (tokens, head_dim) = cos.dims2()?;
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
        let threads = MOST_THREADS.max(pairs.next_multiple_of(32));
        let blocks = [rows, padded_tokens.div_ceil(threads / pairs), 3];
        let arguments = vec![
            In(qkv),
            In(bias),
            In(cos),
            In(sin),
            Out,
            int(tokens),
            int(heads),
            int(head_dim),
            int(padded_tokens),
            int(padded_dim),
            Float((head_dim as f32).powf(-0.5)),
        ];
        let out = vec![((3, rows, padded_tokens, padded_dim).into(), self.dtype())];
        let qkv = one(self.run("heads", blocks, threads, 0, arguments, out)?)?;
        Ok(Heads {
            qkv,
            tokens,
            heads,
            head_dim,
        })
    }

    /// Softmax attention: [B * N, W].
    pub fn attention(&self, of: &Heads) -> Result<Tensor> {
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
        one(self.rows("softmax", rows, padded, 4 * padded, arguments, out)?)
    }

    /// Queries, keys and values [3, R, W] from products [R, 3W] and their bias.
    pub fn thirds(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (rows, channels) = x.dims2()?;
        let width = channels / 3;
        let arguments = vec![In(x), In(bias), Out, int(width)];
        let out = vec![((3, rows, width).into(), self.dtype())];
        one(self.rows("thirds", rows, channels, 0, arguments, out)?)
    }

    /// Attention of q [N, W] over k and v [P + N, W]: node n attends to the rows
    /// `path[start[n]..start[n + 1]]`.
    pub fn forest(
        &self,
        [q, k, v]: [&Tensor; 3],
        (start, path): (&Tensor, &Tensor),
        heads: usize,
    ) -> Result<Tensor> {
        let (nodes, width) = q.dims2()?;
        let head_dim = width / heads;
        if head_dim > MOST_FOREST_CHANNELS {
            bail!(
                "a head of the text tower has {head_dim} channels; the GPU's kernel takes {MOST_FOREST_CHANNELS}"
            )
        }
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
        one(self.run("forest", blocks, MOST_THREADS, 0, arguments, out)?)
    }

    /// The best `top` classes of each row of features [R, E] (f32, any length), given the distinct
    /// columns [C, E] and the column of each class. Only this much comes back from the device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn rank(
        &self,
        features: &Tensor,
        columns: &Tensor,
        column_of: &Tensor,
        top: usize,
        scale: f32,
    ) -> Result<Vec<Ranking>> {
        let (rows, width) = features.dims2()?;
        let in_f32 = Self {
            factors: super::Factors::F32,
            ..self.clone()
        };
        let out = vec![((rows, width).into(), DType::F32)];
        let arguments = vec![In(features), Out, int(width)];
        let units = one(in_f32.rows("unit", rows, width, 0, arguments, out)?)?;
        let cosines = units.matmul(&columns.t()?)?;
        let (columns, classes) = (columns.dim(0)?, column_of.dim(0)?);
        let top = top.min(classes);
        let arguments = vec![
            In(&cosines),
            In(column_of),
            Out,
            int(columns),
            int(classes),
            int(top),
            Float(scale),
        ];
        let out = vec![((rows, 2 * top + 2).into(), DType::F32)];
        let places = one(self.run("rank", [rows, 1, 1], 32, 0, arguments, out)?)?;
        let ranking = |row: &Vec<f32>| Ranking {
            classes: row[..top].iter().map(|class| *class as usize).collect(),
            logits: row[top..2 * top].to_vec(),
            confidence: row[2 * top],
            finite: row[2 * top + 1] == 1.0,
        };
        Ok(places.to_vec2()?.iter().map(ranking).collect())
    }
}

/// An attention kernel: for which heads it is compiled.
#[derive(Debug, Clone, Copy)]
struct HeadTiles {
    /// Of channels.
    tiles: usize,
    /// Of queries, for each warp.
    squares: usize,
}

impl HeadTiles {
    /// The one for heads of so many channels; none when they are too large for the registers.
    fn of(head_dim: usize) -> Option<Self> {
        let fits = |(tiles, _): &&(usize, usize)| *tiles * TILE >= head_dim;
        HEADS
            .iter()
            .find(fits)
            .map(|&(tiles, squares)| Self { tiles, squares })
    }

    /// Queries of a block.
    fn queries(self) -> usize {
        ATTENTION_WARPS * self.squares * TILE
    }

    /// Bytes of shared memory: the queries, two tiles of keys and two of values.
    fn shared(self) -> usize {
        2 * (self.queries() + 4 * KEYS) * (self.tiles * TILE + GAP)
    }
}

fn int<'a>(value: usize) -> Argument<'a> {
    // Every dimension is far below 2^31: variants are validated.
    Int(i32::try_from(value).unwrap_or(i32::MAX))
}

fn one(outputs: Vec<Tensor>) -> Result<Tensor> {
    match outputs.into_iter().next() {
        Some(tensor) => Ok(tensor),
        None => bail!("an engine returned no tensor"),
    }
}

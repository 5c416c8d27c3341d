//! What a tower is computed with: a few fused steps, and three ways to carry them out.
//!
//! | file | what |
//! |---|---|
//! | `cpu` | this crate's kernels for CPUs |
//! | `gpu` | candle's matrix products and, between them, this crate's kernels for GPUs |
//! | `plain` | candle's operations, one by one: says what each step is, and is the oracle of the tests |
//!
//! Activations are rows: [R, W], of all tokens of all pictures or of all nodes of a forest. The residual
//! stream is f32 everywhere. What a linear layer multiplies, its operand, is in the type that the
//! backend wants. Shapes: R rows, W width, N tokens, H heads, D head dim, E hidden channels.

mod cpu;
mod gpu;
mod plain;

use std::any::Any;
use std::fmt::Debug;

use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::VarBuilder;

pub use cpu::Cpu;
pub use gpu::{Gpu, GpuPrecision, Ranking, TooLarge};
pub use plain::Plain;

use super::config::ModelConfig;
use super::paths::Paths;
use super::rope::Rotation;

/// Pictures of a batch, where nothing is gained by more.
const PICTURES_OF_A_BATCH: usize = 64;

/// Carries out the steps of a transformer.
pub trait Backend: Any + Debug + Send + Sync {
    // ---- What it is.

    /// The precision of the linear layers, as users write it.
    fn precision(&self) -> &'static str;

    /// What the products are computed with: a CPU's instructions, or the name of a library.
    fn instructions(&self) -> &'static str;

    /// Whether it can run a model, before any of its weights is read.
    ///
    /// # Errors
    /// What does not fit.
    fn check(&self, _: &ModelConfig) -> std::result::Result<(), TooLarge> {
        Ok(())
    }

    /// Pictures of so many tokens that should be loaded as one batch.
    fn batch_size(&self, _tokens: usize) -> usize {
        PICTURES_OF_A_BATCH
    }

    /// Pictures of so many tokens that should go through a tower at once.
    fn micro_batch(&self, tokens: usize) -> usize;

    /// Nodes of a forest that should go through a tower at once.
    fn nodes_of_a_run(&self) -> usize;

    /// Waits until what was asked for is computed, without taking a core meanwhile.
    ///
    /// # Errors
    /// When the device fails.
    fn wait(&self) -> Result<()> {
        Ok(())
    }

    /// Ranks features where they are, if it can.
    fn ranker(&self) -> Option<&dyn Rank> {
        None
    }

    // ---- Weights.

    /// A linear layer of `weight` [outputs, inputs] and `bias` [outputs], both f32.
    ///
    /// # Errors
    /// When the weight is no matrix.
    fn linear(&self, weight: &Tensor, bias: &Tensor) -> Result<Linear>;

    /// The layers `gate` and `up` of a SwiGLU, each (weight [E, W], bias [E]), as one.
    ///
    /// # Errors
    /// As [`linear`](Self::linear).
    fn gated(&self, gate: (&Tensor, &Tensor), up: (&Tensor, &Tensor)) -> Result<Linear>;

    /// The channels that so many hidden ones are padded to, with zeros.
    fn padded_hidden(&self, hidden: usize) -> usize {
        hidden
    }

    // ---- Steps. Each fails when shapes do not fit, or the device fails.

    /// Normalised patches [B * (N - 1), 3 * P * P], an operand, of pixels [B, S, S, 3] (u8). The order
    /// of the reference: divided by 255, less the mean [3], divided by the standard deviation [3].
    fn patches(
        &self,
        pixels: &Tensor,
        mean: &Tensor,
        std: &Tensor,
        patch: usize,
    ) -> Result<Tensor> {
        let unit = (pixels
            .permute((0, 3, 1, 2))?
            .contiguous()?
            .to_dtype(DType::F32)?
            / 255.0)?;
        let pictures = unit
            .broadcast_sub(&mean.reshape((3, 1, 1))?)?
            .broadcast_div(&std.reshape((3, 1, 1))?)?;
        self.operand(&cut(&pictures, patch)?)
    }

    /// The residual stream [B * N, W] of patches: their products, behind each picture's class token [W],
    /// plus positions [N, W].
    fn embed(
        &self,
        patches: &Tensor,
        layer: &Linear,
        class: &Tensor,
        positions: &Tensor,
    ) -> Result<Tensor> {
        let (tokens, width) = positions.dims2()?;
        let patches = self
            .project(patches, layer)?
            .reshape(((), tokens - 1, width))?; // [B, N - 1, W]
        let class = class.broadcast_as((patches.dim(0)?, 1, width))?;
        Tensor::cat(&[&class, &patches], 1)?
            .broadcast_add(positions)?
            .reshape(((), width))
    }

    /// Rows (f32) as an operand.
    fn operand(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    /// LayerNorm of rows (f32 or an operand), an operand.
    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor>;

    /// LayerNorm of rows, in f32.
    fn normalise_f32(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.normalise(x, norm)
    }

    /// `x W^T + b`, in f32.
    fn project(&self, x: &Tensor, layer: &Linear) -> Result<Tensor>;

    /// `residual + (x W^T + b)`. Its memory may be the residual's, which nobody may read afterwards.
    fn project_add(&self, x: &Tensor, layer: &Linear, residual: Tensor) -> Result<Tensor>;

    /// The same, and its LayerNorm, an operand.
    fn project_add_normalise(
        &self,
        x: &Tensor,
        layer: &Linear,
        residual: Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        let sum = self.project_add(x, layer, residual)?;
        let normed = self.normalise(&sum, norm)?;
        Ok((sum, normed))
    }

    /// `residual + norm(x W^T + b)`, and the same as an operand.
    fn project_normalise_add(
        &self,
        x: &Tensor,
        layer: &Linear,
        residual: Tensor,
        norm: &Norm,
    ) -> Result<(Tensor, Tensor)> {
        let sum = (residual + self.normalise_f32(&self.project(x, layer)?, norm)?)?;
        let operand = self.operand(&sum)?;
        Ok((sum, operand))
    }

    /// `activation(x W^T + b)` [R, E], an operand.
    fn activate(&self, x: &Tensor, layer: &Linear, activation: Activation) -> Result<Tensor>;

    /// `norm(silu(gate(x)) * up(x))` [R, E] of a [`gated`](Self::gated) layer, an operand.
    fn gate(&self, x: &Tensor, layer: &Linear, norm: &Norm) -> Result<Tensor>;

    /// Each token's attention to all tokens of its picture: operands [B * N, W] -> [B * queries, W].
    /// `qkv` projects to queries, keys and values side by side [3W].
    fn attention(&self, x: &Tensor, qkv: &Linear, shape: &Picture<'_>) -> Result<Tensor>;

    /// Each node's attention to itself and its ancestors: operands [N, W] -> [N, W]; and the keys and
    /// values of the rows that `paths` keep. `before` are those that the run before has kept.
    fn forest_attention(
        &self,
        x: &Tensor,
        qkv: &Linear,
        heads: usize,
        before: Option<KeysValues>,
        paths: &Paths,
    ) -> Result<(Tensor, Option<KeysValues>)>;

    /// Products [R, C] of rows [R, K] and [C, K] (f32), whose factors are not rounded in any precision.
    fn product_in_f32(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a.matmul(&b.t()?)
    }
}

/// Ranks classes on the device that has the features.
pub trait Rank {
    /// The best `top` classes of each row of features [R, E] (f32, any length), given the distinct
    /// columns [C, E] and the column of each class. Only this much comes back from the device.
    ///
    /// # Errors
    /// When the device fails.
    fn rank(
        &self,
        features: &Tensor,
        columns: &Tensor,
        column_of: &Tensor,
        top: usize,
        scale: f32,
    ) -> Result<Vec<Ranking>>;
}

/// What follows the first layer of an MLP without a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// In the erf form; the tanh form moves the features by 1.4e-4.
    Gelu,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
}

/// How the tokens of pictures attend to each other.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    pub heads: usize,
    /// Tokens of one picture, N.
    pub tokens: usize,
    /// The first so many of them ask; all answer.
    pub queries: usize,
    /// By which queries and keys are rotated.
    pub rotation: Option<&'a Rotation>,
}

/// Keys and values [P, W] of kept rows.
pub type KeysValues = (Tensor, Tensor);

/// A linear layer as its backend wants it.
#[derive(Debug)]
pub struct Linear(Box<dyn AnyWeights>);

/// Weights of some backend.
trait AnyWeights: Any + Debug + Send + Sync {}
impl<T: Any + Debug + Send + Sync> AnyWeights for T {}

impl Linear {
    fn of(weights: impl Any + Debug + Send + Sync) -> Self {
        Self(Box::new(weights))
    }

    /// The weights, of the backend's own type.
    fn weights<T: Any>(&self) -> Result<&T> {
        let weights: &dyn Any = &*self.0;
        match weights.downcast_ref() {
            Some(weights) => Ok(weights),
            None => bail!("{self:?} was made by another backend"),
        }
    }
}

/// A LayerNorm.
#[derive(Debug)]
pub struct Norm {
    /// [W], f32; zeros behind `width`.
    pub weight: Tensor,
    /// The same.
    pub bias: Tensor,
    /// Channels that are normalised; those behind them are padding.
    pub width: usize,
    pub eps: f32,
}

impl Norm {
    /// A LayerNorm of `vb` with `weight` and `bias` [width].
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn load(width: usize, eps: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: vb.get(width, "weight")?,
            bias: vb.get(width, "bias")?,
            width,
            eps: eps as f32,
        })
    }

    /// The same with `more` channels of padding.
    ///
    /// # Errors
    /// Only when the device cannot hold it.
    pub fn padded(&self, more: usize) -> Result<Self> {
        Ok(Self {
            weight: self.weight.pad_with_zeros(0, 0, more)?,
            bias: self.bias.pad_with_zeros(0, 0, more)?,
            ..*self
        })
    }
}

/// The patches [B * grid * grid, 3 * P * P] of pictures [B, 3, S, S], row-major. The stride of CLIP's
/// patch convolution equals its kernel, so it is a product over separate patches.
///
/// # Errors
/// When the pictures do not divide into patches.
pub fn cut(pictures: &Tensor, patch: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = pictures.dims4()?;
    pictures
        .reshape((batch, channels, height / patch, patch, width / patch, patch))?
        .permute((0, 2, 4, 1, 3, 5))? // [B, rows, columns, 3, P, P]
        .reshape(((), channels * patch * patch))
}

/// The first `count` of each picture's `tokens` rows: [B * tokens, W] -> [B * count, W].
///
/// # Errors
/// When the rows do not divide into pictures.
pub fn first_tokens(x: &Tensor, tokens: usize, count: usize) -> Result<Tensor> {
    if count == tokens {
        return Ok(x.clone());
    }
    let width = x.dim(D::Minus1)?;
    x.reshape(((), tokens, width))?
        .narrow(1, 0, count)?
        .reshape(((), width))
}

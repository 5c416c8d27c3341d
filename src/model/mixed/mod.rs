//! The towers in mixed precision, as GPUs want them.
//!
//! Matrix products are candle's, of f16, bf16 or f32 values with f32 sums; all that happens between
//! two products is one kernel of `kernels::gpu`. The residual stream, LayerNorm and softmax are f32:
//! what the reference's autocast computes.
//!
//! | file | what |
//! |---|---|
//! | `ops` | the launches: grids, shared memory, arguments |
//! | `ranking` | those behind the towers |
//! | `limits` | what a block of threads can hold |
//! | `layers` | weights |
//! | `vision`, `text` | the towers' forward passes |

mod layers;
mod limits;
mod ops;
mod ranking;
pub mod text;
pub mod vision;

use std::sync::Arc;

use candle_core::{DType, Result, Tensor, bail};

pub use layers::Norm;
pub use limits::TooLarge;
pub use ranking::Ranking;

use super::compute::Compute;
use crate::kernels::gpu::Engine;

/// What the matrix products multiply. Their sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    F32,
    /// f32 rounded to 10 bits of mantissa inside the product.
    Tf32,
    F16,
    Bf16,
}

impl Factors {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The type of the tensors that are multiplied.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 | Self::Tf32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// Mixed precision on an engine.
#[derive(Debug, Clone)]
pub struct Mixed {
    pub engine: Arc<dyn Engine>,
    pub factors: Factors,
}

/// Tries whether a device computes: a small product and two kernels, with a known result.
///
/// # Errors
/// What does not work.
pub fn trial(compute: &Compute) -> Result<()> {
    let Some(mixed) = compute.mixed() else {
        return Ok(());
    };
    let device = &compute.device;
    // Features that point along channels 3 and 1, and a column along each of four channels.
    let rows = [[0f32, 0., 0., 2.], [0., 0.5, 0., 0.]];
    let factors = Tensor::new(&rows, device)?.to_dtype(mixed.factors.dtype())?;
    let columns = Tensor::eye(4, DType::F32, device)?;
    let product = factors.matmul(&columns.to_dtype(factors.dtype())?)?;
    let column_of = Tensor::new(&[0u32, 1, 2, 3], device)?;
    let places = mixed.rank(&product.to_dtype(DType::F32)?, &columns, &column_of, 1, 1.0)?;
    let found: Vec<_> = places
        .iter()
        .map(|place| (&place.classes[..], place.logits[0]))
        .collect();
    if found != [(&[3usize][..], 1.0), (&[1][..], 1.0)] {
        bail!("the result is wrong: {found:?}")
    }
    Ok(())
}

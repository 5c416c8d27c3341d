//! The 2-D rotary position embedding of EVA-02.
//!
//! Source: the reference's `eva_vit_model/rope.py` (`VisionRotaryEmbeddingFast`): positions are
//! interpolated to the 16-cell grid of the pre-training, rows rotate the first half of a head's
//! channels and columns the second, in adjacent pairs.

use candle_core::{Device, Result, Tensor};

/// Cells along one side of the grid that the embedding was pre-trained on.
const PRETRAINING_GRID: f32 = 16.0;
const THETA: f32 = 10_000.0;

/// Cosine and sine tables [grid * grid, head dim], every angle twice.
#[derive(Debug, Clone)]
pub struct RopeTables {
    pub cos: Tensor,
    pub sin: Tensor,
}

impl RopeTables {
    /// Computes the tables for a square grid of patches, row-major.
    ///
    /// # Errors
    /// Only when the device cannot hold them.
    pub fn compute(grid: usize, head_dim: usize, device: &Device) -> Result<Self> {
        let half = head_dim / 2;
        // In f32 throughout, like the reference.
        let frequencies: Vec<f32> = (0..half)
            .step_by(2)
            .map(|j| 1.0 / THETA.powf(j as f32 / half as f32))
            .collect();
        let position = |p: usize| p as f32 / grid as f32 * PRETRAINING_GRID;
        let mut angles = Vec::with_capacity(grid * grid * head_dim);
        for y in 0..grid {
            for x in 0..grid {
                for t in [position(y), position(x)] {
                    angles.extend(frequencies.iter().flat_map(|f| [t * f, t * f]));
                }
            }
        }
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a)).collect();
            Tensor::from_vec(values, (grid * grid, head_dim), device)
        };
        Ok(Self {
            cos: table(f32::cos)?,
            sin: table(f32::sin)?,
        })
    }
}

/// By which queries and keys are rotated; the class token, which comes first, stays as it is.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// [1 + patches, head dim], the class token's row being ones.
    pub cos: Tensor,
    /// [1 + patches, head dim], the class token's row being zeros.
    pub sin: Tensor,
}

impl Rotation {
    /// # Errors
    /// Only when the device cannot hold the tables.
    pub fn new(tables: &RopeTables) -> Result<Self> {
        let class_row = tables.cos.narrow(0, 0, 1)?;
        Ok(Self {
            cos: Tensor::cat(&[&class_row.ones_like()?, &tables.cos], 0)?.contiguous()?,
            sin: Tensor::cat(&[&class_row.zeros_like()?, &tables.sin], 0)?.contiguous()?,
        })
    }
}

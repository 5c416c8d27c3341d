//! From features to ranked classes, in f32 whatever the towers compute in.

use candle_core::{DType, Result, Tensor};

use super::kernels::{int, one};
use super::limits::MOST_THREADS;
use super::{Gpu, GpuPrecision, Rank};
use crate::kernels::gpu::Argument::{Float, In, Out};

/// Rows and columns that a block of the product in f32 computes.
const PRODUCT_TILE: usize = 32;

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

impl Gpu {
    /// Products [R, C] of rows [R, K] and rows [C, K], whose factors are not rounded in any precision.
    pub(super) fn unrounded_product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        if self.precision != GpuPrecision::Tf32 {
            return a.matmul(&b.t()?);
        }
        // candle rounds either all products of the process or none.
        let ((rows, depth), columns) = (a.dims2()?, b.dim(0)?);
        let b = &b.contiguous()?;
        let arguments = vec![In(a), In(b), Out, int(rows), int(columns), int(depth)];
        let out = vec![((rows, columns).into(), DType::F32)];
        let shared = 4 * 2 * PRODUCT_TILE * (PRODUCT_TILE + 1);
        let [down, across] = [rows, columns].map(|n| n.div_ceil(PRODUCT_TILE));
        let blocks = [down, across, 1];
        one(self.run("product", blocks, MOST_THREADS, shared, arguments, out)?)
    }
}

impl Rank for Gpu {
    fn rank(
        &self,
        features: &Tensor,
        columns: &Tensor,
        column_of: &Tensor,
        top: usize,
        scale: f32,
    ) -> Result<Vec<Ranking>> {
        let (rows, width) = features.dims2()?;
        let out = vec![((rows, width).into(), DType::F32)];
        let arguments = vec![In(features), Out, int(width)];
        let units = one(self.in_f32().rows("unit", rows, width, 0, arguments, out)?)?;
        let cosines = self.unrounded_product(&units, columns)?;
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
        self.engine.wait()?;
        let ranking = |row: &Vec<f32>| Ranking {
            classes: row[..top].iter().map(|class| *class as usize).collect(),
            logits: row[top..2 * top].to_vec(),
            confidence: row[2 * top],
            finite: row[2 * top + 1] == 1.0,
        };
        Ok(places.to_vec2()?.iter().map(ranking).collect())
    }
}

//! LayerNorm over rows.

use rayon::prelude::*;

use super::isa::{Isa, Work};

/// Partial sums that the compiler keeps in vector registers.
const LANES: usize = 16;
/// Elements for which a task is worth starting.
const TASK_ELEMENTS: usize = 16 << 10;

/// `out = (x - mean) / sqrt(variance + eps) * weight + bias` for each row of `weight.len()`.
///
/// Mean and variance are two passes of sums in a fixed order, so that a row's bits depend on
/// nothing but the row.
///
/// # Panics
/// When the lengths do not fit.
pub fn layer_norm(isa: Isa, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == out.len() && bias.len() == width && x.len().is_multiple_of(width));
    let rows = (TASK_ELEMENTS / width).max(1) * width;
    x.par_chunks(rows)
        .zip(out.par_chunks_mut(rows))
        .for_each(|(x, out)| {
            isa.run(Rows {
                x,
                weight,
                bias,
                eps,
                out,
            });
        });
}

struct Rows<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.weight.len();
        for (x, out) in self
            .x
            .chunks_exact(width)
            .zip(self.out.chunks_exact_mut(width))
        {
            let mean = sum(x, |v| v) / width as f32;
            let variance = sum(x, |v| (v - mean) * (v - mean)) / width as f32;
            let scale = 1.0 / (variance + self.eps).sqrt();
            for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(self.weight).zip(self.bias)
            {
                *out = (x - mean) * scale * weight + bias;
            }
        }
    }
}

#[inline(always)]
fn sum(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|v| term(*v)).sum();
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += term(*v);
        }
    }
    sums.iter().sum::<f32>() + rest
}

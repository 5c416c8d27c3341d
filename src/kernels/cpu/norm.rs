//! LayerNorm over rows.
#![allow(unsafe_code)] // Rows of one output are written from several threads.

use rayon::prelude::*;

use super::isa::{Isa, Work};
use super::math::Vectors;
use super::output::{Order, Output, written};
use super::value::Value;

/// Partial sums that the compiler keeps in vector registers.
const LANES: usize = 16;
/// Elements for which a task is worth starting.
const TASK_ELEMENTS: usize = 16 << 10;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each row of `weight.len()`.
///
/// Mean and variance are two passes of sums in a fixed order, so that a row's bits depend on
/// nothing but the row.
///
/// # Panics
/// When the lengths do not fit.
pub fn layer_norm<X: Value, V: Value>(
    isa: Isa,
    x: &[X],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
) -> Vec<V> {
    let width = weight.len();
    assert!(bias.len() == width && x.len().is_multiple_of(width));
    let each = (TASK_ELEMENTS / width).max(1);
    let compute = |out: &Output<'_, V>| {
        x.par_chunks(each * width)
            .enumerate()
            .for_each(|(task, x)| {
                isa.run(Rows {
                    x,
                    weight,
                    bias,
                    eps,
                    first: task * each,
                    out,
                });
            });
    };
    // SAFETY: the tasks cover all rows.
    unsafe { written(x.len() / width, width, Order::Rows, compute) }
}

struct Rows<'a, X, V> {
    x: &'a [X],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    /// Where the rows begin in the output.
    first: usize,
    out: &'a Output<'a, V>,
}

impl<X: Value, V: Value> Work for Rows<'_, X, V> {
    type Output = ();

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let width = self.weight.len();
        for (row, x) in self.x.chunks_exact(width).enumerate() {
            // SAFETY: the row is this task's own and in the output.
            let out = unsafe { self.out.part(self.first + row, 0, width) };
            let mean = sum(x, |v| v) / width as f32;
            let variance = sum(x, |v| (v - mean) * (v - mean)) / width as f32;
            let scale = 1.0 / (variance + self.eps).sqrt();
            for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(self.weight).zip(self.bias)
            {
                out.write(V::of((x.f32() - mean) * scale * weight + bias));
            }
        }
    }
}

#[inline(always)]
fn sum<X: Value>(x: &[X], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|v| term(v.f32())).sum();
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += term(v.f32());
        }
    }
    sums.iter().sum::<f32>() + rest
}

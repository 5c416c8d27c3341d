//! LayerNorm over rows.
#![allow(unsafe_code)] // Rows of one output are written from several threads.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::isa::{Isa, Work};
use super::math::Vectors;
use super::output::{Order, Output, written};
use super::value::Value;

/// Partial sums of a vector.
const LANES: usize = 16;
/// Vectors whose additions do not wait for each other.
const VECTORS: usize = 4;
/// Elements that are written together.
const TOGETHER: usize = 64;
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
    const BY_BF16: bool = !V::WHOLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let width = self.weight.len();
        for (row, x) in self.x.chunks_exact(width).enumerate() {
            // SAFETY: the row is this task's own and in the output.
            let out = unsafe { self.out.part(self.first + row, 0, width) };
            let mean = sum::<Values, X, M>(x, 0.0) / width as f32;
            let variance = sum::<Squares, X, M>(x, mean) / width as f32;
            let scale = 1.0 / (variance + self.eps).sqrt();
            let (weights, biases) = (self.weight, self.bias);
            let lanes = x.as_chunks().0.iter().zip(weights.as_chunks().0);
            let lanes = lanes.zip(biases.as_chunks().0);
            let (whole, last) = out.as_chunks_mut::<TOGETHER>();
            let done = whole.len() * TOGETHER;
            for (out, ((x, weights), biases)) in whole.iter_mut().zip(lanes) {
                normalise::<TOGETHER, X, V, M>(x, (mean, scale), weights, biases, out);
            }
            let lanes = x[done..].iter().zip(&weights[done..]);
            let lanes = lanes.zip(&biases[done..]);
            for (out, ((x, weight), bias)) in last.iter_mut().zip(lanes) {
                let normal = (x.f32() - mean) * scale;
                out.write(V::of(M::mul_add(normal, *weight, *bias)));
            }
        }
    }
}

/// N elements of a row.
#[inline(always)]
fn normalise<const N: usize, X: Value, V: Value, M: Vectors>(
    x: &[X; N],
    (mean, scale): (f32, f32),
    weights: &[f32; N],
    biases: &[f32; N],
    out: &mut [MaybeUninit<V>; N],
) {
    let mut results = X::f32s(x);
    for i in 0..N {
        results[i] = M::mul_add((results[i] - mean) * scale, weights[i], biases[i]);
    }
    for (out, result) in out.iter_mut().zip(V::of_all::<M, N>(&results)) {
        out.write(result);
    }
}

/// What is summed up. Not closures: these would not be compiled for the instructions.
trait Term {
    fn add<M: Vectors>(sum: f32, value: f32, mean: f32) -> f32;
}

struct Values;
/// Of the distances to the mean.
struct Squares;

impl Term for Values {
    #[inline(always)]
    fn add<M: Vectors>(sum: f32, value: f32, _: f32) -> f32 {
        sum + value
    }
}

impl Term for Squares {
    #[inline(always)]
    fn add<M: Vectors>(sum: f32, value: f32, mean: f32) -> f32 {
        M::mul_add(value - mean, value - mean, sum)
    }
}

/// The sum of the terms of all values. Partial sums stay in registers, for which the compiler has to know
/// all indices.
#[inline(always)]
fn sum<T: Term, X: Value, M: Vectors>(x: &[X], mean: f32) -> f32 {
    let (lanes, last) = x.as_chunks::<LANES>();
    let (vectors, lanes) = lanes.as_chunks::<VECTORS>();
    let mut sums = [[0f32; LANES]; VECTORS];
    for x in vectors {
        for (sums, x) in sums.iter_mut().zip(x) {
            add::<T, X, M>(sums, x, mean);
        }
    }
    for x in lanes {
        add::<T, X, M>(&mut sums[0], x, mean);
    }
    let [a, b, c, d] = sums;
    let of_lanes: [f32; LANES] = std::array::from_fn(|i| (a[i] + b[i]) + (c[i] + d[i]));
    let eight: [f32; 8] = std::array::from_fn(|i| of_lanes[i] + of_lanes[i + 8]);
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    let mut sum = (four[0] + four[2]) + (four[1] + four[3]);
    for x in last {
        sum = T::add::<M>(sum, x.f32(), mean);
    }
    sum
}

#[inline(always)]
fn add<T: Term, X: Value, M: Vectors>(sums: &mut [f32; LANES], x: &[X; LANES], mean: f32) {
    let x = X::f32s(x);
    for i in 0..LANES {
        sums[i] = T::add::<M>(sums[i], x[i], mean);
    }
}

//! What follows the products of a linear layer, while its sums are written.
#![allow(unsafe_code)] // Tiles of one output are written from several threads.

use std::ops::Range;

use super::isa::Work;
use super::math::{Vectors, gelu, quick_gelu, silu};
use super::output::Output;
use super::value::Value;

/// What becomes of a sum before it is stored.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// The bias is added.
    Bias,
    /// GELU (erf) of that.
    Gelu,
    /// GELU in OpenAI's form (the logistic function of 1.702 x) of that.
    QuickGelu,
    /// Another matrix of the same shape is added to that.
    Add(&'a [f32]),
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    /// The sums, which are not complete.
    Sums,
    Epilogue(Epilogue<'a>),
    /// `silu(a + bias) * (b + bias)` of the first and second half of a panel.
    Gate,
}

/// Writes a block's outputs of a panel.
pub(super) struct Write<'a, V> {
    pub outcome: Outcome<'a>,
    /// [rows, panel's columns]
    pub sums: &'a [f32],
    /// Of the panel's columns.
    pub bias: &'a [f32],
    /// Which rows and columns of the output.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub out: &'a Output<'a, V>,
}

/// What a sum becomes.
trait Step {
    /// Whether the bias belongs to it.
    const BIAS: bool = true;

    /// An output, of a sum to which the bias was added, and of what goes with it: the gated sum, its bias
    /// added, or the matrix that is added.
    fn output<M: Vectors>(sum: f32, other: f32) -> f32;
}

struct Keep;
struct Plain;
struct Gelu;
struct QuickGelu;
struct Add;
struct Gate;

impl Step for Keep {
    const BIAS: bool = false;

    #[inline(always)]
    fn output<M: Vectors>(sum: f32, _: f32) -> f32 {
        sum
    }
}

impl Step for Plain {
    #[inline(always)]
    fn output<M: Vectors>(sum: f32, _: f32) -> f32 {
        sum
    }
}

impl Step for Gelu {
    #[inline(always)]
    fn output<M: Vectors>(sum: f32, _: f32) -> f32 {
        gelu::<M>(sum)
    }
}

impl Step for QuickGelu {
    #[inline(always)]
    fn output<M: Vectors>(sum: f32, _: f32) -> f32 {
        quick_gelu::<M>(sum)
    }
}

impl Step for Add {
    #[inline(always)]
    fn output<M: Vectors>(sum: f32, other: f32) -> f32 {
        other + sum
    }
}

impl Step for Gate {
    #[inline(always)]
    fn output<M: Vectors>(sum: f32, gated: f32) -> f32 {
        silu::<M>(sum) * gated
    }
}

/// Where a step's second value comes from.
#[derive(Clone, Copy)]
enum Other<'a> {
    Nothing,
    /// The second half of the panel.
    Half,
    /// A matrix as the output's.
    Matrix(&'a [f32]),
}

impl<V: Value> Work for Write<'_, V> {
    type Output = ();
    const BY_BF16: bool = !V::WHOLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let mut column = self.columns.start;
        while column < self.columns.end {
            // As many as there are vectors for: the compiler knows the number.
            let count = self.out.together(column, self.columns.end - column);
            column += match count {
                32.. => self.columns_of::<32, M>(column),
                16.. => self.columns_of::<16, M>(column),
                8.. => self.columns_of::<8, M>(column),
                _ => self.columns_of::<1, M>(column),
            };
        }
    }
}

impl<V: Value> Write<'_, V> {
    /// Writes C columns of all rows, and returns how many they are.
    #[inline(always)]
    fn columns_of<const C: usize, M: Vectors>(&self, column: usize) -> usize {
        use Other::{Half, Matrix, Nothing};
        match self.outcome {
            Outcome::Sums => self.step::<C, Keep, M>(column, Nothing),
            Outcome::Gate => self.step::<C, Gate, M>(column, Half),
            Outcome::Epilogue(Epilogue::Bias) => self.step::<C, Plain, M>(column, Nothing),
            Outcome::Epilogue(Epilogue::Gelu) => self.step::<C, Gelu, M>(column, Nothing),
            Outcome::Epilogue(Epilogue::QuickGelu) => self.step::<C, QuickGelu, M>(column, Nothing),
            Outcome::Epilogue(Epilogue::Add(other)) => {
                self.step::<C, Add, M>(column, Matrix(other));
            }
        }
        C
    }

    #[inline(always)]
    fn step<const C: usize, S: Step, M: Vectors>(&self, column: usize, other: Other<'_>) {
        let (width, done) = (self.bias.len(), column - self.columns.start);
        let zeros = [0f32; C];
        let bias: [f32; C] = if S::BIAS {
            part(self.bias, done)
        } else {
            zeros
        };
        let second_bias: [f32; C] = match other {
            Other::Half => part(self.bias, width / 2 + done),
            _ => zeros,
        };
        let mut all = self.sums.chunks_exact(width);
        let mut row = self.rows.start;
        for run in self.out.runs(self.rows.clone()) {
            let mut place = run.first + self.out.column_place(column);
            for sums in all.by_ref().take(run.count) {
                let first: [f32; C] = part(sums, done);
                let mut second: [f32; C] = match other {
                    Other::Nothing => zeros,
                    Other::Half => part(sums, width / 2 + done),
                    Other::Matrix(matrix) => part(matrix, row * self.out.columns() + column),
                };
                if let Other::Half = other {
                    for i in 0..C {
                        second[i] += second_bias[i];
                    }
                }
                // In registers, since the compiler cannot know that `out` is apart from the rest.
                let mut results = [0f32; C];
                for i in 0..C {
                    let sum = if S::BIAS {
                        first[i] + bias[i]
                    } else {
                        first[i]
                    };
                    results[i] = S::output::<M>(sum, second[i]);
                }
                let results = V::of_all::<M, C>(&results);
                // SAFETY: the rows and columns are the caller's own, and in the output.
                let out = unsafe { self.out.at(place, C) };
                for (out, result) in out.iter_mut().zip(&results) {
                    out.write(*result);
                }
                place += run.stride;
                row += 1;
            }
        }
    }
}

/// C values from a place on.
#[inline(always)]
fn part<const C: usize>(values: &[f32], first: usize) -> [f32; C] {
    let mut part = [0f32; C];
    part.copy_from_slice(&values[first..first + C]);
    part
}

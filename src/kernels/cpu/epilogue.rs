//! What follows the products of a linear layer, while its sums are written.
#![allow(unsafe_code)] // Tiles of one output are written from several threads.

use std::ops::Range;

use super::isa::Work;
use super::math::{Vectors, gelu, quick_gelu, silu};
use super::output::Output;
use super::value::Value;

/// What becomes of a sum before it is stored.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue {
    /// The bias is added.
    Bias,
    /// GELU (erf) of that.
    Gelu,
    /// GELU in OpenAI's form (the logistic function of 1.702 x) of that.
    QuickGelu,
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Epilogue(Epilogue),
    /// `silu(a + bias) * (b + bias)` of the first and second half of a panel.
    Gate,
    /// What the output holds, plus the sum to which the bias was added.
    Added,
}

/// Writes a block's outputs of a panel.
pub(super) struct Write<'a, V> {
    pub outcome: Outcome,
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
    /// An output, of a sum to which the bias was added, and of what goes with it: the gated sum, its bias
    /// added, or what the output holds.
    fn output<M: Vectors>(sum: f32, other: f32) -> f32;
}

struct Plain;
struct Gelu;
struct QuickGelu;
struct Add;
struct Gate;

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
enum Other {
    Nothing,
    /// The second half of the panel.
    Half,
    /// The output.
    Held,
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
        match self.outcome {
            Outcome::Gate => self.step::<C, Gate, M>(column, Other::Half),
            Outcome::Added => self.step::<C, Add, M>(column, Other::Held),
            Outcome::Epilogue(epilogue) => match epilogue {
                Epilogue::Bias => self.step::<C, Plain, M>(column, Other::Nothing),
                Epilogue::Gelu => self.step::<C, Gelu, M>(column, Other::Nothing),
                Epilogue::QuickGelu => self.step::<C, QuickGelu, M>(column, Other::Nothing),
            },
        }
        C
    }

    #[inline(always)]
    fn step<const C: usize, S: Step, M: Vectors>(&self, column: usize, other: Other) {
        let (width, done) = (self.bias.len(), column - self.columns.start);
        let half = width / 2 + done;
        let bias: [f32; C] = part(self.bias, done);
        let second_bias: [f32; C] = match other {
            Other::Half => part(self.bias, half),
            _ => [0f32; C],
        };
        let mut all = self.sums.chunks_exact(width);
        for run in self.out.runs(self.rows.clone()) {
            let mut place = run.first + self.out.column_place(column);
            for sums in all.by_ref().take(run.count) {
                // SAFETY: the rows and columns are the caller's own, and in the output.
                let out = unsafe { self.out.at(place, C) };
                let first: [f32; C] = part(sums, done);
                let mut second = [0f32; C];
                match other {
                    Other::Nothing => (),
                    Other::Half => {
                        second = part(sums, half);
                        for i in 0..C {
                            second[i] += second_bias[i];
                        }
                    }
                    Other::Held => {
                        for i in 0..C {
                            // SAFETY: an output that is added to holds values.
                            second[i] = unsafe { out[i].assume_init() }.f32();
                        }
                    }
                }
                // In registers, since the compiler cannot know that `out` is apart from the rest.
                let mut results = [0f32; C];
                for i in 0..C {
                    results[i] = S::output::<M>(first[i] + bias[i], second[i]);
                }
                let results = V::of_all::<M, C>(&results);
                for (out, result) in out.iter_mut().zip(&results) {
                    out.write(*result);
                }
                place += run.stride;
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

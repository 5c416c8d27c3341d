//! What follows the products of a linear layer, while its sums are written.
#![allow(unsafe_code)] // Tiles of one output are written from several threads.

use std::mem::MaybeUninit;
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

/// Writes `out` from slices of the same length: first so many elements at a time, for which the compiler
/// needs no loop if a vector has as many, then those that are left.
macro_rules! lanes {
    ($lanes:literal, $out:ident, [$($from:ident),*], |$($value:ident),*| $result:expr) => {{
        let (all, last) = $out.as_chunks_mut::<$lanes>();
        let whole = all.len() * $lanes;
        for (part, out) in all.iter_mut().enumerate() {
            $(let Some($value) = $from[part * $lanes..].first_chunk::<$lanes>() else { break };)*
            // In registers, since the compiler cannot know that `out` is apart from the rest.
            let mut results = [MaybeUninit::uninit(); $lanes];
            for i in 0..$lanes {
                $(let $value = $value[i];)*
                results[i] = MaybeUninit::new(V::of($result));
            }
            *out = results;
        }
        for (i, out) in last.iter_mut().enumerate() {
            $(let $value = $from[whole + i];)*
            out.write(V::of($result));
        }
    }};
}

impl<V: Value> Work for Write<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let Self {
            outcome,
            sums,
            bias,
            rows,
            columns,
            out,
        } = self;
        let half = bias.len() / 2;
        let mut column = columns.start;
        while column < columns.end {
            let done = column - columns.start;
            let count = out.together(column, columns.end - column);
            let place = out.column_place(column);
            let bias = &bias[done..];
            let all = sums.chunks_exact(sums.len() / rows.len());
            let all = out.row_places(rows.start).zip(all).map(|(row, sums)| {
                // SAFETY: the rows and columns are the caller's own, and in the output.
                (unsafe { out.at(row + place, count) }, &sums[done..])
            });
            match outcome {
                Outcome::Sums => {
                    for (out, sums) in all {
                        lanes!(16, out, [sums], |v| v);
                    }
                }
                Outcome::Gate => {
                    let second_bias = &bias[half..];
                    // AVX2's panels have 8 columns of each part.
                    if half < 16 {
                        for (out, sums) in all {
                            let second = &sums[half..];
                            lanes!(8, out, [sums, bias, second, second_bias], |a, p, b, q| {
                                silu::<M>(a + p) * (b + q)
                            });
                        }
                    } else {
                        for (out, sums) in all {
                            let second = &sums[half..];
                            lanes!(16, out, [sums, bias, second, second_bias], |a, p, b, q| {
                                silu::<M>(a + p) * (b + q)
                            });
                        }
                    }
                }
                Outcome::Epilogue(Epilogue::Bias) => {
                    for (out, sums) in all {
                        lanes!(16, out, [sums, bias], |v, b| v + b);
                    }
                }
                Outcome::Epilogue(Epilogue::Gelu) => {
                    for (out, sums) in all {
                        lanes!(16, out, [sums, bias], |v, b| gelu::<M>(v + b));
                    }
                }
                Outcome::Epilogue(Epilogue::QuickGelu) => {
                    for (out, sums) in all {
                        lanes!(16, out, [sums, bias], |v, b| quick_gelu::<M>(v + b));
                    }
                }
                Outcome::Epilogue(Epilogue::Add(other)) => {
                    let other = other[rows.start * out.columns() + column..].chunks(out.columns());
                    for ((out, sums), other) in all.zip(other) {
                        lanes!(16, out, [sums, bias, other], |v, b, other| other + (v + b));
                    }
                }
            }
            column += count;
        }
    }
}

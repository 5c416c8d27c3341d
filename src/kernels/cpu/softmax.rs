//! Softmax of several columns of scores at once, so that it works on whole vectors of columns.

use std::f32::consts::LOG2_E;

use super::math::{Vectors, exp2};
use super::round::rounded;
use super::value::Value;

/// Replaces the scores [rows, columns] of each column by the exponentials of their distances to the
/// largest; `shares` [columns] become what these are to be multiplied by to sum to one. `most`
/// [columns] is room.
#[inline(always)]
pub(super) fn softmax<M: Vectors>(scores: &mut [f32], most: &mut [f32], shares: &mut [f32]) {
    let columns = shares.len();
    most.fill(f32::NEG_INFINITY);
    for scores in scores.chunks_exact(columns) {
        enlarge(most, scores);
    }
    most.iter_mut().for_each(|most| *most *= LOG2_E);
    let sums = shares;
    sums.fill(0.0);
    for scores in scores.chunks_exact_mut(columns) {
        for ((sum, score), most) in sums.iter_mut().zip(scores).zip(&*most) {
            *score = weight::<M>(*score, *most);
            *sum += *score;
        }
    }
    sums.iter_mut().for_each(|sum| *sum = 1.0 / *sum);
}

/// The same of C columns, W of them at a time: the compiler keeps what belongs to all rows in a register.
/// What is left is rounded to bfloat16 if `ROUNDED`, but sums are not. Returns the shares.
#[inline(always)]
pub(super) fn softmax_of<M: Vectors, const C: usize, const W: usize, const ROUNDED: bool>(
    scores: &mut [f32],
) -> [f32; C] {
    let mut shares = [0f32; C];
    for (part, shares) in shares.as_chunks_mut::<W>().0.iter_mut().enumerate() {
        let most = largest::<C, W>(scores, part);
        let mut sums = [0f32; W];
        for scores in scores.as_chunks_mut::<C>().0 {
            let scores = &mut scores.as_chunks_mut::<W>().0[part];
            *scores = weights::<M, W>(scores, &most, &mut sums);
            if ROUNDED {
                for score in scores {
                    *score = f32::from_bits(rounded(*score));
                }
            }
        }
        for (share, sum) in shares.iter_mut().zip(sums) {
            *share = 1.0 / sum;
        }
    }
    shares
}

/// The same, what is left of two rows in pairs of bfloat16 in `out` [rows / 2, C / W], the first row's in the
/// low half: W of them are an L. An odd last row is paired with zeros.
#[inline(always)]
pub(super) fn softmax_in_pairs<M: Vectors, const C: usize, const W: usize, L: AsMut<[u32]>>(
    scores: &[f32],
    out: &mut [L],
) -> [f32; C] {
    let (twos, last) = scores.as_chunks::<C>().0.as_chunks::<2>();
    let mut shares = [0f32; C];
    for (part, shares) in shares.as_chunks_mut::<W>().0.iter_mut().enumerate() {
        let most = largest::<C, W>(scores, part);
        let mut sums = [0f32; W];
        let mut out = out.chunks_exact_mut(C / W);
        for (rows, out) in twos.iter().zip(&mut out) {
            let [first, second] = rows.each_ref().map(|row| &row.as_chunks::<W>().0[part]);
            let first = weights::<M, W>(first, &most, &mut sums);
            let second = weights::<M, W>(second, &most, &mut sums);
            let pairs = f32::pairs::<M, W>(&first, &second);
            out[part].as_mut().copy_from_slice(&pairs);
        }
        for (row, out) in last.iter().zip(out) {
            let first = weights::<M, W>(&row.as_chunks::<W>().0[part], &most, &mut sums);
            let pairs = f32::pairs::<M, W>(&first, &[0.0; W]);
            out[part].as_mut().copy_from_slice(&pairs);
        }
        for (share, sum) in shares.iter_mut().zip(sums) {
            *share = 1.0 / sum;
        }
    }
    shares
}

/// The largest scores of W columns, times the logarithm.
#[inline(always)]
fn largest<const C: usize, const W: usize>(scores: &[f32], part: usize) -> [f32; W] {
    let mut most = [f32::NEG_INFINITY; W];
    let (fours, last) = scores.as_chunks::<C>().0.as_chunks::<4>();
    for rows in fours {
        let [a, b, c, d] = rows.each_ref().map(|row| &row.as_chunks::<W>().0[part]);
        for i in 0..W {
            // The largest of four, so that few comparisons wait for the one before.
            most[i] = larger(most[i], larger(larger(a[i], b[i]), larger(c[i], d[i])));
        }
    }
    for row in last {
        enlarge(&mut most, &row.as_chunks::<W>().0[part]);
    }
    most.map(|most| most * LOG2_E)
}

/// Adds the weights of some scores to their sums.
#[inline(always)]
fn weights<M: Vectors, const W: usize>(
    scores: &[f32; W],
    most: &[f32; W],
    sums: &mut [f32; W],
) -> [f32; W] {
    let mut weights = [0f32; W];
    for i in 0..W {
        weights[i] = weight::<M>(scores[i], most[i]);
        sums[i] += weights[i];
    }
    weights
}

/// The exponential of a score's distance to the largest, which is given times the logarithm.
#[inline(always)]
fn weight<M: Vectors>(score: f32, most: f32) -> f32 {
    exp2::<M>(M::mul_add(score, LOG2_E, -most))
}

/// Makes `most` as large as the scores.
#[inline(always)]
fn enlarge(most: &mut [f32], scores: &[f32]) {
    for (most, score) in most.iter_mut().zip(scores) {
        *most = larger(*most, *score);
    }
}

/// As one instruction, which `f32::max` is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

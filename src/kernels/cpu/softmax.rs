//! Softmax of several columns of scores at once, so that it works on whole vectors of columns.

use super::math::{MulAdd, exp};

/// Replaces the scores [rows, columns] of each column by the exponentials of their distances to the
/// largest; `shares` [columns] become what these are to be multiplied by to sum to one. `most`
/// [columns] is room for the largest.
#[inline(always)]
pub(super) fn softmax<M: MulAdd>(scores: &mut [f32], most: &mut [f32], shares: &mut [f32]) {
    let columns = shares.len();
    most.fill(f32::NEG_INFINITY);
    for scores in scores.chunks_exact(columns) {
        for (most, score) in most.iter_mut().zip(scores) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    let sums = shares;
    sums.fill(0.0);
    for scores in scores.chunks_exact_mut(columns) {
        for ((sum, score), most) in sums.iter_mut().zip(scores).zip(&*most) {
            *score = exp::<M>(*score - most);
            *sum += *score;
        }
    }
    sums.iter_mut().for_each(|sum| *sum = 1.0 / *sum);
}

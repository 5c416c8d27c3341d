//! Rows and columns in the order in which a tile reads them.

/// The arithmetic of a product. Sums are f32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// Both factors rounded to bfloat16.
    Bf16,
}

/// Packed elements of either precision.
#[derive(Debug)]
pub(super) enum Packed {
    F32(Vec<f32>),
    /// Two consecutive k in one element, the first in the low half.
    Bf16(Vec<u32>),
}

/// Pairs that are rounded side by side, which the compiler vectorises, before they are spread.
const BLOCK: usize = 128;

/// Packs `rows` rows of `k` elements, `stride` apart, as [k, lanes] after what `out` holds. Lanes
/// beyond the rows are zeros.
#[inline(always)]
pub(super) fn f32s(
    x: &[f32],
    rows: usize,
    k: usize,
    stride: usize,
    lanes: usize,
    out: &mut Vec<f32>,
) {
    let start = out.len();
    out.resize(start + k * lanes, 0.0);
    let out = &mut out[start..];
    for row in 0..rows {
        let x = &x[row * stride..][..k];
        for (x, out) in x.iter().zip(out[row..].iter_mut().step_by(lanes)) {
            *out = *x;
        }
    }
}

/// As [`f32s`], rounded to bfloat16, as [k / 2, lanes] pairs; an odd last one is paired with zero.
#[inline(always)]
pub(super) fn bf16s(
    x: &[f32],
    rows: usize,
    k: usize,
    stride: usize,
    lanes: usize,
    out: &mut Vec<u32>,
) {
    let start = out.len();
    out.resize(start + k.div_ceil(2) * lanes, 0);
    let out = &mut out[start..];
    let mut pairs = [0u32; BLOCK];
    for row in 0..rows {
        let x = &x[row * stride..][..k];
        for (block, x) in x.chunks(2 * BLOCK).enumerate() {
            let whole = x.chunks_exact(2);
            if let [last] = whole.remainder() {
                pairs[x.len() / 2] = rounded(*last) >> 16;
            }
            for (pair, x) in pairs.iter_mut().zip(whole) {
                *pair = rounded(x[0]) >> 16 | rounded(x[1]);
            }
            let out = out[block * BLOCK * lanes + row..].iter_mut().step_by(lanes);
            for (out, pair) in out.zip(&pairs[..x.len().div_ceil(2)]) {
                *out = *pair;
            }
        }
    }
}

/// The bits of a finite value rounded to bfloat16, nearest even, in the upper half.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        for i in 0..100_000u32 {
            let x = f32::from_bits(0x3f80_0000 + i * 7);
            assert_eq!(
                rounded(x) >> 16,
                u32::from(half::bf16::from_f32(x).to_bits())
            );
        }
    }

    #[test]
    fn lanes_without_a_row_and_an_odd_last_k_are_zeros() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = vec![];
        f32s(&x, 2, 3, 3, 4, &mut out);
        assert_eq!(
            out,
            [1.0, 4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.0, 3.0, 6.0, 0.0, 0.0]
        );
        let mut out = vec![];
        bf16s(&x, 2, 3, 3, 3, &mut out);
        let pair = |low: f32, high: f32| low.to_bits() >> 16 | high.to_bits();
        assert_eq!(
            out,
            [
                pair(1.0, 2.0),
                pair(4.0, 5.0),
                0,
                pair(3.0, 0.0),
                pair(6.0, 0.0),
                0
            ]
        );
    }
}

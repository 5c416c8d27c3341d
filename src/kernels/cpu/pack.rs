//! Rows and columns in the order in which a tile reads them.

use super::isa::Isa;
use super::tile::{Tile, Tiles, with_rows};

/// The arithmetic of a product. Sums are f32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// Both factors rounded to bfloat16.
    Bf16,
}

/// How the factors of a precision lie in memory for the tiles of an instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Whole,
    Rounded,
    Pairs,
}

impl Format {
    pub fn of(precision: Precision, isa: Isa) -> Self {
        match precision {
            Precision::F32 => Self::Whole,
            Precision::Bf16 if Tiles::of(isa).bf16.is_some() => Self::Pairs,
            Precision::Bf16 => Self::Rounded,
        }
    }
}

/// A format as a type, for code that is compiled for each.
pub(super) trait Factor: 'static {
    /// What tiles multiply.
    type Element: Copy + Default + Send + Sync + 'static;

    /// Elements that `k` values take.
    fn depth(k: usize) -> usize;

    /// The tile for such elements.
    fn tile(tiles: Tiles) -> Tile<Self::Element>;

    /// Packs `rows` rows of `k` values, `stride` apart, as [depth, lanes] after what `out` holds.
    /// Lanes beyond the rows are zeros.
    fn pack(
        x: &[f32],
        rows: usize,
        k: usize,
        stride: usize,
        lanes: usize,
        out: &mut Vec<Self::Element>,
    );

    /// Packs the values of one k and of the next, if there is one.
    fn pack_two(first: &[f32], second: Option<&[f32]>, out: &mut Vec<Self::Element>);

    /// Values [k, lanes] as elements [depth, lanes], in `room` if they have to be made.
    fn packed<'a>(
        x: &'a [f32],
        lanes: usize,
        room: &'a mut Vec<Self::Element>,
    ) -> &'a [Self::Element];
}

/// f32 as it is.
pub(super) struct Whole;

/// Values rounded to bfloat16 and kept as f32, where no instruction multiplies bfloat16. Their
/// products are exact in f32.
pub(super) struct Rounded;

/// Two consecutive k in bfloat16, the first in the low half.
pub(super) struct Pairs;

impl Factor for Whole {
    type Element = f32;

    #[inline(always)]
    fn depth(k: usize) -> usize {
        k
    }

    #[inline(always)]
    fn tile(tiles: Tiles) -> Tile<f32> {
        tiles.f32
    }

    #[inline(always)]
    fn pack(x: &[f32], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<f32>) {
        f32s(x, rows, k, stride, lanes, out);
    }

    #[inline(always)]
    fn pack_two(first: &[f32], second: Option<&[f32]>, out: &mut Vec<f32>) {
        out.extend_from_slice(first);
        out.extend_from_slice(second.unwrap_or_default());
    }

    #[inline(always)]
    fn packed<'a>(x: &'a [f32], _: usize, _: &'a mut Vec<f32>) -> &'a [f32] {
        x
    }
}

impl Factor for Rounded {
    type Element = f32;

    #[inline(always)]
    fn depth(k: usize) -> usize {
        Whole::depth(k)
    }

    #[inline(always)]
    fn tile(tiles: Tiles) -> Tile<f32> {
        Whole::tile(tiles)
    }

    #[inline(always)]
    fn pack(x: &[f32], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<f32>) {
        let start = out.len();
        Whole::pack(x, rows, k, stride, lanes, out);
        round_all(&mut out[start..]);
    }

    #[inline(always)]
    fn pack_two(first: &[f32], second: Option<&[f32]>, out: &mut Vec<f32>) {
        let start = out.len();
        Whole::pack_two(first, second, out);
        round_all(&mut out[start..]);
    }

    #[inline(always)]
    fn packed<'a>(x: &'a [f32], _: usize, room: &'a mut Vec<f32>) -> &'a [f32] {
        room.clear();
        room.extend_from_slice(x);
        round_all(room);
        room
    }
}

impl Factor for Pairs {
    type Element = u32;

    #[inline(always)]
    fn depth(k: usize) -> usize {
        k.div_ceil(2)
    }

    #[inline(always)]
    fn tile(tiles: Tiles) -> Tile<u32> {
        match tiles.bf16 {
            Some(tile) => tile,
            None => unreachable!("`Format::of` chooses pairs only where a tile multiplies them"),
        }
    }

    #[inline(always)]
    fn pack(x: &[f32], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<u32>) {
        bf16s(x, rows, k, stride, lanes, out);
    }

    #[inline(always)]
    fn pack_two(first: &[f32], second: Option<&[f32]>, out: &mut Vec<u32>) {
        match second {
            Some(second) => out.extend(first.iter().zip(second).map(|(a, b)| pair(*a, *b))),
            None => out.extend(first.iter().map(|a| pair(*a, 0.0))),
        }
    }

    #[inline(always)]
    fn packed<'a>(x: &'a [f32], lanes: usize, room: &'a mut Vec<u32>) -> &'a [u32] {
        room.clear();
        for x in x.chunks(2 * lanes) {
            let (first, second) = x.split_at(lanes);
            Self::pack_two(first, (!second.is_empty()).then_some(second), room);
        }
        room
    }
}

/// Packed elements of any format.
#[derive(Debug)]
pub(super) enum Packed {
    Whole(Vec<f32>),
    Rounded(Vec<f32>),
    Pairs(Vec<u32>),
}

/// Rows that are read side by side.
const TOGETHER: usize = 8;
/// Pairs that are rounded one after the other, which the compiler vectorises, before they are spread.
const BLOCK: usize = 128;

#[inline(always)]
fn f32s(x: &[f32], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + k * lanes, 0.0);
    for first in (0..rows).step_by(TOGETHER) {
        let row = |r: usize| &x[(first + r) * stride..][..k];
        spread(rows - first, row, lanes, &mut out[start + first..]);
    }
}

/// An odd last k is paired with zero.
#[inline(always)]
fn bf16s(x: &[f32], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<u32>) {
    let start = out.len();
    out.resize(start + k.div_ceil(2) * lanes, 0);
    let mut pairs = [[0u32; BLOCK]; TOGETHER];
    for first in (0..rows).step_by(TOGETHER) {
        for k_first in (0..k).step_by(2 * BLOCK) {
            let count = (k - k_first).min(2 * BLOCK);
            for (row, pairs) in (first..rows).zip(&mut pairs) {
                round_pairs(&x[row * stride + k_first..][..count], pairs);
            }
            let row = |r: usize| &pairs[r][..count.div_ceil(2)];
            let out = &mut out[start + k_first / 2 * lanes + first..];
            spread(rows - first, row, lanes, out);
        }
    }
}

#[inline(always)]
fn round_pairs(x: &[f32], pairs: &mut [u32; BLOCK]) {
    let whole = x.chunks_exact(2);
    if let [last] = whole.remainder() {
        pairs[x.len() / 2] = pair(*last, 0.0);
    }
    for (pair, x) in pairs.iter_mut().zip(whole) {
        *pair = self::pair(x[0], x[1]);
    }
}

/// Writes the first of `rows` rows side by side, at most `TOGETHER`: `row(r)[i]` to
/// `out[i * lanes + r]`.
#[inline(always)]
fn spread<'a, T: Copy + Default + 'a>(
    rows: usize,
    row: impl Fn(usize) -> &'a [T],
    lanes: usize,
    out: &mut [T],
) {
    with_rows!(rows.min(TOGETHER), R => spread_rows::<R, T>(row, lanes, out), 1 2 3 4 5 6 7 8);
}

#[inline(always)]
fn spread_rows<'a, const R: usize, T: Copy + Default + 'a>(
    row: impl Fn(usize) -> &'a [T],
    lanes: usize,
    out: &mut [T],
) {
    let rows: [&[T]; R] = std::array::from_fn(row);
    let k = rows[0].len();
    if lanes == R {
        return side_by_side(rows, &mut out.as_chunks_mut().0[..k]);
    }
    let mut room = [[T::default(); R]; BLOCK];
    let blocks = out.chunks_mut(BLOCK * lanes).take(k.div_ceil(BLOCK));
    for (block, out) in blocks.enumerate() {
        let room = &mut room[..BLOCK.min(k - block * BLOCK)];
        let rows = rows.map(|row| &row[block * BLOCK..][..room.len()]);
        side_by_side(rows, room);
        for (out, values) in out.chunks_mut(lanes).zip(room) {
            out[..R].copy_from_slice(values);
        }
    }
}

/// Rows as columns that touch: the compiler has instructions for that, if there are few.
#[inline(always)]
fn side_by_side<const R: usize, T: Copy>(rows: [&[T]; R], out: &mut [[T; R]]) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        for (out, row) in out.iter_mut().zip(rows) {
            *out = row[i];
        }
    }
}

#[inline(always)]
fn round_all(x: &mut [f32]) {
    for x in x {
        *x = f32::from_bits(rounded(*x));
    }
}

/// Two values rounded to bfloat16.
#[inline(always)]
fn pair(low: f32, high: f32) -> u32 {
    rounded(low) >> 16 | rounded(high)
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

    /// Beyond what is read together and rounded together.
    #[test]
    fn any_number_of_rows_and_values_is_packed_in_order() {
        for rows in 1..=2 * TOGETHER + 1 {
            for k in [1, 2, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK + 3] {
                let (stride, lanes) = (k + 5, rows + 1);
                let x: Vec<f32> = (0..rows * stride).map(|i| 1.0 + i as f32).collect();
                let value = |row: usize, i: usize| {
                    if row < rows && i < k {
                        x[row * stride + i]
                    } else {
                        0.0
                    }
                };
                let (mut values, mut pairs) = (vec![7.0], vec![7]);
                f32s(&x, rows, k, stride, lanes, &mut values);
                bf16s(&x, rows, k, stride, lanes, &mut pairs);
                for (place, packed) in values[1..].iter().enumerate() {
                    assert_eq!(*packed, value(place % lanes, place / lanes));
                }
                for (place, packed) in pairs[1..].iter().enumerate() {
                    let (row, i) = (place % lanes, place / lanes * 2);
                    assert_eq!(*packed, pair(value(row, i), value(row, i + 1)));
                }
                assert_eq!(values.len(), 1 + k * lanes);
                assert_eq!(pairs.len(), 1 + k.div_ceil(2) * lanes);
            }
        }
    }
}

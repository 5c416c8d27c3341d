//! Rows and columns in the order in which a tile reads them.

use half::bf16;

use super::ahead::Ahead;
use super::amx::{self, Line, TileUnit};
use super::isa::Isa;
use super::math::Vectors;
use super::round::rounded;
use super::softmax::{softmax_in_pairs, softmax_of};
use super::tile::{self, Operands, STEPS, Tile, Tiles, with_rows};
use super::transpose::SIDE;
use super::value::Value;

/// The arithmetic of a product. Sums are f32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// Both factors rounded to bfloat16.
    Bf16,
}

/// Values of two k that are paired at once.
const LANES: usize = 16;

/// How the factors of a precision lie in memory for the tiles of an instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Whole,
    Rounded,
    Pairs,
    Lines,
}

impl Format {
    pub fn of(precision: Precision, isa: Isa) -> Self {
        match precision {
            Precision::F32 => Self::Whole,
            Precision::Bf16 if isa.has_tiles() => Self::Lines,
            Precision::Bf16 if tile::of_bf16(isa).is_some() => Self::Pairs,
            Precision::Bf16 => Self::Rounded,
        }
    }

    /// How tiles are formed of it.
    pub fn tiles(self, isa: Isa) -> Tiles {
        match self {
            Self::Whole | Self::Rounded | Self::Pairs => Tiles::of_vectors(isa),
            Self::Lines => Tiles::of_unit(),
        }
    }
}

/// A format as a type, for code that is compiled for each.
pub(super) trait Factor: 'static {
    /// What tiles multiply.
    type Element: Copy + Default + Send + Sync + 'static;

    /// What multiplies them, ready for it on this thread.
    type Unit;

    /// Values of k in an element, as depth is counted.
    const VALUES: usize;

    /// Elements of depth after which a tile fetches again what is ahead.
    const STEPS: usize = STEPS;

    /// Whether AVX-512's instructions without those for bfloat16, AVX2's, and portable code ever work on it.
    const BY_AVX512: bool = true;
    const BY_AVX2: bool = true;
    const PORTABLE: bool = true;

    /// Elements that `k` values take.
    #[inline(always)]
    fn depth(k: usize) -> usize {
        k.div_ceil(Self::VALUES)
    }

    fn unit(isa: Isa) -> Self::Unit;

    /// Sums up a tile's products in out[rows, columns], and fetches what is ahead meanwhile.
    fn multiply(
        unit: &mut Self::Unit,
        operands: Operands<'_, Self::Element>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    );

    /// Packs a block of rows, each of `k` values and `stride` behind the one before, after what `out`
    /// holds: [depth, rows], with padding behind the rows if tiles have a step.
    fn pack_rows<V: Value, M: Vectors>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<Self::Element>,
    );

    /// Packs columns, dense and each of `k` values, as a panel [depth, lanes] after what `out` holds.
    /// Lanes beyond the columns are zeros.
    fn pack_columns<M: Vectors>(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<Self::Element>,
    );

    /// Packs a block of rows whose values lie side by side, all rows of one k in `values(k)`. There is at
    /// least one of each.
    fn pack_transposed<'a, V: Value, M: Vectors>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<Self::Element>,
    );

    /// The weights of C columns of scores [k, C] by their softmax, as a panel [depth, C], in the scores' place
    /// or in `room`; and what the columns are to be multiplied by. W columns are a vector.
    fn soften<'a, M: Vectors, const C: usize, const W: usize>(
        scores: &'a mut [f32],
        room: &'a mut Vec<Self::Element>,
    ) -> (&'a [Self::Element], [f32; C]);
}

/// f32 as it is.
pub(super) struct Whole;

/// Values rounded to bfloat16 and kept as f32, where no instruction multiplies bfloat16. Their
/// products are exact in f32.
pub(super) struct Rounded;

/// Two consecutive k in bfloat16, the first in the low half.
pub(super) struct Pairs;

/// Lines of a tile unit's tiles.
pub(super) struct Lines;

impl Factor for Whole {
    type Element = f32;
    type Unit = Tile<f32>;
    const VALUES: usize = 1;

    #[inline(always)]
    fn unit(isa: Isa) -> Tile<f32> {
        tile::of_f32(isa)
    }

    #[inline(always)]
    fn multiply(
        unit: &mut Tile<f32>,
        operands: Operands<'_, f32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        unit(operands, ahead, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value, M: Vectors>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<f32>,
    ) {
        f32s::<V, M>(x, rows, k, stride, rows, out);
    }

    #[inline(always)]
    fn pack_columns<M: Vectors>(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<f32>,
    ) {
        f32s::<f32, M>(x, columns, k, k, lanes, out);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value, M: Vectors>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<f32>,
    ) {
        // Copies of a length that the compiler knows are a few instructions.
        with_rows!(values(0).len(), R => side_by_side_of::<R, V>(k, values, out),
            1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    #[inline(always)]
    fn soften<'a, M: Vectors, const C: usize, const W: usize>(
        scores: &'a mut [f32],
        _: &'a mut Vec<f32>,
    ) -> (&'a [f32], [f32; C]) {
        let shares = softmax_of::<M, C, W, false>(scores);
        (scores, shares)
    }
}

impl Factor for Rounded {
    type Element = f32;
    type Unit = Tile<f32>;
    const VALUES: usize = 1;

    #[inline(always)]
    fn unit(isa: Isa) -> Tile<f32> {
        Whole::unit(isa)
    }

    #[inline(always)]
    fn multiply(
        unit: &mut Tile<f32>,
        operands: Operands<'_, f32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        Whole::multiply(unit, operands, ahead, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value, M: Vectors>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<f32>,
    ) {
        let start = out.len();
        Whole::pack_rows::<V, M>(x, rows, k, stride, out);
        if V::WHOLE {
            round_all(&mut out[start..]);
        }
    }

    #[inline(always)]
    fn pack_columns<M: Vectors>(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<f32>,
    ) {
        let start = out.len();
        Whole::pack_columns::<M>(x, columns, k, lanes, out);
        round_all(&mut out[start..]);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value, M: Vectors>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<f32>,
    ) {
        let start = out.len();
        Whole::pack_transposed::<V, M>(k, values, out);
        if V::WHOLE {
            round_all(&mut out[start..]);
        }
    }

    #[inline(always)]
    fn soften<'a, M: Vectors, const C: usize, const W: usize>(
        scores: &'a mut [f32],
        _: &'a mut Vec<f32>,
    ) -> (&'a [f32], [f32; C]) {
        let shares = softmax_of::<M, C, W, true>(scores);
        (scores, shares)
    }
}

impl Factor for Pairs {
    type Element = u32;
    type Unit = Tile<u32>;
    const VALUES: usize = 2;
    const BY_AVX512: bool = false;
    const BY_AVX2: bool = false;
    const PORTABLE: bool = false;

    #[inline(always)]
    fn unit(isa: Isa) -> Tile<u32> {
        match tile::of_bf16(isa) {
            Some(tile) => tile,
            None => unreachable!("`Format::of` chooses pairs only where a tile multiplies them"),
        }
    }

    #[inline(always)]
    fn multiply(
        unit: &mut Tile<u32>,
        operands: Operands<'_, u32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        unit(operands, ahead, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value, M: Vectors>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<u32>,
    ) {
        bf16s::<V, M>(x, rows, k, stride, rows, out);
    }

    #[inline(always)]
    fn pack_columns<M: Vectors>(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<u32>,
    ) {
        bf16s::<f32, M>(x, columns, k, k, lanes, out);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value, M: Vectors>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<u32>,
    ) {
        for first in (0..k).step_by(2) {
            let second = (first + 1 < k).then(|| values(first + 1));
            let (first, start) = (values(first), out.len());
            out.resize(start + first.len(), 0);
            pack_two::<V, M>(first, second, &mut out[start..]);
        }
    }

    #[inline(always)]
    fn soften<'a, M: Vectors, const C: usize, const W: usize>(
        scores: &'a mut [f32],
        room: &'a mut Vec<u32>,
    ) -> (&'a [u32], [f32; C]) {
        room.resize(Self::depth(scores.len() / C) * C, 0);
        let pairs = room.as_chunks_mut::<W>().0;
        let shares = softmax_in_pairs::<M, C, W, _>(scores, pairs);
        (room, shares)
    }
}

impl Factor for Lines {
    type Element = Line;
    type Unit = TileUnit;
    const VALUES: usize = amx::VALUES;
    const STEPS: usize = 1;
    const BY_AVX512: bool = false;
    const BY_AVX2: bool = false;

    #[inline(always)]
    fn unit(isa: Isa) -> TileUnit {
        TileUnit::new(isa)
    }

    #[inline(always)]
    fn multiply(
        unit: &mut TileUnit,
        operands: Operands<'_, Line>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        unit.multiply(operands, ahead, out);
    }

    /// A line is 32 values of one row.
    #[inline(always)]
    fn pack_rows<V: Value, M: Vectors>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<Line>,
    ) {
        let lanes = rows.next_multiple_of(amx::SIDE);
        let start = out.len();
        out.resize(start + Self::depth(k) * lanes, Line::default());
        let out = &mut out[start..];
        for row in 0..rows {
            let x = &x[row * stride..][..k];
            let lines = out[row..].iter_mut().step_by(lanes);
            for (line, x) in lines.zip(x.chunks(amx::VALUES)) {
                match <&[V; amx::VALUES]>::try_from(x) {
                    Ok(x) => round_line::<V, M>(x, line),
                    Err(_) => {
                        let mut padded = [V::default(); amx::VALUES];
                        padded[..x.len()].copy_from_slice(x);
                        round_line::<V, M>(&padded, line);
                    }
                }
            }
        }
    }

    /// A line is two values of each of 16 columns.
    #[inline(always)]
    fn pack_columns<M: Vectors>(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<Line>,
    ) {
        let mut pairs = Vec::new();
        bf16s::<f32, M>(x, columns, k, k, lanes, &mut pairs);
        pairs.resize(Self::depth(k) * lanes * amx::SIDE, 0);
        out.extend(pairs.as_chunks().0.iter().copied().map(Line));
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value, M: Vectors>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<Line>,
    ) {
        let lanes = values(0).len().next_multiple_of(amx::SIDE);
        let start = out.len();
        out.resize(start + Self::depth(k) * lanes, Line::default());
        for (step, out) in out[start..].chunks_mut(lanes).enumerate() {
            // The pairs of 32 values of k, each of all rows, and these rows as lines.
            let mut pairs = [[0u32; amx::ROWS]; amx::SIDE];
            for (pairs, first) in pairs.iter_mut().zip((step * amx::VALUES..k).step_by(2)) {
                let second = (first + 1 < k).then(|| values(first + 1));
                pack_two::<V, M>(values(first), second, pairs);
            }
            for (pairs, column) in pairs.as_chunks::<SIDE>().0.iter().zip([0, SIDE]) {
                for (first, lines) in (0..lanes).step_by(SIDE).zip(out.chunks_mut(SIDE)) {
                    let mut block = [[0f32; SIDE]; SIDE];
                    for (block, pairs) in block.iter_mut().zip(pairs) {
                        for (value, pair) in block.iter_mut().zip(&pairs[first..]) {
                            *value = f32::from_bits(*pair);
                        }
                    }
                    M::transpose(&mut block);
                    for (line, block) in lines.iter_mut().zip(&block) {
                        for (pair, value) in line.0[column..].iter_mut().zip(block) {
                            *pair = value.to_bits();
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn soften<'a, M: Vectors, const C: usize, const W: usize>(
        scores: &'a mut [f32],
        room: &'a mut Vec<Line>,
    ) -> (&'a [Line], [f32; C]) {
        assert_eq!(W, amx::SIDE);
        let k = scores.len() / C;
        // Each two k have a line of every W columns. Behind them is padding.
        room.truncate(k.div_ceil(2) * (C / W));
        room.resize(Self::depth(k) * C, Line::default());
        let shares = softmax_in_pairs::<M, C, W, _>(scores, room);
        (room, shares)
    }
}

/// Writes the values of one k and of the next, if there is one, as pairs.
#[inline(always)]
fn pack_two<V: Value, M: Vectors>(first: &[V], second: Option<&[V]>, out: &mut [u32]) {
    let Some(second) = second else {
        for (out, a) in out.iter_mut().zip(first) {
            *out = V::pair(*a, V::default());
        }
        return;
    };
    let count = first.len().min(out.len());
    let (first, second, out) = (&first[..count], &second[..count], &mut out[..count]);
    let whole = count - count % LANES;
    let lanes = first
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(second.as_chunks().0);
    for (out, (a, b)) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(lanes) {
        *out = V::pairs::<M, LANES>(a, b);
    }
    for (i, out) in out.iter_mut().enumerate().skip(whole) {
        *out = V::pair(first[i], second[i]);
    }
}

/// Packed elements of any format.
#[derive(Debug)]
pub(super) enum Packed {
    Whole(Vec<f32>),
    Rounded(Vec<f32>),
    Pairs(Vec<u32>),
    Lines(Vec<Line>),
}

/// Pairs that are rounded one after the other, which the compiler vectorises, before they are spread.
const BLOCK: usize = 64;

#[inline(always)]
fn f32s<V: Value, M: Vectors>(
    x: &[V],
    rows: usize,
    k: usize,
    stride: usize,
    lanes: usize,
    out: &mut Vec<f32>,
) {
    let start = out.len();
    out.resize(start + k * lanes + SIDE, 0.0);
    for first in (0..rows).step_by(SIDE).rev() {
        let row = |r: usize| &x[(first + r) * stride..][..k];
        let out = &mut out[start + first..];
        spread::<M, V, f32>(rows - first, k, row, V::f32, |value| value, lanes, out);
    }
    out.truncate(start + k * lanes);
}

/// Blocks of R rows whose values lie side by side.
#[inline(always)]
fn side_by_side_of<'a, const R: usize, V: Value>(
    k: usize,
    values: impl Fn(usize) -> &'a [V],
    out: &mut Vec<f32>,
) {
    let start = out.len();
    out.resize(start + k * R, 0.0);
    for (k, out) in out[start..].as_chunks_mut::<R>().0.iter_mut().enumerate() {
        let mut row = [0f32; R];
        for (out, value) in row.iter_mut().zip(&values(k)[..R]) {
            *out = value.f32();
        }
        *out = row;
    }
}

/// An odd last k is paired with zero.
#[inline(always)]
fn bf16s<V: Value, M: Vectors>(
    x: &[V],
    rows: usize,
    k: usize,
    stride: usize,
    lanes: usize,
    out: &mut Vec<u32>,
) {
    let start = out.len();
    let end = start + k.div_ceil(2) * lanes;
    out.resize(end + SIDE, 0);
    let mut pairs = [[0u32; BLOCK]; SIDE];
    for first in (0..rows).step_by(SIDE).rev() {
        for k_first in (0..k).step_by(2 * BLOCK) {
            let count = (k - k_first).min(2 * BLOCK);
            for (row, pairs) in (first..rows).zip(&mut pairs) {
                round_pairs(&x[row * stride + k_first..][..count], pairs);
            }
            let row = |r: usize| &pairs[r][..];
            let out = &mut out[start + k_first / 2 * lanes + first..];
            let count = count.div_ceil(2);
            spread::<M, u32, u32>(
                rows - first,
                count,
                row,
                f32::from_bits,
                f32::to_bits,
                lanes,
                out,
            );
        }
    }
    out.truncate(end);
}

#[inline(always)]
fn round_pairs<V: Value>(x: &[V], pairs: &mut [u32; BLOCK]) {
    let whole = x.chunks_exact(2);
    if let [last] = whole.remainder() {
        pairs[x.len() / 2] = V::pair(*last, V::default());
    }
    for (pair, x) in pairs.iter_mut().zip(whole) {
        *pair = V::pair(x[0], x[1]);
    }
}

/// Writes the first of `rows` rows side by side, at most `SIDE`: `row(r)[i]` to `out[i * lanes + r]`, for
/// i up to `k`. It writes `SIDE` elements each time; what belongs behind the rows has to be written later.
#[inline(always)]
fn spread<'a, M: Vectors, V: Copy + 'a, T: Copy>(
    rows: usize,
    k: usize,
    row: impl Fn(usize) -> &'a [V],
    as_f32: impl Fn(V) -> f32,
    of_f32: impl Fn(f32) -> T,
    lanes: usize,
    out: &mut [T],
) {
    let mut rows: [&[V]; SIDE] = std::array::from_fn(|r| if r < rows { row(r) } else { &[] });
    let mut out = out;
    for _ in 0..k / SIDE {
        let mut block = [[0f32; SIDE]; SIDE];
        for (block, row) in block.iter_mut().zip(&mut rows) {
            if let Some((values, rest)) = row.split_first_chunk::<SIDE>() {
                for i in 0..SIDE {
                    block[i] = as_f32(values[i]);
                }
                *row = rest;
            }
        }
        M::transpose(&mut block);
        for column in &block {
            leave(column, &of_f32, out);
            out = out.get_mut(lanes..).unwrap_or_default();
        }
    }
    for i in 0..k % SIDE {
        let mut column = [0f32; SIDE];
        for (value, row) in column.iter_mut().zip(rows) {
            *value = row.get(i).map_or(0.0, |value| as_f32(*value));
        }
        leave(&column, &of_f32, out);
        out = out.get_mut(lanes..).unwrap_or_default();
    }
}

#[inline(always)]
fn leave<T: Copy>(column: &[f32; SIDE], of_f32: &impl Fn(f32) -> T, out: &mut [T]) {
    let mut values = [of_f32(0.0); SIDE];
    for i in 0..SIDE {
        values[i] = of_f32(column[i]);
    }
    out[..SIDE].copy_from_slice(&values);
}

#[inline(always)]
fn round_line<V: Value, M: Vectors>(x: &[V; amx::VALUES], line: &mut Line) {
    let x = V::bf16s::<M, { amx::VALUES }>(x);
    for (pair, x) in line.0.iter_mut().zip(x.as_chunks().0) {
        let [low, high] = *x;
        *pair = bf16::pair(low, high);
    }
}

#[inline(always)]
fn round_all(x: &mut [f32]) {
    for x in x {
        *x = f32::from_bits(rounded(*x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::cpu::math::Separate;

    #[test]
    fn lanes_without_a_row_and_an_odd_last_k_are_zeros() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = vec![];
        f32s::<f32, Separate>(&x, 2, 3, 3, 4, &mut out);
        assert_eq!(
            out,
            [1.0, 4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.0, 3.0, 6.0, 0.0, 0.0]
        );
        let mut out = vec![];
        bf16s::<f32, Separate>(&x, 2, 3, 3, 3, &mut out);
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
        for rows in 1..=2 * SIDE + 1 {
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
                f32s::<f32, Separate>(&x, rows, k, stride, lanes, &mut values);
                bf16s::<f32, Separate>(&x, rows, k, stride, lanes, &mut pairs);
                for (place, packed) in values[1..].iter().enumerate() {
                    assert_eq!(*packed, value(place % lanes, place / lanes));
                }
                for (place, packed) in pairs[1..].iter().enumerate() {
                    let (row, i) = (place % lanes, place / lanes * 2);
                    assert_eq!(*packed, f32::pair(value(row, i), value(row, i + 1)));
                }
                assert_eq!(values.len(), 1 + k * lanes);
                assert_eq!(pairs.len(), 1 + k.div_ceil(2) * lanes);
            }
        }
    }
}

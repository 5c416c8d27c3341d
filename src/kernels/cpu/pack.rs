//! Rows and columns in the order in which a tile reads them.

use super::amx::{self, Line, TileUnit};
use super::isa::Isa;
use super::tile::{self, Tile, Tiles, with_rows};
use super::value::{Value, rounded};

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

    /// Whether AVX2's instructions, and portable code, ever work on it.
    const BY_AVX2: bool = true;
    const PORTABLE: bool = true;

    /// Elements that `k` values take.
    #[inline(always)]
    fn depth(k: usize) -> usize {
        k.div_ceil(Self::VALUES)
    }

    fn unit(isa: Isa) -> Self::Unit;

    /// Adds a[depth, rows] transposed, times b[depth, columns], to out[rows, columns].
    fn multiply(
        unit: &mut Self::Unit,
        rows: usize,
        a: &[Self::Element],
        b: &[Self::Element],
        out: &mut [f32],
    );

    /// Packs a block of rows, each of `k` values and `stride` behind the one before, after what `out`
    /// holds: [depth, rows], with padding behind the rows if tiles have a step.
    fn pack_rows<V: Value>(
        x: &[V],
        rows: usize,
        k: usize,
        stride: usize,
        out: &mut Vec<Self::Element>,
    );

    /// Packs columns, dense and each of `k` values, as a panel [depth, lanes] after what `out` holds.
    /// Lanes beyond the columns are zeros.
    fn pack_columns(
        x: &[f32],
        columns: usize,
        k: usize,
        lanes: usize,
        out: &mut Vec<Self::Element>,
    );

    /// Packs a block of rows whose values lie side by side, all rows of one k in `values(k)`. There is at
    /// least one of each.
    fn pack_transposed<'a, V: Value>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<Self::Element>,
    );

    /// Values [k, lanes] as a panel [depth, lanes], in `room` if it has to be made.
    fn panel<'a>(
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
    fn multiply(unit: &mut Tile<f32>, rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
        unit(rows, a, b, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value>(x: &[V], rows: usize, k: usize, stride: usize, out: &mut Vec<f32>) {
        f32s(x, rows, k, stride, rows, out);
    }

    #[inline(always)]
    fn pack_columns(x: &[f32], columns: usize, k: usize, lanes: usize, out: &mut Vec<f32>) {
        f32s(x, columns, k, k, lanes, out);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<f32>,
    ) {
        (0..k).for_each(|k| out.extend(values(k).iter().map(|value| value.f32())));
    }

    #[inline(always)]
    fn panel<'a>(x: &'a [f32], _: usize, _: &'a mut Vec<f32>) -> &'a [f32] {
        x
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
    fn multiply(unit: &mut Tile<f32>, rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
        Whole::multiply(unit, rows, a, b, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value>(x: &[V], rows: usize, k: usize, stride: usize, out: &mut Vec<f32>) {
        let start = out.len();
        Whole::pack_rows(x, rows, k, stride, out);
        if V::WHOLE {
            round_all(&mut out[start..]);
        }
    }

    #[inline(always)]
    fn pack_columns(x: &[f32], columns: usize, k: usize, lanes: usize, out: &mut Vec<f32>) {
        let start = out.len();
        Whole::pack_columns(x, columns, k, lanes, out);
        round_all(&mut out[start..]);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<f32>,
    ) {
        let start = out.len();
        Whole::pack_transposed(k, values, out);
        if V::WHOLE {
            round_all(&mut out[start..]);
        }
    }

    #[inline(always)]
    fn panel<'a>(x: &'a [f32], _: usize, room: &'a mut Vec<f32>) -> &'a [f32] {
        room.clear();
        room.extend_from_slice(x);
        round_all(room);
        room
    }
}

impl Factor for Pairs {
    type Element = u32;
    type Unit = Tile<u32>;
    const VALUES: usize = 2;
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
    fn multiply(unit: &mut Tile<u32>, rows: usize, a: &[u32], b: &[u32], out: &mut [f32]) {
        unit(rows, a, b, out);
    }

    #[inline(always)]
    fn pack_rows<V: Value>(x: &[V], rows: usize, k: usize, stride: usize, out: &mut Vec<u32>) {
        bf16s(x, rows, k, stride, rows, out);
    }

    #[inline(always)]
    fn pack_columns(x: &[f32], columns: usize, k: usize, lanes: usize, out: &mut Vec<u32>) {
        bf16s(x, columns, k, k, lanes, out);
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value>(
        k: usize,
        values: impl Fn(usize) -> &'a [V],
        out: &mut Vec<u32>,
    ) {
        for first in (0..k).step_by(2) {
            let second = (first + 1 < k).then(|| values(first + 1));
            let (first, start) = (values(first), out.len());
            out.resize(start + first.len(), 0);
            pack_two(first, second, &mut out[start..]);
        }
    }

    #[inline(always)]
    fn panel<'a>(x: &'a [f32], lanes: usize, room: &'a mut Vec<u32>) -> &'a [u32] {
        room.clear();
        let k = x.len() / lanes;
        Self::pack_transposed(k, |k| &x[k * lanes..][..lanes], room);
        room
    }
}

impl Factor for Lines {
    type Element = Line;
    type Unit = TileUnit;
    const VALUES: usize = amx::VALUES;
    const BY_AVX2: bool = false;

    #[inline(always)]
    fn unit(isa: Isa) -> TileUnit {
        TileUnit::new(isa)
    }

    #[inline(always)]
    fn multiply(unit: &mut TileUnit, rows: usize, a: &[Line], b: &[Line], out: &mut [f32]) {
        unit.add_products(rows, a, b, out);
    }

    /// A line is 32 values of one row.
    #[inline(always)]
    fn pack_rows<V: Value>(x: &[V], rows: usize, k: usize, stride: usize, out: &mut Vec<Line>) {
        let lanes = rows.next_multiple_of(amx::SIDE);
        let start = out.len();
        out.resize(start + Self::depth(k) * lanes, Line::default());
        let out = &mut out[start..];
        for row in 0..rows {
            let x = &x[row * stride..][..k];
            let lines = out[row..].iter_mut().step_by(lanes);
            for (line, x) in lines.zip(x.chunks(amx::VALUES)) {
                match <&[V; amx::VALUES]>::try_from(x) {
                    Ok(x) => round_line(x, line),
                    Err(_) => {
                        let mut padded = [V::default(); amx::VALUES];
                        padded[..x.len()].copy_from_slice(x);
                        round_line(&padded, line);
                    }
                }
            }
        }
    }

    /// A line is two values of each of 16 columns.
    #[inline(always)]
    fn pack_columns(x: &[f32], columns: usize, k: usize, lanes: usize, out: &mut Vec<Line>) {
        let mut pairs = Vec::new();
        bf16s(x, columns, k, k, lanes, &mut pairs);
        pairs.resize(Self::depth(k) * lanes * amx::SIDE, 0);
        out.extend(pairs.as_chunks().0.iter().copied().map(Line));
    }

    #[inline(always)]
    fn pack_transposed<'a, V: Value>(
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
                pack_two(values(first), second, pairs);
            }
            let (first, last) = pairs.split_at(TOGETHER);
            for (half, pairs) in [first, last].into_iter().enumerate() {
                for (row, line) in out.iter_mut().enumerate() {
                    let line = &mut line.0[half * TOGETHER..][..TOGETHER];
                    for (value, pairs) in line.iter_mut().zip(pairs) {
                        *value = pairs[row];
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn panel<'a>(x: &'a [f32], lanes: usize, room: &'a mut Vec<Line>) -> &'a [Line] {
        room.clear();
        for x in x.chunks(2 * lanes) {
            let (first, second) = x.split_at(lanes);
            for lane in (0..lanes).step_by(amx::SIDE) {
                let mut line = Line::default();
                let second = (!second.is_empty()).then(|| &second[lane..]);
                pack_two(&first[lane..], second, &mut line.0);
                room.push(line);
            }
        }
        room.resize(Self::depth(x.len() / lanes) * lanes, Line::default());
        room
    }
}

/// Writes the values of one k and of the next, if there is one, as pairs.
#[inline(always)]
fn pack_two<V: Value>(first: &[V], second: Option<&[V]>, out: &mut [u32]) {
    let out = out.iter_mut().zip(first);
    match second {
        Some(second) => out
            .zip(second)
            .for_each(|((out, a), b)| *out = V::pair(*a, *b)),
        None => out.for_each(|(out, a)| *out = V::pair(*a, V::default())),
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

/// Rows that are read side by side.
const TOGETHER: usize = 8;
/// Pairs that are rounded one after the other, which the compiler vectorises, before they are spread.
const BLOCK: usize = 128;

#[inline(always)]
fn f32s<V: Value>(x: &[V], rows: usize, k: usize, stride: usize, lanes: usize, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + k * lanes, 0.0);
    for first in (0..rows).step_by(TOGETHER) {
        let row = |r: usize| &x[(first + r) * stride..][..k];
        spread(rows - first, row, V::f32, lanes, &mut out[start + first..]);
    }
}

/// An odd last k is paired with zero.
#[inline(always)]
fn bf16s<V: Value>(
    x: &[V],
    rows: usize,
    k: usize,
    stride: usize,
    lanes: usize,
    out: &mut Vec<u32>,
) {
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
            spread(rows - first, row, |pair| pair, lanes, out);
        }
    }
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

/// Writes the first of `rows` rows side by side, at most `TOGETHER`: `as_element(row(r)[i])` to
/// `out[i * lanes + r]`.
#[inline(always)]
fn spread<'a, V: Copy + 'a, T: Copy + Default>(
    rows: usize,
    row: impl Fn(usize) -> &'a [V],
    as_element: impl Fn(V) -> T + Copy,
    lanes: usize,
    out: &mut [T],
) {
    with_rows!(
        rows.min(TOGETHER),
        R => spread_rows::<R, V, T>(row, as_element, lanes, out),
        1 2 3 4 5 6 7 8
    );
}

#[inline(always)]
fn spread_rows<'a, const R: usize, V: Copy + 'a, T: Copy + Default>(
    row: impl Fn(usize) -> &'a [V],
    as_element: impl Fn(V) -> T + Copy,
    lanes: usize,
    out: &mut [T],
) {
    let rows: [&[V]; R] = std::array::from_fn(row);
    let k = rows[0].len();
    if lanes == R {
        return side_by_side(rows, as_element, &mut out.as_chunks_mut().0[..k]);
    }
    let mut room = [[T::default(); R]; BLOCK];
    let blocks = out.chunks_mut(BLOCK * lanes).take(k.div_ceil(BLOCK));
    for (block, out) in blocks.enumerate() {
        let room = &mut room[..BLOCK.min(k - block * BLOCK)];
        let rows = rows.map(|row| &row[block * BLOCK..][..room.len()]);
        side_by_side(rows, as_element, room);
        for (out, values) in out.chunks_mut(lanes).zip(room) {
            out[..R].copy_from_slice(values);
        }
    }
}

/// Rows as columns that touch: the compiler has instructions for that, if there are few.
#[inline(always)]
fn side_by_side<const R: usize, V: Copy, T>(
    rows: [&[V]; R],
    as_element: impl Fn(V) -> T,
    out: &mut [[T; R]],
) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        for (out, row) in out.iter_mut().zip(rows) {
            *out = as_element(row[i]);
        }
    }
}

#[inline(always)]
fn round_line<V: Value>(x: &[V; amx::VALUES], line: &mut Line) {
    for (pair, x) in line.0.iter_mut().zip(x.as_chunks().0) {
        let [low, high] = *x;
        *pair = V::pair(low, high);
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
                    assert_eq!(*packed, f32::pair(value(row, i), value(row, i + 1)));
                }
                assert_eq!(values.len(), 1 + k * lanes);
                assert_eq!(pairs.len(), 1 + k.div_ceil(2) * lanes);
            }
        }
    }
}

//! Pillow's antialiased resampling of 8-bit RGB, byte for byte, of a crop alone.
//!
//! Source: Pillow 11's `libImaging/Resample.c`: fixed-point weights are applied to columns first
//! and the result is clipped to 8 bits, then to rows. (Pillow 13 goes the other way on some
//! pictures; the published accuracies were measured with this order.)
//!
//! The arithmetic is in plain integers, so that every processor gives the same bytes. The loops
//! are vector operations: with AVX2, which `pulp` asks for when the program runs, or as the compiler
//! finds them for any processor.

use std::ops::Range;
use std::sync::Arc;

use pulp::WithSimd;

use super::axis::{Axes, Axis, PRECISION};
use super::strip::{LANES, Lanes, Rows, Window};
use crate::picture::preprocessing::Interpolation;

const HALF: i32 = 1 << (PRECISION - 1);
const CHANNELS: usize = 3;
/// Columns of the crop that the horizontal pass writes at once: so many that their values fill vectors.
const GROUP: usize = LANES;
/// Bytes of a row that the vertical pass works on at once.
const STRIP: usize = 32;

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    axes: Axes,
    /// [column, channel] of a few rows.
    block: Vec<Lanes>,
    /// [input row, crop column, channel] after the horizontal pass.
    columns_done: Vec<u8>,
}

/// A size before and after resizing, and the part that is kept of one side.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) keep: Range<usize>,
}

/// Resamples a picture into the crop that its sides keep.
#[derive(Debug)]
pub(super) struct Resize<'a> {
    columns: Arc<Axis>,
    rows: Arc<Axis>,
    /// Bytes of a row of the crop.
    line: usize,
    block: &'a mut Vec<Lanes>,
    columns_done: &'a mut Vec<u8>,
}

impl<'a> Resize<'a> {
    pub(super) fn new(
        width: Side,
        height: Side,
        interpolation: Interpolation,
        scratch: &'a mut Scratch,
    ) -> Self {
        let Scratch {
            axes,
            block,
            columns_done,
        } = scratch;
        let line = width.keep.len() * CHANNELS;
        let columns = axes.get(width.input, width.output, width.keep, interpolation);
        let rows = axes.get(height.input, height.output, height.keep, interpolation);
        columns_done.resize(rows.needed().len() * line, 0);
        Self {
            columns,
            rows,
            line,
            block,
            columns_done,
        }
    }

    /// The pixels that the crop is made of.
    pub(super) fn window(&self) -> Window {
        Window {
            columns: self.columns.needed(),
            rows: self.rows.needed(),
        }
    }

    /// Resamples pixels that are at hand, `width` in a row.
    pub(super) fn pixels(self, pixels: &[u8], width: usize, out: &mut [u8]) {
        let stride = width * CHANNELS;
        let needed = self.rows.needed();
        let first = Columns {
            source: &pixels[needed.start * stride..needed.end * stride],
            stride,
            columns: &self.columns,
            block: self.block,
            done: self.columns_done,
            line: self.line,
        };
        first.run(true);
        self.finish(out);
    }

    /// The first pass over rows that come from a decoder. `top` is the place of the first pixel row in
    /// what it decodes.
    pub(super) fn rows(&mut self, top: usize) -> FirstPass<'_> {
        FirstPass {
            needed: self.rows.needed().start + top..self.rows.needed().end + top,
            columns: &self.columns,
            done: self.columns_done,
            line: self.line,
        }
    }

    /// The second pass.
    pub(super) fn finish(self, out: &mut [u8]) {
        pulp::Arch::new().dispatch(LastPass {
            source: self.columns_done,
            rows: &self.rows,
            out,
            line: self.line,
        });
    }
}

/// The horizontal pass over rows as they come.
pub(super) struct FirstPass<'a> {
    needed: Range<usize>,
    columns: &'a Axis,
    done: &'a mut [u8],
    line: usize,
}

impl Rows for FirstPass<'_> {
    fn take(&mut self, first: usize, count: usize, lanes: &[Lanes]) {
        let from = first.max(self.needed.start);
        let end = (first + count).min(self.needed.end);
        if from >= end {
            return;
        }
        let at = |row| (row - self.needed.start) * self.line;
        let lines = Lines {
            block: lanes,
            columns: self.columns,
            lines: &mut self.done[at(from)..at(end)],
            line: self.line,
            lane: from - first,
        };
        lines.run();
    }
}

/// The horizontal pass over pixels that are at hand: rows of `stride` bytes become rows of `line`.
struct Columns<'a> {
    source: &'a [u8],
    stride: usize,
    columns: &'a Axis,
    block: &'a mut Vec<Lanes>,
    done: &'a mut [u8],
    line: usize,
}

impl Columns<'_> {
    /// Resamples by the best instructions of this processor, or by those of any.
    fn run(self, best: bool) {
        let Self {
            source,
            stride,
            columns,
            block,
            done,
            line,
        } = self;
        let needed = columns.needed().start * CHANNELS..columns.needed().end * CHANNELS;
        if columns.unchanged() {
            for (done, row) in done.chunks_exact_mut(line).zip(source.chunks_exact(stride)) {
                done.copy_from_slice(&row[needed.clone()]);
            }
            return;
        }
        block.resize(needed.len(), [0; LANES]);
        let blocks = done.chunks_mut(LANES * line);
        for (lines, rows) in blocks.zip(source.chunks(LANES * stride)) {
            // Transposed, so that one column of all rows lies side by side and the sums below, one
            // for each row, become vector operations.
            for (lane, row) in rows.chunks_exact(stride).enumerate() {
                for (lanes, value) in block.iter_mut().zip(&row[needed.clone()]) {
                    lanes[lane] = *value;
                }
            }
            let lines = Lines {
                block: &*block,
                columns,
                lines,
                line,
                lane: 0,
            };
            if best {
                lines.run();
            } else {
                lines.with_simd(pulp::Scalar::new());
            }
        }
    }
}

/// The horizontal pass over a few rows side by side: those from `lane` on become rows of `line` bytes.
struct Lines<'a> {
    block: &'a [Lanes],
    columns: &'a Axis,
    lines: &'a mut [u8],
    line: usize,
    lane: usize,
}

/// The three channels of a column, sixteen rows of each.
type Column = [u8; CHANNELS * LANES];

impl Lines<'_> {
    /// Resamples by the best instructions of this processor.
    fn run(self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            v3.vectorize(vector::Lines(v3, self));
            return;
        }
        pulp::Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn run_with(self, weigh: impl Weigh) {
        let Self {
            block,
            columns,
            lines,
            line,
            lane: first,
        } = self;
        if columns.unchanged() {
            for (lane, line) in lines.chunks_exact_mut(line).enumerate() {
                for (value, lanes) in line.iter_mut().zip(block) {
                    *value = lanes[first + lane];
                }
            }
            return;
        }
        let mut taps = columns.taps();
        for place in (0..line).step_by(GROUP * CHANNELS) {
            let mut group = [[0; CHANNELS * LANES]; GROUP];
            for (column, (start, weights)) in group.iter_mut().zip(&mut taps) {
                let (values, _) = block[start * CHANNELS..].as_flattened().as_chunks();
                *column = weigh.weigh(values, weights);
            }
            let (values, _) = group.as_flattened().as_chunks::<LANES>();
            let end = line.min(place + GROUP * CHANNELS);
            for (place, values) in (place..end).step_by(LANES).zip(values.chunks_exact(LANES)) {
                let Some(values) = values.first_chunk() else {
                    return; // never: chunks have that size
                };
                let rows = weigh.transpose(values);
                for (line, row) in lines.chunks_exact_mut(line).zip(&rows[first..]) {
                    match line[place..end].first_chunk_mut() {
                        Some(line) => *line = *row,
                        None => line[place..end].copy_from_slice(&row[..end - place]),
                    }
                }
            }
        }
    }
}

// Here and below the functions must be inlined: only then do they get the vector instructions of the
// configuration that calls them.
impl WithSimd for Lines<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.run_with(Portable);
    }
}

/// What has vector instructions of its own.
trait Weigh {
    /// Sums up weighted columns.
    fn weigh(&self, values: &[Column], weights: &[i32]) -> Column;

    /// Makes rows of as many columns.
    fn transpose(&self, columns: &[Lanes; LANES]) -> [Lanes; LANES];
}

struct Portable;

impl Weigh for Portable {
    #[inline(always)]
    fn weigh(&self, values: &[Column], weights: &[i32]) -> Column {
        let mut sums = [HALF; CHANNELS * LANES];
        for (weight, values) in weights.iter().zip(values) {
            multiply_add(&mut sums, values, *weight);
        }
        clip_all(&sums)
    }

    #[inline(always)]
    fn transpose(&self, columns: &[Lanes; LANES]) -> [Lanes; LANES] {
        let mut rows = [[0; LANES]; LANES];
        for (x, column) in columns.iter().enumerate() {
            for (row, value) in rows.iter_mut().zip(column) {
                row[x] = *value;
            }
        }
        rows
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::{Column, HALF, LANES, Lanes, PRECISION, Weigh};

    /// With AVX2, whose registers hold all sums of a column.
    pub(super) struct Lines<'a>(pub(super) V3, pub(super) super::Lines<'a>);

    impl NullaryFnOnce for Lines<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self(v3, lines) = self;
            lines.run_with(v3);
        }
    }

    impl Weigh for V3 {
        #[inline(always)]
        fn weigh(&self, values: &[Column], weights: &[i32]) -> Column {
            let (avx2, sse2) = (self.avx2, self.sse2);
            let mut sums: [__m256i; 6] = [cast([HALF; 8]); 6];
            for (weight, column) in weights.iter().zip(values) {
                let weight: __m256i = cast([*weight; 8]);
                let (eights, _) = column.as_chunks::<8>();
                for (sum, eight) in sums.iter_mut().zip(eights) {
                    let eight = cast([i64::from_le_bytes(*eight), 0]);
                    let product = avx2._mm256_mullo_epi32(avx2._mm256_cvtepu8_epi32(eight), weight);
                    *sum = avx2._mm256_add_epi32(*sum, product);
                }
            }
            let shifted = sums.map(|sum| avx2._mm256_srai_epi32::<{ PRECISION as i32 }>(sum));
            let mut column = [0; 48];
            for (bytes, pair) in column.chunks_exact_mut(16).zip(shifted.chunks_exact(2)) {
                // Packing works within halves, so that the order is put right in between.
                let words = avx2._mm256_packs_epi32(pair[0], pair[1]);
                let words = avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                let [low, high]: [__m128i; 2] = cast(words);
                let packed: [u8; 16] = cast(sse2._mm_packus_epi16(low, high));
                bytes.copy_from_slice(&packed);
            }
            column
        }

        #[inline(always)]
        fn transpose(&self, columns: &[Lanes; LANES]) -> [Lanes; LANES] {
            let mut vectors: [__m128i; LANES] = cast(*columns);
            // Each time the highest bit of a value's column becomes the lowest one of its place in a
            // vector, and the highest one of its row the lowest one of its vector's number.
            for _ in 0..LANES.ilog2() {
                let (low, high) = vectors.split_at(LANES / 2);
                let mut mixed = vectors;
                for (pair, (a, b)) in mixed.chunks_exact_mut(2).zip(low.iter().zip(high)) {
                    pair[0] = self.sse2._mm_unpacklo_epi8(*a, *b);
                    pair[1] = self.sse2._mm_unpackhi_epi8(*a, *b);
                }
                vectors = mixed;
            }
            cast(vectors)
        }
    }
}

/// The vertical pass.
struct LastPass<'a> {
    source: &'a [u8],
    rows: &'a Axis,
    out: &'a mut [u8],
    line: usize,
}

impl WithSimd for LastPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        resize_rows(self.source, self.rows, self.out, self.line);
    }
}

/// The vertical pass over rows of `line` bytes.
#[inline(always)]
fn resize_rows(source: &[u8], rows: &Axis, out: &mut [u8], line: usize) {
    if rows.unchanged() {
        out.copy_from_slice(source);
        return;
    }
    for (out, (start, weights)) in out.chunks_exact_mut(line).zip(rows.taps()) {
        let source = &source[start * line..(start + weights.len()) * line];
        let (strips, rest) = out.as_chunks_mut::<STRIP>();
        let rest_at = strips.len() * STRIP;
        for (i, strip) in strips.iter_mut().enumerate() {
            let mut sums = [HALF; STRIP];
            for (row, weight) in source.chunks_exact(line).zip(weights) {
                let Some(values) = row[i * STRIP..].first_chunk() else {
                    break; // never: the strips of the output are those of the rows
                };
                multiply_add(&mut sums, values, *weight);
            }
            *strip = clip_all(&sums);
        }
        for (j, out) in rest.iter_mut().enumerate() {
            let values = source.chunks_exact(line).map(|row| row[rest_at + j]);
            let sum = values
                .zip(weights)
                .fold(HALF, |sum, (value, weight)| sum + i32::from(value) * weight);
            *out = clip(sum);
        }
    }
}

#[inline(always)]
fn multiply_add<const N: usize>(sums: &mut [i32; N], values: &[u8; N], weight: i32) {
    for i in 0..N {
        sums[i] += i32::from(values[i]) * weight;
    }
}

#[inline(always)]
fn clip_all<const N: usize>(sums: &[i32; N]) -> [u8; N] {
    let mut clipped = [0; N];
    for i in 0..N {
        clipped[i] = clip(sums[i]);
    }
    clipped
}

#[inline(always)]
fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both passes, by a processor's instructions or another's.
    fn crop(pixels: &[u8], columns: &Axis, rows: &Axis, best: bool) -> Vec<u8> {
        let (width, side) = (50, 21);
        let line = side * CHANNELS;
        let stride = width * CHANNELS;
        let needed = rows.needed();
        let mut done = vec![0; needed.len() * line];
        let mut out = vec![0; side * line];
        let first = Columns {
            source: &pixels[needed.start * stride..needed.end * stride],
            stride,
            columns,
            block: &mut Vec::new(),
            done: &mut done,
            line,
        };
        first.run(best);
        let last = LastPass {
            source: &done,
            rows,
            out: &mut out,
            line,
        };
        if best {
            pulp::Arch::new().dispatch(last);
        } else {
            last.with_simd(pulp::Scalar::new());
        }
        out
    }

    #[test]
    fn every_processor_gives_the_same_bytes() {
        let pixels: Vec<u8> = (0..50 * 40 * CHANNELS)
            .map(|i| (i * i * 7 / 3) as u8)
            .collect();
        for interpolation in [Interpolation::Bicubic, Interpolation::Bilinear] {
            for (width, height) in [(26, 21), (50, 40), (60, 90)] {
                let mut axes = Axes::default();
                let columns = axes.get(50, width, 2..23, interpolation);
                let rows = axes.get(40, height, 0..21, interpolation);
                assert_eq!(
                    crop(&pixels, &columns, &rows, false),
                    crop(&pixels, &columns, &rows, true),
                    "{interpolation:?} to {width} x {height}"
                );
            }
        }
    }
}

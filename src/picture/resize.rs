//! Pillow's antialiased resampling of 8-bit RGB, byte for byte, of a crop alone.
//!
//! Source: Pillow 11's `libImaging/Resample.c`: fixed-point weights are applied to columns first
//! and the result is clipped to 8 bits, then to rows. (Pillow 13 goes the other way on some
//! pictures; the published accuracies were measured with this order.)
//!
//! The arithmetic is in plain integers, so that every processor gives the same bytes. The loops
//! are written for the compiler to turn into vector instructions, and compiled twice: for any
//! processor, and for those with AVX2, which `pulp` asks for when the program runs.

use std::ops::Range;

use super::axis::{Axes, Axis, PRECISION};
use crate::picture::preprocessing::Interpolation;

const HALF: i32 = 1 << (PRECISION - 1);
const CHANNELS: usize = 3;
/// Rows that the horizontal pass works on at once, side by side in vector registers.
const LANES: usize = 16;
/// Bytes of a row that the vertical pass works on at once.
const STRIP: usize = 32;

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    axes: Axes,
    /// [column, channel, lane] of a few rows.
    block: Vec<[u8; LANES]>,
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

/// Resamples `pixels` into the crop that the sides keep.
pub(super) fn resize(
    pixels: &[u8],
    width: Side,
    height: Side,
    interpolation: Interpolation,
    out: &mut [u8],
    scratch: &mut Scratch,
) {
    let Scratch {
        axes,
        block,
        columns_done,
    } = scratch;
    let stride = width.input * CHANNELS;
    let line = width.keep.len() * CHANNELS;
    let columns = axes.get(width.input, width.output, width.keep, interpolation);
    let rows = axes.get(height.input, height.output, height.keep, interpolation);
    let needed = rows.needed();
    let source = &pixels[needed.start * stride..needed.end * stride];
    columns_done.resize(needed.len() * line, 0);
    pulp::Arch::new().dispatch(Passes {
        source,
        stride,
        columns: &columns,
        rows: &rows,
        block,
        columns_done,
        out,
        line,
    });
}

/// Both passes with all they need, as one piece of work to compile for several processors.
struct Passes<'a> {
    /// The decoded rows that are needed.
    source: &'a [u8],
    /// Bytes of a decoded row.
    stride: usize,
    columns: &'a Axis,
    rows: &'a Axis,
    block: &'a mut Vec<[u8; LANES]>,
    columns_done: &'a mut [u8],
    out: &'a mut [u8],
    /// Bytes of a row of the crop.
    line: usize,
}

impl pulp::WithSimd for Passes<'_> {
    type Output = ();

    // Here and below the functions must be inlined: only then do they get the vector instructions
    // of the configuration that calls them.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        resize_columns(
            self.source,
            self.stride,
            self.columns,
            self.columns_done,
            self.line,
            self.block,
        );
        resize_rows(self.columns_done, self.rows, self.out, self.line);
    }
}

/// The horizontal pass: rows of `stride` bytes become rows of `line` bytes.
#[inline(always)]
fn resize_columns(
    source: &[u8],
    stride: usize,
    columns: &Axis,
    done: &mut [u8],
    line: usize,
    block: &mut Vec<[u8; LANES]>,
) {
    let needed = columns.needed().start * CHANNELS..columns.needed().end * CHANNELS;
    if columns.unchanged() {
        for (done, row) in done.chunks_exact_mut(line).zip(source.chunks_exact(stride)) {
            done.copy_from_slice(&row[needed.clone()]);
        }
        return;
    }
    block.resize(needed.len(), [0; LANES]);
    let blocks = done.chunks_mut(LANES * line);
    for (done, rows) in blocks.zip(source.chunks(LANES * stride)) {
        // Transposed, so that one column of all rows lies side by side and the sums below, one
        // for each row, become vector operations.
        for (lane, row) in rows.chunks_exact(stride).enumerate() {
            for (lanes, value) in block.iter_mut().zip(&row[needed.clone()]) {
                lanes[lane] = *value;
            }
        }
        for (x, (start, weights)) in columns.taps().enumerate() {
            let values = block[start * CHANNELS..].as_flattened();
            let (values, _) = values.as_chunks::<{ CHANNELS * LANES }>();
            let mut sums = [HALF; CHANNELS * LANES];
            for (weight, values) in weights.iter().zip(values) {
                multiply_add(&mut sums, values, *weight);
            }
            let clipped = clip_all(&sums);
            for (lane, line) in done.chunks_exact_mut(line).enumerate() {
                let pixel = &mut line[x * CHANNELS..(x + 1) * CHANNELS];
                for channel in 0..CHANNELS {
                    pixel[channel] = clipped[channel * LANES + lane];
                }
            }
        }
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
    use pulp::WithSimd;

    use super::*;

    /// Both passes with the instructions of any processor.
    fn portable(passes: Passes<'_>) {
        passes.with_simd(pulp::Scalar::new());
    }

    /// Both passes with the best instructions of this one.
    fn best(passes: Passes<'_>) {
        pulp::Arch::new().dispatch(passes);
    }

    fn crop(pixels: &[u8], columns: &Axis, rows: &Axis, run: fn(Passes<'_>)) -> Vec<u8> {
        let (width, side) = (50, 21);
        let line = side * CHANNELS;
        let stride = width * CHANNELS;
        let needed = rows.needed();
        let mut out = vec![0; side * line];
        run(Passes {
            source: &pixels[needed.start * stride..needed.end * stride],
            stride,
            columns,
            rows,
            block: &mut Vec::new(),
            columns_done: &mut vec![0; needed.len() * line],
            out: &mut out,
            line,
        });
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
                    crop(&pixels, &columns, &rows, portable),
                    crop(&pixels, &columns, &rows, best),
                    "{interpolation:?} to {width} x {height}"
                );
            }
        }
    }
}

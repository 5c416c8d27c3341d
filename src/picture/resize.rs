//! Pillow's antialiased resampling of 8-bit RGB, byte for byte, of a crop alone.
//!
//! Source: Pillow 11's `libImaging/Resample.c`: f64 weights, rounded to 22 fractional bits, are
//! applied to columns first and the result is clipped to 8 bits, then to rows. (Pillow 13 goes
//! the other way on some pictures; the published accuracies were measured with this order.)

use std::ops::Range;

use crate::preprocessing::Interpolation;

/// Fractional bits of the fixed-point weights: 32 less 8 for the pixel and 2 for the overshoot.
const PRECISION: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION - 1);
const CHANNELS: usize = 3;
/// Rows that the horizontal pass works on at once, side by side in vector registers.
const LANES: usize = 16;

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// [column, channel, lane] of a few rows.
    block: Vec<i32>,
    /// [input row, crop column, channel] after the horizontal pass.
    columns_done: Vec<u8>,
    /// One output row before rounding.
    sums: Vec<i32>,
}

/// How one side is resampled: for each kept output position, the input positions and weights.
#[derive(Debug)]
pub(super) struct Axis {
    taps: Vec<Taps>,
    /// Without a change of size Pillow leaves the axis alone.
    unchanged: bool,
    /// Input positions that any kept output needs.
    needed: Range<usize>,
}

#[derive(Debug)]
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

impl Axis {
    /// Resampling from `input` to `output` positions, of which those in `keep` are wanted.
    pub(super) fn new(
        input: usize,
        output: usize,
        keep: Range<usize>,
        interpolation: Interpolation,
    ) -> Self {
        let taps: Vec<Taps> = keep
            .map(|x| taps(input, output, x, interpolation))
            .collect();
        let start = taps.iter().map(|t| t.start).min().unwrap_or(0);
        let end = taps
            .iter()
            .map(|t| t.start + t.weights.len())
            .max()
            .unwrap_or(0);
        Self {
            taps,
            unchanged: input == output,
            needed: start..end,
        }
    }
}

/// The weights of one output position, computed in Pillow's order of operations.
fn taps(input: usize, output: usize, x: usize, interpolation: Interpolation) -> Taps {
    if input == output {
        return Taps {
            start: x,
            weights: vec![1 << PRECISION],
        };
    }
    let (filter, support): (fn(f64) -> f64, f64) = match interpolation {
        Interpolation::Bicubic => (bicubic, 2.0),
        Interpolation::Bilinear => (bilinear, 1.0),
    };
    let scale = input as f64 / output as f64;
    let filter_scale = scale.max(1.0);
    let support = support * filter_scale;
    let centre = (x as f64 + 0.5) * scale;
    // The casts cut towards zero and stop at zero, as C's do after Pillow's check.
    let start = (centre - support + 0.5) as usize;
    let end = ((centre + support + 0.5) as usize).min(input);
    let inverse = 1.0 / filter_scale;
    let mut weights: Vec<f64> = (start..end)
        .map(|i| filter((i as f64 - centre + 0.5) * inverse))
        .collect();
    let sum: f64 = weights.iter().sum();
    if sum != 0.0 {
        weights.iter_mut().for_each(|w| *w /= sum);
    }
    let fixed = |w: f64| {
        let scaled = w * f64::from(1 << PRECISION);
        (if w < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
    };
    Taps {
        start,
        weights: weights.into_iter().map(fixed).collect(),
    }
}

/// Cubic convolution with a = -0.5.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Resamples `pixels`, `width` wide, into the crop that the axes keep.
pub(super) fn resize(
    pixels: &[u8],
    width: usize,
    columns: &Axis,
    rows: &Axis,
    out: &mut [u8],
    scratch: &mut Scratch,
) {
    let line = columns.taps.len() * CHANNELS;
    let source = &pixels[rows.needed.start * width * CHANNELS..rows.needed.end * width * CHANNELS];
    scratch.columns_done.resize(rows.needed.len() * line, 0);
    if columns.unchanged {
        let kept = columns.needed.start * CHANNELS..columns.needed.end * CHANNELS;
        let lines = scratch.columns_done.chunks_exact_mut(line);
        for (done, row) in lines.zip(source.chunks_exact(width * CHANNELS)) {
            done.copy_from_slice(&row[kept.clone()]);
        }
    } else {
        let blocks = scratch.columns_done.chunks_mut(LANES * line);
        for (done, rows) in blocks.zip(source.chunks(LANES * width * CHANNELS)) {
            resize_columns(rows, width, columns, done, &mut scratch.block);
        }
    }
    scratch.sums.resize(line, 0);
    for (out, taps) in out.chunks_exact_mut(line).zip(&rows.taps) {
        let start = (taps.start - rows.needed.start) * line;
        if rows.unchanged {
            out.copy_from_slice(&scratch.columns_done[start..start + line]);
        } else {
            combine_rows(&scratch.columns_done[start..], taps, &mut scratch.sums, out);
        }
    }
}

/// The horizontal pass over up to [`LANES`] rows.
fn resize_columns(
    rows: &[u8],
    width: usize,
    columns: &Axis,
    done: &mut [u8],
    block: &mut Vec<i32>,
) {
    // Transposed, so that one column of all rows lies side by side and the sums below, one for
    // each row, become vector operations.
    let start = columns.needed.start;
    block.resize(columns.needed.len() * CHANNELS * LANES, 0);
    for (lane, row) in rows.chunks_exact(width * CHANNELS).enumerate() {
        let row = &row[start * CHANNELS..columns.needed.end * CHANNELS];
        for (lanes, value) in block.chunks_exact_mut(LANES).zip(row) {
            lanes[lane] = i32::from(*value);
        }
    }
    let line = columns.taps.len() * CHANNELS;
    for (x, taps) in columns.taps.iter().enumerate() {
        let first = (taps.start - start) * CHANNELS * LANES;
        let mut sums = [[HALF; LANES]; CHANNELS];
        for (weight, values) in taps
            .weights
            .iter()
            .zip(block[first..].chunks_exact(CHANNELS * LANES))
        {
            for (sums, values) in sums.iter_mut().zip(values.chunks_exact(LANES)) {
                for lane in 0..LANES {
                    sums[lane] += values[lane] * weight;
                }
            }
        }
        for (lane, line) in done.chunks_exact_mut(line).enumerate() {
            for channel in 0..CHANNELS {
                line[x * CHANNELS + channel] = clip(sums[channel][lane]);
            }
        }
    }
}

/// The vertical pass for one output row.
fn combine_rows(rows: &[u8], taps: &Taps, sums: &mut [i32], out: &mut [u8]) {
    sums.fill(HALF);
    for (row, weight) in rows.chunks_exact(out.len()).zip(&taps.weights) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += i32::from(*value) * weight;
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = clip(*sum);
    }
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

//! Where each output position of a resized side takes its values from, and with which weights.
//!
//! The weights are Pillow's: f64, in its order of operations, rounded to 22 fractional bits.

use std::ops::Range;
use std::sync::Arc;

use crate::picture::preprocessing::Interpolation;

/// Fractional bits of the fixed-point weights: 32 less 8 for the pixel and 2 for the overshoot.
pub(super) const PRECISION: u32 = 32 - 8 - 2;

/// How one side is resampled: for each kept output position, the input positions and weights.
#[derive(Debug)]
pub(super) struct Axis {
    taps: Vec<Taps>,
    /// The weights of all positions, one after the other.
    weights: Vec<i32>,
    /// Without a change of size Pillow leaves the axis alone.
    unchanged: bool,
    /// Input positions that any kept output needs.
    needed: Range<usize>,
}

/// What one output position is made of.
#[derive(Debug)]
struct Taps {
    /// The first input position, counted from the first needed one.
    start: usize,
    weights: Range<usize>,
}

impl Axis {
    /// Resampling from `input` to `output` positions, of which those in `keep` are wanted.
    fn new(input: usize, output: usize, keep: Range<usize>, interpolation: Interpolation) -> Self {
        if input == output {
            return Self {
                taps: Vec::new(),
                weights: Vec::new(),
                unchanged: true,
                needed: keep,
            };
        }
        let mut taps = Vec::with_capacity(keep.len());
        let mut weights = Vec::new();
        let (mut first, mut end) = (usize::MAX, 0);
        for x in keep {
            let (start, fixed) = position(input, output, x, interpolation);
            first = first.min(start);
            end = end.max(start + fixed.len());
            taps.push(Taps {
                start,
                weights: weights.len()..weights.len() + fixed.len(),
            });
            weights.extend(fixed);
        }
        taps.iter_mut().for_each(|t| t.start -= first);
        Self {
            taps,
            weights,
            unchanged: false,
            needed: first..end,
        }
    }

    /// Input positions that any kept output needs.
    pub(super) fn needed(&self) -> Range<usize> {
        self.needed.clone()
    }

    /// Whether the needed positions are the outputs.
    pub(super) fn unchanged(&self) -> bool {
        self.unchanged
    }

    /// For each kept output: its first input position, counted from the first needed one, and its
    /// weights. Nothing when the axis is unchanged.
    pub(super) fn taps(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.taps
            .iter()
            .map(|t| (t.start, &self.weights[t.weights.clone()]))
    }
}

/// What an axis is made from: input and output positions, those that are kept, and the filter.
type Key = (usize, usize, Range<usize>, Interpolation);

/// The axes of the latest sizes: most pictures of a data set have one of a few.
#[derive(Debug, Default)]
pub(super) struct Axes {
    known: Vec<(Key, Arc<Axis>)>,
}

impl Axes {
    /// Axes that are remembered.
    const MOST: usize = 64;
    /// Longest side whose axis is remembered, so that absurd pictures leave no large tables.
    const LONGEST: usize = 8192;

    /// The axis from `input` to `output` positions, of which those in `keep` are wanted.
    pub(super) fn get(
        &mut self,
        input: usize,
        output: usize,
        keep: Range<usize>,
        interpolation: Interpolation,
    ) -> Arc<Axis> {
        let key = (input, output, keep.clone(), interpolation);
        if let Some((_, axis)) = self.known.iter().find(|(known, _)| *known == key) {
            return Arc::clone(axis);
        }
        let axis = Arc::new(Axis::new(input, output, keep, interpolation));
        if input <= Self::LONGEST {
            if self.known.len() == Self::MOST {
                self.known.clear();
            }
            self.known.push((key, Arc::clone(&axis)));
        }
        axis
    }
}

/// The first input position and the weights of output position `x`.
fn position(
    input: usize,
    output: usize,
    x: usize,
    interpolation: Interpolation,
) -> (usize, Vec<i32>) {
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
    (start, weights.into_iter().map(fixed).collect())
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

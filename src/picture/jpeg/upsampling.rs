//! From a component's samples to as many values as there are pixels.
//!
//! Source: libjpeg-turbo's `jdsample.c` ("fancy" upsampling: a triangle filter).

use std::ops::Range;

use super::frame::{Component, Frame};
use super::idct::Columns;
use crate::picture::strip::{LANES, Lanes};

/// Three times the nearer sample and once the further one, for each pixel row.
pub(super) type Sums = [i16; LANES];

/// How a component's samples become as many as there are pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upsampling {
    None,
    /// Each sample so often across and down.
    Repeat(usize, usize),
    Across,
    Down,
    Both,
}

impl Upsampling {
    pub(super) fn of(component: &Component, frame: &Frame) -> Self {
        match (frame.max_h / component.h, frame.max_v / component.v) {
            _ if frame.components.len() == 1 => Self::None,
            (1, 1) => Self::None,
            (2, 1) if component.width > 2 => Self::Across,
            (1, 2) => Self::Down,
            (2, 2) if component.width > 2 => Self::Both,
            (h, v) => Self::Repeat(h, v),
        }
    }
}

/// One component on its way to pixels.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) upsampling: Option<Upsampling>,
    /// Pixels across for one sample.
    pub(super) h: usize,
    /// Block rows of a strip.
    pub(super) block_rows: usize,
    /// Columns of blocks that are wanted.
    pub(super) blocks: Range<usize>,
    /// Samples of a row, and of a column.
    pub(super) width: usize,
    pub(super) height: usize,
    /// The strip that is written, and the one before, which waits for its lower neighbour.
    pub(super) next: Vec<Lanes>,
    pub(super) current: Vec<Lanes>,
    /// The last row above the strip that waits.
    pub(super) above: Vec<u8>,
    pub(super) sums: Vec<Sums>,
    /// The wanted columns of pixels, where samples are fewer than pixels.
    pub(super) pixels: Vec<Lanes>,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            upsampling: None,
            h: 1,
            block_rows: 0,
            blocks: 0..0,
            width: 0,
            height: 0,
            next: Vec::new(),
            current: Vec::new(),
            above: Vec::new(),
            sums: Vec::new(),
            pixels: Vec::new(),
        }
    }
}

impl Channel {
    /// Keeps a block's samples, from a column and a lane on.
    #[inline(always)]
    pub(super) fn set(&mut self, column: usize, lane: usize, samples: &Columns) {
        let columns = &mut self.next[column..column + 8];
        for (lanes, column) in columns.iter_mut().zip(samples) {
            if let Some(lanes) = lanes[lane..].first_chunk_mut() {
                *lanes = *column;
            }
        }
    }

    /// Sums up the rows above and below each sample.
    #[inline(always)]
    fn sum(&mut self, top: bool, bottom: bool) {
        let columns = self.current.iter().zip(&self.next).zip(&self.above);
        for (sums, ((lanes, next), above)) in self.sums.iter_mut().zip(columns) {
            let above = if top { lanes[0] } else { *above };
            let below = if bottom { lanes[7] } else { next[0] };
            let (mut upper, mut lower) = (above, lanes[1]);
            for row in 0..8 {
                let near = 3 * i16::from(lanes[row]);
                sums[2 * row] = near + i16::from(upper);
                sums[2 * row + 1] = near + i16::from(lower);
                upper = lanes[row];
                lower = if row < 6 { lanes[row + 2] } else { below };
            }
        }
    }

    /// Makes as many samples as there are pixels.
    #[inline(always)]
    pub(super) fn upsample(&mut self, columns: &Range<usize>, top: bool, bottom: bool) {
        let Some(upsampling) = self.upsampling else {
            return;
        };
        if matches!(upsampling, Upsampling::Down | Upsampling::Both) {
            self.sum(top, bottom);
        }
        let first = self.blocks.start * 8;
        let (h, end) = (self.h, self.width - first);
        let samples = columns.clone().map(|x| {
            let (sample, side) = neighbours(x, h, first, end);
            (sample, side, (x & 1) as i16)
        });
        let pixels = self.pixels.iter_mut().zip(samples);
        match upsampling {
            Upsampling::None => {}
            Upsampling::Repeat(_, v) => {
                for (pixels, (sample, ..)) in pixels {
                    let lanes = &self.current[sample];
                    *pixels = std::array::from_fn(|row| lanes[row / v]);
                }
            }
            Upsampling::Across => {
                for (pixels, (sample, side, odd)) in pixels {
                    let (near, far) = (self.current[sample], self.current[side]);
                    *pixels = std::array::from_fn(|row| {
                        let sum = 3 * i16::from(near[row]) + i16::from(far[row]);
                        ((sum + 1 + odd) >> 2) as u8
                    });
                }
            }
            Upsampling::Down => {
                for (pixels, (sample, ..)) in pixels {
                    let sums = self.sums[sample];
                    *pixels =
                        std::array::from_fn(|row| ((sums[row] + 1 + (row as i16 & 1)) >> 2) as u8);
                }
            }
            Upsampling::Both => {
                for (pixels, (sample, side, odd)) in pixels {
                    let (near, far) = (self.sums[sample], self.sums[side]);
                    *pixels = std::array::from_fn(|row| {
                        ((3 * near[row] + far[row] + 8 - odd) >> 4) as u8
                    });
                }
            }
        }
    }

    /// The wanted columns of pixels.
    #[inline(always)]
    pub(super) fn pixels(&self, columns: &Range<usize>) -> &[Lanes] {
        if self.upsampling == Some(Upsampling::None) {
            let first = self.blocks.start * 8;
            &self.current[columns.start - first..columns.end - first]
        } else {
            &self.pixels
        }
    }
}

/// The sample of a pixel and, to the side that it is nearer to, the next one: counted from the first
/// that is kept, of `end`.
#[inline(always)]
fn neighbours(x: usize, h: usize, first: usize, end: usize) -> (usize, usize) {
    let sample = if h == 2 { x >> 1 } else { x / h } - first;
    let side = (sample + 2 * (x & 1)).saturating_sub(1).min(end - 1);
    (sample, side)
}

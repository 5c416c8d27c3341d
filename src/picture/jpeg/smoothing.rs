//! Block smoothing: the coefficients that the scans of a progressive picture left out, guessed from
//! the first coefficients around, as libjpeg-turbo guesses them.
//!
//! Sound files have all coefficients and are left alone.

use super::Block;
use super::coefficients::Plane;
use super::frame::{Component, Frame, Scan};

/// Coefficients that are guessed, and the first one, in zigzag order.
const GUESSED: usize = 10;

/// Places of those coefficients in a block.
const PLACES: [usize; GUESSED] = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24];

/// For each component and coefficient, the bits that the scans so far have left out; -1 before any.
#[derive(Debug)]
pub(super) struct Progress {
    now: Vec<[i32; 64]>,
    /// As it was before the component's latest scan.
    before: Vec<[i32; 64]>,
    /// The last row of units whose data were there.
    pub(super) last_good_row: usize,
    scans: usize,
}

impl Progress {
    pub(super) fn new(frame: &Frame) -> Self {
        Self {
            now: vec![[-1; 64]; frame.components.len()],
            before: vec![[-1; 64]; frame.components.len()],
            last_good_row: 0,
            scans: 0,
        }
    }

    /// Notes a scan that begins.
    pub(super) fn note(&mut self, scan: &Scan) {
        self.scans = scan.number;
        for index in &scan.components {
            let (now, before) = (&mut self.now[*index], &mut self.before[*index]);
            for k in scan.first.min(1)..=scan.last.max(9) {
                before[k] = if scan.number > 1 { now[k] } else { 0 };
            }
            now[scan.first..=scan.last].fill(scan.low as i32);
        }
    }

    /// Whether coefficients are to be guessed.
    pub(super) fn is_incomplete(&self, frame: &Frame) -> bool {
        let known = frame
            .components
            .iter()
            .zip(&self.now)
            .all(|(component, now)| {
                let table = component.quantisation;
                now[0] >= 0 && table.is_some_and(|table| PLACES.iter().all(|at| table[*at] != 0))
            });
        known
            && self
                .now
                .iter()
                .any(|now| now[1..GUESSED].iter().any(|bits| *bits != 0))
    }

    /// All blocks, with what is guessed of them.
    pub(super) fn smoothed_planes(&self, frame: &Frame, planes: &[Plane]) -> Vec<Plane> {
        let unknown = [-1; 64];
        let components = frame.components.iter().zip(planes).enumerate();
        let smoothed = components.map(|(index, (component, plane))| {
            let mut smoothed = plane.clone();
            for y in 0..component.blocks_high {
                let bits = if y / component.v <= self.last_good_row {
                    &self.now[index]
                } else if self.scans > 1 {
                    &self.before[index]
                } else {
                    &unknown
                };
                for x in 0..component.blocks_wide {
                    let around = around(frame, component, plane, x, y);
                    guess(smoothed.block_mut(x, y), bits, component, &around);
                }
            }
            smoothed
        });
        smoothed.collect()
    }
}

/// The first coefficients of the 5 x 5 blocks around one, row by row. At the edges the outermost ones
/// repeat.
fn around(frame: &Frame, component: &Component, plane: &Plane, x: usize, y: usize) -> [i64; 25] {
    let unit = y / component.v;
    let last_unit = frame.unit_rows() - 1;
    // libjpeg counts rows by what the unit has, which is less in the last one.
    let rest = component.blocks_high % component.v;
    let in_unit = if unit < last_unit || rest == 0 {
        component.v
    } else {
        rest
    };
    let row = unit * in_unit + y % component.v;
    let rows = in_unit * frame.unit_rows();
    let above = if row > 0 { y - 1 } else { y };
    let further_above = if row > 1 { y - 2 } else { above };
    let below = if row + 1 < rows { y + 1 } else { y };
    let further_below = if row + 2 < rows { y + 2 } else { below };
    let last = component.blocks_wide - 1;
    let mut values = [0; 25];
    for (i, y) in [further_above, above, y, below, further_below]
        .into_iter()
        .enumerate()
    {
        for j in 0..5 {
            let x = (x + j).saturating_sub(2).min(last);
            values[5 * i + j] = i64::from(plane.block(x, y)[0]);
        }
    }
    values
}

/// Weights of the blocks around for each guess, when nothing but first coefficients is known.
#[rustfmt::skip]
const FROM_ALL: [[i64; 25]; GUESSED] = [
    [-2, -6, -8, -6, -2, -6, 6, 42, 6, -6, -8, 42, 152, 42, -8, -6, 6, 42, 6, -6, -2, -6, -8, -6, -2],
    [-1, -1, 0, 1, 1, -3, 13, 0, -13, 3, -3, 38, 0, -38, 3, -3, 13, 0, -13, 3, -1, -1, 0, 1, 1],
    [-1, -3, -3, -3, -1, -1, 13, 38, 13, -1, 0, 0, 0, 0, 0, 1, -13, -38, -13, 1, 1, 3, 3, 3, 1],
    [0, 0, 1, 0, 0, 0, 2, 7, 2, 0, 0, -5, -14, -5, 0, 0, 2, 7, 2, 0, 0, 0, 1, 0, 0],
    [-1, 0, 0, 0, 1, 0, 9, 0, -9, 0, 0, 0, 0, 0, 0, 0, -9, 0, 9, 0, 1, 0, 0, 0, -1],
    [0, 0, 0, 0, 0, 0, 2, -5, 2, 0, 1, 7, -14, 7, 1, 0, 2, -5, 2, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 2, 0, -2, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, -3, 1, 0, 0, 0, 0, 0, 0, 0, -1, 3, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, -3, 0, 3, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, -1, -2, -1, 0, 0, 0, 0, 0, 0],
];

/// The same, when some others are known, too. The first one and the last four are left alone then.
#[rustfmt::skip]
const FROM_CROSS: [[i64; 25]; 6] = [
    [0; 25],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 50, 0, -50, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, -7, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, -50, 0, 0, 0, 0, 7, 0, 0],
    [0, 0, -1, 0, 0, 0, 0, 13, 0, 0, 0, 0, -24, 0, 0, 0, 0, 13, 0, 0, 0, 0, -1, 0, 0],
    [0, -1, 0, 1, 0, -1, 10, 0, -10, 1, 0, 0, 0, 0, 0, 1, -10, 0, 10, -1, 0, 1, 0, -1, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 13, -24, 13, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

fn guess(block: &mut Block, bits: &[i32; 64], component: &Component, around: &[i64; 25]) {
    let Some(table) = &component.quantisation else {
        return;
    };
    let from_all = bits[1..GUESSED].iter().all(|bits| *bits == -1);
    let weights: &[[i64; 25]] = if from_all { &FROM_ALL } else { &FROM_CROSS };
    let first = if from_all { 0 } else { 1 };
    for k in first..weights.len() {
        let place = PLACES[k];
        // A coefficient that is known, wholly or in part, is left as it is.
        if k > 0 && (bits[k] == 0 || block[place] != 0) {
            continue;
        }
        let sum: i64 = weights[k].iter().zip(around).map(|(w, v)| w * v).sum();
        let sum = sum * i64::from(table[0]);
        let step = i64::from(table[place]);
        let mut guess = ((step << 7) + sum.abs()) / (step << 8);
        if k > 0 && bits[k] > 0 {
            guess = guess.min((1 << bits[k]) - 1);
        }
        block[place] = (if sum >= 0 { guess } else { -guess }) as i16;
    }
}

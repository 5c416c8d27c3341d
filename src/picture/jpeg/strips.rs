//! From coefficients to colours, strip by strip: a row of units, or two, of at most sixteen pixel rows.
//!
//! Samples are kept by columns, the rows of a strip side by side. So upsampling and the conversion of
//! colours, and the first pass of resizing after them, are vector operations on any processor. Only
//! the samples that the wanted pixels need are computed.
//!
//! Source: libjpeg-turbo's `jdsample.c` ("fancy" upsampling: a triangle filter) and `jdcolor.c`.

use std::ops::Range;

use pulp::WithSimd;

use super::coefficients::Plane;
use super::frame::{Component, Frame};
use super::idct::Idct;
use super::tables::Quantisation;
use super::{Block, Output, Space};
use crate::picture::strip::{LANES, Lanes, Rows, Window};

/// Three times the nearer sample and once the further one, for each pixel row.
type Sums = [i16; LANES];

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
#[derive(Debug, Default)]
struct Channel {
    upsampling: Option<Upsampling>,
    /// Pixels across for one sample.
    h: usize,
    /// Block rows of a strip.
    block_rows: usize,
    /// Columns of blocks that are wanted.
    blocks: Range<usize>,
    /// Samples of a row, and of a column.
    width: usize,
    height: usize,
    table: Vec<u16>,
    /// The strip that is written, and the one before, which waits for its lower neighbour.
    next: Vec<Lanes>,
    current: Vec<Lanes>,
    /// The last row above the strip that waits.
    above: Vec<u8>,
    sums: Vec<Sums>,
}

/// Memory of the strips, which is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Memory {
    channels: Vec<Channel>,
    lanes: Vec<Lanes>,
}

/// Turns blocks, which come row by row, into the pixels of a window.
pub(super) struct Strips<'a> {
    memory: &'a mut Memory,
    idct: Idct,
    space: Space,
    output: Output,
    window: Window,
    height: usize,
    /// Unit rows of a strip.
    units: usize,
    /// Unit rows of the picture.
    unit_rows: usize,
    /// The strip that waits.
    waiting: Option<usize>,
    sink: &'a mut dyn Rows,
}

impl<'a> Strips<'a> {
    /// Whether strips are high enough for a frame's units.
    pub(super) fn fit(frame: &Frame) -> bool {
        frame.max_v <= 2 || frame.components.len() == 1
    }

    pub(super) fn new(
        frame: &Frame,
        (space, output): (Space, Output),
        window: Window,
        memory: &'a mut Memory,
        sink: &'a mut dyn Rows,
    ) -> Self {
        let one = frame.components.len() == 1;
        let max_v = if one { 1 } else { frame.max_v };
        memory
            .channels
            .resize_with(frame.components.len(), Channel::default);
        for (channel, component) in memory.channels.iter_mut().zip(&frame.components) {
            channel.upsampling = Some(Upsampling::of(component, frame));
            channel.h = if one { 1 } else { frame.max_h / component.h };
            channel.block_rows = if one || max_v == 1 { 2 } else { component.v };
            (channel.width, channel.height) = (component.width, component.height);
            let last = component.width - 1;
            let first = (window.columns.start / channel.h).saturating_sub(1);
            let end = ((window.columns.end - 1) / channel.h + 1).min(last);
            channel.blocks = first / 8..end / 8 + 1;
            let samples = channel.blocks.len() * 8;
            channel.next.resize(samples, [0; LANES]);
            channel.current.resize(samples, [0; LANES]);
            channel.above.resize(samples, 0);
            channel.sums.resize(samples, [0; LANES]);
        }
        let lanes = window.columns.len() * output.channels();
        memory.lanes.resize(lanes, [0; LANES]);
        Self {
            memory,
            idct: Idct::new(),
            space,
            output,
            window,
            height: frame.height,
            units: LANES / (8 * max_v),
            unit_rows: frame.height.div_ceil(8 * max_v),
            waiting: None,
            sink,
        }
    }

    /// Keeps a component's quantisation table for its blocks.
    pub(super) fn set_table(&mut self, component: usize, table: Option<&Quantisation>) {
        let table = table.copied().unwrap_or([0; 64]);
        self.memory.channels[component].table = table.to_vec();
    }

    /// Whether the blocks of a unit row have a part in the window.
    pub(super) fn wants_row(&self, unit_row: usize) -> bool {
        let strip = unit_row / self.units;
        strip * LANES <= self.window.rows.end && (strip + 1) * LANES >= self.window.rows.start
    }

    /// Whether a column of blocks has a part in the window.
    #[inline]
    pub(super) fn wants_column(&self, component: usize, column: usize) -> bool {
        self.memory.channels[component].blocks.contains(&column)
    }

    /// Columns of a component's blocks that have a part in the window.
    pub(super) fn columns(&self, component: usize) -> Range<usize> {
        self.memory.channels[component].blocks.clone()
    }

    /// Takes a block: its column, and its row in its unit row.
    pub(super) fn put(
        &mut self,
        component: usize,
        column: usize,
        unit_row: usize,
        row: usize,
        block: &Block,
    ) {
        let channel = &mut self.memory.channels[component];
        let Some(table) = channel.table.first_chunk() else {
            return; // never: every component gets one
        };
        let samples = self.idct.transform(block, table);
        let lane = 8 * (unit_row % self.units * (channel.block_rows / self.units) + row);
        let at = (column - channel.blocks.start) * 8;
        for (lanes, column) in channel.next[at..at + 8].iter_mut().zip(&samples) {
            if let Some(lanes) = lanes[lane..].first_chunk_mut() {
                *lanes = *column;
            }
        }
    }

    /// Ends a unit row. The strip before the one that is whole with it is handed on.
    pub(super) fn end_row(&mut self, unit_row: usize) {
        let last = unit_row + 1 == self.unit_rows;
        if !last && !(unit_row + 1).is_multiple_of(self.units) {
            return;
        }
        let strip = unit_row / self.units;
        if self.wants_row(unit_row) {
            self.repeat_last_row(strip);
            if let Some(waiting) = self.waiting {
                self.emit(waiting, false);
            }
            for channel in &mut self.memory.channels {
                for (above, lanes) in channel.above.iter_mut().zip(&channel.current) {
                    *above = lanes[8 * channel.block_rows - 1];
                }
                std::mem::swap(&mut channel.current, &mut channel.next);
            }
            self.waiting = Some(strip);
        }
        if last && let Some(waiting) = self.waiting {
            self.emit(waiting, true);
        }
    }

    /// Below the last row of samples it repeats.
    fn repeat_last_row(&mut self, strip: usize) {
        for channel in &mut self.memory.channels {
            let rows = 8 * channel.block_rows;
            let there = channel.height - (strip * rows).min(channel.height);
            if 0 < there && there < rows {
                for lanes in &mut channel.next {
                    let last = lanes[there - 1];
                    lanes[there..].fill(last);
                }
            }
        }
    }

    fn emit(&mut self, strip: usize, last: bool) {
        let first = strip * LANES;
        let count = LANES.min(self.height - first);
        if first >= self.window.rows.end || first + count <= self.window.rows.start {
            return;
        }
        pulp::Arch::new().dispatch(Emission {
            channels: &mut self.memory.channels,
            lanes: &mut self.memory.lanes,
            columns: self.window.columns.clone(),
            space: self.space,
            output: self.output,
            top: strip == 0,
            bottom: last,
        });
        self.sink.take(first, count, &self.memory.lanes);
    }
}

/// A strip to upsample and convert, as one piece of work to compile for several processors.
struct Emission<'a> {
    channels: &'a mut [Channel],
    lanes: &'a mut [Lanes],
    columns: Range<usize>,
    space: Space,
    output: Output,
    top: bool,
    bottom: bool,
}

impl WithSimd for Emission<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self {
            channels, lanes, ..
        } = self;
        for channel in channels.iter_mut() {
            if matches!(
                channel.upsampling,
                Some(Upsampling::Down | Upsampling::Both)
            ) {
                channel.sum(self.top, self.bottom);
            }
        }
        let columns = self.columns;
        match (self.space, self.output, &*channels) {
            (Space::Gray, _, [gray]) => {
                for (x, out) in columns.zip(lanes.as_chunks_mut::<3>().0) {
                    *out = [gray.pixels(x); 3];
                }
            }
            (Space::Rgb, _, [red, green, blue]) => {
                for (x, out) in columns.zip(lanes.as_chunks_mut::<3>().0) {
                    *out = [red.pixels(x), green.pixels(x), blue.pixels(x)];
                }
            }
            (Space::YCbCr, _, [y, cb, cr]) => {
                for (x, out) in columns.zip(lanes.as_chunks_mut::<3>().0) {
                    *out = rgb(&y.pixels(x), &cb.pixels(x), &cr.pixels(x));
                }
            }
            (Space::Cmyk | Space::Ycck, Output::Rgb, [c, m, y, k]) => {
                for (x, out) in columns.zip(lanes.as_chunks_mut::<3>().0) {
                    let [c, m, y] = inks(self.space, c.pixels(x), m.pixels(x), y.pixels(x));
                    *out = inks_to_rgb([&c, &m, &y], &k.pixels(x));
                }
            }
            (Space::Cmyk | Space::Ycck, Output::Inks, [c, m, y, k]) => {
                for (x, out) in columns.zip(lanes.as_chunks_mut::<4>().0) {
                    let [c, m, y] = inks(self.space, c.pixels(x), m.pixels(x), y.pixels(x));
                    *out = [c, m, y, k.pixels(x)].map(|lanes| lanes.map(|v| 255 - v));
                }
            }
            _ => {} // never: each space has its number of components
        }
    }
}

impl Channel {
    /// Sums up the rows above and below each sample.
    #[inline(always)]
    fn sum(&mut self, top: bool, bottom: bool) {
        let columns = self.current.iter().zip(&self.next).zip(&self.above);
        for (sums, ((lanes, next), above)) in self.sums.iter_mut().zip(columns) {
            let above = if top { lanes[0] } else { *above };
            let below = if bottom { lanes[7] } else { next[0] };
            for row in 0..8 {
                let near = 3 * i16::from(lanes[row]);
                let upper = if row == 0 { above } else { lanes[row - 1] };
                let lower = if row == 7 { below } else { lanes[row + 1] };
                sums[2 * row] = near + i16::from(upper);
                sums[2 * row + 1] = near + i16::from(lower);
            }
        }
    }

    /// The values of a column of pixels.
    #[inline(always)]
    fn pixels(&self, x: usize) -> Lanes {
        let first = self.blocks.start * 8;
        // The sample of the pixel and, to the side that it is nearer to, the next one.
        let sample = x / self.h;
        let side = if x.is_multiple_of(2) {
            sample.saturating_sub(1)
        } else {
            (sample + 1).min(self.width - 1)
        };
        let (sample, side) = (sample - first, side.max(first) - first);
        let odd = !x.is_multiple_of(2);
        let mut pixels = [0; LANES];
        match self.upsampling {
            None | Some(Upsampling::None) => pixels = self.current[sample],
            Some(Upsampling::Repeat(_, v)) => {
                let lanes = &self.current[sample];
                for (row, pixel) in pixels.iter_mut().enumerate() {
                    *pixel = lanes[row / v];
                }
            }
            Some(Upsampling::Across) => {
                let (near, far) = (&self.current[sample], &self.current[side]);
                let half = if odd { 2 } else { 1 };
                for row in 0..LANES {
                    let sum = 3 * i16::from(near[row]) + i16::from(far[row]);
                    pixels[row] = ((sum + half) >> 2) as u8;
                }
            }
            Some(Upsampling::Down) => {
                let sums = &self.sums[sample];
                for row in 0..LANES {
                    pixels[row] = ((sums[row] + 1 + (row as i16 & 1)) >> 2) as u8;
                }
            }
            Some(Upsampling::Both) => {
                let (near, far) = (&self.sums[sample], &self.sums[side]);
                let half = if odd { 7 } else { 8 };
                for row in 0..LANES {
                    pixels[row] = ((3 * near[row] + far[row] + half) >> 4) as u8;
                }
            }
        }
        pixels
    }
}

/// Luminance and colour differences as red, green and blue (`jdcolor.c`).
#[inline(always)]
fn rgb(y: &Lanes, cb: &Lanes, cr: &Lanes) -> [Lanes; 3] {
    let mut rgb = [[0; LANES]; 3];
    for i in 0..LANES {
        let [red, green, blue] = pixel(y[i], cb[i], cr[i]);
        (rgb[0][i], rgb[1][i], rgb[2][i]) = (red, green, blue);
    }
    rgb
}

#[inline(always)]
pub(super) fn pixel(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// The first three inks, from what a file has.
#[inline(always)]
fn inks(space: Space, c: Lanes, m: Lanes, y: Lanes) -> [Lanes; 3] {
    if space == Space::Ycck {
        rgb(&c, &m, &y).map(|lanes| lanes.map(|value| 255 - value))
    } else {
        [c, m, y]
    }
}

#[inline(always)]
fn inks_to_rgb(inks: [&Lanes; 3], black: &Lanes) -> [Lanes; 3] {
    let mut rgb = [[0; LANES]; 3];
    for (out, ink) in rgb.iter_mut().zip(inks) {
        for i in 0..LANES {
            // A file has them inverted.
            out[i] = crate::picture::convert::ink_to_rgb(255 - ink[i], 255 - black[i]);
        }
    }
    rgb
}

/// The pixels of a frame whose units are higher than a strip: rare, so that it need not be fast.
pub(super) fn emit_slowly(
    frame: &Frame,
    planes: &[Plane],
    (space, output): (Space, Output),
    window: &Window,
    sink: &mut dyn Rows,
) {
    let idct = Idct::new();
    let samples: Vec<Vec<u8>> = frame
        .components
        .iter()
        .zip(planes)
        .map(|(component, plane)| {
            let stride = component.blocks_wide * 8;
            let table = component.quantisation.unwrap_or([0; 64]);
            let mut samples = vec![0; stride * component.blocks_high * 8];
            for by in 0..component.blocks_high {
                for bx in 0..component.blocks_wide {
                    let block = idct.transform(plane.block(bx, by), &table);
                    for (x, column) in block.iter().enumerate() {
                        for (y, value) in column.iter().enumerate() {
                            samples[(by * 8 + y) * stride + bx * 8 + x] = *value;
                        }
                    }
                }
            }
            samples
        })
        .collect();
    let channels = output.channels();
    let mut lanes = vec![[0; LANES]; window.columns.len() * channels];
    for first in (0..frame.height).step_by(LANES) {
        let count = LANES.min(frame.height - first);
        for lane in 0..count {
            for (x, lanes) in window.columns.clone().zip(lanes.chunks_exact_mut(channels)) {
                let values: Vec<u8> = frame
                    .components
                    .iter()
                    .zip(&samples)
                    .map(|(component, samples)| {
                        value(
                            component,
                            Upsampling::of(component, frame),
                            frame,
                            samples,
                            x,
                            first + lane,
                        )
                    })
                    .collect();
                let pixel = match (space, values.as_slice()) {
                    (Space::Gray, &[gray, ..]) => [gray, gray, gray, 0],
                    (Space::Rgb, &[red, green, blue, ..]) => [red, green, blue, 0],
                    (Space::YCbCr, &[y, cb, cr, ..]) => {
                        let [red, green, blue] = pixel(y, cb, cr);
                        [red, green, blue, 0]
                    }
                    (_, &[c, m, y, k]) => {
                        let inks = match space {
                            Space::Ycck => pixel(c, m, y).map(|value| 255 - value),
                            _ => [c, m, y],
                        };
                        match output {
                            Output::Inks => [255 - inks[0], 255 - inks[1], 255 - inks[2], 255 - k],
                            Output::Rgb => {
                                let [red, green, blue] = inks.map(|ink| {
                                    crate::picture::convert::ink_to_rgb(255 - ink, 255 - k)
                                });
                                [red, green, blue, 0]
                            }
                        }
                    }
                    _ => [0; 4], // never: each space has its number of components
                };
                for (lanes, value) in lanes.iter_mut().zip(pixel) {
                    lanes[lane] = value;
                }
            }
        }
        sink.take(first, count, &lanes);
    }
}

/// One pixel's value of a component.
fn value(
    component: &Component,
    upsampling: Upsampling,
    frame: &Frame,
    samples: &[u8],
    x: usize,
    y: usize,
) -> u8 {
    let at = |x: usize, y: usize| i32::from(samples[y * component.blocks_wide * 8 + x]);
    let nearer = |at: usize, end: usize| {
        let sample = at / 2;
        let side = if at.is_multiple_of(2) {
            sample.saturating_sub(1)
        } else {
            (sample + 1).min(end - 1)
        };
        (sample, side)
    };
    let (odd_x, odd_y) = (x as i32 & 1, y as i32 & 1);
    let (h, v) = (frame.max_h / component.h, frame.max_v / component.v);
    let value = match upsampling {
        Upsampling::None => at(x, y),
        Upsampling::Repeat(..) => at(x / h, y / v),
        Upsampling::Across => {
            let (near, far) = nearer(x, component.width);
            (3 * at(near, y) + at(far, y) + 1 + odd_x) >> 2
        }
        Upsampling::Down => {
            let (near, far) = nearer(y, component.height);
            (3 * at(x, near) + at(x, far) + 1 + odd_y) >> 2
        }
        Upsampling::Both => {
            let (near, far) = nearer(y, component.height);
            let sum = |x| 3 * at(x, near) + at(x, far);
            let (near, far) = nearer(x, component.width);
            (3 * sum(near) + sum(far) + 8 - odd_x) >> 4
        }
    };
    value as u8
}

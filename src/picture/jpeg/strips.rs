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
use super::idct::{Columns, Idct};
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
#[derive(Debug)]
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
    table: Quantisation,
    /// The strip that is written, and the one before, which waits for its lower neighbour.
    next: Vec<Lanes>,
    current: Vec<Lanes>,
    /// The last row above the strip that waits.
    above: Vec<u8>,
    sums: Vec<Sums>,
    /// The wanted columns of pixels, where samples are fewer than pixels.
    pixels: Vec<Lanes>,
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
            table: [0; 64],
            next: Vec::new(),
            current: Vec::new(),
            above: Vec::new(),
            sums: Vec::new(),
            pixels: Vec::new(),
        }
    }
}

/// Memory of the strips, which is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Memory {
    channels: Vec<Channel>,
    lanes: Vec<Lanes>,
}

/// Where a block's samples go: its component, first column, and first lane.
#[derive(Debug, Clone, Copy)]
struct Place {
    component: usize,
    column: usize,
    lane: usize,
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
    /// A block that waits for another one.
    alone: Option<(Place, Block)>,
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
            channel.pixels.resize(window.columns.len(), [0; LANES]);
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
            alone: None,
            sink,
        }
    }

    /// Keeps a component's quantisation table for its blocks.
    pub(super) fn set_table(&mut self, component: usize, table: Option<&Quantisation>) {
        self.memory.channels[component].table = table.copied().unwrap_or([0; 64]);
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
        let channel = &self.memory.channels[component];
        let place = Place {
            component,
            column: (column - channel.blocks.start) * 8,
            lane: 8 * (unit_row % self.units * (channel.block_rows / self.units) + row),
        };
        if let Some(samples) = Idct::flat(block, &channel.table) {
            self.set(place, &samples);
        } else if let Some((other, waiting)) = self.alone.take() {
            let tables = [other, place].map(|place| &self.memory.channels[place.component].table);
            let [first, second] = self.idct.transform([&waiting, block], tables);
            self.set(other, &first);
            self.set(place, &second);
        } else {
            self.alone = Some((place, *block));
        }
    }

    /// Transforms the block that waits for another one, when there is none.
    fn put_last(&mut self) {
        if let Some((place, block)) = self.alone.take() {
            let table = &self.memory.channels[place.component].table;
            let [samples, _] = self.idct.transform([&block; 2], [table; 2]);
            self.set(place, &samples);
        }
    }

    #[inline]
    fn set(&mut self, place: Place, samples: &Columns) {
        let channel = &mut self.memory.channels[place.component];
        let columns = &mut channel.next[place.column..place.column + 8];
        for (lanes, column) in columns.iter_mut().zip(samples) {
            if let Some(lanes) = lanes[place.lane..].first_chunk_mut() {
                *lanes = *column;
            }
        }
    }

    /// Ends a unit row. The strip before the one that is whole with it is handed on.
    pub(super) fn end_row(&mut self, unit_row: usize) {
        self.put_last();
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
        let emission = Emission {
            channels: &mut self.memory.channels,
            lanes: &mut self.memory.lanes,
            columns: self.window.columns.clone(),
            space: self.space,
            output: self.output,
            top: strip == 0,
            bottom: last,
        };
        emission.run();
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
        self.run_with(Portable);
    }
}

/// Sums up eight rows, and the rows above and below each of them.
trait SumRows {
    fn sum(&self, rows: [[u8; 8]; 3]) -> Sums;
}

struct Portable;

impl SumRows for Portable {
    #[inline(always)]
    fn sum(&self, [near, upper, lower]: [[u8; 8]; 3]) -> Sums {
        let mut sums = [0; LANES];
        for row in 0..8 {
            let near = 3 * i16::from(near[row]);
            sums[2 * row] = near + i16::from(upper[row]);
            sums[2 * row + 1] = near + i16::from(lower[row]);
        }
        sums
    }
}

impl Emission<'_> {
    /// With the best instructions of this processor.
    fn run(self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            v3.vectorize(vector::Emission(v3, self));
            return;
        }
        pulp::Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn run_with(self, sum: impl SumRows) {
        let Self {
            channels,
            lanes,
            columns,
            ..
        } = self;
        for channel in channels.iter_mut() {
            channel.upsample(&columns, self.top, self.bottom, &sum);
        }
        let channels = &*channels;
        let (three, _) = lanes.as_chunks_mut::<3>();
        match (self.space, channels) {
            (Space::Gray, [gray]) => {
                for (out, gray) in three.iter_mut().zip(gray.pixels(&columns)) {
                    *out = [*gray; 3];
                }
            }
            (Space::Rgb, [red, green, blue]) => {
                let [red, green, blue] = [red, green, blue].map(|c| c.pixels(&columns));
                for (out, ((red, green), blue)) in
                    three.iter_mut().zip(red.iter().zip(green).zip(blue))
                {
                    *out = [*red, *green, *blue];
                }
            }
            (Space::YCbCr, [y, cb, cr]) => {
                let [y, cb, cr] = [y, cb, cr].map(|c| c.pixels(&columns));
                for (out, ((y, cb), cr)) in three.iter_mut().zip(y.iter().zip(cb).zip(cr)) {
                    *out = rgb(y, cb, cr);
                }
            }
            (Space::Cmyk | Space::Ycck, [c, m, y, k]) => {
                let [c, m, y, k] = [c, m, y, k].map(|c| c.pixels(&columns));
                let values = c.iter().zip(m).zip(y).zip(k);
                match self.output {
                    Output::Rgb => {
                        for (out, (((c, m), y), k)) in three.iter_mut().zip(values) {
                            *out = inks_to_rgb(&inks(self.space, c, m, y), k);
                        }
                    }
                    Output::Inks => {
                        let (four, _) = lanes.as_chunks_mut::<4>();
                        for (out, (((c, m), y), k)) in four.iter_mut().zip(values) {
                            let [c, m, y] = inks(self.space, c, m, y);
                            *out = [c, m, y, *k].map(|lanes| lanes.map(|v| 255 - v));
                        }
                    }
                }
            }
            _ => {} // never: each space has its number of components
        }
    }
}

impl Channel {
    /// Sums up the rows above and below each sample.
    #[inline(always)]
    fn sum(&mut self, top: bool, bottom: bool, sum: &impl SumRows) {
        let columns = self.current.iter().zip(&self.next).zip(&self.above);
        for (sums, ((lanes, next), above)) in self.sums.iter_mut().zip(columns) {
            let above = if top { lanes[0] } else { *above };
            let below = if bottom { lanes[7] } else { next[0] };
            let Some(near) = lanes.first_chunk::<8>() else {
                return; // never: there are sixteen
            };
            // Shifted by a row, as one number.
            let word = u64::from_le_bytes(*near);
            let upper = (word << 8 | u64::from(above)).to_le_bytes();
            let lower = (word >> 8 | u64::from(below) << 56).to_le_bytes();
            *sums = sum.sum([*near, upper, lower]);
        }
    }

    /// Makes as many samples as there are pixels.
    #[inline(always)]
    fn upsample(&mut self, columns: &Range<usize>, top: bool, bottom: bool, sum: &impl SumRows) {
        let Some(upsampling) = self.upsampling else {
            return;
        };
        if matches!(upsampling, Upsampling::Down | Upsampling::Both) {
            self.sum(top, bottom, sum);
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
    fn pixels(&self, columns: &Range<usize>) -> &[Lanes] {
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

/// Luminance and colour differences as red, green and blue: [`pixel`] in 16 bits.
#[inline(always)]
fn rgb(y: &Lanes, cb: &Lanes, cr: &Lanes) -> [Lanes; 3] {
    let mut rgb = [[0; LANES]; 3];
    // The upper half of a product of 16 bits, as processors have it.
    let high = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    let clip = |value: i16| value.clamp(0, 255) as u8;
    for i in 0..LANES {
        let [y, cb, cr] = [
            i16::from(y[i]),
            i16::from(cb[i]) - 128,
            i16::from(cr[i]) - 128,
        ];
        // 1.402 is 1 + 26345 / 2^16, and 1.772 is 2 - 14942 / 2^16, both rounded by a half.
        let red = y + cr + ((high(2 * cr, 26_345) + 1) >> 1);
        let blue = y + 2 * cb + ((high(2 * cb, -14_942) + 1) >> 1);
        let green = -22_554 * i32::from(cb) + 18_734 * i32::from(cr) + (1 << 15);
        let green = y - cr + (green >> 16) as i16;
        (rgb[0][i], rgb[1][i], rgb[2][i]) = (clip(red), clip(green), clip(blue));
    }
    rgb
}

/// Luminance and colour differences as red, green and blue (`jdcolor.c`).
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
fn inks(space: Space, c: &Lanes, m: &Lanes, y: &Lanes) -> [Lanes; 3] {
    if space == Space::Ycck {
        rgb(c, m, y).map(|lanes| lanes.map(|value| 255 - value))
    } else {
        [*c, *m, *y]
    }
}

#[inline(always)]
fn inks_to_rgb(inks: &[Lanes; 3], black: &Lanes) -> [Lanes; 3] {
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
                    let block = plane.block(bx, by);
                    let [block, _] = idct.transform([block; 2], [&table; 2]);
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

#[cfg(target_arch = "x86_64")]
mod vector {
    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::{SumRows, Sums};

    /// With AVX2's form of the 128-bit instructions.
    pub(super) struct Emission<'a>(pub(super) V3, pub(super) super::Emission<'a>);

    impl NullaryFnOnce for Emission<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self(v3, emission) = self;
            emission.run_with(v3);
        }
    }

    impl SumRows for V3 {
        #[inline(always)]
        fn sum(&self, [near, upper, lower]: [[u8; 8]; 3]) -> Sums {
            let (sse2, sse4_1) = (self.sse2, self.sse4_1);
            let near = sse4_1._mm_cvtepu8_epi16(cast([near, [0; 8]]));
            let upper = sse4_1._mm_cvtepu8_epi16(cast([upper, [0; 8]]));
            let lower = sse4_1._mm_cvtepu8_epi16(cast([lower, [0; 8]]));
            let near = sse2._mm_add_epi16(sse2._mm_add_epi16(near, near), near);
            let (upper, lower) = (
                sse2._mm_add_epi16(near, upper),
                sse2._mm_add_epi16(near, lower),
            );
            cast([
                sse2._mm_unpacklo_epi16(upper, lower),
                sse2._mm_unpackhi_epi16(upper, lower),
            ])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_in_sixteen_bits_are_the_same() {
        for cb in 0..=255 {
            for cr in 0..=255 {
                let y: Lanes = std::array::from_fn(|i| (i * 17) as u8);
                let all = rgb(&y, &[cb; LANES], &[cr; LANES]);
                for i in 0..LANES {
                    let one = [all[0][i], all[1][i], all[2][i]];
                    assert_eq!(one, pixel(y[i], cb, cr), "{} {cb} {cr}", y[i]);
                }
            }
        }
    }
}

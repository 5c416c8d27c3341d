//! From coefficients to colours, strip by strip: a row of units, or two, of at most sixteen pixel rows.
//!
//! Samples are kept by columns, the rows of a strip side by side. So upsampling and the conversion of
//! colours, and the first pass of resizing after them, are vector operations on any processor. Only
//! the samples that the wanted pixels need are computed.

use std::ops::Range;

use super::colours::Emission;
use super::frame::Frame;
use super::idct::Idct;
use super::tables::Quantisation;
use super::upsampling::{Channel, Upsampling};
use super::{Block, Output, Space};
use crate::picture::strip::{LANES, Lanes, Rows, Window};

/// Memory of the strips, which is reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Memory {
    channels: Vec<Channel>,
    /// Quantisation tables of the channels.
    tables: Vec<Quantisation>,
    lanes: Vec<Lanes>,
    queue: Queue,
}

/// Blocks that are transformed at once, so that what was written of them has reached the cache.
const QUEUED: usize = 16;

/// Blocks that wait for their transform. All others are zero.
#[derive(Debug)]
struct Queue {
    blocks: [Block; QUEUED],
    places: [Place; QUEUED],
    count: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            blocks: [[0; 64]; QUEUED],
            places: [Place::default(); QUEUED],
            count: 0,
        }
    }
}

/// Where a block's samples go: its component, first column, and first lane.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    component: usize,
    column: usize,
    lane: usize,
}

/// A row of blocks that has a part in the window.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Columns of blocks.
    columns: Range<usize>,
    /// Where the first of them goes.
    first: Place,
}

impl Wanted {
    /// Where a block goes, if it is wanted.
    #[inline(always)]
    pub(super) fn place(&self, column: usize) -> Option<Place> {
        self.columns.contains(&column).then(|| Place {
            column: 8 * (column - self.columns.start),
            ..self.first
        })
    }

    /// All wanted columns, and where their blocks go.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Place)> {
        self.columns
            .clone()
            .filter_map(|column| Some((column, self.place(column)?)))
    }
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
        memory.tables = frame
            .components
            .iter()
            .map(|c| c.quantisation.unwrap_or([0; 64]))
            .collect();
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
        memory.queue = Queue::default(); // a damaged picture may have left something
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

    /// Whether a strip's blocks have a part in the window.
    fn wants_strip(&self, strip: usize) -> bool {
        strip * LANES <= self.window.rows.end && (strip + 1) * LANES >= self.window.rows.start
    }

    /// What is wanted of row `y` of a component's blocks.
    pub(super) fn wanted(&self, component: usize, y: usize) -> Option<Wanted> {
        let channel = &self.memory.channels[component];
        let there = y < channel.height.div_ceil(8);
        (there && self.wants_strip(y / channel.block_rows)).then(|| Wanted {
            columns: channel.blocks.clone(),
            first: Place {
                component,
                column: 0,
                lane: 8 * (y % channel.block_rows),
            },
        })
    }

    /// A block of zeros to decode to. [`put`](Self::put) takes it; until then the next one is the same.
    #[inline(always)]
    pub(super) fn block(&mut self) -> &mut Block {
        let Queue { blocks, count, .. } = &mut self.memory.queue;
        &mut blocks[*count]
    }

    /// Takes the block that was decoded, and whether it may have more than a first coefficient.
    #[inline(always)]
    pub(super) fn put(&mut self, place: Place, more: bool) {
        let channel = &mut self.memory.channels[place.component];
        let Queue {
            blocks,
            places,
            count,
        } = &mut self.memory.queue;
        if !more {
            let first = std::mem::take(&mut blocks[*count][0]);
            let sample = Idct::flat(first, &self.memory.tables[place.component]);
            channel.set(place.column, place.lane, &[[sample; 8]; 8]);
            return;
        }
        places[*count] = place;
        *count += 1;
        if *count == QUEUED {
            self.transform();
        }
    }

    /// Transforms the blocks that wait.
    #[inline(never)]
    fn transform(&mut self) {
        let Memory {
            channels,
            tables,
            queue,
            ..
        } = &mut *self.memory;
        let Queue {
            blocks,
            places,
            count,
        } = queue;
        self.idct.transform(
            &mut blocks[..std::mem::take(count)],
            |at| &tables[places[at].component],
            #[inline(always)]
            |at, samples| {
                let Place {
                    component,
                    column,
                    lane,
                } = places[at];
                channels[component].set(column, lane, &samples);
            },
        );
    }

    /// Ends a unit row. The strip before the one that is whole with it is handed on.
    pub(super) fn end_row(&mut self, unit_row: usize) {
        self.transform();
        let last = unit_row + 1 == self.unit_rows;
        if !last && !(unit_row + 1).is_multiple_of(self.units) {
            return;
        }
        let strip = unit_row / self.units;
        if self.wants_strip(strip) {
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

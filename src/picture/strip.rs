//! Rows on their way from a decoder to the resizing, sixteen at a time and column by column.

use std::ops::Range;

/// Rows that lie side by side in vector registers.
pub(super) const LANES: usize = 16;

/// One value of each of these rows.
pub(super) type Lanes = [u8; LANES];

/// The part of a picture that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) columns: Range<usize>,
    pub(super) rows: Range<usize>,
}

/// Takes the rows of a window, from top to bottom.
pub(super) trait Rows {
    /// Takes `count` rows from `first` on, counted from the picture's top; some may lie outside the
    /// window. `lanes` has the values of each column of the window, channel by channel.
    fn take(&mut self, first: usize, count: usize, lanes: &[Lanes]);
}

/// Writes the rows of a window one after the other, as pixels.
pub(super) struct Interleaved<'a> {
    pub(super) window: Window,
    pub(super) channels: usize,
    /// `rows * columns * channels` values.
    pub(super) pixels: &'a mut [u8],
}

impl Rows for Interleaved<'_> {
    fn take(&mut self, first: usize, count: usize, lanes: &[Lanes]) {
        let line = self.window.columns.len() * self.channels;
        for lane in 0..count {
            let row = first + lane;
            if !self.window.rows.contains(&row) {
                continue;
            }
            let at = (row - self.window.rows.start) * line;
            for (value, lanes) in self.pixels[at..at + line].iter_mut().zip(lanes) {
                *value = lanes[lane];
            }
        }
    }
}

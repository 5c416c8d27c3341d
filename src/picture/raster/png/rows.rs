//! The rows of a PNG: inflated, unfiltered, unpacked and put in their place.

use flate2::{Decompress, FlushDecompress, Status};

use super::Header;
use super::chunks::corrupt;
use crate::picture::PictureError;

/// Where the passes of an interlaced picture begin, and how far apart their pixels are.
const PASSES: [(usize, usize, usize, usize); 7] = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
];

/// A picture that is being decoded.
#[derive(Debug)]
pub(super) struct Rows {
    width: usize,
    height: usize,
    depth: u8,
    channels: usize,
    /// Whether samples of few bits are grays.
    gray: bool,
    interlaced: bool,
    pass: usize,
    /// The next row.
    y: usize,
    inflater: Inflater,
    /// The row that is being inflated, behind its filter, and how much of it is there.
    row: Vec<u8>,
    filled: usize,
    previous: Vec<u8>,
    /// Samples of the whole picture, of one or two bytes.
    values: Vec<u8>,
}

struct Inflater(Decompress);

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflater")
    }
}

impl Rows {
    pub(super) fn new(header: &Header) -> Self {
        let channels = header.channels();
        let bytes = if header.depth == 16 { 2 } else { 1 };
        let mut rows = Self {
            width: header.width,
            height: header.height,
            depth: header.depth,
            channels,
            gray: header.colour == 0,
            interlaced: header.interlaced,
            pass: 0,
            y: 0,
            inflater: Inflater(Decompress::new(true)),
            row: Vec::new(),
            filled: 0,
            previous: Vec::new(),
            values: vec![0; header.width * header.height * channels * bytes],
        };
        rows.start_pass();
        rows
    }

    /// The samples. Rows that were missing are zero.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }

    /// First column, columns apart, and rows apart.
    fn grid(&self) -> (usize, usize, usize) {
        if self.interlaced {
            let (x, _, columns, rows) = PASSES[self.pass.min(6)];
            (x, columns, rows)
        } else {
            (0, 1, 1)
        }
    }

    /// Pixels of a row of this pass.
    fn columns(&self) -> usize {
        let (x, apart, _) = self.grid();
        self.width.saturating_sub(x).div_ceil(apart)
    }

    /// Gets ready for the rows of a pass.
    fn start_pass(&mut self) {
        let bits = self.columns() * self.channels * usize::from(self.depth);
        let length = 1 + bits.div_ceil(8);
        self.row.clear();
        self.row.resize(length, 0);
        self.previous.clear();
        self.previous.resize(length, 0);
    }

    /// Takes coded data; true when they have given the last row, or have ended between two rows.
    pub(super) fn take(&mut self, mut data: &[u8]) -> Result<bool, PictureError> {
        loop {
            let row = &mut self.row[self.filled..];
            let (status, inflated) = inflate(&mut self.inflater.0, &mut data, row)?;
            self.filled += inflated;
            if self.filled < self.row.len() {
                // More data are needed, or there are none.
                return Ok(false);
            }
            self.unfilter()?;
            self.place();
            self.filled = 0;
            self.next_row();
            let ended = status == Status::StreamEnd;
            if self.y >= self.height || ended {
                // By then zlib has looked on, to the next byte of output or to the end.
                if !ended {
                    inflate(&mut self.inflater.0, &mut data, &mut [0])?;
                }
                return Ok(true);
            }
            std::mem::swap(&mut self.row, &mut self.previous);
        }
    }

    fn next_row(&mut self) {
        let (_, _, apart) = self.grid();
        self.y += apart;
        while self.interlaced && (self.y >= self.height || self.columns() == 0) {
            self.pass += 1;
            if self.pass == PASSES.len() {
                self.y = self.height;
                return;
            }
            self.y = PASSES[self.pass].1;
            self.start_pass();
        }
    }

    fn unfilter(&mut self) -> Result<(), PictureError> {
        let distance = (self.channels * usize::from(self.depth)).div_ceil(8);
        let (filter, row) = match self.row.split_first_mut() {
            Some((filter, row)) => (*filter, row),
            None => return Ok(()),
        };
        let above = &self.previous[1..];
        match filter {
            0 => {}
            1 => {
                for i in distance..row.len() {
                    row[i] = row[i].wrapping_add(row[i - distance]);
                }
            }
            2 => {
                for (value, above) in row.iter_mut().zip(above) {
                    *value = value.wrapping_add(*above);
                }
            }
            3 => {
                for i in 0..row.len() {
                    let left = if i < distance { 0 } else { row[i - distance] };
                    let mean = (u16::from(left) + u16::from(above[i])) / 2;
                    row[i] = row[i].wrapping_add(mean as u8);
                }
            }
            4 => {
                for i in 0..row.len() {
                    let (left, corner) = if i < distance {
                        (0, 0)
                    } else {
                        (row[i - distance], above[i - distance])
                    };
                    row[i] = row[i].wrapping_add(paeth(left, above[i], corner));
                }
            }
            _ => return Err(corrupt("a row has an unknown filter")),
        }
        Ok(())
    }

    /// Unpacks a row to where its pixels belong.
    fn place(&mut self) {
        let (first, apart, _) = self.grid();
        let columns = self.columns();
        let row = &self.row[1..];
        let size = self.channels * if self.depth == 16 { 2 } else { 1 };
        let line = self.width * size;
        let out = &mut self.values[self.y * line..(self.y + 1) * line];
        if self.depth >= 8 {
            if apart == 1 {
                out.copy_from_slice(&row[..line]);
                return;
            }
            for (pixel, from) in (0..columns).zip(row.chunks_exact(size)) {
                let at = (first + pixel * apart) * size;
                out[at..at + size].copy_from_slice(from);
            }
            return;
        }
        let depth = usize::from(self.depth);
        // Palette entries stay; grays become 0 to 255.
        let scale = if self.gray {
            255 / ((1u16 << depth) - 1)
        } else {
            1
        };
        for pixel in 0..columns {
            let bit = pixel * depth;
            let value = row[bit / 8] >> (8 - depth - bit % 8) & ((1u16 << depth) - 1) as u8;
            out[first + pixel * apart] = (u16::from(value) * scale) as u8;
        }
    }
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        above
    } else {
        corner
    }
}

/// Inflates to fill a buffer, as far as data go. Says how it ended and how much came out.
fn inflate(
    inflater: &mut Decompress,
    data: &mut &[u8],
    out: &mut [u8],
) -> Result<(Status, usize), PictureError> {
    let mut filled = 0;
    loop {
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress(data, &mut out[filled..], FlushDecompress::None)
            .map_err(|_| corrupt("its compressed data are wrong"))?;
        let read = (inflater.total_in() - read) as usize;
        let written = (inflater.total_out() - written) as usize;
        *data = &data[read..];
        filled += written;
        let stuck = read == 0 && written == 0;
        if status == Status::StreamEnd || filled == out.len() || stuck {
            return Ok((status, filled));
        }
    }
}

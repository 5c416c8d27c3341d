//! PNG, chunk by chunk as Pillow takes them.
//!
//! Pillow forgives what stands in the coded data (wrong checksums, an end that is missing) and little
//! before it: there every chunk needs its checksum, and known ones their form. Source: Pillow 11's
//! `PngImagePlugin.py` and `ZipDecode.c`.

mod chunks;
mod rows;

use crate::picture::pixels::{Kind, Pixels};
use crate::picture::{PictureError, Room};
use chunks::Chunks;
use rows::Rows;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Whether a file begins as PNGs do.
pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// What stands before the coded data.
#[derive(Debug, Default)]
struct Header {
    width: usize,
    height: usize,
    depth: u8,
    colour: u8,
    interlaced: bool,
    palette: Vec<u8>,
}

impl Header {
    /// Values of a pixel.
    fn channels(&self) -> usize {
        match self.colour {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        }
    }
}

/// Decodes a PNG; of animations the first frame.
pub(super) fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    let mut chunks = Chunks::new(&bytes[SIGNATURE.len()..]);
    let header = chunks.header()?;
    room.take(header.width, header.height)?;
    let mut rows = Rows::new(&header);
    while let Some(data) = chunks.data()? {
        if rows.take(data)? {
            chunks.finish()?;
            convert(&header, rows.values(), out);
            return Ok(());
        }
    }
    Err(PictureError::Truncated)
}

/// Makes pixels of rows of samples, each of 8 or 16 bits.
fn convert(header: &Header, values: &[u8], out: &mut Pixels) {
    let kind = match (header.colour, header.depth) {
        (0, 1) | (3, _) => Kind::Steps,
        (4 | 6, _) => Kind::Alpha,
        _ => Kind::Colours,
    };
    out.begin(header.width, header.height, kind);
    let wide = header.depth == 16;
    // Of 16 bits the high ones are kept. Gray without alpha is clipped instead.
    match (header.colour, wide) {
        (0, true) => {
            let (values, _) = values.as_chunks::<2>();
            let gray = values
                .iter()
                .map(|[high, low]| if *high > 0 { 255 } else { *low });
            out.colours.extend(gray.flat_map(|gray| [gray; 3]));
        }
        (3, _) => {
            let mut colours = [[0; 3]; 256];
            for (colour, entry) in colours.iter_mut().zip(header.palette.as_chunks().0) {
                *colour = *entry;
            }
            let indices = values.iter();
            out.colours
                .extend(indices.flat_map(|index| colours[usize::from(*index)]));
        }
        (_, true) => {
            let high: Vec<u8> = values.iter().copied().step_by(2).collect();
            spread(header, &high, out);
        }
        _ => spread(header, values, out),
    }
}

/// Makes red, green and blue, and alpha, of 8-bit samples.
fn spread(header: &Header, values: &[u8], out: &mut Pixels) {
    match header.channels() {
        3 => out.colours.extend_from_slice(values),
        4 => out.split(values),
        2 => {
            let (pixels, _) = values.as_chunks::<2>();
            out.colours
                .extend(pixels.iter().flat_map(|[gray, _]| [*gray; 3]));
            out.fourth.extend(pixels.iter().map(|[_, alpha]| *alpha));
        }
        _ => out
            .colours
            .extend(values.iter().flat_map(|gray| [*gray; 3])),
    }
}

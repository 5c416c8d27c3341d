//! Strips and tiles whose coding the crate `tiff` does not have: JPEG, and fax in one dimension.

use std::borrow::Cow;

use fax::Color;
use fax::decoder::{Group3Decoder, pels};

use super::tags::{self, Tags};
use super::{Coding, Layout, WHITE_IS_ZERO, YCBCR};
use crate::picture::PictureError;
use crate::picture::jpeg::{Jpeg, Memory, Output};

/// A strip or tile.
struct Part<'a> {
    /// Where its upper left corner lies.
    x: usize,
    y: usize,
    /// The pixels of it that are the picture's.
    width: usize,
    height: usize,
    coded: &'a [u8],
}

/// Red, green and blue of all pixels, row by row.
pub(super) fn decode(bytes: &[u8], tags: &Tags, layout: Layout) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (tags.width()?, tags.height()?);
    let mut colours = vec![0; width * height * 3];
    let mut memory = Memory::default();
    for part in parts(bytes, tags, width, height)? {
        let pixels = match layout.coding {
            Coding::Jpeg => jpeg(&part, tags, layout, &mut memory)?,
            _ => fax(&part, layout)?,
        };
        for (row, pixels) in pixels.chunks_exact(part.width * 3).enumerate() {
            let at = ((part.y + row) * width + part.x) * 3;
            colours[at..at + pixels.len()].copy_from_slice(pixels);
        }
    }
    Ok(colours)
}

/// The strips, which are as wide as the picture, or the tiles.
fn parts<'a>(
    bytes: &'a [u8],
    tags: &Tags,
    width: usize,
    height: usize,
) -> Result<Vec<Part<'a>>, PictureError> {
    let missing = || PictureError::Corrupt {
        reason: "it does not say where its pixels are".into(),
    };
    let side = |tag| tags.first(tag).map(|side| side as usize);
    let tiled = side(tags::TILE_WIDTH);
    let (across, down, places, lengths) = match tiled {
        Some(across) => {
            let down = side(tags::TILE_HEIGHT).ok_or_else(missing)?;
            (across, down, tags::TILE_OFFSETS, tags::TILE_LENGTHS)
        }
        None => {
            let down = side(tags::ROWS_PER_STRIP).unwrap_or(height).min(height);
            (width, down, tags::STRIP_OFFSETS, tags::STRIP_LENGTHS)
        }
    };
    if across == 0 || down == 0 {
        return Err(missing());
    }
    let columns = width.div_ceil(across);
    let count = columns * height.div_ceil(down);
    let (places, lengths) = (tags.all(places), tags.all(lengths));
    let (places, lengths) = places.zip(lengths).ok_or_else(missing)?;
    if places.len() < count || lengths.len() < count {
        return Err(missing());
    }
    let part = |(index, (place, length)): (usize, (usize, usize))| {
        let (x, y) = (index % columns * across, index / columns * down);
        let end = place.checked_add(length).ok_or(PictureError::Truncated)?;
        Ok(Part {
            x,
            y,
            width: across.min(width - x),
            height: down.min(height - y),
            coded: bytes.get(place..end).ok_or(PictureError::Truncated)?,
        })
    };
    let all = places.into_iter().zip(lengths).take(count);
    all.enumerate().map(part).collect()
}

/// A JPEG of its own, whose tables may stand in a tag (TIFF Technical Note 2).
fn jpeg(
    part: &Part<'_>,
    tags: &Tags,
    layout: Layout,
    memory: &mut Memory,
) -> Result<Vec<u8>, PictureError> {
    // Tables end with a marker that the coded data begin with another of; both are left out.
    let stream = match (tags.raw(tags::JPEG_TABLES), part.coded.get(2..)) {
        (Some([tables @ .., 0xff, 0xd9]), Some(coded)) => Cow::Owned([tables, coded].concat()),
        _ => Cow::Borrowed(part.coded),
    };
    let jpeg = Jpeg::open_part(&stream, layout.photometric == YCBCR)?;
    let (width, height) = jpeg.size();
    if width < part.width || height < part.height || jpeg.has_inks() {
        return Err(PictureError::Corrupt {
            reason: format!(
                "a part of {} x {} pixels holds a JPEG of {width} x {height}",
                part.width, part.height
            ),
        });
    }
    jpeg.corner(Output::Rgb, (part.width, part.height), memory)
}

/// Lines of runs, white first (ITU-T T.4).
fn fax(part: &Part<'_>, layout: Layout) -> Result<Vec<u8>, PictureError> {
    let coded = part.coded.iter().map(|byte| Ok::<u8, PictureError>(*byte));
    let mut decoder = Group3Decoder::new(coded).map_err(|_| PictureError::Truncated)?;
    let white_is_zero = layout.photometric == WHITE_IS_ZERO;
    let line_width = u16::try_from(part.width).map_err(|_| PictureError::Unsupported {
        what: "a fax of more than 65,535 columns".into(),
    })?;
    let mut pixels = Vec::with_capacity(part.width * part.height * 3);
    for _ in 0..part.height {
        let more = decoder.advance();
        let line = decoder.transitions();
        // Nothing marks the end of the last line.
        if more.is_err() && line.last().is_none_or(|end| *end < line_width) {
            return Err(PictureError::Truncated);
        }
        let gray = |colour| {
            if (colour == Color::White) == white_is_zero {
                255
            } else {
                0
            }
        };
        pixels.extend(pels(line, line_width).flat_map(|colour| [gray(colour); 3]));
    }
    Ok(pixels)
}

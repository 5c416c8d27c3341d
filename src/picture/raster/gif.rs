//! The first frame of a GIF, on a canvas as Pillow paints it.
//!
//! Transparent pixels keep their palette colour, and what the frame leaves uncovered has the
//! transparent colour or, without one, the first.

use std::borrow::Cow;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use crate::picture::pixels::{Kind, Pixels};
use crate::picture::{PictureError, Room, check_size};

/// Decodes the first frame to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The sizes are checked below, before anything of their size is allocated.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let bytes = without_strays(bytes);
    let mut decoder = options.read_info(&*bytes).map_err(convert_error)?;
    let Some(frame) = decoder.next_frame_info().map_err(convert_error)? else {
        return Err(PictureError::Corrupt {
            reason: "it has no frame".into(),
        });
    };
    let [left, top, frame_width, frame_height] =
        [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let uncovered = frame.transparent.unwrap_or(0);
    // A frame that sticks out enlarges the picture.
    let width = usize::from(decoder.width()).max(left + frame_width);
    let height = usize::from(decoder.height()).max(top + frame_height);
    room.take(width, height)?;
    check_size(frame_width, frame_height)?;
    let mut indices = vec![0; frame_width * frame_height];
    decoder
        .read_into_buffer(&mut indices)
        .map_err(convert_error)?;
    let palette = decoder.palette().map_err(convert_error)?;
    // To Pillow, a palette of grays in order is none.
    let mut entries = palette.as_chunks::<3>().0.iter().enumerate();
    let grays = entries.all(|(i, entry)| *entry == [i as u8; 3]);
    let kind = if grays { Kind::Colours } else { Kind::Steps };
    let colours = colours(palette);
    out.begin(width, height, kind);
    let pixels = &mut out.colours;
    if (frame_width, frame_height) != (width, height) {
        let colour = colours[usize::from(uncovered)];
        pixels.extend(std::iter::repeat_n(colour, width * height).flatten());
        let rows = pixels.chunks_exact_mut(width * 3).skip(top);
        for (row, indices) in rows.zip(indices.chunks_exact(frame_width)) {
            let (covered, _) = row[left * 3..].as_chunks_mut();
            for (pixel, index) in covered.iter_mut().zip(indices) {
                *pixel = colours[usize::from(*index)];
            }
        }
    } else {
        pixels.extend(indices.iter().flat_map(|i| colours[usize::from(*i)]));
    }
    Ok(())
}

/// The file without bytes between its blocks, up to the first frame. Pillow passes over them.
fn without_strays(bytes: &[u8]) -> Cow<'_, [u8]> {
    const EXTENSION: u8 = b'!';
    const FRAME: u8 = b',';
    const END: u8 = b';';
    let flags = bytes.get(10).copied().unwrap_or(0);
    let palette = if flags & 0x80 == 0 {
        0
    } else {
        6 << (flags & 7)
    };
    let mut at = 13 + palette;
    let mut strays = Vec::new();
    while let Some(kind) = bytes.get(at) {
        match *kind {
            FRAME | END => break,
            EXTENSION => {
                // A label, and parts that say their length, up to one of none.
                at += 2;
                while let Some(length @ 1..) = bytes.get(at) {
                    at += 1 + usize::from(*length);
                }
            }
            _ => strays.push(at),
        }
        at += 1;
    }
    if strays.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut strays = strays.into_iter().peekable();
    let kept = bytes.iter().enumerate();
    let kept = kept.filter(|(at, _)| strays.next_if_eq(at).is_none());
    Cow::Owned(kept.map(|(_, byte)| *byte).collect())
}

/// All 256 colours: black beyond the palette's end.
fn colours(palette: &[u8]) -> [[u8; 3]; 256] {
    let mut colours = [[0; 3]; 256];
    for (colour, entry) in colours.iter_mut().zip(palette.as_chunks().0) {
        *colour = *entry;
    }
    colours
}

fn convert_error(error: DecodingError) -> PictureError {
    match error {
        DecodingError::UnexpectedEof => PictureError::Truncated,
        DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        e => PictureError::Corrupt {
            reason: e.to_string(),
        },
    }
}

//! The first frame of a GIF, on a canvas as Pillow paints it.
//!
//! Transparent pixels keep their palette colour, and what the frame leaves uncovered has the
//! transparent colour or, without one, the first.

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use crate::picture::pixels::{Kind, Pixels};
use crate::picture::{PictureError, Room, check_size};

/// Decodes the first frame to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The sizes are checked below, before anything of their size is allocated.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(bytes).map_err(convert_error)?;
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

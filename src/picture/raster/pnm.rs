//! PNM whose maximal value is not that of whole bytes: Pillow scales it by its own rounding.
//!
//! Source: `PpmDecoder` of Pillow 11's `PpmImagePlugin.py`.

use std::io::{Cursor, Read};

use image::codecs::pnm::{PnmDecoder, PnmSubtype, SampleEncoding};

use super::convert_error;
use crate::picture::pixels::{Kind, Pixels};
use crate::picture::{PictureError, Room};

/// Decodes what is to be scaled. False for what is not, and for text, which the usual decoder reads.
pub(super) fn decode(
    bytes: &[u8],
    out: &mut Pixels,
    room: &mut Room,
) -> Result<bool, PictureError> {
    let decoder = PnmDecoder::new(Cursor::new(bytes)).map_err(convert_error)?;
    let (mut reader, header) = decoder.into_inner();
    let (width, height) = (header.width() as usize, header.height() as usize);
    let most = header.maximal_sample();
    let unsupported = |what: String| Err(PictureError::Unsupported { what });
    let (encoding, channels) = match header.subtype() {
        PnmSubtype::Bitmap(_) => return Ok(false),
        PnmSubtype::Graymap(encoding) => (encoding, 1),
        PnmSubtype::Pixmap(encoding) => (encoding, 3),
        PnmSubtype::ArbitraryMap => return unsupported("a PAM picture".into()),
    };
    if most == 255 || (most == 65_535 && channels == 1) {
        return Ok(false);
    }
    if encoding == SampleEncoding::Ascii || most > 65_535 || most == 0 {
        return unsupported(format!("a PNM of the maximal value {most} in text"));
    }
    room.take(width, height)?;
    let wide = most > 255;
    let mut values = Vec::new();
    let length = width * height * channels * if wide { 2 } else { 1 };
    let read = reader.by_ref().take(length as u64).read_to_end(&mut values);
    if read.is_err() || values.len() < length {
        return Err(PictureError::Truncated);
    }
    // Wide grays become 16 bits, of which the conversion to RGB clips what is above 8.
    let whole = if wide && channels == 1 {
        65_535.0
    } else {
        255.0
    };
    let scaled = |value: u16| {
        let scaled = f64::from(value) / f64::from(most) * whole;
        scaled.round_ties_even().min(255.0) as u8
    };
    let samples: Vec<u8> = if wide {
        let (pairs, _) = values.as_chunks::<2>();
        pairs
            .iter()
            .map(|pair| scaled(u16::from_be_bytes(*pair)))
            .collect()
    } else {
        values
            .iter()
            .map(|value| scaled(u16::from(*value)))
            .collect()
    };
    out.begin(width, height, Kind::Colours);
    if channels == 3 {
        out.colours = samples;
    } else {
        out.colours
            .extend(samples.iter().flat_map(|gray| [*gray; 3]));
    }
    Ok(true)
}

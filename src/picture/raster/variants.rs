//! Configurations of the rarer formats whose pixels would not be Pillow's: they are refused, so that a
//! picture is either equal or missing.

use std::io::Cursor;

use image::ImageFormat;
use image::codecs::pnm::{PnmDecoder, PnmSubtype};

use super::{convert_error, words};
use crate::picture::PictureError;

/// Refuses what the decoders read differently from Pillow.
pub(super) fn check(bytes: &[u8], format: ImageFormat) -> Result<(), PictureError> {
    match format {
        ImageFormat::Pnm => check_pnm(bytes),
        ImageFormat::Tiff => check_tiff(bytes),
        ImageFormat::Bmp => check_bmp(bytes),
        ImageFormat::WebP => check_webp(bytes),
        _ => Ok(()),
    }
}

fn unsupported(what: impl Into<String>) -> PictureError {
    PictureError::Unsupported { what: what.into() }
}

/// Pillow scales other maximal values by another rounding.
fn check_pnm(bytes: &[u8]) -> Result<(), PictureError> {
    let decoder = PnmDecoder::new(Cursor::new(bytes)).map_err(convert_error)?;
    let (_, header) = decoder.into_inner();
    match (header.subtype(), header.maximal_sample()) {
        (PnmSubtype::Bitmap(_), _) | (PnmSubtype::Graymap(_), 255 | 65535) => Ok(()),
        (PnmSubtype::Pixmap(_), 255) => Ok(()),
        (PnmSubtype::ArbitraryMap, _) => Err(unsupported("a PAM picture")),
        (_, maximal) => Err(unsupported(format!("a PNM of maximal value {maximal}"))),
    }
}

/// To Pillow a file that is shorter than it declares is truncated, whatever is missing.
fn check_webp(bytes: &[u8]) -> Result<(), PictureError> {
    let declared = bytes.get(4..).and_then(|rest| rest.first_chunk());
    match declared.map(|size| u32::from_le_bytes(*size)) {
        Some(size) if size as usize <= bytes.len() - 8 => Ok(()),
        _ => Err(PictureError::Truncated),
    }
}

/// Pillow knows more bit depths, by its own scaling.
fn check_bmp(bytes: &[u8]) -> Result<(), PictureError> {
    let header = bytes.get(..34).ok_or(PictureError::Truncated)?;
    let [bits, compression] = [header[28], header[30]];
    match (bits, compression) {
        (1 | 4 | 8 | 24 | 32, 0) | (32, 3) if header[14] >= 40 => Ok(()),
        _ => Err(unsupported(format!(
            "a BMP of {bits} bits a pixel with compression {compression}"
        ))),
    }
}

/// Pillow converts CMYK and JPEG inside TIFF by other arithmetic, turns a picture by its
/// orientation tag, and divides by an alpha that was multiplied in.
fn check_tiff(bytes: &[u8]) -> Result<(), PictureError> {
    const BITS_PER_SAMPLE: u16 = 258;
    const COMPRESSION: u16 = 259;
    const PHOTOMETRIC: u16 = 262;
    const ORIENTATION: u16 = 274;
    const PLANES: u16 = 284;
    const EXTRA_SAMPLES: u16 = 338;
    const SAMPLE_FORMAT: u16 = 339;
    let tags = tiff_tags(bytes).ok_or_else(|| unsupported("this kind of TIFF"))?;
    for (tag, value) in tags {
        let known = match tag {
            BITS_PER_SAMPLE => matches!(value, 1 | 8 | 16),
            // None, fax 4, LZW, deflate (two numbers), PackBits.
            COMPRESSION => matches!(value, 1 | 4 | 5 | 8 | 32946 | 32773),
            // Gray, with 0 as white or black, and RGB.
            PHOTOMETRIC => value <= 2,
            ORIENTATION | PLANES | SAMPLE_FORMAT => value == 1,
            EXTRA_SAMPLES => matches!(value, 0 | 2),
            _ => true,
        };
        if !known {
            return Err(unsupported(words::tiff(tag, value)));
        }
    }
    Ok(())
}

/// Tags of a classic TIFF's first picture, each with its first value. Values wider than 16 bits or
/// out of reach are left out.
fn tiff_tags(bytes: &[u8]) -> Option<Vec<(u16, u16)>> {
    let little = bytes.starts_with(b"II*\0");
    if !little && !bytes.starts_with(b"MM\0*") {
        return None;
    }
    let short = |at: usize| {
        let value = bytes.get(at..)?.first_chunk().copied()?;
        Some(if little {
            u16::from_le_bytes(value)
        } else {
            u16::from_be_bytes(value)
        })
    };
    let long = |at: usize| {
        let value = bytes.get(at..)?.first_chunk().copied()?;
        let value = if little {
            u32::from_le_bytes(value)
        } else {
            u32::from_be_bytes(value)
        };
        usize::try_from(value).ok()
    };
    const SHORT: u16 = 3;
    let directory = long(4)?;
    let entries = usize::from(short(directory)?);
    let mut tags = Vec::with_capacity(entries);
    for entry in 0..entries {
        let at = directory.checked_add(2 + 12 * entry)?;
        if short(at + 2)? != SHORT {
            continue;
        }
        // Up to two values stand in the entry itself, more elsewhere.
        let values = if long(at + 4)? <= 2 {
            at + 8
        } else {
            long(at + 8)?
        };
        tags.push((short(at)?, short(values)?));
    }
    Some(tags)
}

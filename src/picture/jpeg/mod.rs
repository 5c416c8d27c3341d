//! JPEG decoding with the pixels of libjpeg-turbo, as Pillow has them.
//!
//! Two decoders share the work. One in Rust is fast wherever it is built, and equal to
//! libjpeg-turbo on sound sequential pictures; nearly all are. The rest (progressive, damaged or
//! merely odd) goes to C's libjpeg, which forgives what Pillow forgives (to it a bad Huffman code
//! is a warning) and refuses what Pillow refuses.

mod libjpeg_turbo_rs;
mod markers;
mod mozjpeg;

use super::{Colour, PictureError, Rgb, Room};
use crate::util::panics;
pub(super) use markers::frame;

/// Scans that a picture may have. Every scan costs a pass over the whole picture, so that a small
/// file of thousands of scans could keep a core busy for minutes; real ones have about ten.
const MAX_SCANS: usize = 500;

/// Whether a file begins as JPEGs do.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// Decodes a JPEG to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb, room: &mut Room) -> Result<(), PictureError> {
    if markers::is_sound_sequential(bytes) {
        // Each decoder reads the header for itself: what libjpeg refuses in it, Pillow refuses.
        let decoded = panics::catch(|| {
            mozjpeg::check_header(bytes, room)?;
            libjpeg_turbo_rs::decode(bytes, out)
        });
        match decoded {
            Some(Ok(())) => return Ok(()),
            Some(Err(e @ (PictureError::TooLarge { .. } | PictureError::Unsupported { .. }))) => {
                return Err(e);
            }
            Some(Err(_)) | None => {}
        }
    }
    let scans = markers::count_scans(bytes);
    if scans > MAX_SCANS {
        return Err(PictureError::Unsupported {
            what: format!("a JPEG of {scans} scans"),
        });
    }
    mozjpeg::decode(bytes, out, room)
}

/// Bytes of a pixel as a decoder gives it.
fn channels(colour: Colour) -> usize {
    match colour {
        Colour::Gray => 1,
        Colour::Rgb => 3,
        Colour::Cmyk => 4,
    }
}

/// Converts what a decoder gave to RGB.
fn to_rgb(colour: Colour, samples: Vec<u8>, rgb: &mut Vec<u8>) {
    match colour {
        Colour::Rgb => *rgb = samples,
        Colour::Gray => {
            rgb.clear();
            rgb.extend(samples.iter().flat_map(|v| [*v; 3]));
        }
        Colour::Cmyk => {
            rgb.clear();
            let (inks, _) = samples.as_chunks();
            rgb.extend(inks.iter().flat_map(|inks| cmyk_to_rgb(*inks)));
        }
    }
}

/// Pillow takes every CMYK JPEG for an inverted one, as Adobe writes them ("CMYK;I"), and then
/// converts by `nk - C * nk / 255` with `nk = 255 - K`.
fn cmyk_to_rgb([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    // The inverted K is 255 - k, so nk is k itself.
    let nk = i32::from(k);
    [c, m, y].map(|ink| {
        let t = i32::from(255 - ink) * nk + 128;
        (nk - (((t >> 8) + t) >> 8)).clamp(0, 255) as u8
    })
}

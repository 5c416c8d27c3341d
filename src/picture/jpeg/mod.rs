//! JPEG decoding with the pixels of libjpeg-turbo, as Pillow has them.
//!
//! Two decoders share the work. One in Rust is fast wherever it is built, and equal to
//! libjpeg-turbo on sound sequential pictures; nearly all are. The rest (progressive, damaged or
//! merely odd) goes to C's libjpeg, which forgives what Pillow forgives (to it a bad Huffman code
//! is a warning) and refuses what Pillow refuses.

mod lenient;
mod strict;
mod structure;

use super::{PictureError, Rgb};
use crate::util::panics;
pub(super) use structure::header;

/// Scans that a picture may have. Every scan costs a pass over the whole picture, so that a small
/// file of thousands of scans could keep a core busy for minutes; real ones have about ten.
const MAX_SCANS: usize = 500;

/// Decodes a JPEG to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    if structure::is_sound_sequential(bytes) && lenient::accepts_headers(bytes) {
        match panics::catch(|| strict::decode(bytes, out)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(e @ (PictureError::TooLarge { .. } | PictureError::Unsupported { .. }))) => {
                return Err(e);
            }
            Some(Err(_)) | None => {}
        }
    }
    let scans = structure::count_scans(bytes);
    if scans > MAX_SCANS {
        return Err(PictureError::Unsupported {
            what: format!("a JPEG of {scans} scans"),
        });
    }
    lenient::decode(bytes, out)
}

/// How the components of a JPEG become RGB.
#[derive(Clone, Copy)]
enum Components {
    Gray,
    Rgb,
    Cmyk,
}

impl Components {
    /// Pillow reads one, three and four components.
    fn new(count: usize) -> Result<Self, PictureError> {
        match count {
            1 => Ok(Self::Gray),
            3 => Ok(Self::Rgb),
            4 => Ok(Self::Cmyk),
            n => Err(PictureError::Unsupported {
                what: format!("a JPEG of {n} components"),
            }),
        }
    }

    fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }

    /// Converts samples to RGB.
    fn to_rgb(self, samples: Vec<u8>, rgb: &mut Vec<u8>) {
        match self {
            Self::Rgb => *rgb = samples,
            Self::Gray => {
                rgb.clear();
                rgb.extend(samples.iter().flat_map(|v| [*v; 3]));
            }
            Self::Cmyk => {
                rgb.clear();
                rgb.extend(
                    samples
                        .chunks_exact(4)
                        .flat_map(|p| cmyk_to_rgb([p[0], p[1], p[2], p[3]])),
                );
            }
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

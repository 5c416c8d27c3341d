//! JPEG decoding with the pixels of libjpeg-turbo, as Pillow has them.
//!
//! A strict decoder in Rust reads whole pictures fast. What it refuses goes to C's libjpeg, which
//! forgives what Pillow forgives: for libjpeg a bad Huffman code is a warning.

use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::{PictureError, Rgb, check_size};

/// Scans that a picture may have. Every scan costs a pass over the whole picture, so that a small
/// file of thousands of scans could keep a core busy for minutes; real ones have about ten.
const MAX_SCANS: usize = 500;

/// Decodes a JPEG to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    let scans = bytes
        .windows(2)
        .filter(|pair| *pair == [0xff, 0xda])
        .count();
    if scans > MAX_SCANS {
        return Err(PictureError::Unsupported {
            what: format!("a JPEG of {scans} scans"),
        });
    }
    match catch_unwind(AssertUnwindSafe(|| strict(bytes, out))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refusal @ (PictureError::TooLarge { .. } | PictureError::Unsupported { .. }))) => {
            Err(refusal)
        }
        Ok(Err(_)) | Err(_) => lenient(bytes, out),
    }
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

/// Decodes with the strict decoder; anything odd is an error.
fn strict(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    let corrupt = |e: JpegError| PictureError::Corrupt {
        reason: e.to_string(),
    };
    let mut decoder = Decoder::new_with_limits(bytes, DecodeLimits::default()).map_err(corrupt)?;
    let header = decoder.header();
    let (width, height) = (usize::from(header.width), usize::from(header.height));
    let components = Components::new(header.components.len())?;
    check_size(width, height)?;
    decoder.set_stop_on_warning(true);
    decoder.set_output_format(match components {
        Components::Gray => PixelFormat::Grayscale,
        Components::Rgb => PixelFormat::Rgb,
        Components::Cmyk => PixelFormat::Cmyk,
    });
    let image = decoder.decode_image().map_err(corrupt)?;
    let expected = width * height * components.channels();
    if (image.width, image.height, image.data.len()) != (width, height, expected) {
        return Err(PictureError::Corrupt {
            reason: "its size is not the declared one".into(),
        });
    }
    (out.width, out.height) = (width, height);
    components.to_rgb(image.data, &mut out.pixels);
    Ok(())
}

/// Decodes with libjpeg, which warns where the strict decoder refuses.
///
/// Like Pillow, which feeds the decoder until the file ends, this takes a picture whose data ran
/// out before the last row for truncated.
fn lenient(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    let corrupt = |reason: String| PictureError::Corrupt { reason };
    let ran_out = AtomicBool::new(false);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let reader = Input {
            rest: bytes,
            ran_out: &ran_out,
        };
        let decoder =
            mozjpeg::Decompress::new_reader(reader).map_err(|e| corrupt(e.to_string()))?;
        let (width, height) = decoder.size();
        let components = Components::new(decoder.components().len())?;
        check_size(width, height)?;
        let space = match components {
            Components::Gray => mozjpeg::ColorSpace::JCS_GRAYSCALE,
            Components::Rgb => mozjpeg::ColorSpace::JCS_RGB,
            Components::Cmyk => mozjpeg::ColorSpace::JCS_CMYK,
        };
        let mut started = decoder
            .to_colorspace(space)
            .map_err(|e| corrupt(e.to_string()))?;
        let samples = started
            .read_scanlines::<u8>()
            .map_err(|e| corrupt(e.to_string()))?;
        Ok((width, height, components, samples))
    }));
    let decoded = match result {
        Ok(decoded) => decoded,
        // libjpeg's fatal errors unwind with their message.
        Err(payload) => Err(corrupt(match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => "libjpeg gave up".into(),
        })),
    };
    if ran_out.load(Ordering::Relaxed) {
        return Err(PictureError::Truncated);
    }
    let (width, height, components, samples) = decoded?;
    if samples.len() != width * height * components.channels() {
        return Err(PictureError::Truncated);
    }
    (out.width, out.height) = (width, height);
    components.to_rgb(samples, &mut out.pixels);
    Ok(())
}

/// The file's bytes, and a note when more were asked for than there are.
struct Input<'a> {
    rest: &'a [u8],
    ran_out: &'a AtomicBool,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.ran_out.store(true, Ordering::Relaxed);
        }
        Ok(self.rest)
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n.min(self.rest.len())..];
    }
}

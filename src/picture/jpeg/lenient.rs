//! C's libjpeg, for all pictures that are not plainly sound.
//!
//! Warnings are ignored. Like Pillow, which feeds the decoder until the file ends, this takes a
//! picture whose data ran out before the last row for truncated, although libjpeg would fill it
//! with gray. Pillow's libjpeg computes with vector instructions, whose overflow differs from plain
//! C's on absurd coefficients, as damage makes them: for the same pixels there, too, libjpeg must
//! be built with nasm at hand.

use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Components;
use crate::picture::{PictureError, Rgb, check_size};

/// Decodes to RGB whatever Pillow would read.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    let ran_out = AtomicBool::new(false);
    let (size, components, samples) = unwinding(|| {
        let mut started = Started::new(bytes, &ran_out)?;
        let samples = started.libjpeg.read_scanlines::<u8>().map_err(corrupt)?;
        if ran_out.load(Ordering::Relaxed) {
            return Err(PictureError::Truncated);
        }
        // What follows the last row must be sound, too, unless it is missing.
        match unwinding(|| started.libjpeg.finish().map_err(corrupt)) {
            Err(e) if !ran_out.load(Ordering::Relaxed) => Err(e),
            _ => Ok((started.size, started.components, samples)),
        }
    })
    .map_err(|e| match e {
        PictureError::Corrupt { .. } if ran_out.load(Ordering::Relaxed) => PictureError::Truncated,
        e => e,
    })?;
    let (width, height) = size;
    if samples.len() != width * height * components.channels() {
        return Err(PictureError::Truncated);
    }
    (out.width, out.height) = size;
    components.to_rgb(samples, &mut out.pixels);
    Ok(())
}

/// Whether libjpeg takes the headers and tables before the coded data of the first scan. No pixel
/// is decoded, so that this costs next to nothing on a sequential picture.
pub(super) fn accepts_headers(bytes: &[u8]) -> bool {
    let ran_out = AtomicBool::new(false);
    unwinding(|| Started::new(bytes, &ran_out).map(drop)).is_ok()
}

/// A decoder that is ready for the first row.
struct Started<'a> {
    libjpeg: mozjpeg::decompress::DecompressStarted<Input<'a>>,
    size: (usize, usize),
    components: Components,
}

impl<'a> Started<'a> {
    fn new(bytes: &'a [u8], ran_out: &'a AtomicBool) -> Result<Self, PictureError> {
        let input = Input {
            rest: bytes,
            ran_out,
        };
        let decoder = mozjpeg::Decompress::new_reader(input).map_err(corrupt)?;
        let size = decoder.size();
        let components = Components::new(decoder.components().len())?;
        check_size(size.0, size.1)?;
        let space = match components {
            Components::Gray => mozjpeg::ColorSpace::JCS_GRAYSCALE,
            Components::Rgb => mozjpeg::ColorSpace::JCS_RGB,
            Components::Cmyk => mozjpeg::ColorSpace::JCS_CMYK,
        };
        Ok(Self {
            libjpeg: decoder.to_colorspace(space).map_err(corrupt)?,
            size,
            components,
        })
    }
}

fn corrupt(error: io::Error) -> PictureError {
    PictureError::Corrupt {
        reason: error.to_string(),
    }
}

/// Turns libjpeg's fatal errors, which unwind with their message past the panic hook, into errors.
fn unwinding<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map_or("libjpeg gave up", |message| message);
        Err(PictureError::Corrupt {
            reason: reason.to_owned(),
        })
    })
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

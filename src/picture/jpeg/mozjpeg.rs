//! C's libjpeg, from the crate `mozjpeg`, for all pictures that are not plainly sound.
//!
//! Warnings are ignored. Like Pillow, which feeds the decoder until the file ends, this takes a
//! picture whose data ran out before the last row for truncated, although libjpeg would fill it
//! with gray. Pillow's libjpeg computes with vector instructions, whose overflow differs from plain
//! C's on absurd coefficients, as damage makes them: for the same pixels there, too, libjpeg must
//! be built with nasm at hand.

use std::any::Any;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{channels, to_rgb};
use crate::picture::{Colour, PictureError, Rgb, Room};
use crate::util::panics;

/// Decodes to RGB whatever Pillow would read.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb, room: &mut Room) -> Result<(), PictureError> {
    let ran_out = AtomicBool::new(false);
    let mut decoded = None;
    // Fatal errors unwind with their message, past the panic hook.
    let finished = panics::catch_payload(|| {
        let mut started = Started::new(bytes, &ran_out, room)?;
        let samples = started.libjpeg.read_scanlines::<u8>().map_err(corrupt)?;
        if ran_out.load(Ordering::Relaxed) {
            return Err(PictureError::Truncated);
        }
        decoded = Some((started.size, started.colour, samples));
        started.libjpeg.finish().map_err(corrupt)
    });
    let finished = finished.unwrap_or_else(|payload| Err(fatal(&*payload)));
    let ran_out = ran_out.load(Ordering::Relaxed);
    // What follows the last row must be sound, too, unless it is missing.
    if let Err(error) = finished
        && !(decoded.is_some() && ran_out)
    {
        let cut = ran_out && matches!(error, PictureError::Corrupt { .. });
        return Err(if cut { PictureError::Truncated } else { error });
    }
    let whole = |(size, colour, samples): &((usize, usize), Colour, Vec<u8>)| {
        samples.len() == size.0 * size.1 * channels(*colour)
    };
    let Some(((width, height), colour, samples)) = decoded.filter(whole) else {
        return Err(PictureError::Truncated);
    };
    (out.width, out.height) = (width, height);
    to_rgb(colour, samples, &mut out.pixels);
    Ok(())
}

/// Finds out whether libjpeg takes the headers and tables before the coded data of the first scan.
/// No pixel is decoded, so that this costs next to nothing on a sequential picture. Fatal errors are
/// panics; the caller catches them.
pub(super) fn check_header(bytes: &[u8], room: &mut Room) -> Result<(), PictureError> {
    Started::new(bytes, &AtomicBool::new(false), room).map(drop)
}

/// A decoder that is ready for the first row.
struct Started<'a> {
    libjpeg: mozjpeg::decompress::DecompressStarted<Input<'a>>,
    size: (usize, usize),
    colour: Colour,
}

impl<'a> Started<'a> {
    fn new(
        bytes: &'a [u8],
        ran_out: &'a AtomicBool,
        room: &mut Room,
    ) -> Result<Self, PictureError> {
        let input = Input {
            rest: bytes,
            ran_out,
        };
        let decoder = mozjpeg::Decompress::new_reader(input).map_err(corrupt)?;
        let size = decoder.size();
        let colour = Colour::of_jpeg(decoder.components().len())?;
        room.take(size.0, size.1)?;
        let space = match colour {
            Colour::Gray => mozjpeg::ColorSpace::JCS_GRAYSCALE,
            Colour::Rgb => mozjpeg::ColorSpace::JCS_RGB,
            Colour::Cmyk => mozjpeg::ColorSpace::JCS_CMYK,
        };
        Ok(Self {
            libjpeg: decoder.to_colorspace(space).map_err(corrupt)?,
            size,
            colour,
        })
    }
}

fn corrupt(error: io::Error) -> PictureError {
    PictureError::Corrupt {
        reason: error.to_string(),
    }
}

/// What libjpeg said when it gave up.
fn fatal(payload: &(dyn Any + Send)) -> PictureError {
    let message = payload.downcast_ref::<String>();
    PictureError::Corrupt {
        reason: message.map_or("libjpeg gave up".into(), Clone::clone),
    }
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

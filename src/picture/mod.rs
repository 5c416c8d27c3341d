//! Pictures: from the bytes of a file to the square of pixels that a model takes.
//!
//! Equal to Pillow 11 and torchvision, byte for byte: decode, drop alpha, resize the short side, or
//! both (antialiased, horizontal pass first), crop the centre. The format is told by content, never by
//! a file's name. Nothing here reads files.

mod axis;
mod convert;
mod error;
mod header;
mod jpeg;
mod native;
mod pixels;
/// What a model expects of its pictures, as plain data.
pub mod preprocessing;
mod raster;
mod resize;
mod strip;

pub use error::PictureError;
pub use header::{Colour, Header, header};

use crate::picture::preprocessing::{Interpolation, ResizeMode};
use crate::util::panics;
use crate::util::semaphore::{Permit, Semaphore};
use jpeg::{Jpeg, Output};
use pixels::{Kind, Pixels};
use resize::{Resize, Side};
use strip::Window;

/// Pixels that a picture may declare. Pillow refuses more as a decompression bomb.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Pixels that all threads together decode at once: those of one picture at the limit.
static DECODED: Semaphore = Semaphore::new(MAX_PIXELS);

/// A picture's share of the memory for decoded pixels, from when its size is known.
#[derive(Debug, Default)]
struct Room(Option<Permit<'static>>);

impl Room {
    /// Refuses a declared size that is too large, and waits until a picture of that size can be
    /// decoded beside those that are being decoded. Decoders call it before they allocate.
    fn take(&mut self, width: usize, height: usize) -> Result<(), PictureError> {
        check_size(width, height)?;
        // What it had returns first: nobody waits for others with memory in hand.
        self.0 = None;
        self.0 = Some(DECODED.acquire(width as u64 * height as u64));
        Ok(())
    }
}

/// Decoded bytes that are kept for the next picture.
const KEPT: usize = 64 << 20;

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub struct Scratch {
    decoded: Pixels,
    jpeg: jpeg::Memory,
    resize: resize::Scratch,
}

impl Scratch {
    /// Lets go of what a huge picture needed, which few others do.
    fn shrink(&mut self) {
        if self.decoded.bytes() + self.jpeg.bytes() > KEPT {
            *self = Self::default();
        }
    }
}

/// Turns encoded pictures into crops of one size.
#[derive(Debug, Clone, Copy)]
pub struct Preprocessor {
    size: usize,
    interpolation: Interpolation,
    resize: ResizeMode,
    border: usize,
    resize_first: bool,
}

impl Preprocessor {
    /// `size` is the side of the crop, in pixels.
    pub fn new(size: usize, interpolation: Interpolation) -> Self {
        Self {
            size,
            interpolation,
            resize: ResizeMode::Shortest,
            border: 0,
            resize_first: false,
        }
    }

    /// The same, with another way to make pictures square.
    #[must_use]
    pub fn resizing(self, resize: ResizeMode) -> Self {
        Self { resize, ..self }
    }

    /// The same, for pictures whose outermost pixels on each side do not belong to them: they are
    /// cut off before anything else.
    #[must_use]
    pub fn without_border(self, border: usize) -> Self {
        Self { border, ..self }
    }

    /// The same, for pictures that are resized before they become RGB, as the demos of CLIP do it and
    /// evaluations do not. That differs for palettes, bits, alpha and inks.
    #[must_use]
    pub fn resizing_first(self) -> Self {
        Self {
            resize_first: true,
            ..self
        }
    }

    /// Bytes of one crop: `size * size * 3`.
    pub fn crop_bytes(&self) -> usize {
        self.size * self.size * 3
    }

    /// Decodes, resizes and crops one picture into `out`: rows, columns, then R, G, B.
    ///
    /// # Errors
    /// When the bytes are no picture, or one that Pillow would refuse.
    ///
    /// # Panics
    /// When `out` does not have [`crop_bytes`](Self::crop_bytes) bytes.
    pub fn crop(
        &self,
        bytes: &[u8],
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), PictureError> {
        assert_eq!(out.len(), self.crop_bytes());
        let mut room = Room::default();
        let result = guarded(|| self.decode_and_crop(bytes, out, scratch, &mut room));
        scratch.shrink();
        result
    }

    fn decode_and_crop(
        &self,
        bytes: &[u8],
        out: &mut [u8],
        scratch: &mut Scratch,
        room: &mut Room,
    ) -> Result<(), PictureError> {
        if jpeg::is_jpeg(bytes) {
            let jpeg = Jpeg::open(bytes)?;
            let (width, height) = jpeg.size();
            room.take(width, height)?;
            if !(self.resize_first && jpeg.has_inks()) {
                return self.crop_jpeg(jpeg, out, scratch);
            }
            decode_inks(jpeg, &mut scratch.decoded, &mut scratch.jpeg)?;
        } else {
            decode(bytes, &mut scratch.decoded, room)?;
        }
        let decoded = &mut scratch.decoded;
        let (width, height) = (decoded.width, decoded.height);
        if self.resize_first && self.border == 0 {
            let sides = self.sides(width, height)?;
            native::crop(decoded, sides, self.interpolation, &mut scratch.resize, out);
            return Ok(());
        }
        decoded.convert();
        let (columns, rows) = self.sides(width, height)?;
        let resize = Resize::new(columns, rows, self.interpolation, &mut scratch.resize);
        let border = self.border * 3;
        resize.pixels(&decoded.colours[border * (width + 1)..], width, out);
        Ok(())
    }

    /// Decodes of a JPEG what the crop is made of.
    fn crop_jpeg(
        &self,
        jpeg: Jpeg<'_>,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), PictureError> {
        let (width, height) = jpeg.size();
        let (width, height) = self.sides(width, height)?;
        let mut resize = Resize::new(width, height, self.interpolation, &mut scratch.resize);
        let Window { columns, rows } = resize.window();
        let border = self.border;
        let window = Window {
            columns: columns.start + border..columns.end + border,
            rows: rows.start + border..rows.end + border,
        };
        let mut rows = resize.rows(border);
        jpeg.decode(Output::Rgb, Some((window, &mut rows)), &mut scratch.jpeg)?;
        resize.finish(out);
        Ok(())
    }

    /// Both sides of a picture of that size, without its border, and what is to become of them.
    fn sides(&self, width: usize, height: usize) -> Result<(Side, Side), PictureError> {
        let border = self.border;
        if width.min(height) <= 2 * border {
            return Err(PictureError::Corrupt {
                reason: format!(
                    "its {width} x {height} pixels are all border, of {border} on each side"
                ),
            });
        }
        let (width, height) = (width - 2 * border, height - 2 * border);
        let (new_width, new_height) = self.resized(width, height);
        let side = |input, output| Side {
            input,
            output,
            keep: self.centre(output),
        };
        Ok((side(width, new_width), side(height, new_height)))
    }

    /// Size after resizing. By the shortest side, that becomes `size` and the long side keeps the
    /// proportion, rounded down (torchvision's `Resize`).
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        if self.resize == ResizeMode::Squash {
            return (self.size, self.size);
        }
        let long =
            |long: usize, short: usize| ((self.size as f64 * long as f64) / short as f64) as usize;
        if width <= height {
            (self.size, long(height, width))
        } else {
            (long(width, height), self.size)
        }
    }

    /// The part of a resized side that the crop keeps (torchvision's `CenterCrop`, which rounds
    /// halves to even).
    fn centre(&self, side: usize) -> std::ops::Range<usize> {
        let start = ((side - self.size) as f64 / 2.0).round_ties_even() as usize;
        start..start + self.size
    }
}

/// Decodes a picture and lets it go: whether it can be read.
///
/// # Errors
/// As [`Preprocessor::crop`].
pub fn check(bytes: &[u8], scratch: &mut Scratch) -> Result<(), PictureError> {
    let mut room = Room::default();
    let result = if jpeg::is_jpeg(bytes) {
        guarded(|| {
            let jpeg = Jpeg::open(bytes)?;
            let (width, height) = jpeg.size();
            room.take(width, height)?;
            jpeg.decode(Output::Rgb, None, &mut scratch.jpeg)
        })
    } else {
        decode(bytes, &mut scratch.decoded, &mut room)
    };
    scratch.shrink();
    result
}

/// Takes a decoder that panics for a damaged picture.
fn guarded<T>(decode: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    panics::catch(decode).unwrap_or_else(|| Err(PictureError::failed_decoder()))
}

/// Decodes the inks of a whole JPEG.
fn decode_inks(
    jpeg: Jpeg<'_>,
    out: &mut Pixels,
    memory: &mut jpeg::Memory,
) -> Result<(), PictureError> {
    let (width, height) = jpeg.size();
    let pixels = jpeg.corner(Output::Inks, (width, height), memory)?;
    out.begin(width, height, Kind::Inks);
    out.split(&pixels);
    Ok(())
}

/// Decodes what is no JPEG.
fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    guarded(|| raster::decode(bytes, out, room))
}

/// Refuses a declared size before anything of that size is allocated.
fn check_size(width: usize, height: usize) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::Corrupt {
            reason: format!("it declares {width} x {height} pixels"),
        });
    }
    if (width as u64).saturating_mul(height as u64) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(())
}

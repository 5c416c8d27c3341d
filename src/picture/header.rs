//! The header of a picture: its format and size, without decoding it.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader};

use super::{PictureError, check_size, jpeg, raster};
use crate::util::panics;

/// What the beginning of a picture's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// As its content says, whatever the file is called.
    pub format: ImageFormat,
    pub width: usize,
    pub height: usize,
    pub colour: Colour,
    /// Whether EXIF asks for it to be shown turned or mirrored. Models get it as it is stored.
    pub turned: bool,
}

/// How a picture's colours are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Gray,
    Rgb,
    Cmyk,
}

impl Colour {
    /// Of a JPEG with so many components. Pillow reads one, three and four.
    pub(super) fn of_jpeg(components: usize) -> Result<Self, PictureError> {
        match components {
            1 => Ok(Self::Gray),
            3 => Ok(Self::Rgb),
            4 => Ok(Self::Cmyk),
            n => Err(PictureError::Unsupported {
                what: format!("a JPEG of {n} components"),
            }),
        }
    }
}

/// Reads a picture's header. `bytes` may be the beginning of the file only.
///
/// # Errors
/// When it is no picture, its header is damaged, or not in `bytes`.
pub fn header(bytes: &[u8]) -> Result<Header, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let header = if jpeg::is_jpeg(bytes) {
        of_jpeg(bytes)?
    } else {
        panics::catch(|| of_others(bytes)).unwrap_or_else(|| Err(PictureError::failed_decoder()))?
    };
    check_size(header.width, header.height)?;
    Ok(header)
}

fn of_jpeg(bytes: &[u8]) -> Result<Header, PictureError> {
    let frame = jpeg::frame(bytes).ok_or(PictureError::Truncated)?;
    Ok(Header {
        format: ImageFormat::Jpeg,
        width: frame.width,
        height: frame.height,
        colour: Colour::of_jpeg(frame.components)?,
        turned: frame.exif.is_some_and(is_turned),
    })
}

fn of_others(bytes: &[u8]) -> Result<Header, PictureError> {
    let format = raster::format(bytes)?;
    if format == ImageFormat::Tiff {
        let (width, height, colour) = raster::tiff::header(bytes)?;
        return Ok(Header {
            format,
            width,
            height,
            colour,
            // Those that are to be turned are refused.
            turned: false,
        });
    }
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(raster::convert_error)?;
    let (width, height) = decoder.dimensions();
    let colour = if decoder.color_type().has_color() {
        Colour::Rgb
    } else {
        Colour::Gray
    };
    let exif = decoder.exif_metadata().ok().flatten();
    Ok(Header {
        format,
        width: width as usize,
        height: height as usize,
        colour,
        turned: exif.is_some_and(|exif| is_turned(&exif)),
    })
}

fn is_turned(exif: &[u8]) -> bool {
    let orientation = Orientation::from_exif_chunk(exif);
    orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

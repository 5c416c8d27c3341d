//! What a picture says of itself, without decoding it.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader};

use super::jpeg::header;
use super::{PictureError, check_size};
use crate::util::panics;

/// What the beginning of a picture's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
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

/// Reads a picture's header. `bytes` may be the beginning of the file only.
///
/// # Errors
/// When it is no picture, its header is damaged, or not in `bytes`.
pub fn facts(bytes: &[u8]) -> Result<Facts, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let facts = panics::catch(|| {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            of_jpeg(bytes)
        } else {
            of_others(bytes)
        }
    });
    let facts = facts.unwrap_or_else(|| {
        Err(PictureError::Corrupt {
            reason: "its decoder failed".into(),
        })
    })?;
    check_size(facts.width, facts.height)?;
    Ok(facts)
}

fn of_jpeg(bytes: &[u8]) -> Result<Facts, PictureError> {
    let header = header(bytes).ok_or(PictureError::Truncated)?;
    let colour = match header.components {
        1 => Colour::Gray,
        3 => Colour::Rgb,
        4 => Colour::Cmyk,
        n => {
            return Err(PictureError::Unsupported {
                what: format!("a JPEG of {n} components"),
            });
        }
    };
    Ok(Facts {
        format: ImageFormat::Jpeg,
        width: header.width,
        height: header.height,
        colour,
        turned: header.exif.is_some_and(is_turned),
    })
}

fn of_others(bytes: &[u8]) -> Result<Facts, PictureError> {
    let Ok(format) = image::guess_format(bytes) else {
        return Err(PictureError::not_a_picture(bytes));
    };
    let corrupt = |e: image::ImageError| PictureError::Corrupt {
        reason: e.to_string(),
    };
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(corrupt)?;
    let (width, height) = decoder.dimensions();
    let colour = match decoder.color_type().has_color() {
        true => Colour::Rgb,
        false => Colour::Gray,
    };
    let exif = decoder.exif_metadata().ok().flatten();
    Ok(Facts {
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

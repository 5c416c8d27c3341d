//! All formats but JPEG, mostly through the `image` crate, converted as Pillow's `convert("RGB")`
//! does.

mod gif;
mod variants;
mod words;

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};

use super::{PictureError, Rgb, Room};

/// Bytes that a decoder may need whatever the picture's size.
const SLACK: u64 = 16 << 20;

/// Decodes PNG, WebP, BMP, GIF (of animations the first frame), PNM or TIFF to RGB.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb, room: &mut Room) -> Result<(), PictureError> {
    let Ok(format) = image::guess_format(bytes) else {
        return Err(PictureError::not_a_picture(bytes));
    };
    if format == ImageFormat::Gif {
        return gif::decode(bytes, out, room);
    }
    variants::check(bytes, format)?;
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) = reader().into_dimensions().map_err(convert_error)?;
    room.take(width as usize, height as usize)?;
    let mut reader = reader();
    let mut limits = Limits::default();
    // Eight bytes a pixel (16-bit RGBA), twice: the picture and the decoder's own copy.
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * 16 + SLACK);
    reader.limits(limits);
    let image = reader.decode().map_err(convert_error)?;
    (out.width, out.height) = (image.width() as usize, image.height() as usize);
    let pixels = &mut out.pixels;
    pixels.clear();
    // Alpha is dropped, not blended, and of 16 bits the high byte is kept.
    match image {
        DynamicImage::ImageLuma8(image) => pixels.extend(image.iter().flat_map(|v| [*v; 3])),
        DynamicImage::ImageLumaA8(image) => pixels.extend(image.pixels().flat_map(|p| [p[0]; 3])),
        DynamicImage::ImageRgb8(image) => *pixels = image.into_raw(),
        DynamicImage::ImageRgba8(image) => {
            pixels.extend(image.pixels().flat_map(|p| [p[0], p[1], p[2]]));
        }
        // Pillow clips 16-bit gray instead of scaling it.
        DynamicImage::ImageLuma16(image) => {
            pixels.extend(image.iter().flat_map(|v| [(*v).min(255) as u8; 3]));
        }
        // Gray with one transparent value is still gray to Pillow, so that it is clipped, too.
        DynamicImage::ImageLumaA16(image) if is_png_gray(bytes) => {
            pixels.extend(image.pixels().flat_map(|p| [p[0].min(255) as u8; 3]));
        }
        DynamicImage::ImageLumaA16(image) => {
            pixels.extend(image.pixels().flat_map(|p| [high(p[0]); 3]));
        }
        DynamicImage::ImageRgb16(image) => pixels.extend(image.iter().map(|v| high(*v))),
        DynamicImage::ImageRgba16(image) => {
            pixels.extend(
                image
                    .pixels()
                    .flat_map(|p| [high(p[0]), high(p[1]), high(p[2])]),
            );
        }
        other => {
            return Err(PictureError::Unsupported {
                what: format!("the pixel type {:?}", other.color()),
            });
        }
    }
    Ok(())
}

/// Whether the header of a PNG says gray without alpha.
fn is_png_gray(bytes: &[u8]) -> bool {
    const COLOUR_TYPE: usize = 25;
    bytes.starts_with(b"\x89PNG") && bytes.get(COLOUR_TYPE) == Some(&0)
}

/// The part of a 16-bit value that Pillow keeps.
fn high(value: u16) -> u8 {
    (value >> 8) as u8
}

fn convert_error(error: ImageError) -> PictureError {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        ImageError::Unsupported(e) => PictureError::Unsupported {
            what: words::unsupported(&e),
        },
        e => PictureError::Corrupt {
            reason: words::damage(&e),
        },
    }
}

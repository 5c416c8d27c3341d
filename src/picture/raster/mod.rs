//! All formats but JPEG, converted as Pillow's `convert("RGB")` does.

mod gif;
mod png;
mod pnm;
pub(super) mod tiff;
mod words;

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};

use super::pixels::{Kind, Pixels};
use super::{PictureError, Room};

/// Bytes that a decoder may need whatever the picture's size.
const SLACK: u64 = 16 << 20;

/// Decodes PNG, WebP, BMP, GIF (of animations the first frame), PNM or TIFF.
pub(super) fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    if png::is_png(bytes) {
        return png::decode(bytes, out, room);
    }
    match format(bytes)? {
        ImageFormat::Gif => gif::decode(bytes, out, room),
        ImageFormat::Tiff => tiff::decode(bytes, out, room),
        ImageFormat::Pnm if pnm::decode(bytes, out, room)? => Ok(()),
        ImageFormat::WebP => {
            check_webp(bytes)?;
            decode_by_image(bytes, ImageFormat::WebP, out, room)
        }
        ImageFormat::Bmp => {
            let bytes = check_bmp(bytes)?;
            decode_by_image(&bytes, ImageFormat::Bmp, out, room)
        }
        format => decode_by_image(bytes, format, out, room),
    }
}

/// The format of a file, when it is one of those that are read.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    let unsupported = |name: &str| PictureError::Unsupported {
        what: format!("the format {name}"),
    };
    if bytes.starts_with(b"\0\0\0\x0cjP  ") || bytes.starts_with(b"\xff\x4f\xff\x51") {
        return Err(unsupported("JPEG 2000"));
    }
    if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
        return Ok(ImageFormat::Tiff);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        let brand = bytes.get(8..12).unwrap_or_default();
        return Err(match brand {
            b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" => unsupported("HEIF"),
            b"avif" | b"avis" => unsupported("AVIF"),
            _ => PictureError::not_a_picture(bytes),
        });
    }
    match image::guess_format(bytes) {
        Ok(
            known @ (ImageFormat::Png
            | ImageFormat::Gif
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Pnm
            | ImageFormat::Tiff),
        ) => Ok(known),
        Ok(other) => Err(unsupported(match other {
            ImageFormat::Tga => "TGA",
            ImageFormat::Dds => "DDS",
            ImageFormat::Ico => "ICO",
            ImageFormat::Hdr => "Radiance HDR",
            ImageFormat::OpenExr => "OpenEXR",
            ImageFormat::Farbfeld => "farbfeld",
            ImageFormat::Avif => "AVIF",
            ImageFormat::Qoi => "QOI",
            _ => "of this file",
        })),
        Err(_) => Err(PictureError::not_a_picture(bytes)),
    }
}

fn decode_by_image(
    bytes: &[u8],
    format: ImageFormat,
    out: &mut Pixels,
    room: &mut Room,
) -> Result<(), PictureError> {
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) = reader().into_dimensions().map_err(convert_error)?;
    room.take(width as usize, height as usize)?;
    let mut reader = reader();
    let mut limits = Limits::default();
    // Eight bytes a pixel (16-bit RGBA), twice: the picture and the decoder's own copy.
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * 16 + SLACK);
    reader.limits(limits);
    let image = reader.decode().map_err(convert_error)?;
    let kind = match (format, image.color().has_alpha()) {
        (ImageFormat::WebP, true) => Kind::Alpha,
        (ImageFormat::Bmp, _) if has_steps(bytes) => Kind::Steps,
        (ImageFormat::Pnm, _) if matches!(bytes.get(1), Some(b'1' | b'4')) => Kind::Steps,
        _ => Kind::Colours,
    };
    out.begin(image.width() as usize, image.height() as usize, kind);
    let colours = &mut out.colours;
    match image {
        DynamicImage::ImageLuma8(image) => colours.extend(image.iter().flat_map(|v| [*v; 3])),
        DynamicImage::ImageRgb8(image) => *colours = image.into_raw(),
        DynamicImage::ImageRgba8(image) => out.split(image.as_raw()),
        // Pillow clips 16-bit gray instead of scaling it.
        DynamicImage::ImageLuma16(image) => {
            colours.extend(image.iter().flat_map(|v| [(*v).min(255) as u8; 3]));
        }
        other => {
            return Err(PictureError::Unsupported {
                what: format!("the pixel type {:?}", other.color()),
            });
        }
    }
    Ok(())
}

/// To Pillow a file that is shorter than it declares is truncated, whatever is missing.
fn check_webp(bytes: &[u8]) -> Result<(), PictureError> {
    let declared = bytes.get(4..).and_then(|rest| rest.first_chunk());
    match declared.map(|size| u32::from_le_bytes(*size)) {
        Some(size) if size as usize <= bytes.len() - 8 => Ok(()),
        _ => Err(PictureError::Truncated),
    }
}

/// Refuses the bit depths that Pillow scales in its own way. The number of planes, which nobody but
/// the decoder looks at, becomes one.
fn check_bmp(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PictureError> {
    let header = bytes.get(..34).ok_or(PictureError::Truncated)?;
    let [bits, compression] = [header[28], header[30]];
    if !matches!((bits, compression), (1 | 4 | 8 | 24 | 32, 0) | (32, 3)) || header[14] < 40 {
        return Err(PictureError::Unsupported {
            what: format!("a BMP of {bits} bits a pixel with compression {compression}"),
        });
    }
    if header[26..28] == [1, 0] {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut changed = bytes.to_vec();
    changed[26..28].copy_from_slice(&[1, 0]);
    Ok(Cow::Owned(changed))
}

/// Whether a BMP's pixels are bits, or entries of a palette that is more than grays in order.
fn has_steps(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..54) else {
        return false;
    };
    let bits = header[28];
    let used = u32::from_le_bytes([header[46], header[47], header[48], header[49]]) as usize;
    let colours = if used == 0 {
        1 << bits.min(8)
    } else {
        used.min(256)
    };
    let palette = bytes
        .get(14 + usize::from(header[14])..)
        .unwrap_or_default();
    let (palette, _) = palette.as_chunks::<4>();
    let grays = palette.iter().take(colours).enumerate();
    bits == 1
        || (bits <= 8
            && !grays
                .into_iter()
                .all(|(i, [b, g, r, _])| [*b, *g, *r] == [i as u8; 3]))
}

pub(super) fn convert_error(error: ImageError) -> PictureError {
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

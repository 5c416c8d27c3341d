//! TIFF through the crate `tiff`, with Pillow's modes. What would not be Pillow's pixels is refused.
//!
//! Source: `OPEN_INFO` of Pillow 11's `TiffImagePlugin.py`.

mod parts;
mod tags;

use std::borrow::Cow;
use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::{TiffError, TiffFormatError};

use super::SLACK;
use crate::picture::pixels::{Kind, Pixels};
use crate::picture::{Colour, PictureError, Room};
use tags::Tags;

/// Gray with 0 as white or black, colours, palettes, inks.
const WHITE_IS_ZERO: u32 = 0;
const BLACK_IS_ZERO: u32 = 1;
const RGB: u32 = 2;
const PALETTE: u32 = 3;
const INKS: u32 = 5;
const YCBCR: u32 = 6;

/// Who decodes the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// The crate `tiff`.
    OfCrate,
    Jpeg,
    /// Group 3 in one dimension.
    Fax,
}

/// What the samples of a picture are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    photometric: u32,
    bits: u32,
    samples: usize,
    /// 1 unsigned, 2 signed, 3 floating point.
    format: u32,
    coding: Coding,
}

/// Width, height and colours of a TIFF.
pub(in crate::picture) fn header(bytes: &[u8]) -> Result<(usize, usize, Colour), PictureError> {
    let tags = Tags::read(bytes)?;
    let layout = layout(&tags)?;
    let colour = match layout.photometric {
        INKS => Colour::Cmyk,
        RGB | PALETTE | YCBCR => Colour::Rgb,
        _ => Colour::Gray,
    };
    Ok((tags.width()?, tags.height()?, colour))
}

/// Decodes the first picture of a TIFF.
pub(super) fn decode(bytes: &[u8], out: &mut Pixels, room: &mut Room) -> Result<(), PictureError> {
    let tags = Tags::read(bytes)?;
    let layout = layout(&tags)?;
    let (width, height) = (tags.width()?, tags.height()?);
    room.take(width, height)?;
    if layout.coding != Coding::OfCrate {
        let kind = if layout.coding == Coding::Fax {
            Kind::Steps
        } else {
            Kind::Colours
        };
        out.begin(width, height, kind);
        out.colours = parts::decode(bytes, &tags, layout)?;
        return Ok(());
    }
    // The crate knows no palettes, and turns wide grays around, which Pillow does not.
    let narrow_gray = layout.photometric == WHITE_IS_ZERO && layout.bits <= 8;
    let as_gray = matches!(layout.photometric, WHITE_IS_ZERO | PALETTE) && !narrow_gray;
    let bytes = if as_gray {
        tags.with_photometric(bytes, BLACK_IS_ZERO as u16)
    } else {
        Cow::Borrowed(bytes)
    };
    let mut limits = Limits::default();
    limits.decoding_buffer_size = width * height * layout.samples * 8 + SLACK as usize;
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    let decoder = Decoder::new(Cursor::new(&*bytes)).map_err(convert_error)?;
    let values = decoder.with_limits(limits).read_image();
    let values = bytes_of(values.map_err(convert_error)?, layout, width)?;
    let expected = width * height * layout.samples;
    if values.len() < expected {
        return Err(PictureError::Truncated);
    }
    let values = &values[..expected];
    let kind = match (layout.photometric, layout.samples) {
        (PALETTE, _) => Kind::Steps,
        (INKS, _) => Kind::Inks,
        (RGB, 4) | (_, 2) => Kind::Alpha,
        _ if layout.bits == 1 => Kind::Steps,
        _ => Kind::Colours,
    };
    out.begin(width, height, kind);
    match (layout.photometric, layout.samples) {
        (PALETTE, _) => {
            let colours = tags.palette(layout.bits)?;
            let black = [0; 3];
            let pixels = values
                .iter()
                .map(|v| colours.get(usize::from(*v)).unwrap_or(&black));
            out.colours.extend(pixels.flatten());
        }
        (_, 4) => out.split(values),
        (_, 3) => out.colours.extend_from_slice(values),
        (_, 2) => {
            let (pixels, _) = values.as_chunks::<2>();
            out.colours
                .extend(pixels.iter().flat_map(|[gray, _]| [*gray; 3]));
            out.fourth.extend(pixels.iter().map(|[_, alpha]| *alpha));
        }
        _ => out
            .colours
            .extend(values.iter().flat_map(|gray| [*gray; 3])),
    }
    Ok(())
}

/// What the tags say of the samples, when Pillow's pixels are known.
fn layout(tags: &Tags) -> Result<Layout, PictureError> {
    let unsupported = |what: String| Err(PictureError::Unsupported { what });
    let compression = tags.first(tags::COMPRESSION).unwrap_or(1);
    let name = match compression {
        // None, fax 4, LZW, deflate (two numbers), PackBits.
        1 | 4 | 5 | 7 | 8 | 32946 | 32773 => None,
        2 => Some("CCITT run lengths"),
        3 if tags.first(tags::FAX_OPTIONS).unwrap_or(0) & 1 == 0 => None,
        3 => Some("CCITT fax group 3 in two dimensions"),
        6 => Some("JPEG of the old kind"),
        34712 => Some("JPEG 2000"),
        34925 => Some("LZMA"),
        50000 => Some("Zstandard"),
        50001 => Some("WebP"),
        _ => Some("of an unknown kind"),
    };
    if let Some(name) = name {
        return unsupported(format!("a TIFF with the compression {name}"));
    }
    let layout = Layout {
        photometric: tags.first(tags::PHOTOMETRIC).unwrap_or(WHITE_IS_ZERO),
        bits: tags.first(tags::BITS).unwrap_or(1),
        samples: tags.first(tags::SAMPLES).unwrap_or(1) as usize,
        format: tags.first(tags::FORMAT).unwrap_or(1),
        coding: match compression {
            3 => Coding::Fax,
            7 => Coding::Jpeg,
            _ => Coding::OfCrate,
        },
    };
    for (tag, what) in [
        (tags::ORIENTATION, "a TIFF that is to be turned"),
        (tags::PLANES, "a TIFF of separate planes"),
        (tags::FILL_ORDER, "a TIFF whose bits stand in reverse order"),
    ] {
        if tags.first(tag).unwrap_or(1) != 1 {
            return unsupported(what.into());
        }
    }
    let extra = tags.first(tags::EXTRA).unwrap_or(0);
    let kind = (layout.photometric, layout.samples, layout.bits);
    let known = match kind {
        _ if layout.coding == Coding::Jpeg => {
            layout.format == 1 && matches!(kind, (BLACK_IS_ZERO, 1, 8) | (RGB | YCBCR, 3, 8))
        }
        _ if layout.coding == Coding::Fax => {
            matches!(kind, (WHITE_IS_ZERO | BLACK_IS_ZERO, 1, 1))
        }
        (WHITE_IS_ZERO | BLACK_IS_ZERO, 1, 1 | 2 | 4 | 8 | 16) => layout.format == 1,
        (WHITE_IS_ZERO | BLACK_IS_ZERO, 1, 32) => matches!(layout.format, 1..=3),
        (BLACK_IS_ZERO, 2, 8) | (RGB, 3 | 4, 8 | 16) => layout.format == 1 && extra != 1,
        (PALETTE, 1, 1 | 2 | 4 | 8) | (INKS, 4, 8 | 16) => layout.format == 1,
        _ => false,
    };
    if !known {
        let space = match layout.photometric {
            WHITE_IS_ZERO | BLACK_IS_ZERO => "gray",
            RGB => "RGB",
            PALETTE => "palette",
            INKS => "CMYK",
            YCBCR => "YCbCr",
            8..=10 => "CIELAB",
            _ => "unknown",
        };
        let kind = match layout.format {
            1 => "unsigned",
            2 => "signed",
            3 => "floating-point",
            _ => "unknown",
        };
        let alpha = if extra == 1 {
            ", multiplied by alpha"
        } else {
            ""
        };
        return unsupported(format!(
            "a TIFF of {} {kind} samples of {} bits, colours {space}{alpha},",
            layout.samples, layout.bits
        ));
    }
    Ok(layout)
}

/// One byte for each sample, as `convert("RGB")` makes them.
fn bytes_of(values: DecodingResult, layout: Layout, width: usize) -> Result<Vec<u8>, PictureError> {
    let wide_gray = layout.samples == 1;
    match values {
        DecodingResult::U8(values) if layout.bits < 8 => Ok(unpack(&values, layout, width)),
        DecodingResult::U8(values) => Ok(values),
        // Gray is clipped; of others the high byte is kept.
        DecodingResult::U16(values) if wide_gray => Ok(values
            .into_iter()
            .map(|value| value.min(255) as u8)
            .collect()),
        DecodingResult::U16(values) => {
            Ok(values.into_iter().map(|value| (value >> 8) as u8).collect())
        }
        // To Pillow they are signed.
        DecodingResult::U32(values) => {
            let signed = values.into_iter().map(u32::cast_signed);
            Ok(signed.map(|value| value.clamp(0, 255) as u8).collect())
        }
        DecodingResult::I32(values) => Ok(values
            .into_iter()
            .map(|value| value.clamp(0, 255) as u8)
            .collect()),
        // A cast cuts the fraction off, and stops at both ends.
        DecodingResult::F32(values) => Ok(values.into_iter().map(|value| value as u8).collect()),
        _ => Err(PictureError::Unsupported {
            what: "this kind of TIFF".into(),
        }),
    }
}

/// Samples of few bits, row by row. Grays become 0 to 255.
fn unpack(packed: &[u8], layout: Layout, width: usize) -> Vec<u8> {
    let bits = layout.bits as usize;
    let most = (1u8 << bits) - 1;
    let scale = if layout.photometric == PALETTE {
        1
    } else {
        255 / most
    };
    let rows = packed.chunks((width * bits).div_ceil(8));
    let row = |row: &[u8]| {
        let value = |x: usize| {
            row.get(x * bits / 8)
                .map(|byte| byte >> (8 - bits - x * bits % 8))
        };
        let values = (0..width)
            .map_while(value)
            .map(|value| (value & most) * scale);
        values.collect::<Vec<u8>>()
    };
    rows.flat_map(row).collect()
}

fn convert_error(error: TiffError) -> PictureError {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        TiffError::UnsupportedError(e) => PictureError::Unsupported {
            what: format!("a TIFF with {e}"),
        },
        TiffError::LimitsExceeded => PictureError::Corrupt {
            reason: "it declares more data than its pixels need".into(),
        },
        TiffError::FormatError(TiffFormatError::InconsistentSizesEncountered) => {
            PictureError::Corrupt {
                reason: "its sizes contradict each other".into(),
            }
        }
        e => PictureError::Corrupt {
            reason: e.to_string(),
        },
    }
}

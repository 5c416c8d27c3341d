//! The decoder in Rust, `libjpeg-turbo-rs`, for sound pictures: anything odd is an error.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::{channels, to_rgb};
use crate::picture::{Colour, PictureError, Rgb, check_size};

/// Decodes to RGB, or says that the other decoder is to try.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
    let corrupt = |e: JpegError| PictureError::Corrupt {
        reason: e.to_string(),
    };
    let mut decoder = Decoder::new_with_limits(bytes, DecodeLimits::default()).map_err(corrupt)?;
    let header = decoder.header();
    let (width, height) = (usize::from(header.width), usize::from(header.height));
    let colour = Colour::of_jpeg(header.components.len())?;
    check_size(width, height)?;
    decoder.set_stop_on_warning(true);
    decoder.set_output_format(match colour {
        Colour::Gray => PixelFormat::Grayscale,
        Colour::Rgb => PixelFormat::Rgb,
        Colour::Cmyk => PixelFormat::Cmyk,
    });
    let expected = width * height * channels(colour);
    let mut others = Vec::new();
    let samples = match colour {
        Colour::Rgb => &mut out.pixels,
        Colour::Gray | Colour::Cmyk => &mut others,
    };
    samples.resize(expected, 0);
    let image = decoder.decode_image_into(samples).map_err(corrupt)?;
    if (image.width, image.height, image.bytes_written) != (width, height, expected) {
        return Err(PictureError::Corrupt {
            reason: "its size is not the declared one".into(),
        });
    }
    (out.width, out.height) = (width, height);
    if colour != Colour::Rgb {
        to_rgb(colour, others, &mut out.pixels);
    }
    Ok(())
}

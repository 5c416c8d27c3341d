//! The decoder in Rust, for sound pictures: anything odd is an error.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::Components;
use crate::picture::{PictureError, Rgb, check_size};

/// Decodes to RGB, or says that the other decoder is to try.
pub(super) fn decode(bytes: &[u8], out: &mut Rgb) -> Result<(), PictureError> {
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
    let expected = width * height * components.channels();
    let mut inks = Vec::new();
    let samples = match components {
        Components::Rgb => &mut out.pixels,
        Components::Gray | Components::Cmyk => &mut inks,
    };
    samples.resize(expected, 0);
    let image = decoder.decode_image_into(samples).map_err(corrupt)?;
    if (image.width, image.height, image.bytes_written) != (width, height, expected) {
        return Err(PictureError::Corrupt {
            reason: "its size is not the declared one".into(),
        });
    }
    (out.width, out.height) = (width, height);
    match components {
        Components::Rgb => {}
        Components::Gray | Components::Cmyk => components.to_rgb(inks, &mut out.pixels),
    }
    Ok(())
}

//! What the decoders' libraries mean, in words for whoever has the file.

use image::ImageError;
use image::error::{ImageFormatHint, UnsupportedErrorKind};

/// A property of a TIFF, by its tag and the tag's value (TIFF 6.0 and libtiff's registry).
pub(super) fn tiff(tag: u16, value: u16) -> String {
    let named = |what: &str, name: Option<&str>| match name {
        Some(name) => format!("{what} {name}"),
        None => format!("{what} number {value}"),
    };
    let what = match tag {
        258 => format!("{value} bits a sample"),
        259 => named("the compression", tiff_compression(value)),
        262 => named("the colour space", tiff_colours(value)),
        274 => "an orientation that turns it".into(),
        284 => "a plane for each colour".into(),
        338 => "an alpha channel that is multiplied in".into(),
        339 => named("samples that are", tiff_samples(value)),
        _ => format!("the value {value} of tag {tag}"),
    };
    format!("a TIFF with {what}")
}

fn tiff_compression(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "none",
        2 => "CCITT run lengths",
        3 => "CCITT fax (group 3)",
        4 => "CCITT fax (group 4)",
        5 => "LZW",
        6 => "JPEG of the old kind",
        7 => "JPEG",
        8 | 32_946 => "deflate",
        9 | 10 | 34_661 => "JBIG",
        32_773 => "PackBits",
        32_809 => "ThunderScan",
        34_712 => "JPEG 2000",
        34_887 => "LERC",
        34_925 => "LZMA",
        50_000 => "Zstandard",
        50_001 => "WebP",
        50_002 => "JPEG XL",
        _ => return None,
    })
}

fn tiff_colours(value: u16) -> Option<&'static str> {
    Some(match value {
        0 | 1 => "gray",
        2 => "RGB",
        3 => "palette",
        4 => "transparency mask",
        5 => "CMYK",
        6 => "YCbCr",
        8 => "CIELAB",
        9 => "ICCLAB",
        10 => "ITULAB",
        32_803 => "of a camera's sensor",
        32_844 | 32_845 => "LogLuv",
        _ => return None,
    })
}

fn tiff_samples(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "whole numbers",
        2 => "signed numbers",
        3 => "floating-point numbers",
        4 => "of no defined kind",
        5 => "complex whole numbers",
        6 => "complex numbers",
        _ => return None,
    })
}

/// What a picture has that its decoder does not read.
pub(super) fn unsupported(error: &image::error::UnsupportedError) -> String {
    let format = match error.format_hint() {
        ImageFormatHint::Exact(format) => format!("a {}", format!("{format:?}").to_uppercase()),
        ImageFormatHint::Name(name) => format!("a {name}"),
        _ => "a picture".into(),
    };
    match error.kind() {
        UnsupportedErrorKind::Color(colour) => format!("{format} with pixels of {colour:?}"),
        UnsupportedErrorKind::GenericFeature(what) => format!("{format} with {what}"),
        _ => format!("this kind of {}", format.trim_start_matches("a ")),
    }
}

/// What is wrong with a picture's data.
pub(super) fn damage(error: &ImageError) -> String {
    // The library's own sentence is about itself; its cause is about the file.
    let cause = std::error::Error::source(error);
    let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
    let reason = reason.trim_end_matches('.');
    if let Some(rest) = reason.strip_prefix("CRC error") {
        let chunk = rest.split("decoding ").nth(1);
        let chunk = chunk.and_then(|rest| rest.split(' ').next());
        return match chunk {
            Some(chunk) => format!("the checksum of its {chunk} chunk is wrong"),
            None => "a checksum is wrong".into(),
        };
    }
    for (said, meant) in [
        ("corrupt deflate stream", "its compressed data are damaged"),
        ("Corrupt deflate stream", "its compressed data are damaged"),
        ("Memory limit", "it needs more memory than its size allows"),
    ] {
        if reason.starts_with(said) {
            return meant.into();
        }
    }
    reason.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageFormat;
    use image::error::DecodingError;

    #[test]
    fn numbers_of_tags_have_names() {
        assert_eq!(
            tiff(259, 3),
            "a TIFF with the compression CCITT fax (group 3)"
        );
        assert_eq!(tiff(262, 5), "a TIFF with the colour space CMYK");
        assert_eq!(
            tiff(339, 3),
            "a TIFF with samples that are floating-point numbers"
        );
        assert_eq!(tiff(258, 4), "a TIFF with 4 bits a sample");
        assert_eq!(tiff(259, 77), "a TIFF with the compression number 77");
    }

    #[test]
    fn what_a_library_says_of_itself_is_left_out() {
        let hint = || ImageFormatHint::Exact(ImageFormat::Png);
        let damaged = |text: &str| damage(&ImageError::Decoding(DecodingError::new(hint(), text)));
        assert_eq!(
            damaged("CRC error: expected 0x1 have 0x2 while decoding IDAT chunk."),
            "the checksum of its IDAT chunk is wrong"
        );
        assert_eq!(
            damaged("Corrupt deflate stream. BadCode"),
            "its compressed data are damaged"
        );
        assert_eq!(damaged("No more pixels"), "No more pixels");
    }
}

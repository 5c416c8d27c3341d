//! What the decoders' libraries mean, in words for whoever has the file.

use image::ImageError;
use image::error::{ImageFormatHint, UnsupportedErrorKind};

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

//! A crop as a data URI.

use jpeg_encoder::{ColorType, Encoder};

use super::base64::base64;

const QUALITY: u8 = 82;

/// Side in pixels.
pub const SIDE: usize = 160;

/// A crop of [`SIDE`] as a JPEG in a data URI. None if it has another size or cannot be encoded.
pub fn thumbnail(crop: &[u8]) -> Option<String> {
    if crop.len() != SIDE * SIDE * 3 {
        return None;
    }
    let mut bytes = Vec::new();
    let encoder = Encoder::new(&mut bytes, QUALITY);
    let encoded = encoder.encode(crop, SIDE as u16, SIDE as u16, ColorType::Rgb);
    encoded.ok()?;
    Some(format!("data:image/jpeg;base64,{}", base64(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_becomes_a_jpeg() {
        let uri = thumbnail(&[128; SIDE * SIDE * 3]).unwrap();
        assert!(uri.starts_with("data:image/jpeg;base64,/9j/"));
        assert_eq!(thumbnail(&[128; 5]), None);
    }
}

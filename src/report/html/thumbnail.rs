//! A crop as a data URI.

use jpeg_encoder::{ColorType, Encoder};

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

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, byte)| {
            word | u32::from(*byte) << (16 - 8 * i)
        });
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_crop_becomes_a_jpeg() {
        let uri = thumbnail(&[128; SIDE * SIDE * 3]).unwrap();
        assert!(uri.starts_with("data:image/jpeg;base64,/9j/"));
        assert_eq!(thumbnail(&[128; 5]), None);
    }
}

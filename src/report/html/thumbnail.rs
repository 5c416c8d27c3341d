//! A crop as a data URI.

use mozjpeg::{ColorSpace, Compress};

use super::base64::base64;

const QUALITY: f32 = 82.0;

/// Side in pixels.
pub const SIDE: usize = 160;

/// A crop of [`SIDE`] as a JPEG in a data URI. None if it has another size or cannot be encoded.
pub fn thumbnail(crop: &[u8]) -> Option<String> {
    if crop.len() != SIDE * SIDE * 3 {
        return None;
    }
    let mut jpeg = Compress::new(ColorSpace::JCS_RGB);
    jpeg.set_size(SIDE, SIDE);
    jpeg.set_quality(QUALITY);
    let mut started = jpeg.start_compress(Vec::new()).ok()?;
    started.write_scanlines(crop).ok()?;
    let bytes = started.finish().ok()?;
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

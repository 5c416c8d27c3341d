use std::path::Path;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use uta_eval::picture::preprocessing::Interpolation;
use uta_eval::picture::{Preprocessor, Scratch};

use crate::timing::median;

/// Pictures a second and a core: JPEGs of ImageNet's usual size to a model's input.
pub fn table() {
    println!("\npreprocessing, one thread");
    println!(
        "{:<44} {:>10} {:>14}",
        "picture and input size", "kB", "pictures/s"
    );
    for (what, jpeg) in [
        ("500 x 375 JPEG", jpeg(500, 375, 97, false)),
        ("500 x 375 progressive JPEG", jpeg(500, 375, 97, true)),
        ("1600 x 1200 JPEG", jpeg(1600, 1200, 90, false)),
        ("1600 x 1200 progressive JPEG", jpeg(1600, 1200, 90, true)),
    ] {
        for size in [224, 336] {
            let preprocessor = Preprocessor::new(size, Interpolation::Bicubic);
            let (mut crop, mut scratch) = (vec![0; preprocessor.crop_bytes()], Scratch::default());
            let seconds = median(|| preprocessor.crop(&jpeg, &mut crop, &mut scratch).unwrap());
            println!(
                "{:<44} {:>10} {:>14.0}",
                format!("{what} to {size}"),
                jpeg.len() / 1000,
                1.0 / seconds
            );
        }
    }
}

/// A photo, enlarged or reduced, as a JPEG.
pub fn jpeg(width: usize, height: usize, quality: u8, progressive: bool) -> Vec<u8> {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/golden/photos/03_astronaut_444.jpg");
    let square = Preprocessor::new(width, Interpolation::Bicubic);
    let mut pixels = vec![0; square.crop_bytes()];
    square
        .crop(
            &std::fs::read(photo).unwrap(),
            &mut pixels,
            &mut Scratch::default(),
        )
        .unwrap();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    let pixels = &pixels[..width * height * 3];
    let (width, height) = (width as u16, height as u16);
    encoder
        .encode(pixels, width, height, ColorType::Rgb)
        .unwrap();
    bytes
}

use std::path::Path;

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
        ("500 x 375 JPEG", jpeg(500, 375, 98.5, false)),
        ("500 x 375 progressive JPEG", jpeg(500, 375, 98.5, true)),
        ("1600 x 1200 JPEG", jpeg(1600, 1200, 90.0, false)),
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
pub fn jpeg(width: usize, height: usize, quality: f32, progressive: bool) -> Vec<u8> {
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
    let mut encoder = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    encoder.set_size(width, height);
    encoder.set_fastest_defaults();
    encoder.set_quality(quality);
    if progressive {
        encoder.set_progressive_mode();
    }
    let mut encoder = encoder.start_compress(Vec::new()).unwrap();
    encoder
        .write_scanlines(&pixels[..width * height * 3])
        .unwrap();
    encoder.finish().unwrap()
}

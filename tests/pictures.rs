//! Pictures become the same bytes as with Pillow 11 and torchvision, or an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uta_eval::picture::preprocessing::{Interpolation, ResizeMode};
use uta_eval::picture::{PictureError, Preprocessor, Scratch};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn crop(
    bytes: &[u8],
    size: usize,
    interpolation: Interpolation,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, PictureError> {
    let preprocessor = Preprocessor::new(size, interpolation);
    let mut out = vec![0; preprocessor.crop_bytes()];
    preprocessor.crop(bytes, &mut out, scratch).map(|()| out)
}

fn crop_224(bytes: &[u8]) -> Result<Vec<u8>, PictureError> {
    crop(bytes, 224, Interpolation::Bicubic, &mut Scratch::default())
}

fn photo() -> Vec<u8> {
    read(&fixtures("golden/photos").join("01_chelsea_420.jpg"))
}

#[test]
fn golden_photos_are_equal_byte_for_byte() {
    let expected = read(&fixtures("golden").join("preprocess_expected.safetensors"));
    let expected = SafeTensors::deserialize(&expected).unwrap();
    let mut compared = BTreeMap::new();
    let mut scratch = Scratch::default();
    for (key, tensor) in expected.tensors() {
        let (name, size) = key.rsplit_once('/').unwrap();
        let size = size.parse().unwrap();
        assert_eq!(tensor.shape(), [size, size, 3], "{key}");
        let bytes = read(&fixtures("golden/photos").join(name));
        let crop = crop(&bytes, size, Interpolation::Bicubic, &mut scratch)
            .unwrap_or_else(|e| panic!("{key}: {e}"));
        let different = crop
            .iter()
            .zip(tensor.data())
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(different, 0, "{key}: bytes that differ");
        *compared.entry(size).or_insert(0) += 1;
    }
    assert_eq!(compared, BTreeMap::from([(224, 16), (336, 4)]));
}

#[test]
fn squashed_photos_are_equal_byte_for_byte() {
    let expected = read(&fixtures("pictures").join("squashed.json"));
    let expected: BTreeMap<String, String> = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 16 * 4);
    for (key, digest) in expected {
        let mut parts = key.split('/');
        let [name, filter, side] = [(); 3].map(|()| parts.next().unwrap());
        let interpolation = match filter {
            "bicubic" => Interpolation::Bicubic,
            _ => Interpolation::Bilinear,
        };
        let preprocessor = Preprocessor::new(side.parse().unwrap(), interpolation);
        let preprocessor = preprocessor.resizing(ResizeMode::Squash);
        let mut out = vec![0; preprocessor.crop_bytes()];
        let bytes = read(&fixtures("golden/photos").join(name));
        let cropped = preprocessor.crop(&bytes, &mut out, &mut Scratch::default());
        cropped.unwrap_or_else(|e| panic!("{key}: {e}"));
        assert_eq!(hex(&Sha256::digest(&out)), digest, "{key}");
    }
}

/// An entry of `expected.json`, as `make_fixtures.py` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    size: usize,
    interpolation: Interpolation,
    /// SHA-256 of the crop, or "refused".
    crop: String,
}

#[test]
fn every_format_is_read_as_pillow_reads_it_and_refused_as_pillow_refuses_it() {
    let folder = fixtures("pictures");
    let listed = |name: &str| -> BTreeMap<String, Expected> {
        serde_json::from_slice(&read(&folder.join(name))).unwrap()
    };
    let mut expected = listed("expected.json");
    expected.extend(listed("tiff_parts.json"));
    let mut scratch = Scratch::default();
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let bytes = read(&folder.join(name));
        let crop = crop(&bytes, expected.size, expected.interpolation, &mut scratch);
        let (crop, detail) = match crop {
            Ok(crop) => (hex(&Sha256::digest(crop)), String::new()),
            Err(e) => ("refused".into(), format!(": {e}")),
        };
        if crop != expected.crop {
            wrong.push(format!("{name}{detail}"));
        }
    }
    assert!(expected.len() >= 143, "only {} pictures", expected.len());
    assert!(wrong.is_empty(), "not as Pillow:\n{}", wrong.join("\n"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn memory_left_from_other_pictures_changes_nothing() {
    let photo = photo();
    let fresh = crop_224(&photo).unwrap();
    let mut scratch = Scratch::default();
    for (name, size) in [
        ("16_astronaut_large.jpg", 336),
        ("05_retina_gray.jpg", 64),
        ("07_chelsea_tall.jpg", 224),
    ] {
        let bytes = read(&fixtures("golden/photos").join(name));
        crop(&bytes, size, Interpolation::Bilinear, &mut scratch).unwrap();
        crop(&bytes[..900], size, Interpolation::Bicubic, &mut scratch).unwrap_err();
        let again = crop(&photo, 224, Interpolation::Bicubic, &mut scratch).unwrap();
        assert!(again == fresh, "after {name}");
    }
}

#[test]
fn files_that_are_no_pictures_say_what_they_seem_to_be() {
    let message = |bytes: &[u8]| crop_224(bytes).unwrap_err().to_string();
    assert_eq!(crop_224(b""), Err(PictureError::Empty));
    assert!(message(b"\xef\xbb\xbf<!DOCTYPE html>").contains("HTML"));
    assert!(message(b"404 not found\n").contains("text"));
    assert!(message(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(message(&[0; 1000]).contains("no known format"));
    assert!(message(b"\xff\xd8").contains("no known format"));
}

#[test]
fn a_jpeg_cut_anywhere_is_truncated() {
    let bytes = read(&fixtures("pictures").join("jpeg_420.jpg"));
    for length in 3..bytes.len() - 2 {
        assert_eq!(
            crop_224(&bytes[..length]),
            Err(PictureError::Truncated),
            "{length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn a_declared_size_beyond_the_limit_is_refused_before_it_is_allocated() {
    let mut jpeg = photo();
    let frame = jpeg.windows(2).position(|m| m == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let too_large = PictureError::TooLarge {
        width: 65_500,
        height: 65_500,
    };
    assert_eq!(crop_224(&jpeg), Err(too_large));

    let mut gif = read(&fixtures("pictures").join("gif.gif"));
    gif[6..10].fill(0xff);
    let too_large = PictureError::TooLarge {
        width: 65_535,
        height: 65_535,
    };
    assert_eq!(crop_224(&gif), Err(too_large));

    let pnm = b"P6 99999999 99999999 255\n";
    assert!(matches!(crop_224(pnm), Err(PictureError::TooLarge { .. })));
}

#[test]
fn a_jpeg_of_thousands_of_scans_is_refused() {
    let bytes = read(&fixtures("pictures").join("jpeg_420_progressive.jpg"));
    let last_scan = bytes.windows(2).rposition(|m| m == [0xff, 0xda]).unwrap();
    let (start, end) = (&bytes[..last_scan], &bytes[last_scan..bytes.len() - 2]);
    let bomb = [start, &end.repeat(5000), &[0xff, 0xd9]].concat();
    assert!(matches!(
        crop_224(&bomb),
        Err(PictureError::Unsupported { .. })
    ));
}

#[test]
fn pictures_resized_before_they_become_rgb_are_equal_byte_for_byte() {
    let folder = fixtures("pictures");
    let expected: BTreeMap<String, String> =
        serde_json::from_slice(&read(&folder.join("resized_first.json"))).unwrap();
    let preprocessor = Preprocessor::new(24, Interpolation::Bicubic).resizing_first();
    let (mut out, mut scratch) = (vec![0; preprocessor.crop_bytes()], Scratch::default());
    let mut wrong = Vec::new();
    for (name, digest) in &expected {
        let cropped = preprocessor.crop(&read(&folder.join(name)), &mut out, &mut scratch);
        if cropped.is_err() || hex(&Sha256::digest(&out)) != *digest {
            wrong.push(format!("{name} {cropped:?}"));
        }
    }
    assert!(expected.len() >= 90, "only {} pictures", expected.len());
    assert!(wrong.is_empty(), "not as Pillow:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let sof = |kind: u8, bits: u8| {
        let mut jpeg = read(&fixtures("pictures").join("jpeg_420.jpg"));
        let frame = jpeg.windows(2).position(|m| m == [0xff, 0xc0]).unwrap();
        jpeg[frame + 1] = kind;
        jpeg[frame + 4] = bits;
        jpeg
    };
    let file = |name| read(&fixtures("pictures").join(name));
    let mut bmp = file("bmp_rgb.bmp");
    bmp[28] = 16;
    for (bytes, text) in [
        (sof(0xc3, 8), "a lossless JPEG"),
        (sof(0xc1, 12), "a JPEG of 12 bits a sample"),
        (sof(0xc5, 8), "a hierarchical JPEG"),
        (file("tiff_lab.tif"), "colours CIELAB"),
        (file("jpeg_2000.jp2"), "the format JPEG 2000"),
        (file("avif.avif"), "the format AVIF"),
        (bmp, "a BMP of 16 bits a pixel"),
        (
            b"P2 1 1 7\n1\n".to_vec(),
            "a PNM of the maximal value 7 in text",
        ),
        (
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n1".to_vec(),
            "a PAM picture",
        ),
    ] {
        let error = crop_224(&bytes).unwrap_err();
        assert!(
            matches!(error, PictureError::Unsupported { .. }),
            "{text}: {error:?}"
        );
        let message = error.to_string();
        assert!(
            message.contains(text) && message.ends_with("not supported"),
            "{message}"
        );
    }
}

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use uta_eval::picture::preprocessing::{Interpolation, ResizeMode};
use uta_eval::picture::{PictureError, Preprocessor, Scratch, check, header};

use super::mutations::mutated;
use super::{files, print, rounds};

const ENDINGS: [&str; 12] = [
    "avif", "bmp", "gif", "jp2", "jpg", "pbm", "pgm", "png", "ppm", "tif", "webp", "tiff",
];

/// Faults that `mutated.txt` has for each picture.
const FAULTS: u64 = 24;

/// The first digits of the digest of the picture at 32 x 32 pixels, or `-` when it is refused.
fn digest(bytes: &[u8], scratch: &mut Scratch) -> String {
    let preprocessor = Preprocessor::new(32, Interpolation::Bilinear).resizing(ResizeMode::Squash);
    let mut crop = vec![0; preprocessor.crop_bytes()];
    let cropped = preprocessor.crop(bytes, &mut crop, scratch);
    assert_eq!(check(bytes, scratch).is_ok(), cropped.is_ok());
    match cropped {
        Ok(()) => Sha256::digest(&crop)[..4]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect(),
        Err(_) => "-".into(),
    }
}

/// How often a format's damaged pictures are read otherwise than Pillow reads them, at most: other
/// pixels, read by Pillow only, read here only. The libraries of these formats forgive different
/// damage. JPEG, with its own decoder, has none, and neither have the formats that are left out.
const DIFFERENCES: [(&str, [usize; 3]); 4] = [
    ("bmp", [0, 1, 0]),
    ("png", [0, 3, 0]),
    ("tif", [2, 22, 0]),
    ("webp", [0, 1, 1]),
];

#[test]
fn damaged_pictures_are_read_and_refused_as_pillow_does() {
    let expected = files("pictures", &["txt"]).remove(0).1;
    let expected = String::from_utf8(expected).unwrap();
    let pictures: BTreeMap<String, Vec<u8>> = files("pictures", &ENDINGS).into_iter().collect();
    let mut scratch = Scratch::default();
    let mut counts = BTreeMap::new();
    let mut found: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut differences = Vec::new();
    for (index, line) in expected.lines().enumerate() {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let digests: Vec<&str> = words.collect();
        assert_eq!(digests.len() as u64, FAULTS);
        let format = name.rsplit('.').next().unwrap();
        for (round, theirs) in (0..).zip(digests) {
            let bytes = mutated(&pictures[name], 1000 * index as u64 + round);
            let ours = digest(&bytes, &mut scratch);
            let class = match (theirs, ours.as_str()) {
                (a, b) if a == b => None,
                (_, "-") => Some(1),
                ("-", _) => Some(2),
                _ => Some(0),
            };
            let way = match class {
                None if theirs == "-" => "refused by both",
                None => "equal pixels",
                Some(0) => "other pixels",
                Some(1) => "read by Pillow only",
                Some(_) => "read here only",
            };
            *counts.entry(way.to_string()).or_insert(0) += 1;
            if let Some(class) = class {
                found.entry(format).or_default()[class] += 1;
                differences.push(format!("{name} {round}: {way}"));
            }
        }
    }
    print("damaged pictures", &counts);
    assert!(counts.values().sum::<usize>() >= 3000);
    let known: BTreeMap<&str, [usize; 3]> = DIFFERENCES.into_iter().collect();
    for (format, found) in found {
        let known = known.get(format).copied().unwrap_or_default();
        assert!(
            (0..3).all(|class| found[class] <= known[class]),
            "{format}: {found:?}, and known are {known:?}\n{}",
            differences.join("\n")
        );
    }
}

#[test]
fn no_damage_to_a_picture_makes_a_decoder_fail() {
    let mut scratch = Scratch::default();
    let mut counts = BTreeMap::new();
    for (index, (name, bytes)) in files("pictures", &ENDINGS).into_iter().enumerate() {
        for round in 0..rounds(12) {
            let seed = 1_000_000_000 + 1_000_000 * index as u64 + round;
            let bytes = mutated(&bytes, seed);
            // The header is for the beginning of a file, too.
            let _ = header(&bytes[..bytes.len().min(300)]);
            let ways = [
                Preprocessor::new(24, Interpolation::Bicubic),
                Preprocessor::new(24, Interpolation::Bicubic).resizing_first(),
            ];
            for preprocessor in ways {
                let mut crop = vec![0; preprocessor.crop_bytes()];
                let way = match preprocessor.crop(&bytes, &mut crop, &mut scratch) {
                    Ok(()) => "read",
                    Err(PictureError::Corrupt { reason }) if reason.contains("decoder failed") => {
                        panic!("{name}, seed {seed}: a decoder panicked")
                    }
                    Err(_) => "refused",
                };
                *counts.entry(way.to_string()).or_insert(0) += 1;
            }
        }
    }
    print("damaged pictures, by other seeds", &counts);
    assert!(counts["read"] > 0 && counts["refused"] > 0);
}

//! ReaL: the labels that were collected anew for ImageNet's validation set (Beyer et al. 2020).
//!
//! A picture may have several labels, each of which is right, or none; one without is left out.
//! Pictures are known by the name of their file, `ILSVRC2012_val_00000293.JPEG`.

use std::io::Read;
use std::sync::{Arc, LazyLock};

use flate2::read::GzDecoder;

/// Compiled in; `assets/sets/README.md` says where they come from.
const LABELS: &[u8] = include_bytes!("../../../assets/sets/imagenet_real.txt.gz");

/// What stands before the number in a file's name.
const PREFIX: &str = "ILSVRC2012_val_";
const DIGITS: usize = 8;

/// The labels of each picture of the validation set, in order.
pub fn labels() -> &'static [Arc<[usize]>] {
    static ALL: LazyLock<Vec<Arc<[usize]>>> = LazyLock::new(|| {
        let mut text = String::new();
        // It is compiled in, and a test reads all of it.
        let _ = GzDecoder::new(LABELS).read_to_string(&mut text);
        let classes = |line: &str| line.split(' ').filter_map(|c| c.parse().ok()).collect();
        text.lines().map(classes).collect()
    });
    &ALL
}

/// The labels of a picture by the name of its file; `None` when it is none of the validation set.
pub fn labels_of(file: &str) -> Option<&'static Arc<[usize]>> {
    number_and_labels(file).map(|(_, labels)| labels)
}

/// The number of a picture, from 0, and its labels.
pub fn number_and_labels(file: &str) -> Option<(usize, &'static Arc<[usize]>)> {
    let name = file.strip_prefix(PREFIX)?;
    let (number, rest) = name.split_at_checked(DIGITS)?;
    if rest.starts_with(|c: char| c.is_ascii_digit()) || number.starts_with('+') {
        return None;
    }
    let number: usize = number.parse().ok()?;
    let index = number.checked_sub(1)?;
    Some((index, labels().get(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<&'static [usize]> {
        labels_of(name).map(|labels| &labels[..])
    }

    #[test]
    fn the_whole_validation_set_has_the_labels_that_were_published() {
        assert_eq!(labels().len(), 50_000);
        assert_eq!(labels().iter().filter(|all| all.is_empty()).count(), 3163);
        assert_eq!(labels().iter().map(|all| all.len()).sum::<usize>(), 57_553);
        assert!(
            labels()
                .iter()
                .flat_map(|all| all.iter())
                .all(|class| *class < 1000)
        );
    }

    #[test]
    fn pictures_are_known_by_their_number_whatever_follows_it() {
        assert_eq!(of("ILSVRC2012_val_00000001.JPEG"), Some(&[][..]));
        assert_eq!(of("ILSVRC2012_val_00000002.JPEG"), Some(&[795, 970][..]));
        assert_eq!(
            of("ILSVRC2012_val_00000003_n02105855.png"),
            Some(&[230, 231][..])
        );
        assert!(of("ILSVRC2012_val_00050000.JPEG").is_some());
        for other in [
            "ILSVRC2012_val_00000000.JPEG",
            "ILSVRC2012_val_00050001.JPEG",
            "ILSVRC2012_val_000000010.JPEG",
            "ILSVRC2012_val_0000001.JPEG",
            "ILSVRC2012_val_+0000001.JPEG",
            "ILSVRC2012_val_é000001.JPEG",
            "ILSVRC2012_test_00000001.JPEG",
            "n01440764_00000001.JPEG",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}

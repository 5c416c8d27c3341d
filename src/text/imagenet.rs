//! The 1000 ImageNet-1k folder names ("wnids"), sorted, so that their position is the class index.
//!
//! Sorted wnids are the order of the built-in class names too: `wnids()[k]` is the folder of
//! `ClassNames::imagenet()` number `k`.

use std::sync::LazyLock;

/// How many classes ImageNet-1k has.
pub const CLASSES: usize = 1000;

static WNIDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    include_str!("../../assets/text/imagenet_wnids.txt")
        .lines()
        .collect()
});

/// All wnids in class order, which is their sorted order.
pub fn wnids() -> &'static [&'static str] {
    &WNIDS
}

/// The class index of a folder name such as `n01440764`, or `None` when it is not one of the 1000.
pub fn class_of_wnid(wnid: &str) -> Option<usize> {
    wnids().binary_search(&wnid).ok()
}

/// The wnid of a class index, or `None` when there is no such class.
pub fn wnid_of_class(class: usize) -> Option<&'static str> {
    wnids().get(class).copied()
}

/// Whether a word is a WordNet id, of any class.
pub fn is_wnid(word: &str) -> bool {
    let digits = word.strip_prefix('n');
    digits.is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wnids_are_sorted_and_distinct_so_that_position_is_class() {
        assert_eq!(wnids().len(), CLASSES);
        assert!(wnids().windows(2).all(|pair| pair[0] < pair[1]));
        for (class, wnid) in wnids().iter().enumerate() {
            assert_eq!(class_of_wnid(wnid), Some(class));
            assert_eq!(wnid_of_class(class), Some(*wnid));
        }
    }

    #[test]
    fn a_folder_that_is_not_imagenet_has_no_class() {
        for folder in ["", "n0144076", "n014407640", "N01440764", "tench", "0"] {
            assert_eq!(class_of_wnid(folder), None, "{folder}");
        }
        assert_eq!(wnid_of_class(CLASSES), None);
    }
}

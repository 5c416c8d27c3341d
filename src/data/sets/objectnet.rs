//! ObjectNet's folders, and the classes of ImageNet that show the same objects.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::text::imagenet;

/// Compiled in; `assets/sets/README.md` says where it comes from.
const OBJECTNET: &str = include_str!("../../../assets/sets/objectnet.tsv");

/// ObjectNet's folders, each with the classes that show its objects in ascending order.
pub fn folders() -> &'static BTreeMap<&'static str, Vec<usize>> {
    static FOLDERS: LazyLock<BTreeMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
        let line = |line: &'static str| {
            let (folder, wnids) = line.split_once('\t').unwrap_or((line, ""));
            let mut classes: Vec<usize> = wnids
                .split_whitespace()
                .filter_map(imagenet::class_of_wnid)
                .collect();
            classes.sort_unstable();
            (folder, classes)
        };
        OBJECTNET.lines().map(line).collect()
    });
    &FOLDERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectnet_has_313_folders_of_which_113_show_classes_of_imagenet() {
        assert_eq!(folders().len(), 313);
        let known = folders().values().filter(|classes| !classes.is_empty());
        assert_eq!(known.count(), 113);
        let several: Vec<&str> = folders()
            .iter()
            .filter(|(_, classes)| classes.len() > 1)
            .map(|(folder, _)| *folder)
            .collect();
        assert_eq!(
            several,
            [
                "alarm_clock",
                "bicycle",
                "chair",
                "helmet",
                "pen",
                "skirt",
                "still_camera",
                "tie",
                "wheel"
            ]
        );
        assert_eq!(folders()["chair"], [423, 559, 765]);
    }

    #[test]
    fn no_class_of_imagenet_belongs_to_two_folders_of_objectnet() {
        let mut classes: Vec<usize> = folders().values().flatten().copied().collect();
        classes.sort_unstable();
        assert!(classes.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

//! ObjectNet's folders, their names, and the classes of ImageNet that show the same objects.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::text::imagenet;

/// Compiled in; `assets/sets/README.md` says where they come from.
const OBJECTNET: &str = include_str!("../../../assets/sets/objectnet.tsv");
const NAMES: &str = include_str!("../../../assets/sets/objectnet_names.txt");

/// The folders that show objects of ImageNet's classes, sorted: the classes that CLIP models are
/// evaluated on.
pub fn shared_folders() -> impl Iterator<Item = &'static str> {
    let shared = folders().iter().filter(|(_, classes)| !classes.is_empty());
    shared.map(|(folder, _)| *folder)
}

/// The names of [`shared_folders`], in the same order.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

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
    fn each_shared_folder_has_a_name_of_its_own() {
        let names: Vec<&str> = names().collect();
        assert_eq!(names.len(), shared_folders().count());
        let distinct: std::collections::HashSet<&&str> = names.iter().collect();
        assert_eq!(distinct.len(), 113);
        let plain = |text: &str| text.replace([' ', '-', '/', '(', ')', '\'', '_'], "");
        let same = |(folder, name): &(&str, &str)| plain(folder) == plain(name);
        let pairs: Vec<(&str, &str)> = shared_folders().zip(names).collect();
        let other: Vec<&(&str, &str)> = pairs.iter().filter(|pair| !same(pair)).collect();
        assert_eq!(
            other,
            [
                &("drying_rack_for_dishes", "drying rack for plates"),
                &("full_sized_towel", "bath towel"),
                &("hand_towel_or_rag", "dishrag or hand towel"),
            ]
        );
    }

    #[test]
    fn no_class_of_imagenet_belongs_to_two_folders_of_objectnet() {
        let mut classes: Vec<usize> = folders().values().flatten().copied().collect();
        classes.sort_unstable();
        assert!(classes.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

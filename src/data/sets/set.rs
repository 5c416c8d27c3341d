//! The data sets that are evaluated with ImageNet's classes: their folders, classes and sizes.

use std::collections::HashMap;
use std::sync::Arc;

use super::class_folders::{ClassFolders, IMAGENET_PLACES, SetNaming};
use super::objectnet;
use crate::text::{ClassNames, imagenet};

/// The classes of sets that have some of ImageNet's, compiled in; `assets/sets/README.md` says
/// where the lists come from.
const A_WNIDS: &str = include_str!("../../../assets/sets/imagenet_a_wnids.txt");
const R_WNIDS: &str = include_str!("../../../assets/sets/imagenet_r_wnids.txt");

/// Pixels on each side of ObjectNet's pictures that are a red frame.
const RED_BORDER: usize = 2;

/// A data set of pictures of ImageNet's classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Set {
    /// The validation set.
    #[default]
    ImageNet,
    /// Each of its three configurations.
    V2,
    /// Pictures that classifiers get wrong, of 200 classes.
    A,
    /// Art, cartoons, toys and the like, of 200 classes.
    R,
    Sketch,
    /// Household objects in odd places, of 113 classes that ImageNet has too.
    ObjectNet,
}

/// What a whole set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub pictures: usize,
    /// Class folders.
    pub classes: usize,
    /// Pictures in each folder, where all have as many.
    pub in_a_class: Option<usize>,
}

impl Set {
    pub const ALL: [Self; 6] = [
        Self::ImageNet,
        Self::V2,
        Self::A,
        Self::R,
        Self::Sketch,
        Self::ObjectNet,
    ];

    /// As `--dataset` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageNet => "imagenet",
            Self::V2 => "imagenet-v2",
            Self::A => "imagenet-a",
            Self::R => "imagenet-r",
            Self::Sketch => "imagenet-sketch",
            Self::ObjectNet => "objectnet",
        }
    }

    /// The set of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// What the whole set has.
    pub fn size(self) -> Size {
        let (pictures, classes, in_a_class) = match self {
            Self::ImageNet => (50_000, 1000, Some(50)),
            Self::V2 => (10_000, 1000, Some(10)),
            Self::A => (7_500, 200, None),
            Self::R => (30_000, 200, None),
            Self::Sketch => (50_889, 1000, None),
            Self::ObjectNet => (18_574, 113, None),
        };
        Size {
            pictures,
            classes,
            in_a_class,
        }
    }

    /// Its class folders.
    pub fn folders(self) -> ClassFolders {
        let by_wnid = |wnid: &str| Some((wnid.to_string(), imagenet::class_of_wnid(wnid)?));
        let folders = match self {
            Self::ImageNet | Self::Sketch => return ClassFolders::imagenet().within(self.inside()),
            Self::V2 => {
                let numbers = (0..imagenet::CLASSES).map(|class| (class.to_string(), class));
                let wnids = imagenet::wnids().iter().filter_map(|wnid| by_wnid(wnid));
                numbers.chain(wnids).collect()
            }
            Self::A => A_WNIDS.lines().filter_map(by_wnid).collect(),
            Self::R => R_WNIDS.lines().filter_map(by_wnid).collect(),
            Self::ObjectNet => objectnet::folders()
                .iter()
                .filter_map(|(folder, classes)| Some((folder.to_string(), *classes.first()?)))
                .collect(),
        };
        let folders = ClassFolders::of_set(self.naming(), folders, imagenet::CLASSES);
        let folders = match self {
            // No number of a folder is one of the 125 classes, so that a number is a folder's.
            Self::ObjectNet => folders.counting_folders(),
            Self::A | Self::R => folders.in_doubt(),
            Self::ImageNet | Self::V2 | Self::Sketch => folders,
        };
        folders
            .within(self.inside())
            .leaving_out(self.archive_folders())
    }

    /// ObjectNet's folders as classes of their own: those that ImageNet has classes for, sorted.
    pub fn objectnet_folders() -> ClassFolders {
        let classes = objectnet::shared_folders().enumerate();
        let classes: HashMap<String, usize> = classes
            .map(|(class, folder)| (folder.to_string(), class))
            .collect();
        let count = classes.len();
        ClassFolders::of_set(Self::ObjectNet.naming(), classes, count)
            .within(Self::ObjectNet.inside())
            .leaving_out(Self::ObjectNet.archive_folders())
    }

    /// The names of the set's own classes in the order of its folders, where they are not all of
    /// ImageNet's.
    pub fn own_names(self) -> Option<Vec<String>> {
        let imagenet = ClassNames::imagenet();
        let name = |class: usize| imagenet.name(class).unwrap_or_default().to_string();
        match self {
            Self::ImageNet | Self::V2 | Self::Sketch => None,
            Self::A | Self::R => Some(self.classes()?.into_iter().map(name).collect()),
            Self::ObjectNet => Some(objectnet::names().map(ToString::to_string).collect()),
        }
    }

    /// The set whose own classes have exactly these names, in this order.
    pub fn with_names(names: &[String]) -> Option<Self> {
        let same = |set: &Self| set.own_names().is_some_and(|own| own == names);
        Self::ALL.into_iter().find(same)
    }

    fn naming(self) -> SetNaming {
        SetNaming {
            name: self.name(),
            folders: self.size().classes,
            numbers: self == Self::V2,
        }
    }

    /// The folders of listed classes, among the others that this set's archives have.
    pub fn listed_folders(self, listed: &[String]) -> ClassFolders {
        ClassFolders::named(listed)
            .within(self.inside())
            .leaving_out(self.archive_folders())
    }

    /// All folders that the set's archive has, where some of them show nothing of ImageNet's
    /// classes.
    fn archive_folders(self) -> Vec<String> {
        match self {
            Self::ObjectNet => objectnet::folders()
                .keys()
                .map(ToString::to_string)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Folders below the path in which the class folders may lie, as the set's archives have them.
    fn inside(self) -> &'static [&'static str] {
        match self {
            Self::ImageNet => &IMAGENET_PLACES,
            Self::V2 => &[
                "imagenetv2-matched-frequency-format-val",
                "imagenetv2-threshold0.7-format-val",
                "imagenetv2-top-images-format-val",
                "val",
            ],
            Self::A => &["imagenet-a", "val"],
            Self::R => &["imagenet-r", "val"],
            Self::Sketch => &["sketch", "val"],
            Self::ObjectNet => &["images", "objectnet-1.0/images", "val"],
        }
    }

    /// The classes of ImageNet that its pictures may show, in ascending order; all when absent.
    pub fn classes(self) -> Option<Vec<usize>> {
        let wnids = |list: &str| list.lines().filter_map(imagenet::class_of_wnid).collect();
        match self {
            Self::ImageNet | Self::V2 | Self::Sketch => None,
            Self::A => Some(wnids(A_WNIDS)),
            Self::R => Some(wnids(R_WNIDS)),
            Self::ObjectNet => {
                let mut classes: Vec<usize> =
                    objectnet::folders().values().flatten().copied().collect();
                classes.sort_unstable();
                Some(classes)
            }
        }
    }

    /// The classes that are right for a label, where there are several.
    pub fn right(self, label: usize) -> Option<Arc<[usize]>> {
        let of = |classes: &&Vec<usize>| classes.first() == Some(&label) && classes.len() > 1;
        match self {
            Self::ObjectNet => objectnet::folders()
                .values()
                .find(of)
                .map(|all| all[..].into()),
            _ => None,
        }
    }

    /// Pixels on each side that do not belong to its pictures.
    pub fn border(self) -> usize {
        match self {
            Self::ObjectNet => RED_BORDER,
            _ => 0,
        }
    }

    /// The set, other than ImageNet, that has exactly these classes.
    pub fn with_classes(classes: &[usize]) -> Option<Self> {
        let same = |set: &Self| set.classes().is_some_and(|all| all == classes);
        [Self::A, Self::R].into_iter().find(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_the_classes_that_were_published() {
        for (set, classes, first, last) in [
            (Set::A, 200, 6, 988),
            (Set::R, 200, 1, 988),
            (Set::ObjectNet, 125, 409, 999),
        ] {
            let all = set.classes().unwrap();
            assert_eq!(all.len(), classes, "{}", set.name());
            assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!((all[0], all[classes - 1]), (first, last), "{}", set.name());
        }
        for set in [Set::ImageNet, Set::V2, Set::Sketch] {
            assert_eq!(set.classes(), None);
        }
    }

    #[test]
    fn all_classes_of_an_objectnet_folder_are_right_for_its_pictures() {
        assert_eq!(
            Set::ObjectNet.right(423).as_deref(),
            Some(&[423, 559, 765][..])
        );
        assert_eq!(Set::ObjectNet.right(954), None, "a banana is one class");
    }

    #[test]
    fn a_part_of_imagenet_that_is_a_set_of_its_own_is_recognised() {
        assert_eq!(Set::with_classes(&Set::R.classes().unwrap()), Some(Set::R));
        assert_eq!(Set::with_classes(&[0, 1]), None);
    }
}

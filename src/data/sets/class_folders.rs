//! Which folder belongs to which class.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::objectnet;
use crate::data::name::abridged;
use crate::text::imagenet::{self, is_wnid};
use crate::util::escape::Shown;

/// Folders below the path in which ImageNet's class folders may lie. In Kaggle's archive they are
/// further down.
pub const IMAGENET_PLACES: [&str; 2] = ["val", "ILSVRC/Data/CLS-LOC/val"];

/// Why it is in doubt where the class folders are, or which class they belong to.
#[derive(Debug, thiserror::Error)]
pub enum ClassFoldersError {
    #[error("{} holds several folders of pictures ({folders})", path.shown())]
    SeveralPlaces { path: PathBuf, folders: String },
    #[error("{} has {folders} class folders, but there are {names} class names", path.shown())]
    OtherCount {
        path: PathBuf,
        folders: usize,
        names: usize,
    },
    #[error("the class folders of {} are numbers ({examples}), whose sorted order is in doubt", path.shown())]
    Order { path: PathBuf, examples: String },
}

impl ClassFoldersError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::SeveralPlaces { .. } => "give the one that is to be evaluated",
            Self::OtherCount { .. } => {
                "a list of names alone has one for each class folder, in their sorted order; or write folder<TAB>name on every line"
            }
            Self::Order { .. } => {
                "as text \"10\" sorts before \"2\"; write folder<TAB>name on every line of the --classnames file"
            }
        }
        .into()
    }
}

/// Folders' names and the classes that they stand for.
#[derive(Debug, Clone)]
pub struct ClassFolders {
    class_of: HashMap<String, usize>,
    classes: usize,
    naming: Naming,
    /// Folders that are known to belong to no class.
    left_out: HashSet<String>,
    /// Folders below the path in which the class folders may lie.
    places: &'static [&'static str],
    /// What the numbers of labels count.
    numbers: Numbers,
}

/// What the numbers of labels count.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    /// The classes.
    Classes,
    /// Something else: number k stands for the class in place k.
    These(Arc<[Option<usize>]>),
    /// The classes, or the set's own folders: nothing has said which.
    InDoubt,
}

/// What the folders are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// ImageNet's 1000 WordNet ids.
    Wnids,
    /// As in the archives of another set.
    OfSet(SetNaming),
    /// As a list says.
    Listed,
    /// Anything: the classes are the sorted folders.
    Sorted,
    /// Nothing: labels are numbers.
    Nothing,
}

/// What is particular about the folders of a set other than ImageNet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetNaming {
    /// The set, as `--dataset` names it.
    pub name: &'static str,
    /// Class folders of the whole set.
    pub folders: usize,
    /// Whether its folders are numbers, however many zeros they begin with.
    pub numbers: bool,
}

/// A name without what is hard to see: its blanks, and how its characters are composed.
fn plain(name: &str) -> String {
    let composed = name.nfkc();
    composed.filter(|c| !c.is_whitespace()).collect()
}

/// A name in quotes, in which blanks and composed characters can be told apart.
pub fn spelled(name: &str) -> String {
    let mut shown = String::from("\"");
    for c in name.chars() {
        match c {
            ' '..='~' => shown.push(c),
            _ => shown.extend(c.escape_unicode()),
        }
    }
    shown + "\""
}

impl ClassFolders {
    /// ImageNet's WordNet ids.
    pub fn imagenet() -> Self {
        let names = imagenet::wnids()
            .iter()
            .map(|wnid| wnid.to_string())
            .collect::<Vec<_>>();
        Self {
            naming: Naming::Wnids,
            ..Self::named(&names)
        }
    }

    /// Folder k of the list belongs to class k.
    pub fn named(folders: &[String]) -> Self {
        let class_of = folders
            .iter()
            .enumerate()
            .map(|(class, name)| (name.clone(), class));
        Self {
            class_of: class_of.collect(),
            classes: folders.len(),
            naming: Naming::Listed,
            left_out: HashSet::new(),
            places: &IMAGENET_PLACES,
            numbers: Numbers::Classes,
        }
    }

    /// The folders of a set, which show some of so many classes.
    pub(super) fn of_set(
        naming: SetNaming,
        class_of: HashMap<String, usize>,
        classes: usize,
    ) -> Self {
        Self {
            class_of,
            classes,
            naming: Naming::OfSet(naming),
            left_out: HashSet::new(),
            places: &IMAGENET_PLACES,
            numbers: Numbers::Classes,
        }
    }

    /// So many classes without folders: a picture's label is a number.
    pub fn numbered(classes: usize) -> Self {
        Self {
            classes,
            naming: Naming::Nothing,
            ..Self::named(&[])
        }
    }

    /// The same, in doubt about what the numbers of labels count.
    #[must_use]
    pub(super) fn in_doubt(self) -> Self {
        Self {
            numbers: Numbers::InDoubt,
            ..self
        }
    }

    /// The same, with labels whose number k stands for the class in place k of a list.
    #[must_use]
    pub fn counting(self, classes: impl IntoIterator<Item = Option<usize>>) -> Self {
        Self {
            numbers: Numbers::These(classes.into_iter().collect()),
            ..self
        }
    }

    /// The same, with labels that count the class folders in their sorted order.
    #[must_use]
    pub fn counting_folders(self) -> Self {
        let folders: BTreeMap<&String, usize> =
            self.class_of.iter().map(|(name, c)| (name, *c)).collect();
        let classes: Vec<usize> = folders.into_values().collect();
        self.counting(classes.into_iter().map(Some))
    }

    /// As many folders as there are classes, of any names: folder k in sorted order belongs to
    /// class k.
    pub fn sorted(classes: usize) -> Self {
        Self {
            classes,
            naming: Naming::Sorted,
            ..Self::named(&[])
        }
    }

    /// The same, with class folders in one of these places.
    #[must_use]
    pub fn within(self, places: &'static [&'static str]) -> Self {
        Self { places, ..self }
    }

    /// The same, without these folders, as far as they belong to no class.
    #[must_use]
    pub fn leaving_out(self, folders: impl IntoIterator<Item = String>) -> Self {
        let left_out = folders
            .into_iter()
            .filter(|name| !self.class_of.contains_key(name));
        Self {
            left_out: left_out.collect(),
            ..self
        }
    }

    /// The same, with labels that count ImageNet's classes, which the folders stand for or show.
    #[must_use]
    pub fn counting_imagenet(self) -> Self {
        if self.classes == imagenet::CLASSES {
            let all = (0..imagenet::CLASSES).map(Some);
            return self.counting(all);
        }
        let mut classes = vec![None; imagenet::CLASSES];
        for (folder, of_imagenet) in objectnet::folders() {
            for class in of_imagenet {
                classes[*class] = self.class_of(folder);
            }
        }
        self.counting(classes)
    }

    /// What the folders are named by.
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// The class that a folder belongs to.
    pub fn class_of(&self, folder: &str) -> Option<usize> {
        let by_number = || match self.naming {
            Naming::OfSet(SetNaming { numbers: true, .. })
                if folder.bytes().all(|b| b.is_ascii_digit()) =>
            {
                let number: usize = folder.parse().ok()?;
                self.class_of.get(&number.to_string())
            }
            _ => None,
        };
        self.class_of.get(folder).or_else(by_number).copied()
    }

    /// The class that a folder around a picture claims, whatever else says it: a WordNet id, or a
    /// name that is listed. Numbers may be anything.
    pub fn claimed_by(&self, folder: &str) -> Option<usize> {
        match self.naming {
            Naming::Wnids | Naming::OfSet(_) if !is_wnid(folder) => None,
            _ => self.class_of(folder),
        }
    }

    /// The class of a label's number, from 0. `None` where there is none, or it is in doubt.
    pub fn of_index(&self, index: usize) -> Option<usize> {
        match &self.numbers {
            Numbers::Classes => (index < self.classes).then_some(index),
            Numbers::These(classes) => *classes.get(index)?,
            Numbers::InDoubt => None,
        }
    }

    /// Why a number is none of a class.
    pub fn no_index(&self) -> String {
        match &self.numbers {
            Numbers::InDoubt => format!(
                "ambiguous: it may count the {} classes of {} or the {} of ImageNet; --label-numbers says which, and WordNet ids need no saying",
                self.classes().len(),
                self.set_name().unwrap_or("the set"),
                self.classes
            ),
            Numbers::These(classes) => format!(
                "of no class: the labels count {} from 0{}",
                classes.len(),
                match classes.iter().flatten().count() {
                    all if all == classes.len() => String::new(),
                    some => format!(", of which {some} belong to the set"),
                }
            ),
            Numbers::Classes => format!("beyond the {} classes, numbered from 0", self.classes),
        }
    }

    /// What a list of numbers would have to agree with: the class of each number, where that is
    /// settled.
    pub fn counted(&self) -> Option<Vec<Option<usize>>> {
        match &self.numbers {
            Numbers::Classes => Some((0..self.classes).map(Some).collect()),
            Numbers::These(classes) => Some(classes.to_vec()),
            Numbers::InDoubt => None,
        }
    }

    /// The set's name, if the folders are those of a set other than ImageNet.
    pub fn set_name(&self) -> Option<&'static str> {
        match self.naming {
            Naming::OfSet(set) => Some(set.name),
            _ => None,
        }
    }

    /// The class that a picture's name itself tells, by a WordNet id in it, as in
    /// `ILSVRC2012_val_00000293_n01440764.JPEG`.
    pub fn class_in_name(&self, name: &str) -> Option<usize> {
        let words = || name.split(|c: char| !c.is_ascii_alphanumeric());
        let wnids = || words().filter(|word| word.len() == 9 && word.starts_with('n'));
        match self.naming {
            Naming::Wnids | Naming::OfSet(_) => wnids().rev().find_map(|word| self.class_of(word)),
            Naming::Listed | Naming::Sorted | Naming::Nothing => None,
        }
    }

    /// A name that has a class, and differs from `name` in blanks or in the Unicode form alone.
    pub fn like(&self, name: &str) -> Option<&str> {
        let plain = plain(name);
        let mut known = self.class_of.keys().map(String::as_str);
        known.find(|known| *known != name && self::plain(known) == plain)
    }

    /// Whether a folder is known to belong to no class.
    pub fn leaves_out(&self, folder: &str) -> bool {
        self.left_out.contains(folder)
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes
    }

    pub fn is_empty(&self) -> bool {
        self.classes == 0
    }

    /// The classes that have a folder, in ascending order.
    pub fn classes(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.class_of.values().copied().collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// The folder of a class; of several names the first.
    pub fn folder_of(&self, class: usize) -> Option<&str> {
        let names = self.class_of.iter().filter(|(_, of)| **of == class);
        names.map(|(name, _)| name.as_str()).min()
    }

    /// The folder on a disk that holds the class folders: the path or a folder below it.
    ///
    /// # Errors
    /// When several folders below the path may hold them.
    pub fn root(&self, path: &Path) -> Result<PathBuf, ClassFoldersError> {
        let place = self.place_in(path, |folder| path.join(folder).is_dir())?;
        Ok(place.map_or(path.into(), |folder| path.join(folder)))
    }

    /// The folder below a path, on a disk or in an archive, that may hold the class folders, of
    /// those that are there.
    ///
    /// # Errors
    /// When several are there.
    pub fn place_in(
        &self,
        path: &Path,
        is_there: impl Fn(&str) -> bool,
    ) -> Result<Option<&'static str>, ClassFoldersError> {
        let places = self.places.iter().copied();
        let there: Vec<&str> = places.filter(|place| is_there(place)).collect();
        match there.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(ClassFoldersError::SeveralPlaces {
                path: path.into(),
                folders: abridged(several.iter().map(|f| path.join(f).shown().to_string())),
            }),
        }
    }

    /// The same folders, with the class of each one settled where it depends on all that are there.
    ///
    /// # Errors
    /// When there are more or fewer of them than classes, or their sorted order is in doubt.
    pub fn settled(&self, root: &Path, folders: &[String]) -> Result<Self, ClassFoldersError> {
        if self.naming != Naming::Sorted || folders.is_empty() {
            return Ok(self.clone());
        }
        let path = root.to_path_buf();
        if folders.len() != self.classes {
            return Err(ClassFoldersError::OtherCount {
                path,
                folders: folders.len(),
                names: self.classes,
            });
        }
        if !folders.is_sorted() {
            return Err(ClassFoldersError::Order {
                path,
                examples: abridged(folders.iter().cloned()),
            });
        }
        Ok(Self {
            places: self.places,
            numbers: self.numbers.clone(),
            ..Self::named(folders)
        })
    }
}

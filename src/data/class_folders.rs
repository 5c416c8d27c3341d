//! Which folder belongs to which class.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::error::{DataError, examples};
use super::sets::Set;
use crate::text::imagenet;

/// Folders' names and the classes that they stand for.
#[derive(Debug, Clone)]
pub struct ClassFolders {
    class_of: HashMap<String, usize>,
    classes: usize,
    pub(super) naming: Naming,
    /// Folders that are known to belong to no class.
    left_out: HashSet<String>,
    /// Folders below the path in which the class folders may lie.
    inside: &'static [&'static str],
}

/// What the folders are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// ImageNet's 1000 WordNet ids.
    Wnids,
    /// As in the archives of this set.
    Set(Set),
    /// As a list says.
    Listed,
    /// Anything: the classes are the sorted folders.
    Sorted,
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
            inside: Set::ImageNet.inside(),
        }
    }

    /// The folders of a set, which show ImageNet's classes.
    pub(super) fn of_set(set: Set, class_of: HashMap<String, usize>) -> Self {
        Self {
            class_of,
            classes: imagenet::CLASSES,
            naming: Naming::Set(set),
            left_out: HashSet::new(),
            inside: set.inside(),
        }
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
    pub fn within(self, inside: &'static [&'static str]) -> Self {
        Self { inside, ..self }
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

    /// The class that a folder belongs to.
    pub fn class_of(&self, folder: &str) -> Option<usize> {
        let found = self.class_of.get(folder);
        // Folders of ImageNet-V2 are numbers, however many zeros they begin with.
        let number = || match self.naming {
            Naming::Set(Set::V2) if folder.bytes().all(|b| b.is_ascii_digit()) => {
                let number: usize = folder.parse().ok()?;
                self.class_of.get(&number.to_string())
            }
            _ => None,
        };
        found.or_else(number).copied()
    }

    /// The class that a folder around a picture claims, whatever else says it: a WordNet id, or a
    /// name that is listed. Numbers may be anything.
    pub fn claimed_by(&self, folder: &str) -> Option<usize> {
        match self.naming {
            Naming::Wnids | Naming::Set(_) if !is_wnid(folder) => None,
            _ => self.class_of(folder),
        }
    }

    /// The class of an index from 0. `None` beyond the classes, and for a set of some of them, whose
    /// labels may as well count its own.
    pub fn of_index(&self, index: usize) -> Option<usize> {
        let some = match self.naming {
            Naming::Set(set) => set.classes().is_some(),
            _ => false,
        };
        (!some && index < self.classes).then_some(index)
    }

    /// Why an index is none of a class.
    pub fn no_index(&self) -> String {
        match self.naming {
            Naming::Set(set) if set.classes().is_some() => format!(
                "ambiguous: it may count the classes of {} or the {} of ImageNet, so that WordNet ids are needed",
                set.name(),
                self.classes
            ),
            _ => format!("beyond the {} classes, numbered from 0", self.classes),
        }
    }

    /// The class that a picture's name itself tells, by a WordNet id in it, as in
    /// `ILSVRC2012_val_00000293_n01440764.JPEG`.
    pub fn class_in_name(&self, name: &str) -> Option<usize> {
        let words = || name.split(|c: char| !c.is_ascii_alphanumeric());
        let wnids = || words().filter(|word| word.len() == 9 && word.starts_with('n'));
        match self.naming {
            Naming::Wnids | Naming::Set(_) => wnids().rev().find_map(|word| self.class_of(word)),
            Naming::Listed | Naming::Sorted => None,
        }
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

    /// The folder that holds the class folders.
    pub(super) fn root(&self, path: &Path) -> Result<PathBuf, DataError> {
        let inside = self.inside(path, |folder| path.join(folder).is_dir())?;
        Ok(inside.map_or(path.into(), |folder| path.join(folder)))
    }

    /// The folder below a place, on a disk or in an archive, that may hold the class folders, of
    /// those that are there.
    pub(super) fn inside(
        &self,
        place: &Path,
        is_there: impl Fn(&str) -> bool,
    ) -> Result<Option<&'static str>, DataError> {
        let there = self
            .inside
            .iter()
            .copied()
            .filter(|inside| is_there(inside));
        match there.collect::<Vec<_>>().as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(DataError::SeveralInside {
                path: place.into(),
                folders: examples(several.iter().map(|f| place.join(f).display().to_string())),
            }),
        }
    }

    /// The same, with the classes of sorted folders settled.
    pub(super) fn settled(&self, root: &Path, folders: &[String]) -> Result<Self, DataError> {
        if self.naming != Naming::Sorted || folders.is_empty() {
            return Ok(self.clone());
        }
        let path = root.to_path_buf();
        if folders.len() != self.classes {
            return Err(DataError::OtherCount {
                path,
                folders: folders.len(),
                names: self.classes,
            });
        }
        if !folders.is_sorted() {
            return Err(DataError::Order {
                path,
                examples: examples(folders.iter().cloned()),
            });
        }
        Ok(Self {
            inside: self.inside,
            ..Self::named(folders)
        })
    }
}

/// Whether a word is a WordNet id, of any class.
pub(super) fn is_wnid(word: &str) -> bool {
    let digits = word.strip_prefix('n');
    digits.is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit()))
}

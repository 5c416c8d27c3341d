//! The part of a data set that a file belongs to, by its name: training, validation or test split.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::error::ShardsError;

/// Files that an error lists.
const LISTED: usize = 5;

/// Files that are evaluated, and those of other splits.
pub struct Chosen<'a> {
    pub files: Vec<&'a String>,
    pub others: Vec<&'a String>,
}

/// Chooses the files of the validation set, or of the only split there is.
///
/// # Errors
/// When it is in doubt which files belong to the validation set.
pub fn choose<'a>(folder: &Path, names: Vec<&'a String>) -> Result<Chosen<'a>, ShardsError> {
    let mut splits: BTreeMap<Option<Split>, Vec<&String>> = BTreeMap::new();
    for name in names {
        splits.entry(Split::of(name)).or_default().push(name);
    }
    if splits.len() == 1 {
        return Ok(Chosen {
            files: splits.into_values().flatten().collect(),
            others: Vec::new(),
        });
    }
    let Some(files) = splits.remove(&Some(Split::Validation)) else {
        return Err(ShardsError::SeveralSplits {
            path: folder.into(),
            examples: splits.values().map(|names| names[0].clone()).collect(),
        });
    };
    match splits.get(&None) {
        Some(unknown) => Err(ShardsError::UnknownSplits {
            path: folder.into(),
            count: unknown.len(),
            examples: unknown.iter().take(LISTED).map(|n| n.to_string()).collect(),
        }),
        None => Ok(Chosen {
            files,
            others: splits.into_values().flatten().collect(),
        }),
    }
}

/// Whether a file's or folder's name says that models are trained on it.
pub fn is_training(name: &OsStr) -> bool {
    Split::of(&name.to_string_lossy()) == Some(Split::Train)
}

/// The part of a data set that a file's name says it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    fn of(name: &str) -> Option<Self> {
        name.to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphabetic())
            .find_map(|word| match word {
                "train" | "training" => Some(Self::Train),
                "val" | "valid" | "validation" => Some(Self::Validation),
                "test" => Some(Self::Test),
                _ => None,
            })
    }
}

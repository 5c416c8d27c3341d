//! Whether folders and files at one place, on a disk or in an archive, tell every picture's class.

use std::path::Path;

use super::error::{LayoutError, UnknownCause};
use crate::data::containers::folder::Contents;
use crate::data::name::abridged;
use crate::data::sets::{ClassFolders, Naming, spelled};
use crate::text::imagenet::is_wnid;

/// Endings of a class's pictures in an archive of their own.
const PACKED: [&str; 5] = ["tar.gz", "tar", "tgz", "zip", "7z"];

/// Whether a file stands where a class folder should.
fn is_class(file: &str, classes: &ClassFolders) -> bool {
    let unpacked = |ending: &&str| file.strip_suffix(ending)?.strip_suffix('.');
    let names = [file].into_iter().chain(PACKED.iter().filter_map(unpacked));
    let mut classes = names.filter_map(|name| classes.class_of(name));
    classes.next().is_some()
}

/// Refuses a layout that leaves any picture's class open.
///
/// # Errors
/// Why a picture's class is open.
pub fn check(root: &Path, contents: &Contents, classes: &ClassFolders) -> Result<(), LayoutError> {
    let path = root.to_path_buf();
    let pictures = contents.pictures();
    if contents.folders.is_empty() {
        return Err(match (pictures, contents.files.len()) {
            (0, 0) => LayoutError::Empty { path },
            (0, files) => LayoutError::NoClassFolders { path, files },
            (pictures, _) => LayoutError::Flat { path, pictures },
        });
    }
    // A class that is left out without a word would raise the accuracy.
    if let Some(name) = contents.files.iter().find(|name| is_class(name, classes)) {
        return Err(LayoutError::NoClassFolder {
            path: path.join(name),
        });
    }
    let unknown: Vec<&String> = contents
        .folders
        .iter()
        .filter(|name| classes.class_of(name).is_none() && !classes.leaves_out(name))
        .collect();
    if unknown.is_empty() {
        // Pictures beside class folders have no label.
        return match pictures {
            0 => Ok(()),
            pictures => Err(LayoutError::Flat { path, pictures }),
        };
    }
    let examples = abridged(unknown.iter().map(|name| name.to_string()));
    let numeric = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
    if classes.naming() == Naming::Wnids && unknown.iter().all(|name| numeric(name)) {
        return Err(LayoutError::Numeric { path, examples });
    }
    let split = |name: &String| ["train", "test", "val", "validation"].contains(&name.as_str());
    let alike = unknown
        .iter()
        .find_map(|name| Some((name, classes.like(name)?)));
    if let Some((name, listed)) = alike {
        return Err(LayoutError::Spelled {
            path,
            folder: spelled(name),
            listed: spelled(listed),
        });
    }
    let cause = match classes.naming() {
        Naming::OfSet(set) => UnknownCause::NotOfTheSet {
            set: set.name,
            folders: set.folders,
        },
        Naming::Listed | Naming::Sorted | Naming::Nothing => UnknownCause::NotListed,
        Naming::Wnids if unknown.iter().any(|name| split(name)) => UnknownCause::Splits,
        Naming::Wnids if unknown.iter().all(|name| is_wnid(name)) => UnknownCause::OtherWnids,
        Naming::Wnids => UnknownCause::Names,
    };
    Err(LayoutError::Unknown {
        path,
        count: unknown.len(),
        examples,
        cause,
    })
}

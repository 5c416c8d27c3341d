//! Whether folders and files at one place, on a disk or in an archive, tell every picture's class.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::class_folders::{ClassFolders, Naming, is_wnid};
use super::error::{DataError, UnknownCause, examples};
use super::folder::is_picture;

/// Endings of a class's pictures in an archive of their own.
const PACKED: [&str; 5] = ["tar.gz", "tar", "tgz", "zip", "7z"];

/// Names at one place, without hidden ones.
pub(super) struct Listing {
    pub folders: Vec<String>,
    pub files: Vec<String>,
}

impl Listing {
    /// What lies in a folder of an archive, which has its name with a `/` at its end.
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str>, folder: &str) -> Self {
        let (mut folders, mut files) = (BTreeSet::new(), BTreeSet::new());
        for name in names.filter_map(|name| name.strip_prefix(folder)) {
            match name.split_once('/') {
                Some((folder, _)) => folders.insert(folder),
                None => files.insert(name),
            };
        }
        let strings = |names: BTreeSet<&str>| names.into_iter().map(Into::into).collect();
        let mut listing = Self {
            folders: strings(folders),
            files: strings(files),
        };
        listing.folders.sort_by(|a, b| class_order(a, b));
        listing
    }

    fn has_pictures(&self) -> bool {
        self.files.iter().any(|name| is_picture(Path::new(name)))
    }
}

/// The order of class folders: numbers in the order of numbers, and behind all other names.
pub(super) fn class_order(a: &str, b: &str) -> Ordering {
    let number = |name: &str| name.parse::<u64>().ok();
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

/// The order of pictures by their paths below the class folders' folder: that in which folders are
/// read. Other sources follow it, so that parts of a data set are the same pictures.
pub(super) fn picture_order(a: &str, b: &str) -> Ordering {
    let classes = match (a.split_once('/'), b.split_once('/')) {
        (Some((a, _)), Some((b, _))) => class_order(a, b),
        _ => Ordering::Equal,
    };
    classes.then_with(|| a.split('/').cmp(b.split('/')))
}

/// The folder of an archive that holds its class folders or flat pictures, with a `/` at its end:
/// found as on a disk, and below folders that hold nothing but one other. `start` is where to
/// begin; `names` are those of pictures.
///
/// # Errors
/// When there are several.
pub(super) fn root_in(
    archive: &Path,
    start: String,
    names: &[&str],
    classes: &ClassFolders,
) -> Result<String, DataError> {
    let mut root = start;
    loop {
        let below = |folder: &str| {
            let folder = format!("{root}{folder}/");
            names.iter().any(|name| name.starts_with(&folder))
        };
        if let Some(inside) = classes.inside(&place_in(archive, &root), below)? {
            return Ok(format!("{root}{inside}/"));
        }
        let listing = |folder: &str| Listing::of_names(names.iter().copied(), folder);
        let here = listing(&root);
        let known = |name: &String| classes.class_of(name).is_some() || classes.leaves_out(name);
        let [only] = here.folders.as_slice() else {
            return Ok(root);
        };
        let deeper = format!("{root}{only}/");
        if here.has_pictures() || known(only) || listing(&deeper).folders.is_empty() {
            return Ok(root);
        }
        root = deeper;
    }
}

/// An archive's folder as a path.
pub(super) fn place_in(archive: &Path, folder: &str) -> PathBuf {
    match folder.trim_end_matches('/') {
        "" => archive.into(),
        folder => archive.join(folder),
    }
}

/// Whether a file stands where a class folder should.
fn is_class(file: &str, classes: &ClassFolders) -> bool {
    let unpacked = |ending: &&str| file.strip_suffix(ending)?.strip_suffix('.');
    let names = [file].into_iter().chain(PACKED.iter().filter_map(unpacked));
    let mut classes = names.filter_map(|name| classes.class_of(name));
    classes.next().is_some()
}

/// Refuses a layout that leaves any picture's class open.
pub(super) fn check(
    root: &Path,
    listing: &Listing,
    classes: &ClassFolders,
) -> Result<(), DataError> {
    let path = root.to_path_buf();
    let pictures = listing
        .files
        .iter()
        .filter(|name| is_picture(Path::new(name)))
        .count();
    if listing.folders.is_empty() {
        return Err(match (pictures, listing.files.len()) {
            (0, 0) => DataError::Empty { path },
            (0, files) => DataError::NoClassFolders { path, files },
            (pictures, _) => DataError::Flat { path, pictures },
        });
    }
    // A class that is left out without a word would raise the accuracy.
    if let Some(name) = listing.files.iter().find(|name| is_class(name, classes)) {
        return Err(DataError::NoClassFolder {
            path: path.join(name),
        });
    }
    let unknown: Vec<&String> = listing
        .folders
        .iter()
        .filter(|name| classes.class_of(name).is_none() && !classes.leaves_out(name))
        .collect();
    if unknown.is_empty() {
        // Pictures beside class folders have no label.
        return match pictures {
            0 => Ok(()),
            pictures => Err(DataError::Flat { path, pictures }),
        };
    }
    let examples = examples(unknown.iter().map(|name| name.to_string()));
    let numeric = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
    if classes.naming == Naming::Wnids && unknown.iter().all(|name| numeric(name)) {
        return Err(DataError::Numeric { path, examples });
    }
    let split = |name: &String| ["train", "test", "val", "validation"].contains(&name.as_str());
    let cause = if let Naming::Set(set) = classes.naming {
        UnknownCause::NotOfTheSet(set)
    } else if classes.naming != Naming::Wnids {
        UnknownCause::NotListed
    } else if unknown.iter().any(|name| split(name)) {
        UnknownCause::Splits
    } else if unknown.iter().all(|name| is_wnid(name)) {
        UnknownCause::OtherWnids
    } else {
        UnknownCause::Names
    };
    Err(DataError::Unknown {
        path,
        count: unknown.len(),
        examples,
        cause,
    })
}

//! Folders on a disk: what lies in one, and the pictures below it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::ContainerError;
use super::file_names::{Ignored, is_hidden, is_picture};
use crate::util::escape;

/// Folders inside a class folder that are looked into, against cycles of links.
const MAX_DEPTH: usize = 8;

/// The names of what lies at one place, on a disk or in an archive, without hidden ones.
///
/// Folders are in the order of class folders, files in the order of their text.
#[derive(Debug, Default)]
pub struct Contents {
    pub folders: Vec<String>,
    pub files: Vec<String>,
}

impl Contents {
    /// What lies in a folder on a disk. Hidden names are counted in `ignored`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of_folder(folder: &Path, ignored: &mut Ignored) -> Result<Self, ContainerError> {
        let unreadable = |source| unreadable(folder, source);
        let mut contents = Self::default();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // A name that is not Unicode cannot be a class, and is kept readable for messages.
            let name = escape::name(&entry.file_name()).into_owned();
            // Asked of the folder itself, so that one that may be listed but not entered still tells.
            let kind = entry.file_type().map_err(unreadable)?;
            let is_folder = if kind.is_symlink() {
                entry.path().is_dir()
            } else {
                kind.is_dir()
            };
            if is_hidden(&name) {
                ignored.hidden += 1;
            } else if is_folder {
                contents.folders.push(name);
            } else {
                contents.files.push(name);
            }
        }
        contents.folders.sort_by(|a, b| folder_order(a, b));
        contents.files.sort_unstable();
        Ok(contents)
    }

    /// What lies in a folder of an archive, which has its name with a `/` at its end. `names` are
    /// those of the archive's files.
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str>, folder: &str) -> Self {
        let (mut folders, mut files) = (BTreeSet::new(), BTreeSet::new());
        for name in names.filter_map(|name| name.strip_prefix(folder)) {
            match name.split_once('/') {
                Some((folder, _)) => folders.insert(folder),
                None => files.insert(name),
            };
        }
        let strings = |names: BTreeSet<&str>| names.into_iter().map(Into::into).collect();
        let mut contents = Self {
            folders: strings(folders),
            files: strings(files),
        };
        contents.folders.sort_by(|a, b| folder_order(a, b));
        contents
    }

    /// How many of the files are pictures.
    pub fn pictures(&self) -> usize {
        let pictures = self.files.iter().filter(|name| is_picture(Path::new(name)));
        pictures.count()
    }
}

/// The order of class folders: numbers in the order of numbers, and behind all other names.
fn folder_order(a: &str, b: &str) -> Ordering {
    let number = |name: &str| name.parse::<u64>().ok();
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

/// The order of pictures by their paths below the folder of the class folders: that in which
/// folders are read. Archives follow it, so that parts of a data set are the same pictures.
pub fn picture_order(a: &str, b: &str) -> Ordering {
    let folders = match (a.split_once('/'), b.split_once('/')) {
        (Some((a, _)), Some((b, _))) => folder_order(a, b),
        _ => Ordering::Equal,
    };
    folders.then_with(|| a.split('/').cmp(b.split('/')))
}

/// The paths of the pictures below a folder, sorted. Other files are counted in `ignored`.
///
/// # Errors
/// When a folder cannot be read, or lies too deep.
pub fn pictures(folder: &Path, ignored: &mut Ignored) -> Result<Vec<PathBuf>, ContainerError> {
    let mut paths = Vec::new();
    collect(folder, MAX_DEPTH, &mut paths, ignored)?;
    Ok(paths)
}

fn collect(
    folder: &Path,
    depth: usize,
    pictures: &mut Vec<PathBuf>,
    ignored: &mut Ignored,
) -> Result<(), ContainerError> {
    let unreadable = |source| unreadable(folder, source);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort_unstable();
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        let name = escape::name(name).into_owned();
        // A link that leads nowhere is a picture too: one that cannot be read.
        if is_hidden(&name) || !path.is_dir() {
            if ignored.admits(&name) {
                pictures.push(path);
            }
        } else if depth == 0 {
            return Err(ContainerError::TooDeep {
                path,
                deepest: MAX_DEPTH,
            });
        } else {
            collect(&path, depth - 1, pictures, ignored)?;
        }
    }
    Ok(())
}

fn unreadable(folder: &Path, source: std::io::Error) -> ContainerError {
    ContainerError::Unreadable {
        path: folder.into(),
        source,
    }
}

//! Folders of class folders: finding the pictures and their labels.
//!
//! Class folders are matched to classes by name (for ImageNet the WordNet id), never by position:
//! a folder that is missing shifts no other.

use std::path::{Path, PathBuf};

use super::class_folders::ClassFolders;
use super::error::DataError;
use super::layout::{self, Listing};
use super::sample::Sample;
use super::source::{Remark, Source};

/// File name endings of pictures, those that torchvision's `ImageFolder` reads.
pub(super) const PICTURE_EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "tif", "tiff",
];

/// Folders inside a class folder that are looked into, against cycles of links.
pub(super) const MAX_DEPTH: usize = 8;

/// All pictures of a data set, in order.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The folder or archive that holds the pictures.
    pub root: PathBuf,
    /// Sorted by class folder, numbers as numbers, and path; members of shards and rows in their
    /// own order.
    pub samples: Vec<Sample>,
    /// Classes with at least one picture.
    pub classes_present: usize,
    /// Classes that the model chooses among.
    pub classes: usize,
    /// Files and folders that were left out, hidden ones and those that are no pictures.
    pub ignored: Ignored,
    pub source: Source,
    /// The file that says the classes.
    pub labels: Option<PathBuf>,
    /// What is odd about it.
    pub remarks: Vec<Remark>,
}

/// Numbers of entries that were left out.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Ignored {
    /// Names that start with a dot.
    pub hidden: usize,
    /// Files whose name has no picture's ending.
    pub not_pictures: usize,
    /// Class folders that the data set has, but that show nothing of the classes.
    pub other_folders: usize,
}

impl DataSet {
    /// The labels that its pictures have, in ascending order.
    pub fn classes_there(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.samples.iter().map(|sample| sample.label).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Finds the pictures below `path/val` (or where else the class folders may lie), or below `path`
    /// when there is no such folder.
    ///
    /// # Errors
    /// When the folder cannot be read, or its layout does not tell every picture's class.
    pub fn scan(path: &Path, classes: &ClassFolders) -> Result<Self, DataError> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(DataError::NotAFolder { path: path.into() }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(DataError::NotFound { path: path.into() });
            }
            Err(source) => {
                return Err(DataError::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        }
        let root = classes.root(path)?;
        let mut ignored = Ignored::default();
        let mut listing = list(&root, &mut ignored)?;
        listing.folders.sort_by(|a, b| layout::class_order(a, b));
        let classes = &classes.settled(&root, &listing.folders)?;
        layout::check(&root, &listing, classes)?;
        ignored.not_pictures += listing.files.len();

        let mut samples = Vec::new();
        let mut classes_present = 0;
        for name in &listing.folders {
            let Some(label) = classes.class_of(name) else {
                ignored.other_folders += 1;
                continue;
            };
            let before = samples.len();
            collect(
                &root.join(name),
                label,
                MAX_DEPTH,
                &mut samples,
                &mut ignored,
            )?;
            classes_present += usize::from(samples.len() > before);
        }
        if samples.is_empty() {
            return Err(DataError::NoPictures {
                path: root,
                files: ignored.not_pictures,
            });
        }
        Ok(Self {
            root,
            samples,
            classes_present,
            classes: classes.len(),
            ignored,
            source: Source::Folders,
            labels: None,
            remarks: Vec::new(),
        })
    }
}

/// Names in one folder, sorted, without hidden ones.
pub(super) fn list(folder: &Path, ignored: &mut Ignored) -> Result<Listing, DataError> {
    let unreadable = |source| DataError::Unreadable {
        path: folder.into(),
        source,
    };
    let mut listing = Listing {
        folders: Vec::new(),
        files: Vec::new(),
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // A name that is not Unicode cannot be a class, and is kept readable for messages.
        let name = entry.file_name().to_string_lossy().into_owned();
        // Asked of the folder itself, so that one that may be listed but not entered still tells.
        let kind = entry.file_type().map_err(unreadable)?;
        let is_folder = match kind.is_symlink() {
            true => entry.path().is_dir(),
            false => kind.is_dir(),
        };
        if name.starts_with('.') {
            ignored.hidden += 1;
        } else if is_folder {
            listing.folders.push(name);
        } else {
            listing.files.push(name);
        }
    }
    listing.folders.sort_unstable();
    listing.files.sort_unstable();
    Ok(listing)
}

/// The pictures below a folder, sorted.
pub(super) fn collect(
    folder: &Path,
    label: usize,
    depth: usize,
    samples: &mut Vec<Sample>,
    ignored: &mut Ignored,
) -> Result<(), DataError> {
    let mut hidden = Ignored::default();
    let unreadable = |source| DataError::Unreadable {
        path: folder.into(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort_unstable();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with('.')) {
            hidden.hidden += 1;
        } else if path.is_dir() {
            if depth == 0 {
                return Err(DataError::TooDeep { path });
            }
            collect(&path, label, depth - 1, samples, ignored)?;
        } else if is_picture(&path) {
            // A link that leads nowhere is a picture too: one that cannot be read.
            samples.push(Sample::file(path, label));
        } else {
            hidden.not_pictures += 1;
        }
    }
    ignored.hidden += hidden.hidden;
    ignored.not_pictures += hidden.not_pictures;
    Ok(())
}

pub(super) fn is_picture(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|e| {
            PICTURE_EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(e))
        })
}

//! Folders of class folders: finding the pictures and their labels.
//!
//! Class folders are matched to classes by name (for ImageNet the WordNet id), never by position:
//! a folder that is missing shifts no other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::text::imagenet;

/// File name endings of pictures, those that torchvision's `ImageFolder` reads.
const PICTURE_EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "tif", "tiff",
];

/// Folders inside a class folder that are looked into, against cycles of links.
const MAX_DEPTH: usize = 8;

/// Names that an error message lists before it abridges.
const LISTED: usize = 5;

/// Which folder belongs to which class.
#[derive(Debug, Clone)]
pub struct ClassFolders {
    class_of: HashMap<String, usize>,
    classes: usize,
    /// Whether the folders are named by WordNet id.
    wnids: bool,
}

impl ClassFolders {
    /// ImageNet's WordNet ids.
    pub fn imagenet() -> Self {
        let names = imagenet::wnids()
            .iter()
            .map(|wnid| wnid.to_string())
            .collect::<Vec<_>>();
        Self {
            wnids: true,
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
            wnids: false,
        }
    }
}

/// One picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub path: PathBuf,
    /// The class index.
    pub label: usize,
}

/// All pictures of a folder, in order.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The folder that holds the class folders.
    pub root: PathBuf,
    /// Sorted by path.
    pub samples: Vec<Sample>,
    /// Class folders with at least one picture.
    pub classes_present: usize,
    /// Classes that the model chooses among.
    pub classes: usize,
    /// Files and folders that were left out, hidden ones and those that are no pictures.
    pub ignored: Ignored,
}

/// Numbers of entries that were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ignored {
    /// Names that start with a dot.
    pub hidden: usize,
    /// Files whose name has no picture's ending.
    pub not_pictures: usize,
}

/// Why a folder cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{} does not exist", path.display())]
    NotFound { path: PathBuf },
    #[error("{} is a file, not a folder", path.display())]
    NotAFolder { path: PathBuf },
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{} holds {pictures} pictures but no class folders", path.display())]
    Flat { path: PathBuf, pictures: usize },
    #[error("{} holds no class folders, only {} files that are no pictures", path.display(), files)]
    NoClassFolders { path: PathBuf, files: usize },
    #[error("the class folders of {} have plain numbers as names ({examples})", path.display())]
    Numeric { path: PathBuf, examples: String },
    #[error("{} has {count} folders that belong to no class ({examples})", path.display())]
    Unknown {
        path: PathBuf,
        count: usize,
        examples: String,
        cause: UnknownCause,
    },
    #[error("the class folders of {} hold no pictures, only {files} other files", path.display())]
    NoPictures { path: PathBuf, files: usize },
}

/// What unknown class folders probably are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownCause {
    /// `train`, `test`: the parent of the folder that is wanted.
    Splits,
    /// WordNet ids of other classes than the 1000.
    OtherWnids,
    /// Class names instead of WordNet ids.
    Names,
    /// Not what `--classnames` lists.
    NotListed,
}

impl DataError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let layout = "expected PATH/val/<wnid>/*.JPEG or PATH/<wnid>/*.JPEG, e.g. PATH/val/n01440764/ILSVRC2012_val_00000293.JPEG";
        Some(match self {
            Self::NotFound { .. } => "check --imagenet-path".into(),
            Self::NotAFolder { .. } => {
                format!("archives are not read; unpack it first. {layout}")
            }
            Self::Empty { .. } | Self::NoClassFolders { .. } => layout.into(),
            Self::Flat { .. } => format!(
                "this is the flat layout of the ILSVRC2012 archive, which has no labels; sort the pictures into class folders (the valprep script does). {layout}"
            ),
            Self::Numeric { .. } => format!(
                "plain numbers say no class safely: devkit ids (1..1000) are in another order than the 1000 classes, and as text \"100\" sorts before \"2\"; rename the folders to WordNet ids. {layout}"
            ),
            Self::Unknown { cause, .. } => match cause {
                UnknownCause::Splits => {
                    format!("give the folder whose class folders are to be evaluated. {layout}")
                }
                UnknownCause::OtherWnids => {
                    "these WordNet ids are not among the 1000 classes of ILSVRC2012; is this another ImageNet (21K, or a different subset)?".into()
                }
                UnknownCause::Names => format!(
                    "class folders are matched by WordNet id, since two class names occur twice; rename them, or list them with --classnames as folder<TAB>name. {layout}"
                ),
                UnknownCause::NotListed => {
                    "every folder must be listed in the --classnames file; remove it or add a line".into()
                }
            },
            Self::NoPictures { .. } => {
                format!("pictures are files that end in .{}", PICTURE_EXTENSIONS.join(", ."))
            }
            Self::Unreadable { .. } => return None,
        })
    }
}

impl DataSet {
    /// Finds the pictures below `path/val`, or below `path` when there is no such folder.
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
        let val = path.join("val");
        let root = if val.is_dir() {
            val
        } else {
            path.to_path_buf()
        };
        let mut ignored = Ignored::default();
        let listing = list(&root, &mut ignored)?;
        check_layout(&root, &listing, classes)?;
        ignored.not_pictures += listing.files.len();

        let mut samples = Vec::new();
        let mut classes_present = 0;
        for name in &listing.folders {
            let Some(label) = classes.class_of.get(name).copied() else {
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
            classes: classes.classes,
            ignored,
        })
    }
}

/// Names in one folder, sorted, without hidden ones.
struct Listing {
    folders: Vec<String>,
    files: Vec<String>,
}

fn list(folder: &Path, ignored: &mut Ignored) -> Result<Listing, DataError> {
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
        if name.starts_with('.') {
            ignored.hidden += 1;
        } else if entry.path().is_dir() {
            listing.folders.push(name);
        } else {
            listing.files.push(name);
        }
    }
    listing.folders.sort_unstable();
    listing.files.sort_unstable();
    Ok(listing)
}

/// Refuses a layout that leaves any picture's class open.
fn check_layout(root: &Path, listing: &Listing, classes: &ClassFolders) -> Result<(), DataError> {
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
    let unknown: Vec<&String> = listing
        .folders
        .iter()
        .filter(|name| !classes.class_of.contains_key(*name))
        .collect();
    if unknown.is_empty() {
        // Pictures beside class folders have no label.
        return match pictures {
            0 => Ok(()),
            pictures => Err(DataError::Flat { path, pictures }),
        };
    }
    let mut examples = unknown
        .iter()
        .take(LISTED)
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    if unknown.len() > LISTED {
        examples += ", …";
    }
    let numeric = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
    if unknown.iter().all(|name| numeric(name)) {
        return Err(DataError::Numeric { path, examples });
    }
    let split = |name: &String| ["train", "test", "val", "validation"].contains(&name.as_str());
    let wnid = |name: &String| {
        name.strip_prefix('n')
            .is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit()))
    };
    let cause = if !classes.wnids {
        UnknownCause::NotListed
    } else if unknown.iter().any(|name| split(name)) {
        UnknownCause::Splits
    } else if unknown.iter().all(|name| wnid(name)) {
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

fn collect(
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
            if depth > 0 {
                collect(&path, label, depth - 1, samples, ignored)?;
            }
        } else if is_picture(&path) {
            // A link that leads nowhere is a picture too: one that cannot be read.
            samples.push(Sample { path, label });
        } else {
            hidden.not_pictures += 1;
        }
    }
    ignored.hidden += hidden.hidden;
    ignored.not_pictures += hidden.not_pictures;
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|e| {
            PICTURE_EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(e))
        })
}

//! Folders of class folders: finding the pictures and their labels.
//!
//! Class folders are matched to classes by name (for ImageNet the WordNet id), never by position:
//! a folder that is missing shifts no other.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sets::Set;
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
    naming: Naming,
    /// Folders that are known to belong to no class.
    left_out: HashSet<String>,
    /// Folders below the path in which the class folders may lie.
    inside: &'static [&'static str],
}

/// What the folders are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
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
    pub fn inside(self, inside: &'static [&'static str]) -> Self {
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
    fn root(&self, path: &Path) -> Result<PathBuf, DataError> {
        let there = self.inside.iter().map(|inside| path.join(inside));
        let there: Vec<PathBuf> = there.filter(|folder| folder.is_dir()).collect();
        match there.as_slice() {
            [] => Ok(path.into()),
            [only] => Ok(only.clone()),
            several => Err(DataError::SeveralInside {
                path: path.into(),
                folders: examples(several.iter().map(|folder| folder.display().to_string())),
            }),
        }
    }

    /// The same, with the classes of sorted folders settled.
    fn settled(&self, root: &Path, folders: &[String]) -> Result<Self, DataError> {
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

/// One picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub path: PathBuf,
    /// The class index.
    pub label: usize,
    /// The classes that are right, where they are others than the label alone.
    pub right: Option<Arc<[usize]>>,
}

impl Sample {
    /// A picture in a file of its own.
    pub fn file(path: PathBuf, label: usize) -> Self {
        Self {
            path,
            label,
            right: None,
        }
    }

    /// The classes that are right.
    pub fn right(&self) -> &[usize] {
        match &self.right {
            Some(right) => right,
            None => std::slice::from_ref(&self.label),
        }
    }
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
    /// Class folders that the data set has, but that show nothing of the classes.
    pub other_folders: usize,
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
    #[error("{} holds several folders of pictures ({folders})", path.display())]
    SeveralInside { path: PathBuf, folders: String },
    #[error("{} has {folders} class folders, but there are {names} class names", path.display())]
    OtherCount {
        path: PathBuf,
        folders: usize,
        names: usize,
    },
    #[error("the class folders of {} are numbers ({examples}), whose sorted order is in doubt", path.display())]
    Order { path: PathBuf, examples: String },
    #[error("{count} pictures of {} have no name of the validation set, as {} has none", path.display(), example.display())]
    NotOfTheValidationSet {
        path: PathBuf,
        count: usize,
        example: PathBuf,
    },
    #[error("no picture of {} has a ReaL label", path.display())]
    NoRealLabels { path: PathBuf },
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
    /// None of the folders of a set.
    NotOfTheSet(Set),
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
                "plain numbers say no class safely: devkit ids (1..1000) are in another order than the 1000 classes, and as text \"100\" sorts before \"2\"; rename the folders to WordNet ids. ImageNet-V2, whose numbers are class indices, is evaluated with --dataset imagenet-v2. {layout}"
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
                UnknownCause::NotOfTheSet(set) => format!(
                    "{} has {} class folders, of other names; is this another set? --dataset names it",
                    set.name(),
                    set.size().classes
                ),
                UnknownCause::NotListed => {
                    "every folder must be listed in the --classnames file; remove it or add a line".into()
                }
            },
            Self::NoPictures { .. } => {
                format!("pictures are files that end in .{}", PICTURE_EXTENSIONS.join(", ."))
            }
            Self::SeveralInside { .. } => "give the one that is to be evaluated".into(),
            Self::OtherCount { .. } => {
                "a list of names alone has one for each class folder, in their sorted order; or write folder<TAB>name on every line".into()
            }
            Self::Order { .. } => {
                "as text \"10\" sorts before \"2\"; write folder<TAB>name on every line of the --classnames file".into()
            }
            Self::NotOfTheValidationSet { .. } => {
                "--labels real goes by file name, e.g. ILSVRC2012_val_00000293.JPEG".into()
            }
            Self::NoRealLabels { .. } => {
                "3163 of the 50000 pictures of the validation set have none".into()
            }
            Self::Unreadable { .. } => return None,
        })
    }
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
        // Numbers come in the order of numbers.
        let number = |name: &String| name.parse::<u64>().ok();
        listing.folders.sort_by_key(number);
        let classes = &classes.settled(&root, &listing.folders)?;
        check_layout(&root, &listing, classes)?;
        ignored.not_pictures += listing.files.len();

        let mut samples = Vec::new();
        let mut classes_present = 0;
        for name in &listing.folders {
            let Some(label) = classes.class_of.get(name).copied() else {
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
            classes: classes.classes,
            ignored,
        })
    }
}

/// Some names for a message.
fn examples(names: impl ExactSizeIterator<Item = String>) -> String {
    let abridged = names.len() > LISTED;
    let mut examples = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if abridged {
        examples += ", …";
    }
    examples
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
        .filter(|name| !classes.class_of.contains_key(*name) && !classes.left_out.contains(*name))
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
    let wnid = |name: &String| {
        name.strip_prefix('n')
            .is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit()))
    };
    let cause = if let Naming::Set(set) = classes.naming {
        UnknownCause::NotOfTheSet(set)
    } else if classes.naming != Naming::Wnids {
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
            samples.push(Sample::file(path, label));
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

//! Why a folder of pictures cannot be evaluated, and what to do about it.

use std::path::PathBuf;

use super::folder::PICTURE_EXTENSIONS;
use super::sets::Set;

/// Names that a message lists before it abridges.
const LISTED: usize = 5;

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

/// Some names for a message.
pub(super) fn examples(names: impl ExactSizeIterator<Item = String>) -> String {
    let abridged = names.len() > LISTED;
    let mut examples = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if abridged {
        examples += ", …";
    }
    examples
}

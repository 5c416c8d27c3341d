//! What is wrong with a data set, and what to do about it.

use std::path::PathBuf;

use super::folder::{MAX_DEPTH, PICTURE_EXTENSIONS};
use super::labels::{self, LabelError};
use super::sets::Set;
use super::source::Source;

/// Names that a message lists before it abridges.
const LISTED: usize = 5;

/// Why a data set cannot be evaluated.
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
    #[error("{} holds no pictures, only {files} other files", path.display())]
    NoPictures { path: PathBuf, files: usize },
    #[error("{} has pictures without class folders, and no label file", path.display())]
    NoLabels { path: PathBuf },
    #[error("{} has several label files ({files})", path.display())]
    SeveralLabels { path: PathBuf, files: String },
    #[error("{} has no label for {count} pictures ({examples})", path.display())]
    Unlabelled {
        path: PathBuf,
        count: usize,
        examples: String,
    },
    #[error("{} says each picture's class itself; {} is not needed", path.display(), labels.display())]
    LabelsUnused { path: PathBuf, labels: PathBuf },
    #[error("{first} and {second} are both called {name} in {}", labels.display())]
    SameName {
        first: String,
        second: String,
        name: String,
        labels: PathBuf,
    },
    #[error("{} is of class {said} by its label, but its name says {named}", picture.display())]
    Contradiction {
        picture: PathBuf,
        said: usize,
        named: usize,
    },
    #[error("{} is named as a class, but is no folder that can be read", path.display())]
    NoClassFolder { path: PathBuf },
    #[error("{} has pictures without class folders; their labels are in {}, which is packed", path.display(), devkit.display())]
    PackedDevkit { path: PathBuf, devkit: PathBuf },
    #[error("{picture} may be any of several pictures in {}", labels.display())]
    SeveralLines { picture: String, labels: PathBuf },
    #[error("{} holds the same split in different numbers of files ({})", path.display(), examples.join(", "))]
    SeveralConversions {
        path: PathBuf,
        examples: Vec<String>,
    },
    #[error("{} holds files of the validation set, and {count} whose names tell no split ({})", path.display(), examples.join(", "))]
    UnknownSplits {
        path: PathBuf,
        count: usize,
        examples: Vec<String>,
    },
    #[error("{} holds no .{ending} files", path.display())]
    NoShards { path: PathBuf, ending: String },
    #[error("{} holds files of several splits ({})", path.display(), examples.join(", "))]
    SeveralSplits {
        path: PathBuf,
        examples: Vec<String>,
    },
    #[error("{} is no {kind}", path.display())]
    NotThat { path: PathBuf, kind: Source },
    #[error("{} is too deep below its class folder; does a link lead back?", path.display())]
    TooDeep { path: PathBuf },
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
    #[error(transparent)]
    Labels(#[from] LabelError),
    #[error("{} cannot be used: {reason}", path.display())]
    Archive { path: PathBuf, reason: String },
    #[error("{} cannot be used: {reason}", path.display())]
    Table { path: PathBuf, reason: String },
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
                format!("of files, plain tar archives (.tar) and Parquet files (.parquet) are read. {layout}")
            }
            Self::Empty { .. } | Self::NoClassFolders { .. } => layout.into(),
            Self::Flat { .. } => format!(
                "this is the flat layout of the ILSVRC2012 archive, which has no labels; name a label file with --labels, or put {} beside it. {layout}",
                labels::KNOWN.join(" or ")
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
            Self::NoLabels { .. } => format!(
                "name a label file with --labels, or put {} beside it",
                labels::KNOWN.join(" or ")
            ),
            Self::SeveralLabels { .. } => "say with --labels which one to use".into(),
            Self::LabelsUnused { .. } => {
                "--labels is for flat folders and tar archives; leave it out, or name the --source"
                    .into()
            }
            Self::SameName { .. } | Self::SeveralLines { .. } => {
                "pictures are found in a label file by their path without ending, or else by the longest end of it that a line has; write the paths below the folder of the pictures".into()
            }
            Self::NoClassFolder { .. } => {
                "a link that leads nowhere, or an archive to unpack? without it the accuracy would be of other classes; remove it to leave the class out".into()
            }
            Self::PackedDevkit { .. } => "unpack it there, or name a label file with --labels".into(),
            Self::SeveralConversions { .. } => {
                "its pictures would count twice; give the files of one conversion by a pattern, or a folder of their own".into()
            }
            Self::UnknownSplits { .. } => {
                "do they belong to it? give all that do by a pattern such as 'PATH/*.parquet', or a folder of their own".into()
            }
            Self::Contradiction { .. } => {
                "are the labels numbers of another order, or of other pictures? the order of the classes is that of the WordNet ids".into()
            }
            Self::NoShards { .. } | Self::NotThat { .. } => {
                "check --imagenet-path and --source; without --source the path tells".into()
            }
            Self::SeveralSplits { .. } => {
                "give the files of one split: one file, a pattern such as 'test-{000..013}.tar', or a folder of their own".into()
            }
            Self::TooDeep { .. } => format!("up to {MAX_DEPTH} folders are looked into"),
            Self::Unlabelled { .. } => {
                "every picture needs a label; is this the label file of other pictures?".into()
            }
            Self::Labels(_) => {
                "a label file has a picture and its class on each line, the class as WordNet id or as index from 0".into()
            }
            Self::Archive { .. } => "expected a plain tar archive of pictures, with class folders, a label file (--labels FILE), or a .cls, .json or .txt beside each picture".into(),
            Self::Table { .. } => "expected Parquet files of a labelled split, with the columns image (or image.bytes) and label".into(),
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

//! What is wrong with a folder of class folders.

use std::path::PathBuf;

use crate::data::containers::file_names::PICTURE_EXTENSIONS;
use crate::data::labels::KNOWN;
use crate::util::count as nouns;
use crate::util::escape::Shown;

/// The layout that is expected, for hints.
const LAYOUT: &str = "expected PATH/val/<wnid>/*.JPEG or PATH/<wnid>/*.JPEG, e.g. PATH/val/n01440764/ILSVRC2012_val_00000293.JPEG";

/// Why folders do not tell every picture's class.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{} is a file, not a folder", path.shown())]
    NotAFolder { path: PathBuf },
    #[error("{} is no flat folder", path.shown())]
    NotAFlatFolder { path: PathBuf },
    #[error("{} is empty", path.shown())]
    Empty { path: PathBuf },
    #[error("{} holds {} but no class folders", path.shown(), nouns::count(*pictures, "picture"))]
    Flat { path: PathBuf, pictures: usize },
    #[error("{} holds no class folders, only {}", path.shown(), no_pictures(*files))]
    NoClassFolders { path: PathBuf, files: usize },
    #[error("the class folders of {} have plain numbers as names ({examples})", path.shown())]
    Numeric { path: PathBuf, examples: String },
    #[error("{} has {} that {} to no class ({examples})", path.shown(), nouns::count(*count, "folder"), nouns::picks(*count, "belongs", "belong"))]
    Unknown {
        path: PathBuf,
        count: usize,
        examples: String,
        cause: UnknownCause,
    },
    #[error("{} has the folder {folder}, and the class is listed as {listed}: they differ in blanks or in the Unicode form", path.shown())]
    Spelled {
        path: PathBuf,
        /// Both in quotes, in ASCII.
        folder: String,
        listed: String,
    },
    #[error("{} holds no pictures, only {}", path.shown(), nouns::count(*files, "other file"))]
    NoPictures { path: PathBuf, files: usize },
    #[error("{} says {task}: only pictures with one class each are evaluated", path.shown())]
    OtherTask { path: PathBuf, task: String },
    #[error("{} is named as a class, but is no folder that can be read", path.shown())]
    NoClassFolder { path: PathBuf },
}

fn no_pictures(files: usize) -> String {
    let that_are = nouns::picks(files, "that is no picture", "that are no pictures");
    format!("{} {that_are}", nouns::count(files, "file"))
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
    NotOfTheSet {
        set: &'static str,
        /// Class folders of the whole set.
        folders: usize,
    },
}

impl LayoutError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NotAFolder { .. } => {
                format!("of files, plain tar archives (.tar) and Parquet files (.parquet) are read. {LAYOUT}")
            }
            Self::NotAFlatFolder { .. } => {
                "check --imagenet-path and --source; without --source the path tells".into()
            }
            Self::Empty { .. } | Self::NoClassFolders { .. } => LAYOUT.into(),
            Self::Flat { .. } => format!(
                "this is the flat layout of the ILSVRC2012 archive, which has no labels; name a label file with --labels, or put {} beside it. {LAYOUT}",
                KNOWN.join(" or ")
            ),
            Self::Numeric { .. } => format!(
                "plain numbers say no class safely: devkit ids (1..1000) are in another order than the 1000 classes, and as text \"100\" sorts before \"2\"; rename the folders to WordNet ids. ImageNet-V2, whose numbers are class indices, is evaluated with --dataset imagenet-v2. {LAYOUT}"
            ),
            Self::Unknown { cause, .. } => cause.hint(),
            Self::Spelled { .. } => {
                "write the name in the list as the folder is written, or rename the folder".into()
            }
            Self::NoPictures { .. } => {
                format!("pictures are files that end in .{}", PICTURE_EXTENSIONS.join(", ."))
            }
            Self::OtherTask { .. } => {
                "leave this data set out; its measure is none of an accuracy's".into()
            }
            Self::NoClassFolder { .. } => {
                "a link that leads nowhere, or an archive to unpack? without it the accuracy would be of other classes; remove it to leave the class out".into()
            }
        }
    }
}

impl UnknownCause {
    fn hint(self) -> String {
        match self {
            Self::Splits => {
                format!("give the folder whose class folders are to be evaluated. {LAYOUT}")
            }
            Self::OtherWnids => {
                "these WordNet ids are not among the 1000 classes of ILSVRC2012; is this another ImageNet (21K, or a different subset)?".into()
            }
            Self::Names => format!(
                "class folders are matched by WordNet id, since two class names occur twice; rename them, or list them with --classnames as folder<TAB>name. {LAYOUT}"
            ),
            Self::NotOfTheSet { set, folders } => format!(
                "{set} has {folders} class folders, of other names; is this another set? --dataset names it"
            ),
            Self::NotListed => {
                "every folder must be listed in the --classnames file; remove it or add a line".into()
            }
        }
    }
}

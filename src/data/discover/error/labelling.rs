//! What is wrong with the labels of pictures.

use std::path::PathBuf;
use std::sync::Arc;

use crate::data::labels::KNOWN;
use crate::util::count as nouns;
use crate::util::escape::Shown;

/// Why pictures do not get their labels.
#[derive(Debug, thiserror::Error)]
pub enum LabellingError {
    #[error("{} has pictures without class folders, and no label file", path.shown())]
    NoLabels { path: PathBuf },
    #[error("{} has pictures without class folders; their labels are in {}, which is packed", path.shown(), devkit.shown())]
    PackedDevkit { path: PathBuf, devkit: PathBuf },
    #[error("{} has several label files ({files})", path.shown())]
    SeveralLabels { path: PathBuf, files: String },
    #[error("{} says each picture's class itself; {} is not needed", path.shown(), labels.shown())]
    LabelsUnused { path: PathBuf, labels: PathBuf },
    #[error("{} has no label for {} ({examples})", path.shown(), nouns::count(*count, "picture"))]
    Unlabelled {
        path: PathBuf,
        count: usize,
        examples: String,
    },
    #[error("{first} and {second} are both called {name} in {}", labels.shown())]
    SameName {
        first: String,
        second: String,
        name: String,
        labels: PathBuf,
    },
    #[error("{picture} may be any of several pictures in {}", labels.shown())]
    SeveralLines { picture: String, labels: PathBuf },
    #[error("{picture} is of class {label} by its label, but its name says {named}")]
    Contradiction {
        picture: Arc<str>,
        label: usize,
        named: usize,
    },
    #[error("{} of {} {} no name of the validation set, as {example} has none", nouns::count(*count, "picture"), path.shown(), nouns::picks(*count, "has", "have"))]
    NotOfTheValidationSet {
        path: PathBuf,
        count: usize,
        example: Arc<str>,
    },
    #[error("{} does not say what the labels' numbers mean: {reason}", names.shown())]
    OtherClassNames { names: PathBuf, reason: String },
    #[error("no picture of {} has a ReaL label", path.shown())]
    NoRealLabels { path: PathBuf },
}

impl LabellingError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoLabels { .. } => {
                let known = KNOWN.join(" or ");
                return format!("name a label file with --labels, or put {known} beside it");
            }
            Self::PackedDevkit { .. } => "unpack it there, or name a label file with --labels",
            Self::SeveralLabels { .. } => "say with --labels which one to use",
            Self::LabelsUnused { .. } => {
                "--labels is for flat folders and tar archives; leave it out, or name the --source"
            }
            Self::Unlabelled { .. } => {
                "every picture needs a label; is this the label file of other pictures?"
            }
            Self::SameName { .. } | Self::SeveralLines { .. } => {
                "pictures are found in a label file by their path without ending, or else by the longest end of it that a line has; write the paths below the folder of the pictures"
            }
            Self::Contradiction { .. } => {
                "are the labels numbers of another order, or of other pictures? the order of the classes is that of the WordNet ids"
            }
            Self::OtherClassNames { .. } => {
                "name the set with --dataset, or list these classes with --classnames; without both flags the file's own names are taken"
            }
            Self::NotOfTheValidationSet { .. } => {
                "--labels real goes by file name, e.g. ILSVRC2012_val_00000293.JPEG"
            }
            Self::NoRealLabels { .. } => {
                "3163 of the 50000 pictures of the validation set have none"
            }
        }
        .into()
    }
}

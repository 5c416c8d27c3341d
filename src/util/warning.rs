//! What a user should know that does not stop a run.

use std::path::PathBuf;

use crate::util::count::{count, picks};

/// Something a user should know that does not stop the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    PartialDataSet {
        pictures: usize,
        present: usize,
        classes: usize,
        /// The set that has exactly these classes.
        meant: Option<&'static str>,
    },
    OtherSize {
        set: &'static str,
        pictures: usize,
        whole: usize,
    },
    IgnoredFiles {
        hidden: usize,
        not_pictures: usize,
    },
    /// What is odd about the data set, in words.
    DataSet(String),
    RopeTablesDiffer {
        part: &'static str,
    },
    /// The model has another kind of GELU than a name says that the weights were trained with.
    OtherGelu {
        model: String,
        has: &'static str,
        by: String,
        meant: String,
    },
    UnreadablePictures {
        count: usize,
    },
    UnusableCache {
        reason: String,
    },
    CacheNotWritten {
        path: PathBuf,
        reason: String,
    },
    NoGpu {
        reason: String,
    },
    SmallerBatches {
        pictures: usize,
    },
    SmallerRuns {
        nodes: usize,
    },
    StaleResults {
        folder: PathBuf,
        files: Vec<String>,
    },
    ResultNotWritten {
        reason: String,
    },
    /// A result is compared with itself.
    SameResult {
        path: PathBuf,
    },
    /// Pictures are classified among one label.
    OneLabel,
    /// A label has a sign that may have been meant to separate labels.
    SemicolonInLabel {
        label: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PartialDataSet {
                pictures,
                present,
                classes,
                meant,
            } => {
                write!(
                    f,
                    "the data set has {} of {present} of the {classes} classes; {} ranked among all, but the accuracy is not that of the whole set",
                    count(*pictures, "picture"),
                    picks(*pictures, "it is", "they are")
                )?;
                match meant {
                    Some(set) => write!(
                        f,
                        "; these are the classes of {set}: is --dataset {set} meant?"
                    ),
                    None => Ok(()),
                }
            }
            Self::OtherSize {
                set,
                pictures,
                whole,
            } => write!(
                f,
                "the data set has {}, but {set} has {whole}; the accuracy is not that of the whole set",
                count(*pictures, "picture")
            ),
            Self::IgnoredFiles {
                hidden,
                not_pictures,
            } => write!(
                f,
                "ignored {} and {} without a picture's ending",
                count(*hidden, "hidden file"),
                count(*not_pictures, "file")
            ),
            Self::DataSet(remark) => write!(f, "{remark}"),
            Self::RopeTablesDiffer { part } => write!(
                f,
                "the checkpoint's rotary {part} tables differ from block to block; the last one is used for all, as the reference does"
            ),
            Self::OtherGelu {
                model,
                has,
                by,
                meant,
            } => write!(
                f,
                "{model} computes {has}, but the name \"{by}\" says that the weights were trained with the other kind; the accuracy may be points too low: is {meant} meant?"
            ),
            Self::UnusableCache { reason } => {
                write!(f, "{reason}; it is ignored and replaced")
            }
            Self::CacheNotWritten { path, reason } => {
                write!(
                    f,
                    "the classifier cannot be kept in {}: {reason}",
                    path.display()
                )
            }
            Self::NoGpu { reason } => write!(f, "no GPU works, so the CPU computes: {reason}"),
            Self::SmallerBatches { pictures } => write!(
                f,
                "the device's memory is short: from now on at most {} {} computed at once; nothing is left out",
                count(*pictures, "picture"),
                picks(*pictures, "is", "are")
            ),
            Self::StaleResults { folder, files } => write!(
                f,
                "{} holds results of another sweep, which stay there: {}",
                folder.display(),
                files.join(", ")
            ),
            Self::ResultNotWritten { reason } => write!(f, "{reason}; the sweep goes on"),
            Self::SameResult { path } => write!(
                f,
                "A and B are one file, {}; a result does not differ from itself",
                path.display()
            ),
            Self::OneLabel => write!(
                f,
                "there is one label, so that every picture fits it with 100 %; give several: --labels \"a dog,a cat\""
            ),
            Self::SemicolonInLabel { label } => write!(
                f,
                "the label \"{label}\" has a semicolon in it; labels are separated by commas: --labels \"{}\"",
                label
                    .split(';')
                    .map(str::trim)
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            Self::SmallerRuns { nodes } => write!(
                f,
                "the device's memory is short: from now on at most {} of prompts {} computed at once; the classifier is whole all the same",
                count(*nodes, "token"),
                picks(*nodes, "is", "are")
            ),
            Self::UnreadablePictures { count: pictures } => write!(
                f,
                "{} could not be read; {} left out of the counts",
                count(*pictures, "picture"),
                picks(*pictures, "it is", "they are")
            ),
        }
    }
}

//! What a user should know that does not stop a run.

use std::path::PathBuf;

use super::brief;
use super::escape::Shown;
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
    /// The checkpoint has others of the same names.
    OtherWeights {
        taken: String,
        others: Vec<String>,
    },
    UnreadablePictures {
        count: usize,
    },
    /// The accuracy is that of guessing.
    AtChance {
        correct: u64,
        total: u64,
        classes: usize,
    },
    /// Files of pictures that are others now than when they were listed.
    ChangedPictures {
        count: usize,
        first: String,
    },
    /// Pictures that could not be read by the system's fault.
    UnavailablePictures {
        count: usize,
        resumed: bool,
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
    /// A journal on a disk that is full.
    JournalEnded {
        path: PathBuf,
        reason: String,
    },
    /// A file that several processes may use cannot be locked.
    NoLock {
        path: PathBuf,
        reason: String,
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
            Self::OtherWeights { taken, others } => write!(
                f,
                "the weights are those under {taken}; the checkpoint has others under {}: --weights {} takes these",
                brief::list(others),
                others.first().map_or("", String::as_str)
            ),
            Self::AtChance {
                correct,
                total,
                classes,
            } => write!(
                f,
                "top-1 is {correct} of {total} pictures, no more than guessing among {classes} classes gives; likely the labels are of another set or count the classes in another order (--labels, --dataset), the class names are of other classes (--classnames), or the weights are not this model's (--model, --weights)"
            ),
            Self::ChangedPictures { count: 1, first } => write!(
                f,
                "{first} changed after it was listed: what it held when it was read was evaluated"
            ),
            Self::ChangedPictures { count, first } => write!(
                f,
                "{count} pictures changed after they were listed, {first} for instance: what they held when they were read was evaluated"
            ),
            Self::UnavailablePictures { count, resumed } => write!(
                f,
                "{count} of them could not be read by the system's fault, and not by their own; {}",
                if *resumed {
                    "the same command tries them again, and only them"
                } else {
                    "run it again when they can be read"
                }
            ),
            Self::UnusableCache { reason } => {
                write!(f, "{reason}; it is ignored and replaced")
            }
            Self::CacheNotWritten { path, reason } => {
                write!(
                    f,
                    "the classifier cannot be kept in {}: {reason}",
                    path.shown()
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
                folder.shown(),
                brief::list(files)
            ),
            Self::ResultNotWritten { reason } => write!(f, "{reason}; the sweep goes on"),
            Self::SameResult { path } => write!(
                f,
                "A and B are one file, {}; a result does not differ from itself",
                path.shown()
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
            Self::JournalEnded { path, reason } => write!(
                f,
                "the journal {} cannot be written any more ({reason}): the evaluation goes on without it",
                path.shown()
            ),
            Self::NoLock { path, reason } => write!(
                f,
                "{} cannot be locked, since its file system has no locks ({reason}): see to it that no other process uses it meanwhile",
                path.shown()
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

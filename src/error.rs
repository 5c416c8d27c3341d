//! Errors as the command line meets them, and the exit codes that stand for them.

use std::path::PathBuf;

use crate::at_once::is_out_of_memory;
use crate::checkpoint::CheckpointError;
use crate::classifier::file::ClassifierFileError;
use crate::data::{DataError, Name, Remark, Unreadable};
use crate::expectation::Checked;
use crate::journal::JournalError;
use crate::metrics::Tally;
use crate::model::mixed::TooLarge;
use crate::model::variant::VariantError;
use crate::sweep_file::SweepFileError;
use crate::text::TextError;

/// How the program ends. The numbers are part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything asked for was done.
    Success = 0,
    /// The result was computed and written, but is not the expected one; or a data set is not whole.
    Unexpected = 1,
    /// Flags that make no sense, or a model, template, class-name, classifier or result file that cannot be used.
    Usage = 2,
    /// The pictures' folder cannot be evaluated, or (with `--strict`) a picture cannot be read.
    Data = 3,
    /// The checkpoint cannot be used.
    Checkpoint = 4,
    /// A result cannot be written.
    Output = 5,
    /// The evaluation ended, but pictures could not be read and are not counted.
    SkippedPictures = 6,
    /// The computation failed: out of memory, a defect.
    Failure = 7,
    /// Some evaluations of a sweep failed; the others are done.
    PartOfSweep = 8,
    /// The user ended it, as shells number it.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Everything that can stop a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Usage {
        message: String,
        hint: Option<String>,
    },
    #[error(transparent)]
    Variant(#[from] VariantError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Classifier(#[from] ClassifierFileError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{}: {}", .0.name, .0.reason)]
    Picture(Unreadable),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{model} does not fit on the GPU: {reason}")]
    TooLarge { model: String, reason: TooLarge },
    #[error("{} cannot be written", path.display())]
    Output {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the model's output for {picture} is not a number")]
    NotANumber { picture: Name },
    #[error("the demo's result differs on this machine: expected {expected}, found {found}")]
    DemoDiffers { expected: Tally, found: Tally },
    #[error("{}", missed(.0))]
    Missed(Vec<Checked>),
    #[error("the computation failed")]
    Compute(#[from] candle_core::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    SweepFile(#[from] SweepFileError),
    #[error("interrupted")]
    Interrupted,
    #[error("{what}")]
    System {
        what: &'static str,
        source: std::io::Error,
    },
}

impl Error {
    /// Flags that contradict each other or the facts.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The message with those of all its causes, in one line.
    pub fn with_causes(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            message += &format!(": {source}");
            cause = source.source();
        }
        message
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Variant(e) => e.hint(),
            Self::Text(e) => e.hint(),
            Self::Classifier(e) => Some(e.hint()),
            Self::Data(e) => e.hint(),
            Self::Checkpoint(e) => e.hint(),
            Self::TooLarge { .. } => Some("choose --device cpu".into()),
            Self::Picture(_) => {
                Some("without --strict the picture is reported and left out of the counts".into())
            }
            Self::Output { .. } => {
                Some("check that the folder exists and may be written to".into())
            }
            Self::NotANumber { .. } => {
                Some("the weights are finite but overflow; is the checkpoint damaged?".into())
            }
            Self::DemoDiffers { .. } => Some(
                "this is a defect; please report it with the machine's processor and system".into(),
            ),
            Self::Compute(e) if is_out_of_memory(e) => Some(
                "the device's memory is too small even for a single picture, or others use it: free some, or choose another --device".into(),
            ),
            Self::Journal(e) => Some(e.hint()),
            Self::SweepFile(e) => Some(e.hint().into()),
            Self::Missed(_) | Self::Compute(_) | Self::System { .. } | Self::Interrupted => None,
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. }
            | Self::Variant(_)
            | Self::TooLarge { .. }
            | Self::Text(_)
            | Self::Classifier(_) => ExitCode::Usage,
            Self::Data(_) | Self::Picture(_) => ExitCode::Data,
            Self::Checkpoint(
                CheckpointError::OutputExists { .. } | CheckpointError::Unwritable { .. },
            )
            | Self::Output { .. }
            | Self::Journal(JournalError::Io { .. }) => ExitCode::Output,
            Self::Journal(_) | Self::SweepFile(_) => ExitCode::Usage,
            Self::Interrupted => ExitCode::Interrupted,
            Self::Checkpoint(_) | Self::NotANumber { .. } => ExitCode::Checkpoint,
            Self::DemoDiffers { .. } | Self::Missed(_) => ExitCode::Unexpected,
            Self::Compute(_) | Self::System { .. } => ExitCode::Failure,
        }
    }
}

/// The expectations that were not met, as one line.
fn missed(checked: &[Checked]) -> String {
    let missed = checked.iter().filter(|checked| !checked.met);
    missed
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

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
    DataSet(Remark),
    RopeTablesDiffer {
        part: &'static str,
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
                    "the data set has {pictures} pictures of {present} of the {classes} classes; they are ranked among all, but the accuracy is not that of the whole set"
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
                "the data set has {pictures} pictures, but {set} has {whole}; the accuracy is not that of the whole set"
            ),
            Self::IgnoredFiles {
                hidden,
                not_pictures,
            } => write!(
                f,
                "ignored {hidden} hidden files and {not_pictures} files without a picture's ending"
            ),
            Self::DataSet(remark) => write!(f, "{remark}"),
            Self::RopeTablesDiffer { part } => write!(
                f,
                "the checkpoint's rotary {part} tables differ from block to block; the last one is used for all, as the reference does"
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
                "the device's memory is short: from now on at most {pictures} pictures are computed at once; nothing is left out"
            ),
            Self::StaleResults { folder, files } => write!(
                f,
                "{} holds results of another sweep, which stay there: {}",
                folder.display(),
                files.join(", ")
            ),
            Self::ResultNotWritten { reason } => write!(f, "{reason}; the sweep goes on"),
            Self::SmallerRuns { nodes } => write!(
                f,
                "the device's memory is short: from now on at most {nodes} tokens of prompts are computed at once; the classifier is whole all the same"
            ),
            Self::UnreadablePictures { count } => {
                write!(
                    f,
                    "{count} pictures could not be read; they are left out of the counts"
                )
            }
        }
    }
}

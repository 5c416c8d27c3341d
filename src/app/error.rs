//! Errors as the command line meets them, and the exit codes that stand for them.

use std::path::PathBuf;

use crate::app::exit_code::ExitCode;
use crate::app::sweep_file::SweepFileError;
use crate::checkpoint::CheckpointError;
use crate::classifier::file::ClassifierFileError;
use crate::data::DataError;
use crate::evaluation::EvaluationError;
use crate::evaluation::journal::JournalError;
use crate::inference::InferenceError;
use crate::inference::choice::ChoiceError;
use crate::inference::relayout::RelayoutError;
use crate::metrics::Tally;
use crate::model::ModelConfig;
use crate::model::config::ConfigError;
use crate::model::micro_batch::is_out_of_memory;
use crate::text::TextError;
use crate::util::escape::Shown;
use crate::util::escape::one_line;
use crate::util::output_file::{OutputError, hint_for};
use crate::util::similar::{did_you_mean, similar};
use crate::util::usage::UsageError;

/// Everything that can stop a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    ModelConfig(#[from] ConfigError),
    #[error(transparent)]
    Relayout(#[from] RelayoutError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    ClassifierFile(#[from] ClassifierFileError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Inference(#[from] InferenceError),
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    SweepFile(#[from] SweepFileError),
    #[error("the computation failed")]
    Compute(#[from] candle_core::Error),
    #[error("the demo's result differs on this machine: expected {expected}, found {found}")]
    DemoDiffers { expected: Tally, found: Tally },
    #[error("{what}")]
    System {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("{what} cannot be started")]
    Threads {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("the demo cannot be unpacked into {}", folder.shown())]
    Unpacking {
        folder: PathBuf,
        source: std::io::Error,
    },
}

impl From<ChoiceError> for Error {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Usage(e) => Self::Usage(e),
            ChoiceError::Model(e) => Self::ModelConfig(e),
            ChoiceError::Checkpoint(e) => Self::Checkpoint(e),
        }
    }
}

impl Error {
    /// Flags that contradict each other, or what they name.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(UsageError::new(message, hint))
    }

    /// The message with those of all its causes, in one line; a checkpoint's keys have lines of their own.
    pub fn with_causes(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            message += &format!(": {source}");
            cause = source.source();
        }
        match self {
            Self::Checkpoint(e) | Self::Inference(InferenceError::Checkpoint(e))
                if e.lists_keys() =>
            {
                message
            }
            _ => one_line(&message).into_owned(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(e) => e.hint.clone(),
            Self::ModelConfig(e) => e.hint(),
            Self::Relayout(_) => Some("uta-eval inspect shows the layout and the tensors".into()),
            Self::Text(e) | Self::Inference(InferenceError::Text(e)) => e.hint(),
            Self::ClassifierFile(e) | Self::Inference(InferenceError::Classifier(e)) => {
                Some(e.hint())
            }
            Self::Data(e) => e.hint(),
            Self::Checkpoint(e) | Self::Inference(InferenceError::Checkpoint(e)) => {
                published_model_meant(e).or_else(|| e.hint())
            }
            Self::Inference(InferenceError::TooLarge { .. }) => Some("choose --device cpu".into()),
            Self::Evaluation(EvaluationError::Unreadable(_)) => {
                Some("without --strict the picture is reported and left out of the counts".into())
            }
            Self::Evaluation(EvaluationError::Shortage(_)) => Some(
                "see `ulimit -n`, or use fewer --workers; with --resume FILE the run goes on where it ended"
                    .into(),
            ),
            Self::Evaluation(EvaluationError::Incomplete { .. }) => {
                Some("this is a defect; please report it with what was printed before".into())
            }
            Self::Evaluation(EvaluationError::NotANumber { .. }) => {
                Some("the weights are finite but overflow; is the checkpoint damaged?".into())
            }
            Self::Output(e) | Self::Evaluation(EvaluationError::Output(e)) => Some(e.hint().into()),
            Self::DemoDiffers { .. } => Some(
                "this is a defect; please report it with the machine's processor and system".into(),
            ),
            Self::Compute(e)
            | Self::Inference(InferenceError::Compute(e))
            | Self::Evaluation(EvaluationError::Compute(e)) => {
                is_out_of_memory(e).then(|| OUT_OF_MEMORY.into())
            }
            Self::Journal(e) | Self::Evaluation(EvaluationError::Journal(e)) => Some(e.hint()),
            Self::SweepFile(e) => Some(e.hint().into()),
            Self::Threads { .. } => Some(NO_THREADS.into()),
            Self::Unpacking { source, .. } => {
                Some(format!("{}; TMPDIR names another folder", hint_for(source)))
            }
            Self::Evaluation(EvaluationError::Interrupted) | Self::System { .. } => None,
        }
    }

    /// How the program ends because of it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_)
            | Self::ModelConfig(_)
            | Self::Relayout(_)
            | Self::Text(_)
            | Self::ClassifierFile(_)
            | Self::SweepFile(_) => ExitCode::Usage,
            Self::Data(_) => ExitCode::Data,
            Self::Checkpoint(e) => of_checkpoint(e),
            Self::Inference(e) => match e {
                InferenceError::Checkpoint(e) => of_checkpoint(e),
                InferenceError::TooLarge { .. }
                | InferenceError::Classifier(_)
                | InferenceError::Text(_) => ExitCode::Usage,
                InferenceError::Compute(_) => ExitCode::Failure,
            },
            Self::Evaluation(e) => match e {
                EvaluationError::Interrupted => ExitCode::Interrupted,
                EvaluationError::NotANumber { .. } => ExitCode::Checkpoint,
                EvaluationError::Unreadable(_) => ExitCode::Data,
                EvaluationError::Compute(_)
                | EvaluationError::Shortage(_)
                | EvaluationError::Incomplete { .. } => ExitCode::Failure,
                EvaluationError::Output(_) => ExitCode::Output,
                EvaluationError::Journal(e) => of_journal(e),
            },
            Self::Journal(e) => of_journal(e),
            Self::Output(_) => ExitCode::Output,
            Self::DemoDiffers { .. } => ExitCode::Unexpected,
            Self::Compute(_)
            | Self::System { .. }
            | Self::Threads { .. }
            | Self::Unpacking { .. } => ExitCode::Failure,
        }
    }
}

/// The published model whose name a path that does not exist may have been meant for.
fn published_model_meant(error: &CheckpointError) -> Option<String> {
    let CheckpointError::NotFound { path } = error else {
        return None;
    };
    let known = ModelConfig::built_in().iter();
    let names = known.filter_map(|config| Some(config.published?.name));
    let meant = did_you_mean(&similar(path.to_str()?, names))?;
    Some(format!(
        "{meant} That is a published model, whose weights are downloaded"
    ))
}
/// What to do when the system starts no more threads.
pub const NO_THREADS: &str = "the system allows no more threads, or has no memory for them: see `ulimit -u`, `ulimit -v` and the limits of the container; RAYON_NUM_THREADS=2 and --workers 2 need fewer";

/// What to do when a device's memory does not suffice.
const OUT_OF_MEMORY: &str = "the device's memory is too small even for a single picture, or others use it: free some, or choose another --device";

fn of_checkpoint(error: &CheckpointError) -> ExitCode {
    match error {
        CheckpointError::OutputExists { .. } | CheckpointError::Unwritable { .. } => {
            ExitCode::Output
        }
        _ => ExitCode::Checkpoint,
    }
}

fn of_journal(error: &JournalError) -> ExitCode {
    match error {
        JournalError::Io { .. } => ExitCode::Output,
        _ => ExitCode::Usage,
    }
}

//! What can stop an evaluation.

use super::journal::JournalError;
use crate::data::{Name, Unreadable};
use crate::util::output_file::OutputError;

/// What stopped an evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// A logit is not finite.
    #[error("the model's output for {picture} is not a number")]
    NotANumber { picture: Name },
    /// A picture cannot be read, and the evaluation is to stop at such.
    #[error("{}: {}", .0.name, .0.reason)]
    Unreadable(Unreadable),
    /// A picture cannot be read because the process may open no more files, or has no memory.
    #[error("{} cannot be read, and no other either: {}", .0.name, .0.reason)]
    Shortage(Unreadable),
    /// The loader ended before the pictures did.
    #[error("reading ended after {read} of {all} pictures")]
    Incomplete { read: usize, all: usize },
    #[error("the computation failed")]
    Compute(#[from] candle_core::Error),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

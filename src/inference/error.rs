//! Why a checkpoint does not become a model that predicts.

use crate::checkpoint::CheckpointError;
use crate::classifier::file::ClassifierFileError;
use crate::model::backend::TooLarge;
use crate::text::TextError;

/// What can go wrong between a checkpoint and predictions.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{model} does not fit on the GPU: {reason}")]
    TooLarge { model: String, reason: TooLarge },
    #[error(transparent)]
    Classifier(#[from] ClassifierFileError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("the computation failed")]
    Compute(#[from] candle_core::Error),
}

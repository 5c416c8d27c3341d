//! A checkpoint of several for which no model can be chosen.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use crate::app::error::Error;
use crate::inference::choice::Named;

/// A checkpoint for which no model can be chosen, by its own fault: a failure beside the evaluations of
/// the others.
#[derive(Debug)]
pub struct Refused {
    /// Its place among the evaluations of a sweep, or among the checkpoints of a suite.
    pub place: usize,
    /// The model's name, where the flags say which it is.
    pub model: Option<String>,
    /// The path or address.
    pub checkpoint: PathBuf,
    pub precision: &'static str,
    /// What its row of a sweep's table shows beside these.
    pub of_sweep: OfSweep,
    pub error: Error,
}

/// What a sweep's evaluations differ in. A suite's checkpoints have all of it in common.
#[derive(Debug, Default)]
pub struct OfSweep {
    /// As [`Evaluate::set_name`](super::Evaluate::set_name).
    pub set: String,
    /// As [`Evaluate::distinctions`](super::Evaluate::distinctions).
    pub distinctions: Vec<(&'static str, String)>,
    pub(super) pictures: PathBuf,
    stream: String,
}

impl OfSweep {
    pub(super) fn new(facts: &Facts<'_>) -> Self {
        Self {
            set: facts.set_name(),
            distinctions: facts.distinctions(),
            pictures: facts.pictures.path.clone(),
            stream: facts.stream(),
        }
    }
}

impl Refused {
    pub(super) fn new(
        place: usize,
        named: &Named<'_>,
        precision: &'static str,
        of_sweep: OfSweep,
        error: Error,
    ) -> Self {
        Self {
            place,
            model: named.model().map(Into::into),
            checkpoint: named.checkpoint.clone(),
            precision,
            of_sweep,
            error,
        }
    }

    /// Tells it from all others, by the path that really leads to the checkpoint.
    pub(super) fn key(&self, checkpoint: &Path) -> String {
        format!(
            "{:?} {:?} {} {} {:?}",
            self.model,
            checkpoint,
            self.precision,
            self.of_sweep.stream,
            self.of_sweep.distinctions
        )
    }
}

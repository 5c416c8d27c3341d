//! What an evaluation finds in a picture.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::{Fault, Sample, Unreadable};
use crate::metrics::Prediction;

/// What was found in one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    Predicted(Prediction),
    /// Why it could not be read, by its own fault.
    Unreadable(String),
    /// Why it could not be read, by the system's fault. It is tried again when the evaluation goes on.
    Unavailable(String),
}

impl Finding {
    pub(super) fn of(unreadable: &Unreadable) -> Self {
        let reason = unreadable.reason.clone();
        match unreadable.fault {
            Fault::Picture => Self::Unreadable(reason),
            Fault::System | Fault::Shortage => Self::Unavailable(reason),
        }
    }

    /// Whether the picture is to be tried again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What was found in each picture of a batch, in order. `samples` are all of the batch's, readable or
/// not.
pub(super) fn findings(
    samples: &[Sample],
    predicted: Vec<Prediction>,
    unreadable: &[Unreadable],
) -> Vec<Finding> {
    let mut predictions = predicted.into_iter();
    let mut reasons = unreadable.iter().peekable();
    let finding = |sample| match reasons.next_if(|u| u.is_of(sample)) {
        Some(unreadable) => Some(Finding::of(unreadable)),
        None => predictions.next().map(Finding::Predicted),
    };
    samples.iter().filter_map(finding).collect()
}

/// What a journal may keep of findings: a picture that changed after it was listed is not the one that
/// the journal is of.
pub(super) fn lasting(
    samples: &[Sample],
    findings: &[Finding],
    changed: &[Arc<str>],
) -> Vec<Finding> {
    let lasting = |(sample, finding): (&Sample, &Finding)| {
        if changed.contains(sample.name.whole()) {
            Finding::Unavailable("it changed after it was listed".into())
        } else {
            finding.clone()
        }
    };
    samples.iter().zip(findings).map(lasting).collect()
}

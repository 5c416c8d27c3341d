//! Pictures that an earlier run could not read by the system's fault.

use std::sync::Arc;

use super::finding::{Finding, findings, lasting};
use super::{EvaluationError, Predictor, refuse_shortage};
use crate::data::{Batch, Sample};
use crate::util::interrupt;

/// Lets a predictor try the pictures again that an earlier run could not read by the system's fault.
/// `batches` are of these pictures, in order; `record` is told of each by its number, before `known` is.
/// Returns how many were tried, and the names of those whose files changed since they were listed.
///
/// # Errors
/// When the computation fails, the system is short of something, or what is found cannot be recorded.
pub fn try_again(
    samples: &[Sample],
    batches: impl Iterator<Item = Batch>,
    predictor: &dyn Predictor,
    known: &mut [Finding],
    mut record: impl FnMut(&[(usize, Finding)]) -> Result<(), EvaluationError>,
) -> Result<(usize, Vec<Arc<str>>), EvaluationError> {
    let passing = known
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.is_passing());
    let mut numbers: Vec<usize> = passing.map(|(number, _)| number).collect();
    let (mut tried, mut changed) = (0, Vec::new());
    for batch in batches {
        if interrupt::requested() {
            break;
        }
        refuse_shortage(&batch)?;
        let behind = numbers
            .len()
            .min(batch.samples.len() + batch.unreadable.len());
        let rest = numbers.split_off(behind);
        let these: Vec<Sample> = numbers.iter().map(|n| samples[*n].clone()).collect();
        let predicted = predictor.predict(&batch)?;
        let found = findings(&these, predicted.predictions, &batch.unreadable);
        let lasting = lasting(&these, &found, &batch.changed);
        let numbered = |found: Vec<Finding>| -> Vec<(usize, Finding)> {
            numbers.iter().copied().zip(found).collect()
        };
        record(&numbered(lasting))?;
        let found = numbered(found);
        tried += found.len();
        changed.extend(batch.changed);
        for (number, finding) in found {
            known[number] = finding;
        }
        numbers = rest;
    }
    Ok((tried, changed))
}

//! What is right for each picture: its label, the classes of a set's object, or its ReaL labels.

use std::sync::Arc;

use super::discover::{DataError, DataSet, LabellingError};
use super::labels::real;
use super::sample::Sample;
use super::sets::{Protocol, Truth};

/// Gives each picture the classes that are right for it. Returns how many pictures have none and
/// were left out.
///
/// # Errors
/// When that cannot be told.
pub fn judge(data: &mut DataSet, protocol: &Protocol) -> Result<usize, DataError> {
    if protocol.truth == Truth::Real {
        return relabel(data);
    }
    if protocol.choices.is_some() {
        let judged = |sample: &Sample| Sample {
            right: protocol.right(sample.label),
            ..sample.clone()
        };
        data.samples = data.samples.iter().map(judged).collect();
    }
    Ok(0)
}

/// Gives each picture its ReaL labels. Returns how many have none and were left out.
fn relabel(data: &mut DataSet) -> Result<usize, DataError> {
    let labels = |sample: &Sample| real::labels_of(sample.name.file());
    let is_stranger = |sample: &&Sample| labels(sample).is_none();
    if let Some(first) = data.samples.iter().find(is_stranger) {
        return Err(LabellingError::NotOfTheValidationSet {
            path: data.root.clone(),
            count: data.samples.iter().filter(is_stranger).count(),
            example: Arc::clone(first.name.whole()),
        }
        .into());
    }
    let relabelled = |sample: &Sample| {
        let right = labels(sample).filter(|right| !right.is_empty())?;
        let mut sample = sample.clone();
        // So that the label is always among those that are right.
        if !right.contains(&sample.label) {
            sample.label = right[0];
        }
        sample.right = Some(Arc::clone(right));
        Some(sample)
    };
    let before = data.samples.len();
    data.samples = data.samples.iter().filter_map(relabelled).collect();
    if data.samples.is_empty() {
        let path = data.root.clone();
        return Err(LabellingError::NoRealLabels { path }.into());
    }
    Ok(before - data.samples.len())
}

//! The tensors of one layout as those of another.

use std::collections::{BTreeMap, BTreeSet};

use super::weights::layout_of;
use crate::checkpoint::{Checkpoint, Output, Piece};
use crate::model::Layout;
use crate::model::layouts::Place;
use crate::util::escape::Shown;

/// A checkpoint's tensors in another layout.
#[derive(Debug)]
pub struct Relayout {
    pub outputs: Vec<Output>,
    /// Keys that the new layout does not store.
    pub left_out: Vec<String>,
}

/// Why a checkpoint cannot be written in another layout.
#[derive(Debug, thiserror::Error)]
pub enum RelayoutError {
    #[error("no layout is named {name}; there are {}", names().join(", "))]
    Unknown { name: String },
    #[error("{path} has no known layout")]
    NoLayout { path: String },
    #[error("{path} has the tensor {key}, for which the layout {layout} has no name")]
    NoPlace {
        path: String,
        key: String,
        layout: &'static str,
    },
}

/// The names of all layouts.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = Layout::ALL.iter().map(|layout| layout.name()).collect();
    names.dedup();
    names
}

/// Plans the tensors of a file in the layout of that name.
///
/// # Errors
/// When there is no such layout, or it has no place for one of the checkpoint's tensors.
pub fn relayout(checkpoint: &Checkpoint, name: &str) -> Result<Relayout, RelayoutError> {
    let path = || checkpoint.path().shown().to_string();
    let mut targets = Layout::ALL
        .into_iter()
        .filter(|layout| layout.name() == name)
        .peekable();
    if targets.peek().is_none() {
        return Err(RelayoutError::Unknown { name: name.into() });
    }
    let source = layout_of(checkpoint).ok_or_else(|| RelayoutError::NoLayout { path: path() })?;
    let mut missing = None;
    for target in targets {
        match plan(checkpoint, source, target) {
            Ok(relayout) => return Ok(relayout),
            Err(key) => missing = missing.or(Some(key)),
        }
    }
    Err(RelayoutError::NoPlace {
        path: path(),
        key: missing.unwrap_or_default(),
        layout: Layout::ALL
            .into_iter()
            .map(Layout::name)
            .find(|known| *known == name)
            .unwrap_or_default(),
    })
}

/// A tensor's places in the old and in the new file, and its shape.
type Part = (Place, Place, Vec<usize>);

/// The plan for one layout, or the key of a tensor that it has no place for.
fn plan(checkpoint: &Checkpoint, source: Layout, target: Layout) -> Result<Relayout, String> {
    // For each key of the new file, its tensors by their third.
    let mut stored: BTreeMap<String, BTreeMap<usize, Part>> = BTreeMap::new();
    let mut copied = Vec::new();
    let mut left_out = BTreeSet::new();
    for entry in checkpoint.entries() {
        let names = source.names_of(entry.name);
        if names.is_empty() {
            // What is no tensor of a tower: its scale is a weight, the rest can be computed.
            if Layout::is_scale(entry.name) || source == target {
                copied.push(Output::copy(entry.name, entry.shape));
            } else if Layout::ignores(entry.name) || Layout::is_rope_table(entry.name) {
                left_out.insert(entry.name.to_string());
            } else {
                return Err(entry.name.into());
            }
            continue;
        }
        for name in names {
            let from = source.locate(&name).ok_or(entry.name)?;
            let to = target.locate(&name).ok_or(entry.name)?;
            let shape = from.shape_in(entry.shape).ok_or(entry.name)?;
            let third = to.third.unwrap_or(0);
            let parts = stored.entry(to.key.clone()).or_default();
            parts.insert(third, (from, to, shape));
        }
    }
    let mut outputs = copied;
    for (name, parts) in stored {
        let Some((_, to, shape)) = parts.values().next() else {
            continue;
        };
        if to.third.is_some() && parts.len() != 3 {
            return Err(name);
        }
        let shape = to.stored_shape(shape);
        let transposed = parts
            .values()
            .any(|(from, to, _)| from.transposed != to.transposed);
        let piece = |(from, _, _): &Part| Piece {
            key: from.key.clone(),
            third: from.third,
        };
        outputs.push(Output {
            pieces: parts.values().map(piece).collect(),
            name,
            shape,
            transposed,
        });
    }
    outputs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Relayout {
        outputs,
        left_out: left_out.into_iter().collect(),
    })
}

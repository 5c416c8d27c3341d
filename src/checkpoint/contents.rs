//! What a checkpoint's file holds, whichever reader finds it.

use std::path::Path;

use super::error::printable;
use super::shards::Index;
use super::source::Source;
use super::values::Stored;
use super::{CheckpointError, Format, Found};
use super::{safetensors_file, sniff, torch_file, torch_legacy};

/// What a format's reader finds in a file.
#[derive(Default)]
pub(super) struct Contents {
    /// Where the tensors lie: the file, and what is unpacked from it.
    pub(super) files: Vec<Source>,
    pub(super) tensors: Vec<(String, Stored)>,
    pub(super) nested_under: Option<String>,
    pub(super) others: Vec<String>,
    /// The keys of all dictionaries with tensors.
    pub(super) known: Vec<String>,
    /// Whether the key that was asked for is one of them.
    pub(super) entered: bool,
    pub(super) without_tensor: Vec<String>,
}

/// The list of files that a file is, if it is one.
pub(super) fn index_of(source: &Source) -> Result<Option<Index>, CheckpointError> {
    let head = source.bytes(0..source.size().min(sniff::HEAD))?;
    match sniff::sniff(&head) {
        Err(Found::Json) => Index::read(source),
        _ => Ok(None),
    }
}

/// What a file holds.
pub(super) fn read(
    source: Source,
    weights: Option<&str>,
) -> Result<(Format, Contents), CheckpointError> {
    let head = source.bytes(0..source.size().min(sniff::HEAD))?;
    let format = sniff::sniff(&head).map_err(|found| CheckpointError::NotACheckpoint {
        path: source.path().into(),
        found,
    })?;
    let contents = match format {
        Format::Safetensors => safetensors_file::read(source)?,
        Format::PyTorch => torch_file::read(source, weights)?,
        Format::PyTorchLegacy => torch_legacy::read(source, weights)?,
    };
    Ok((format, contents))
}

impl Contents {
    /// Leaves only the tensors whose names begin with a key, and takes it away.
    pub(super) fn keep_below(&mut self, path: &Path, key: &str) -> Result<(), CheckpointError> {
        let below = |name: &str| Some(name.strip_prefix(key)?.strip_prefix('.')?.to_string());
        let kept = self.tensors.iter();
        let kept = kept.filter_map(|(name, stored)| Some((below(name)?, stored.clone())));
        let kept: Vec<_> = kept.collect();
        if kept.is_empty() {
            let first = |name: &String| name.split_once('.').map(|(first, _)| printable(first));
            let firsts = self.tensors.iter().filter_map(|(name, _)| first(name));
            self.known.extend(firsts);
            self.known.sort();
            self.known.dedup();
            return Err(CheckpointError::NoSuchWeights {
                path: path.into(),
                key: printable(key),
                known: std::mem::take(&mut self.known),
            });
        }
        self.tensors = kept;
        self.without_tensor = self
            .without_tensor
            .iter()
            .filter_map(|n| below(n))
            .collect();
        self.others.clear();
        self.nested_under = Some(match self.nested_under.take() {
            Some(keys) => format!("{keys}.{key}"),
            None => key.into(),
        });
        Ok(())
    }
}

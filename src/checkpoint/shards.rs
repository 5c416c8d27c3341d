//! Checkpoints in several files, with a list of which tensor is in which, as transformers and
//! huggingface_hub write them (`model.safetensors.index.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::contents::Contents;
use super::error::printable;
use super::source::Source;
use super::{CheckpointError, Format};

use crate::util::escape::Shown;

/// Longest list that is read, in bytes.
const LONGEST: usize = 64 << 20;

/// Which tensor is in which file.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that a list names, for whoever downloads them; none if it cannot be used.
pub(super) fn listed(path: &Path) -> Vec<String> {
    let index = Source::open(path).and_then(|source| Index::read(&source));
    let index = index.ok().flatten();
    let files = index.iter().flat_map(Index::files);
    files.map(Into::into).collect()
}

impl Index {
    /// Reads a list; `None` if the file is another JSON document.
    ///
    /// # Errors
    /// When the file cannot be read, or a name in it leads out of its folder.
    pub(super) fn read(source: &Source) -> Result<Option<Self>, CheckpointError> {
        if source.size() > LONGEST {
            return Ok(None);
        }
        let Ok(index) = serde_json::from_slice::<Self>(&source.bytes(0..source.size())?) else {
            return Ok(None);
        };
        let leads_away = |file: &&String| {
            let mut parts = file.split(['/', '\\']);
            parts.any(|part| matches!(part, "" | "." | ".."))
        };
        match index.weight_map.values().find(leads_away) {
            Some(file) => Err(CheckpointError::Corrupt {
                path: source.path().into(),
                detail: format!("it names the file \"{}\"", printable(file)),
            }),
            None => Ok(Some(index)),
        }
    }

    /// The files, sorted.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }

    /// Lists the tensors of all files.
    ///
    /// # Errors
    /// When a file is missing or cannot be used, or lacks a tensor that it should have.
    pub(super) fn contents(
        &self,
        index: &Path,
        read: impl Fn(Source) -> Result<(Format, Contents), CheckpointError>,
    ) -> Result<(Format, Contents), CheckpointError> {
        let folder = index.parent().unwrap_or(Path::new(""));
        let files = self.files();
        let missing = files.iter().filter(|file| !folder.join(file).is_file());
        let missing: Vec<String> = missing.map(|file| printable(file)).collect();
        if !missing.is_empty() {
            return Err(CheckpointError::MissingShards {
                path: index.into(),
                missing,
                all: files.len(),
            });
        }
        let mut all = Contents::default();
        let mut format = Format::Safetensors;
        // Where each tensor was found.
        let mut found: BTreeMap<String, &str> = BTreeMap::new();
        for file in files {
            let (of_file, contents) = read(Source::open(&folder.join(file))?)?;
            format = of_file;
            let first = all.files.len();
            for (name, mut stored) in contents.tensors {
                // Of two files with a tensor, the list says which one counts.
                let listed = self.weight_map.get(&name);
                if listed.is_some_and(|listed| listed != file) {
                    continue;
                }
                if found.insert(name.clone(), file).is_some() {
                    return Err(CheckpointError::DuplicateKey {
                        path: index.into(),
                        tensor: printable(&name),
                    });
                }
                stored.file += first;
                all.tensors.push((name, stored));
            }
            all.without_tensor.extend(contents.without_tensor);
            all.files.extend(contents.files);
        }
        let lost = self
            .weight_map
            .iter()
            .find(|(name, _)| !found.contains_key(*name));
        if let Some((name, file)) = lost
            && !all.without_tensor.contains(name)
        {
            return Err(CheckpointError::Corrupt {
                path: folder.join(file),
                detail: format!(
                    "it lacks the tensor {}, which {} says that it has",
                    printable(name),
                    index.file_name().unwrap_or_default().shown()
                ),
            });
        }
        Ok((format, all))
    }
}

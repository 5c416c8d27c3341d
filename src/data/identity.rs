//! Which pictures these are, in a few characters.

use std::collections::HashMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::util::hex;
use sha2::{Digest, Sha256};

use super::sample::{Sample, Storage};

/// A hash over the pictures' order, paths below `root`, labels, positions in larger files, and the
/// lengths and times of change of these or of their own files. It reads no picture.
pub fn identity(root: &Path, samples: &[Sample]) -> String {
    let mut hash = Sha256::new();
    let mut containers: HashMap<&Path, String> = HashMap::new();
    for sample in samples {
        let container = sample.storage.container();
        let in_set = Path::new(sample.name.in_set());
        let (path, position) = match &sample.storage {
            Storage::File(file) => (file.strip_prefix(root).unwrap_or(file), String::new()),
            Storage::Archive(span) => (in_set, format!(" at {} {}", span.offset, span.bytes)),
            Storage::Table(row) => (in_set, format!(" at {}", row.row)),
        };
        let state = containers
            .entry(container)
            .or_insert_with(|| state(container));
        let right = sample.right();
        hash.update(format!("{path:?} {right:?} {state}{position}\n"));
    }
    hex::encode(&hash.finalize()[..8])
}

/// A file's length and time of change.
fn state(path: &Path) -> String {
    let metadata = std::fs::metadata(path).ok();
    let changed = metadata
        .as_ref()
        .and_then(|m| m.modified().ok())
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|time| time.as_secs());
    let bytes = metadata.map(|m| m.len());
    format!("{bytes:?} {changed:?}")
}

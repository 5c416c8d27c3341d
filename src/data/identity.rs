//! Which pictures these are, in a few characters.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::util::hex;
use sha2::{Digest, Sha256};

use super::sample::{Sample, Storage};

/// A hash over the pictures' order, paths below `root`, labels, places in larger files, and these
/// or their own files' lengths and times of change. It reads no picture.
pub fn identity(root: &Path, samples: &[Sample]) -> String {
    let mut hash = Sha256::new();
    let mut containers: HashMap<PathBuf, String> = HashMap::new();
    for sample in samples {
        let path = sample.path.strip_prefix(root).unwrap_or(&sample.path);
        let place = match &sample.storage {
            Storage::File => file(&sample.path),
            Storage::Member(_) | Storage::Row(_) => {
                let container = sample.container();
                if !containers.contains_key(container) {
                    containers.insert(container.into(), file(container));
                }
                let within = match &sample.storage {
                    Storage::File => String::new(),
                    Storage::Member(member) => format!("{} {}", member.offset, member.bytes),
                    Storage::Row(row) => row.row.to_string(),
                };
                format!("{} at {within}", containers[container])
            }
        };
        hash.update(format!("{path:?} {:?} {place}\n", sample.right()));
    }
    hex::encode(&hash.finalize()[..8])
}

/// A file's length and time of change.
fn file(path: &Path) -> String {
    let metadata = std::fs::metadata(path).ok();
    let changed = metadata
        .as_ref()
        .and_then(|m| m.modified().ok())
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|time| time.as_secs());
    let bytes = metadata.map(|m| m.len());
    format!("{bytes:?} {changed:?}")
}

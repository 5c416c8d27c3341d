//! Which pictures these are, in a few characters.

use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::Sample;

/// A hash over the pictures' order, paths below `root`, labels, lengths and times of change. It
/// reads no picture.
pub fn identity(root: &Path, samples: &[Sample]) -> String {
    let mut hash = Sha256::new();
    for sample in samples {
        let path = sample.path.strip_prefix(root).unwrap_or(&sample.path);
        let metadata = std::fs::metadata(&sample.path).ok();
        let changed = metadata
            .as_ref()
            .and_then(|m| m.modified().ok())
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|time| time.as_secs());
        let bytes = metadata.map(|m| m.len());
        let right = sample.right();
        hash.update(format!("{path:?} {right:?} {bytes:?} {changed:?}\n"));
    }
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

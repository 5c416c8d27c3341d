//! Which pictures these are, in a few characters.

use std::path::Path;

use crate::util::hex;
use sha2::{Digest, Sha256};

use super::file_state::FileStates;
use super::sample::{Sample, Storage};

/// A hash over the pictures' order, paths below `root`, labels, positions in larger files, and the
/// lengths and times of change of these or of their own files when they were listed. It reads no
/// picture.
pub fn identity(root: &Path, samples: &[Sample], states: &FileStates) -> String {
    let mut hash = Sha256::new();
    for sample in samples {
        let container = sample.storage.container();
        let in_set = Path::new(sample.name.in_set());
        let (path, position) = match &sample.storage {
            Storage::File(file) => (file.strip_prefix(root).unwrap_or(file), String::new()),
            Storage::Archive(span) => (in_set, format!(" at {} {}", span.offset, span.bytes)),
            Storage::Table(row) => (in_set, format!(" at {}", row.row)),
        };
        let state = states.get(container);
        let right = sample.right();
        hash.update(format!("{path:?} {right:?} {state:?}{position}\n"));
    }
    hex::encode(&hash.finalize()[..8])
}

//! How files were when they were listed, by which it shows that one was replaced since.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rayon::prelude::*;

use super::sample::Sample;
use super::unreadable::patiently;

/// A file's length and time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    bytes: u64,
    /// Nanoseconds since 1970; before it, negative.
    changed: Option<i128>,
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        let since = |time: std::time::SystemTime| match time.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        Self {
            bytes: metadata.len(),
            changed: metadata.modified().ok().map(since),
        }
    }
}

/// The states of the files that pictures lie in. A clone copies nothing.
#[derive(Debug, Clone, Default)]
pub struct FileStates(Arc<HashMap<Arc<Path>, Option<FileState>>>);

impl FileStates {
    /// Asks for the state of each file, many at a time: a file server answers slowly.
    pub fn of(samples: &[Sample]) -> Self {
        let mut files: Vec<&Arc<Path>> = samples
            .iter()
            .map(|sample| sample.storage.shared_container())
            .collect();
        files.dedup();
        let state = |file: &&Arc<Path>| {
            let there = std::fs::metadata(file).or_else(|e| match e.kind() {
                ErrorKind::NotFound => Err(e),
                _ => patiently(|| std::fs::metadata(file)),
            });
            (Arc::clone(file), there.ok().map(|m| FileState::of(&m)))
        };
        Self(Arc::new(files.par_iter().map(state).collect()))
    }

    /// The state of a file when it was listed; `None` where the system did not tell.
    pub fn get(&self, file: &Path) -> Option<FileState> {
        self.0.get(file).copied().flatten()
    }

    /// Whether a file, as it is now, differs from what was listed.
    pub fn differ(&self, file: &Path, now: &Metadata) -> bool {
        let listed = self.get(file);
        listed.is_some_and(|listed| listed != FileState::of(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_to_or_touched_or_replaced_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("abc");
        let samples = [
            Sample::file(path.clone(), 0),
            Sample::file("none".into(), 0),
        ];
        let states = FileStates::of(&samples);
        let differs = || states.differ(&path, &path.metadata().unwrap());
        assert!(!differs());
        assert!(states.get(Path::new("none")).is_none());
        let time = path.metadata().unwrap().modified().unwrap();
        let touch = |time| {
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        };
        touch(time + std::time::Duration::from_nanos(1000));
        assert!(differs());
        touch(time);
        assert!(!differs());
        write("abcd");
        touch(time);
        assert!(differs());
    }
}

//! The one place that maps files into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use memmap2::Mmap;

use super::{CheckpointError, Found};

/// Maps a file that can be a checkpoint: a regular one with something in it.
///
/// # Errors
/// When it is not there, is of another kind, is empty or cannot be read.
pub(super) fn open(path: &Path) -> Result<Mmap, CheckpointError> {
    let unreadable = |source: io::Error| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            CheckpointError::NotFound { path: path.into() }
        }
        _ => CheckpointError::Unreadable {
            path: path.into(),
            source,
        },
    };
    // Looked at before it is opened: opening a named pipe would wait for ever.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(CheckpointError::IsFolder { path: path.into() });
    }
    if !metadata.is_file() {
        return Err(CheckpointError::NotAFile { path: path.into() });
    }
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() == 0 {
        return Err(CheckpointError::NotACheckpoint {
            path: path.into(),
            found: Found::Empty,
        });
    }
    map(&file).map_err(unreadable)
}

/// Maps a whole file read-only.
///
/// # Errors
/// What the operating system returns.
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and only read as plain bytes. If another process changes or
    // truncates the file meanwhile, its bytes change (or the system stops this process with a bus
    // error); that is the price of not copying gigabytes, and the same one PyTorch pays.
    unsafe { Mmap::map(file) }
}

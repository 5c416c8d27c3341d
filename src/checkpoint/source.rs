//! An open file, of which the bytes that are asked for are read.
//!
//! Read and not mapped: a file that is cut while it is in use gives an error and not the end of the
//! process, and what was read and converted does not count as the process's memory.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use positioned_io::ReadAt;

use super::folder;
use super::inflated::{Inflated, Packed};
use super::{CheckpointError, Found};

/// A file that can be a checkpoint, or what is packed in one.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    content: Content,
    /// Size when it was opened, in bytes.
    size: usize,
}

#[derive(Debug)]
enum Content {
    File(File),
    /// Members of an archive, one behind the other.
    Inflated(Inflated),
}

impl Source {
    /// Opens a file that can be a checkpoint: a regular one with something in it.
    ///
    /// # Errors
    /// When it is not there, is of another kind, is empty or cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
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
            return Err(folder::refusal(path));
        }
        if !metadata.is_file() {
            return Err(CheckpointError::NotAFile { path: path.into() });
        }
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size == 0 {
            return Err(CheckpointError::NotACheckpoint {
                path: path.into(),
                found: Found::Empty,
            });
        }
        let size = usize::try_from(size).map_err(|e| unreadable(io::Error::other(e)))?;
        Ok(Self {
            path: path.into(),
            content: Content::File(file),
            size,
        })
    }

    /// What is packed in an archive, unpacked when the first byte is asked for.
    pub(super) fn inflated(archive: &Self, members: Vec<Packed>) -> Result<Self, CheckpointError> {
        let file = match &archive.content {
            Content::File(file) => file.try_clone(),
            Content::Inflated(_) => Err(ErrorKind::Unsupported.into()),
        };
        let file = file.map_err(|source| CheckpointError::Unreadable {
            path: archive.path.clone(),
            source,
        })?;
        let size = members.last().map_or(0, |last| last.offset + last.size);
        Ok(Self {
            path: archive.path.clone(),
            content: Content::Inflated(Inflated::new(&archive.path, file, members)),
            size,
        })
    }

    /// Whether it is a file that the user has.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.content, Content::File(_))
    }

    /// The path that it was opened with.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Fills `buffer` with the bytes from `offset` on, all of which lie in the file.
    ///
    /// # Errors
    /// When they cannot be read, or the file was cut since it was opened.
    pub(super) fn fill(&self, offset: usize, buffer: &mut [u8]) -> Result<(), CheckpointError> {
        let path = || self.path.clone();
        let file = match &self.content {
            Content::File(file) => file,
            Content::Inflated(inflated) => inflated.file()?,
        };
        let read = file.read_exact_at(offset as u64, buffer);
        read.map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => CheckpointError::Truncated {
                path: path(),
                detail: format!(
                    "it had {} bytes when it was opened, and was cut since",
                    self.size
                ),
            },
            _ => CheckpointError::Unreadable {
                path: path(),
                source,
            },
        })
    }

    /// The bytes of a range that lies in the file.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub(super) fn bytes(&self, range: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = vec![0; range.len()];
        self.fill(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// The file as a stream, for one reader at a time: it has one position.
    ///
    /// # Errors
    /// When it is packed and cannot be unpacked.
    pub(super) fn stream(&self) -> Result<BufReader<&File>, CheckpointError> {
        Ok(BufReader::new(match &self.content {
            Content::File(file) => file,
            Content::Inflated(inflated) => inflated.file()?,
        }))
    }
}

//! Reading encoded pictures, wherever they are kept.

use std::fs::Metadata;
use std::io::{Error, Read, Result, Seek, SeekFrom};
use std::path::Path;

use super::rows::Rows;
use crate::data::file_state::FileStates;
use crate::data::sample::{MAX_BYTES, Storage};
use crate::util::regular_file;

/// Reads pictures one after the other.
///
/// It finds the rows of a table quickly as long as they follow each other.
#[derive(Default)]
pub struct PictureReader {
    rows: Rows,
    /// As the files were when they were listed.
    states: FileStates,
}

/// What is known of a picture that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Length of the whole picture, in bytes.
    pub length: u64,
    /// Whether its file is another one, or was written to, since it was listed.
    pub changed: bool,
}

impl PictureReader {
    /// Compares what it reads with what was listed.
    pub fn expecting(states: FileStates) -> Self {
        Self {
            states,
            ..Self::default()
        }
    }

    /// Reads an encoded picture.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, is too large, or its archive is cut short. Errors
    /// of the system have its number ([`Error::raw_os_error`]).
    pub fn read(&mut self, storage: &Storage, bytes: &mut Vec<u8>) -> Result<Found> {
        self.read_beginning(storage, u64::MAX, bytes)
    }

    /// Reads the beginning of an encoded picture: `most` bytes of it, or all of it from a table.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_beginning(
        &mut self,
        storage: &Storage,
        most: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<Found> {
        bytes.clear();
        let path = storage.container();
        let span = match storage {
            Storage::Table(row) => {
                let metadata = std::fs::metadata(path)?;
                *bytes = self.rows.read(row)?;
                return Ok(self.found(path, bytes.len() as u64, &metadata));
            }
            Storage::Archive(span) => Some(span),
            Storage::File(_) => None,
        };
        let (mut file, metadata) = regular_file::open(path)?;
        let Some(span) = span else {
            check_length(metadata.len())?;
            file.take(most.min(MAX_BYTES)).read_to_end(bytes)?;
            return Ok(self.found(path, metadata.len(), &metadata));
        };
        check_length(span.bytes)?;
        file.seek(SeekFrom::Start(span.offset))?;
        // Memory grows with what is there, not with what a header declares.
        let length = span.bytes.min(most);
        file.take(length).read_to_end(bytes)?;
        if bytes.len() as u64 != length {
            return Err(Error::other("its archive is cut short"));
        }
        Ok(self.found(path, span.bytes, &metadata))
    }

    fn found(&self, path: &Path, length: u64, metadata: &Metadata) -> Found {
        Found {
            length,
            changed: self.states.differ(path, metadata),
        }
    }
}

/// Reads a single encoded picture. `PictureReader` reads many rows of a table faster.
///
/// # Errors
/// When it cannot be read, is no regular file, is too large, or its archive is cut short.
pub fn read(storage: &Storage, bytes: &mut Vec<u8>) -> Result<()> {
    PictureReader::default().read(storage, bytes).map(drop)
}

fn check_length(length: u64) -> Result<()> {
    if length > MAX_BYTES {
        return Err(Error::other(format!(
            "it has {length} bytes, more than the limit of {MAX_BYTES}"
        )));
    }
    Ok(())
}

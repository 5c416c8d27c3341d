//! Reading encoded pictures, wherever they are kept.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom};

use super::rows::Rows;
use crate::data::sample::{MAX_BYTES, Storage};

/// Reads pictures one after the other.
///
/// It finds the rows of a table quickly as long as they follow each other.
#[derive(Default)]
pub struct PictureReader {
    rows: Rows,
}

impl PictureReader {
    /// Reads an encoded picture.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, is too large, or its archive is cut short.
    pub fn read(&mut self, storage: &Storage, bytes: &mut Vec<u8>) -> Result<()> {
        self.read_beginning(storage, u64::MAX, bytes).map(drop)
    }

    /// Reads the beginning of an encoded picture: `most` bytes of it, or all of it from a table.
    /// Returns the length of the whole picture.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_beginning(
        &mut self,
        storage: &Storage,
        most: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        bytes.clear();
        if let Storage::Table(row) = storage {
            *bytes = self.rows.read(row).map_err(Error::other)?;
            return Ok(bytes.len() as u64);
        }
        // Asked before opening: opening a pipe would wait for somebody to write to it.
        let metadata = std::fs::metadata(storage.container())?;
        if !metadata.is_file() {
            return Err(Error::other("it is no regular file"));
        }
        let Storage::Archive(span) = storage else {
            check_length(metadata.len())?;
            let file = File::open(storage.container())?;
            file.take(most.min(MAX_BYTES)).read_to_end(bytes)?;
            return Ok(metadata.len());
        };
        check_length(span.bytes)?;
        let mut file = File::open(&span.archive)?;
        file.seek(SeekFrom::Start(span.offset))?;
        // Memory grows with what is there, not with what a header declares.
        let length = span.bytes.min(most);
        file.take(length).read_to_end(bytes)?;
        if bytes.len() as u64 != length {
            return Err(Error::other("its archive is cut short"));
        }
        Ok(span.bytes)
    }
}

/// Reads a single encoded picture. `PictureReader` reads many rows of a table faster.
///
/// # Errors
/// When it cannot be read, is no regular file, is too large, or its archive is cut short.
pub fn read(storage: &Storage, bytes: &mut Vec<u8>) -> Result<()> {
    PictureReader::default().read(storage, bytes)
}

fn check_length(length: u64) -> Result<()> {
    if length > MAX_BYTES {
        return Err(Error::other(format!(
            "it has {length} bytes, more than the limit of {MAX_BYTES}"
        )));
    }
    Ok(())
}

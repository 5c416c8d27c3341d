//! One picture of a data set: what it is called, what it shows, where its bytes are.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::table::Rows;

/// Larger pictures are refused. No picture within the pixel limit is near it.
pub const MAX_BYTES: u64 = 1 << 30;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What it is called: its path; inside a larger file `val.tar/member`.
    pub path: PathBuf,
    /// The class index.
    pub label: usize,
    /// The classes that are right, where they are others than the label alone.
    pub right: Option<Arc<[usize]>>,
    pub storage: Storage,
}

/// Where a picture's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a file of its own, at the sample's path.
    File,
    Member(Member),
    Row(Row),
}

/// Where in an archive a picture lies, uncompressed and in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub archive: Arc<PathBuf>,
    pub offset: u64,
    pub bytes: u64,
}

/// Which row of a Parquet file a picture is in. Rows are read one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub table: Arc<PathBuf>,
    pub row: u64,
}

impl Sample {
    /// A picture in a file of its own.
    pub fn file(path: PathBuf, label: usize) -> Self {
        Self {
            path,
            label,
            right: None,
            storage: Storage::File,
        }
    }

    /// The classes that are right.
    pub fn right(&self) -> &[usize] {
        match &self.right {
            Some(right) => right,
            None => std::slice::from_ref(&self.label),
        }
    }

    /// The file that its bytes are in.
    pub fn container(&self) -> &Path {
        match &self.storage {
            Storage::File => &self.path,
            Storage::Member(member) => &member.archive,
            Storage::Row(row) => &row.table,
        }
    }

    /// Reads the encoded picture. Nothing is written anywhere. Of a table's rows a single one is
    /// found slowly; [`Rows`] reads many.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, is too large, or its archive is cut short.
    pub fn read(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.read_beginning(u64::MAX, bytes).map(drop)
    }

    /// Reads the beginning of the encoded picture, `most` bytes of it; all of it in a table.
    /// Returns its whole length.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_beginning(&self, most: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        bytes.clear();
        if let Storage::Row(row) = &self.storage {
            *bytes = Rows::default().read(row).map_err(Error::other)?;
            return Ok(bytes.len() as u64);
        }
        // Asked before opening: opening a pipe would wait for somebody to write to it.
        let metadata = std::fs::metadata(self.container())?;
        if !metadata.is_file() {
            return Err(Error::other("it is no regular file"));
        }
        let Storage::Member(member) = &self.storage else {
            check_length(metadata.len())?;
            let file = File::open(&self.path)?;
            file.take(most.min(MAX_BYTES)).read_to_end(bytes)?;
            return Ok(metadata.len());
        };
        check_length(member.bytes)?;
        let mut file = File::open(member.archive.as_path())?;
        file.seek(SeekFrom::Start(member.offset))?;
        // Memory grows with what is there, not with what a header declares.
        let length = member.bytes.min(most);
        file.take(length).read_to_end(bytes)?;
        if bytes.len() as u64 != length {
            return Err(Error::other("its archive is cut short"));
        }
        Ok(member.bytes)
    }
}

fn check_length(length: u64) -> Result<()> {
    if length > MAX_BYTES {
        return Err(Error::other(format!(
            "it has {length} bytes, more than the limit of {MAX_BYTES}"
        )));
    }
    Ok(())
}

//! Reading pictures from the rows of a Parquet file.
//!
//! Pictures are read page by page, so that memory does not grow with a row group. A page of one
//! column follows from those before it, so that one thread reads them in order.

use std::io::{Error, Result};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};

use super::column::Records;
use super::table::{Table, error, quietly};
use crate::data::sample::{MAX_BYTES, TableRow};

/// Reads pictures from rows, quickly as long as they follow each other.
#[derive(Default)]
pub struct Rows {
    cursor: Option<Cursor>,
}

/// A position in a table.
struct Cursor {
    table: Table,
    group: usize,
    /// Rows of the groups before.
    before: u64,
    /// The next row that `column` gives.
    next: u64,
    column: Option<ColumnReaderImpl<ByteArrayType>>,
}

impl Rows {
    /// The encoded picture of a row.
    ///
    /// # Errors
    /// When the file cannot be read any more, is damaged there, or the row has no picture.
    pub fn read(&mut self, row: &TableRow) -> Result<Vec<u8>> {
        let fits = |cursor: &Cursor| *cursor.table.path() == row.table && cursor.next <= row.row;
        let cursor = match self.cursor.take().filter(fits) {
            Some(cursor) => cursor,
            None => Cursor {
                table: Table::try_open(&row.table)?,
                group: 0,
                before: 0,
                next: 0,
                column: None,
            },
        };
        // After an error the position is unknown, and the next row looks for it again.
        let (cursor, bytes) = quietly(|| cursor.read(row.row))?;
        self.cursor = Some(cursor);
        bytes
    }
}

impl Cursor {
    fn read(mut self, row: u64) -> Result<(Self, Result<Vec<u8>>)> {
        loop {
            if self.group >= self.table.groups() {
                return Err(Error::other("its file has fewer rows by now"));
            }
            let end = self.before + self.table.group_rows(self.group);
            if row < end {
                break;
            }
            (self.before, self.next) = (end, end);
            self.group += 1;
            self.column = None;
        }
        let mut column = match self.column.take() {
            Some(column) => column,
            None => match self.table.pictures_of_group(self.group)? {
                ColumnReader::ByteArrayColumnReader(column) => column,
                _ => return Err(Error::other("its column is not binary any more")),
            },
        };
        let skipped = (row - self.next) as usize;
        if skipped > 0 && column.skip_records(skipped).map_err(error)? != skipped {
            return Err(Error::other("its row group is cut short"));
        }
        let mut values: Vec<Option<ByteArray>> = column.records(1)?;
        self.next = row + 1;
        self.column = Some(column);
        let bytes = match values.pop() {
            None => return Err(Error::other("its row group is cut short")),
            Some(None) => Err(Error::other("its row has no picture")),
            Some(Some(bytes)) if bytes.len() as u64 > MAX_BYTES => Err(Error::other(format!(
                "it has {} bytes, more than the limit of {MAX_BYTES}",
                bytes.len()
            ))),
            // A copy, so that the page is not kept until its last picture is decoded.
            Some(Some(bytes)) => Ok(bytes.data().to_vec()),
        };
        Ok((self, bytes))
    }
}

//! The values of a Parquet file's column.

use std::io::{Error, Result};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArrayType, DataType};

use super::table::error;

/// Values that are decoded at a time.
const AT_A_TIME: usize = 4096;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Number(i64),
    Text(String),
    Null,
}

/// Adds all values of a row group's column, `most` at most.
///
/// # Errors
/// When the column is damaged, longer, or of another type.
pub fn append(reader: ColumnReader, most: usize, cells: &mut Vec<Cell>) -> Result<()> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => {
            append_typed(reader, most, cells, |n| Cell::Number(i64::from(*n)))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            append_typed(reader, most, cells, |n| Cell::Number(*n))
        }
        ColumnReader::ByteArrayColumnReader(reader) => append_typed(reader, most, cells, |bytes| {
            Cell::Text(String::from_utf8_lossy(bytes.data()).into_owned())
        }),
        _ => Err(Error::other(
            "a column has another type than its schema says",
        )),
    }
}

fn append_typed<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    most: usize,
    cells: &mut Vec<Cell>,
    cell: impl Fn(&T::T) -> Cell,
) -> Result<()>
where
    ColumnReaderImpl<T>: Records<T::T>,
{
    loop {
        let read = reader.records(AT_A_TIME)?;
        if read.is_empty() {
            return Ok(());
        }
        let value = |value: &Option<T::T>| value.as_ref().map_or(Cell::Null, &cell);
        cells.extend(read.iter().map(value));
        if cells.len() > most {
            return Err(Error::other("it has more rows than it declares"));
        }
    }
}

/// A column without repetitions, which has a value or nothing for each row.
pub trait Records<V> {
    /// At most so many of the next rows.
    fn records(&mut self, most: usize) -> Result<Vec<Option<V>>>;
}

macro_rules! records {
    ($($kind:ty),*) => {$(
        impl Records<<$kind as DataType>::T> for ColumnReaderImpl<$kind> {
            fn records(
                &mut self,
                most: usize,
            ) -> Result<Vec<Option<<$kind as DataType>::T>>> {
                let (mut levels, mut values) = (Vec::new(), Vec::new());
                let (records, present, read) = self
                    .read_records(most, Some(&mut levels), None, &mut values)
                    .map_err(error)?;
                if levels.is_empty() || present == read {
                    return Ok(values.into_iter().map(Some).collect());
                }
                let top = levels.iter().copied().max().unwrap_or(0);
                let mut values = values.into_iter();
                let rows: Vec<_> = levels
                    .iter()
                    .map(|level| (*level == top && present > 0).then(|| values.next()).flatten())
                    .collect();
                if rows.len() == records {
                    Ok(rows)
                } else {
                    Err(Error::other("its levels do not fit its rows"))
                }
            }
        }
    )*};
}

records!(
    parquet::data_type::Int32Type,
    parquet::data_type::Int64Type,
    ByteArrayType
);

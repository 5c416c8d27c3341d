//! Parquet files as the Hugging Face hub serves data sets: a column of pictures, one of labels.
//!
//! Pictures are read page by page, so that memory does not grow with a row group. A page of one
//! column follows from those before it, so that one thread reads them in order.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::sample::{MAX_BYTES, Row};
use crate::util::panics;

/// Columns of pictures: binary ones, or groups with `bytes` and `path`.
const PICTURES: [&str; 6] = ["image", "img", "jpg", "jpeg", "png", "webp"];

/// Columns of labels.
const LABELS: [&str; 3] = ["label", "labels", "cls"];

/// Columns of WordNet ids, which are labels where there are no others, and have to agree with them.
const WNIDS: [&str; 2] = ["wnid", "synset"];

/// Columns of names, for pictures without a `path`.
const NAMES: [&str; 3] = ["file_name", "filename", "__key__"];

/// More rows than any file of pictures has.
const MAX_ROWS: i64 = 1 << 24;

/// Values that are decoded at a time.
const AT_A_TIME: usize = 4096;

/// A file with a column of pictures and one of labels.
pub struct Table {
    path: Arc<PathBuf>,
    reader: SerializedFileReader<File>,
    pictures: usize,
    labels: usize,
    wnids: Option<usize>,
    names: Option<usize>,
}

/// What a row says of its picture's class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    Index(i64),
    Name(String),
    Absent,
}

impl Table {
    /// Reads what the file holds, and no picture.
    ///
    /// # Errors
    /// When it is no Parquet file, or its columns do not say which are pictures and labels.
    pub fn open(path: &Path) -> Result<Self, String> {
        quietly(|| Self::try_open(path))
    }

    fn try_open(path: &Path) -> Result<Self, String> {
        let mut file = open(path)?;
        let mut start = [0; 15];
        if file.read(&mut start).is_ok() && start.starts_with(b"version https:/") {
            return Err(
                "it is a Git LFS pointer; fetch the real file with git lfs pull".to_string(),
            );
        }
        let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let columns: Vec<String> = schema.columns().iter().map(|c| c.path().string()).collect();
        let usable = |index: usize, types: &[Type]| {
            let column = schema.column(index);
            column.max_rep_level() == 0 && types.contains(&column.physical_type())
        };
        let among = |names: &[&str], types: &[Type]| -> Vec<usize> {
            (0..columns.len())
                .filter(|i| names.contains(&columns[*i].as_str()) && usable(*i, types))
                .collect()
        };
        let one = |what: &str, found: Vec<usize>, expected: &str| match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(format!(
                "it has no column of {what} (expected {expected}; it has {})",
                columns.join(", ")
            )),
            several => Err(format!(
                "it has several columns of {what}: {}",
                several
                    .iter()
                    .map(|i| columns[*i].as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        };
        let groups = PICTURES.map(|name| format!("{name}.bytes"));
        let names: Vec<&str> = PICTURES
            .into_iter()
            .chain(groups.iter().map(String::as_str))
            .collect();
        let pictures = one(
            "pictures",
            among(&names, &[Type::BYTE_ARRAY]),
            "image.bytes or image",
        )?;
        let text = |kind: Option<&LogicalType>| matches!(kind, Some(LogicalType::String));
        let column = schema.column(pictures);
        if text(column.logical_type_ref()) || column.converted_type() == ConvertedType::UTF8 {
            return Err(format!(
                "its column {} holds text, not pictures' bytes; does it name files elsewhere?",
                columns[pictures]
            ));
        }
        let wnids = among(&WNIDS, &[Type::BYTE_ARRAY]).first().copied();
        let numbers = among(&LABELS, &[Type::INT64, Type::INT32, Type::BYTE_ARRAY]);
        let labels = one(
            "labels",
            match (numbers.is_empty(), wnids) {
                (true, Some(wnids)) => vec![wnids],
                _ => numbers,
            },
            "label; a split without labels cannot be evaluated",
        )?;
        let beside = columns[pictures].replace(".bytes", ".path");
        let path_or_name = [beside.as_str()]
            .into_iter()
            .chain(NAMES)
            .filter(|name| *name != columns[pictures])
            .find_map(|name| among(&[name], &[Type::BYTE_ARRAY]).first().copied());
        let rows: i64 = reader.metadata().file_metadata().num_rows();
        if !(0..=MAX_ROWS).contains(&rows) {
            return Err(format!("it declares {rows} rows"));
        }
        for group in reader.metadata().row_groups() {
            let nulls = group
                .column(pictures)
                .statistics()
                .and_then(|statistics| statistics.null_count_opt())
                .unwrap_or(0);
            if nulls > 0 {
                return Err(format!(
                    "{nulls} of its rows have no picture's bytes in {}; does it name files elsewhere?",
                    columns[pictures]
                ));
            }
        }
        Ok(Self {
            path: Arc::new(path.into()),
            reader,
            pictures,
            labels,
            wnids: wnids.filter(|wnids| *wnids != labels),
            names: path_or_name,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<PathBuf> {
        &self.path
    }

    /// Each row's label.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn labels(&self) -> Result<Vec<Label>, String> {
        quietly(|| self.column(self.labels))
    }

    /// Each row's WordNet id, if there is a column of them beside the labels.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn wnids(&self) -> Result<Option<Vec<Label>>, String> {
        let column = self.wnids.map(|column| quietly(|| self.column(column)));
        column.transpose()
    }

    /// Each row's path or name, if there is a column of them.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn paths(&self) -> Result<Option<Vec<Option<String>>>, String> {
        let Some(column) = self.names else {
            return Ok(None);
        };
        let values = quietly(|| self.column(column))?;
        let path = |value| match value {
            Label::Name(path) => Some(path),
            _ => None,
        };
        Ok(Some(values.into_iter().map(path).collect()))
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        let groups = 0..self.reader.num_row_groups();
        groups.map(|group| self.group_rows(group) as usize).sum()
    }

    /// The names of the classes that the hub keeps beside the schema.
    pub fn class_names(&self) -> Option<Vec<String>> {
        let metadata = self.reader.metadata().file_metadata();
        let text = metadata
            .key_value_metadata()?
            .iter()
            .find(|entry| entry.key == "huggingface")?
            .value
            .as_ref()?;
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let column = metadata.schema_descr().column(self.labels).path().string();
        let names = value["info"]["features"][&column]["names"].as_array()?;
        names
            .iter()
            .map(|name| name.as_str().map(Into::into))
            .collect()
    }

    fn column(&self, column: usize) -> Result<Vec<Label>, String> {
        let mut values = Vec::new();
        for group in 0..self.reader.num_row_groups() {
            let reader = self.group_column(group, column)?;
            let before = values.len();
            match reader {
                ColumnReader::Int32ColumnReader(reader) => {
                    all(reader, &mut values, |n| Label::Index(i64::from(*n)))
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    all(reader, &mut values, |n| Label::Index(*n))
                }
                ColumnReader::ByteArrayColumnReader(reader) => all(reader, &mut values, |bytes| {
                    Label::Name(String::from_utf8_lossy(bytes.data()).into_owned())
                }),
                _ => Err("a column has another type than its schema says".into()),
            }?;
            let rows = self.group_rows(group);
            if (values.len() - before) as u64 != rows {
                return Err(format!("it is damaged: row group {group} is cut short"));
            }
        }
        Ok(values)
    }

    fn group_rows(&self, group: usize) -> u64 {
        let rows = self.reader.metadata().row_group(group).num_rows();
        u64::try_from(rows).unwrap_or(0)
    }

    fn group_column(&self, group: usize, column: usize) -> Result<ColumnReader, String> {
        self.reader
            .get_row_group(group)
            .and_then(|group| group.get_column_reader(column))
            .map_err(|e| e.to_string())
    }
}

/// All values of a column, or as many as any file of pictures has.
fn all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    values: &mut Vec<Label>,
    label: impl Fn(&T::T) -> Label,
) -> Result<(), String>
where
    ColumnReaderImpl<T>: Records<T::T>,
{
    loop {
        let read = reader.records(AT_A_TIME)?;
        if read.is_empty() {
            return Ok(());
        }
        values.extend(read.iter().map(|value| match value {
            Some(value) => label(value),
            None => Label::Absent,
        }));
        if values.len() as i64 > MAX_ROWS {
            return Err("it has more rows than it declares".into());
        }
    }
}

/// A column without repetitions, a value or nothing for each row.
trait Records<V> {
    /// At most so many of the next rows.
    fn records(&mut self, most: usize) -> Result<Vec<Option<V>>, String>;
}

macro_rules! records {
    ($($kind:ty),*) => {$(
        impl Records<<$kind as DataType>::T> for ColumnReaderImpl<$kind> {
            fn records(
                &mut self,
                most: usize,
            ) -> Result<Vec<Option<<$kind as DataType>::T>>, String> {
                let (mut levels, mut values) = (Vec::new(), Vec::new());
                let (records, present, read) = self
                    .read_records(most, Some(&mut levels), None, &mut values)
                    .map_err(|e| e.to_string())?;
                if levels.is_empty() || present == read {
                    return Ok(values.into_iter().map(Some).collect());
                }
                let top = levels.iter().copied().max().unwrap_or(0);
                let mut values = values.into_iter();
                let some = |level: &i16| match *level == top && present > 0 {
                    true => values.next(),
                    false => None,
                };
                let rows: Vec<_> = levels.iter().map(some).collect();
                match rows.len() == records {
                    true => Ok(rows),
                    false => Err("its levels do not fit its rows".into()),
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

/// Reads pictures from rows, quickly as long as they follow each other.
#[derive(Default)]
pub struct Rows {
    cursor: Option<Cursor>,
}

/// A place in a table.
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
    pub fn read(&mut self, row: &Row) -> Result<Vec<u8>, String> {
        let fits = |cursor: &Cursor| cursor.table.path == row.table && cursor.next <= row.row;
        let cursor = match self.cursor.take().filter(fits) {
            Some(cursor) => cursor,
            None => Cursor {
                table: Table::open(&row.table)?,
                group: 0,
                before: 0,
                next: 0,
                column: None,
            },
        };
        // After an error the place is unknown, and the next row looks for it again.
        let (cursor, bytes) = quietly(|| cursor.read(row.row))?;
        self.cursor = Some(cursor);
        bytes
    }
}

impl Cursor {
    fn read(mut self, row: u64) -> Result<(Self, Result<Vec<u8>, String>), String> {
        loop {
            if self.group >= self.table.reader.num_row_groups() {
                return Err("its file has fewer rows by now".into());
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
            None => match self.table.group_column(self.group, self.table.pictures)? {
                ColumnReader::ByteArrayColumnReader(column) => column,
                _ => return Err("its column is not binary any more".into()),
            },
        };
        let skipped = (row - self.next) as usize;
        if skipped > 0 && column.skip_records(skipped).map_err(|e| e.to_string())? != skipped {
            return Err("its row group is cut short".into());
        }
        let mut values: Vec<Option<ByteArray>> = column.records(1)?;
        self.next = row + 1;
        self.column = Some(column);
        let bytes = match values.pop() {
            None => return Err("its row group is cut short".into()),
            Some(None) => Err("its row has no picture".into()),
            Some(Some(bytes)) if bytes.len() as u64 > MAX_BYTES => Err(format!(
                "it has {} bytes, more than the limit of {MAX_BYTES}",
                bytes.len()
            )),
            // A copy, so that the page is not kept until its last picture is decoded.
            Some(Some(bytes)) => Ok(bytes.data().to_vec()),
        };
        Ok((self, bytes))
    }
}

fn open(path: &Path) -> Result<File, String> {
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    File::open(path).map_err(|e| e.to_string())
}

/// A reader that panics has met a damaged file.
fn quietly<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panics::catch(work).unwrap_or_else(|| Err("it is damaged: its reader failed".into()))
}

//! Parquet files as the Hugging Face hub serves data sets: a column of pictures, one of labels.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;

pub use super::column::Cell;
use super::column::append;
use crate::util::brief;
use crate::util::panics;
use crate::util::regular_file;

/// Columns of pictures: binary ones, or groups with `bytes` and `path`.
const PICTURES: [&str; 6] = ["image", "img", "jpg", "jpeg", "png", "webp"];

/// Columns of labels.
const LABELS: [&str; 3] = ["label", "labels", "cls"];

/// Columns of WordNet ids, which are labels where there are no others, and have to agree with them.
const WNIDS: [&str; 2] = ["wnid", "synset"];

/// Columns of names, for pictures without a `path`.
const NAMES: [&str; 3] = ["file_name", "filename", "__key__"];

/// More rows than any file of pictures has.
const MAX_ROWS: usize = 1 << 24;

/// What pictures without names are called, before their row's number.
pub const UNNAMED: &str = "row ";

/// Characters of a picture's name.
const MAX_NAME: usize = 255;

/// A file with a column of pictures and one of labels.
pub struct Table {
    path: Arc<Path>,
    reader: SerializedFileReader<File>,
    columns: Columns,
}

/// The numbers of the columns that are used.
struct Columns {
    pictures: usize,
    labels: usize,
    wnids: Option<usize>,
    /// Each picture's path or name.
    paths: Option<usize>,
}

impl Table {
    /// Reads what the file holds, and no picture.
    ///
    /// # Errors
    /// When it is no Parquet file, or its columns do not say which are pictures and labels.
    pub fn open(path: &Path) -> std::result::Result<Self, String> {
        Self::try_open(path).map_err(|e| e.to_string())
    }

    /// As [`open`](Self::open), and tells errors of the system from those of the file.
    pub(super) fn try_open(path: &Path) -> Result<Self> {
        quietly(|| Self::of_file(path))
    }

    fn of_file(path: &Path) -> Result<Self> {
        let (mut file, _) = regular_file::open(path)?;
        let mut start = [0; 15];
        if file.read(&mut start).is_ok() && start.starts_with(b"version https:/") {
            return Err(Error::other(
                "it is a Git LFS pointer; fetch the real file with git lfs pull",
            ));
        }
        let reader = SerializedFileReader::new(file).map_err(error)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let table = Self {
            path: path.into(),
            columns: Columns::of(&schema).map_err(Error::other)?,
            reader,
        };
        table.check_rows(&schema).map_err(Error::other)?;
        Ok(table)
    }

    /// Refuses a file that declares absurdly many rows, or that has rows without pictures.
    fn check_rows(&self, schema: &SchemaDescriptor) -> std::result::Result<(), String> {
        let metadata = self.reader.metadata();
        let rows: i64 = metadata.file_metadata().num_rows();
        if !(0..=MAX_ROWS as i64).contains(&rows) {
            return Err(format!("it declares {rows} rows"));
        }
        let pictures = self.columns.pictures;
        for group in metadata.row_groups() {
            let statistics = group.column(pictures).statistics();
            let nulls = statistics.and_then(|statistics| statistics.null_count_opt());
            let nulls = nulls.unwrap_or(0);
            if nulls > 0 {
                return Err(format!(
                    "{nulls} of its rows have no picture's bytes in {}; does it name files elsewhere?",
                    schema.column(pictures).path().string()
                ));
            }
        }
        Ok(())
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Each row's label.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn labels(&self) -> std::result::Result<Vec<Cell>, String> {
        quietly(|| self.column(self.columns.labels)).map_err(|e| e.to_string())
    }

    /// Each row's WordNet id, if there is a column of them beside the labels.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn wnids(&self) -> std::result::Result<Option<Vec<Cell>>, String> {
        let wnids = self.columns.wnids;
        let column = wnids.map(|column| quietly(|| self.column(column)));
        column.transpose().map_err(|e| e.to_string())
    }

    /// Each row's path or name, if there is a column of them.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn paths(&self) -> std::result::Result<Option<Vec<Option<String>>>, String> {
        let Some(column) = self.columns.paths else {
            return Ok(None);
        };
        let cells = quietly(|| self.column(column)).map_err(|e| e.to_string())?;
        let path = |cell| match cell {
            Cell::Text(path) => Some(path),
            _ => None,
        };
        Ok(Some(cells.into_iter().map(path).collect()))
    }

    /// What the pictures are called: the names of their files if all are different, or else
    /// `row 0` and so on. `paths` are those of [`paths`](Self::paths).
    pub fn picture_names(&self, paths: Option<&[Option<String>]>) -> Vec<String> {
        let rows = self.rows();
        let file = |path: &Option<String>| {
            let file = path.as_ref()?.rsplit(['/', '\\']).next()?;
            let name: String = file.chars().take(MAX_NAME).collect();
            (!name.is_empty()).then_some(name)
        };
        let files: Option<Vec<String>> = paths.and_then(|paths| paths.iter().map(file).collect());
        let all_differ = |names: &Vec<String>| names.iter().collect::<HashSet<_>>().len() == rows;
        let numbers = || (0..rows).map(|row| format!("{UNNAMED}{row}")).collect();
        files.filter(all_differ).unwrap_or_else(numbers)
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
        let column = metadata.schema_descr().column(self.columns.labels);
        let names = &value["info"]["features"][&column.path().string()]["names"];
        let names = names.as_array()?.iter();
        names.map(|name| name.as_str().map(Into::into)).collect()
    }

    /// How many rows it has.
    fn rows(&self) -> usize {
        let groups = 0..self.groups();
        groups.map(|group| self.group_rows(group) as usize).sum()
    }

    /// How many row groups it has.
    pub(super) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// The rows of a row group.
    pub(super) fn group_rows(&self, group: usize) -> u64 {
        let rows = self.reader.metadata().row_group(group).num_rows();
        u64::try_from(rows).unwrap_or(0)
    }

    /// A reader of the pictures of a row group.
    pub(super) fn pictures_of_group(&self, group: usize) -> Result<ColumnReader> {
        self.group_column(group, self.columns.pictures)
    }

    fn column(&self, column: usize) -> Result<Vec<Cell>> {
        let mut cells = Vec::new();
        for group in 0..self.groups() {
            let before = cells.len();
            append(self.group_column(group, column)?, MAX_ROWS, &mut cells)?;
            if (cells.len() - before) as u64 != self.group_rows(group) {
                return Err(Error::other(format!(
                    "it is damaged: row group {group} is cut short"
                )));
            }
        }
        Ok(cells)
    }

    fn group_column(&self, group: usize, column: usize) -> Result<ColumnReader> {
        self.reader
            .get_row_group(group)
            .and_then(|group| group.get_column_reader(column))
            .map_err(error)
    }
}

impl Columns {
    /// Finds the columns by their names and types.
    fn of(schema: &SchemaDescriptor) -> std::result::Result<Self, String> {
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
        let one = |what: &str, candidates: Vec<usize>, expected: &str| match *candidates {
            [only] => Ok(only),
            [] => Err(format!(
                "it has no column of {what} (expected {expected}; it has {})",
                brief::list(&columns)
            )),
            _ => {
                let names = candidates.iter().map(|column| columns[*column].as_str());
                let names: Vec<&str> = names.collect();
                Err(format!(
                    "it has several columns of {what}: {}",
                    brief::list(&names)
                ))
            }
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
        let mut labels = among(&LABELS, &[Type::INT64, Type::INT32, Type::BYTE_ARRAY]);
        if labels.is_empty() {
            labels.extend(wnids);
        }
        let labels = one(
            "labels",
            labels,
            "label; a split without labels cannot be evaluated",
        )?;
        let beside = columns[pictures].replace(".bytes", ".path");
        let paths = [beside.as_str()]
            .into_iter()
            .chain(NAMES)
            .filter(|name| *name != columns[pictures])
            .find_map(|name| among(&[name], &[Type::BYTE_ARRAY]).first().copied());
        Ok(Self {
            pictures,
            labels,
            wnids: wnids.filter(|wnids| *wnids != labels),
            paths,
        })
    }
}

/// An error of the reader; one of the system stays one.
pub(super) fn error(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<Error>() {
            Ok(cause) => *cause,
            Err(cause) => Error::other(cause.to_string()),
        },
        error => Error::other(error.to_string()),
    }
}

/// A reader that panics has met a damaged file.
pub(super) fn quietly<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::catch(work).unwrap_or_else(|| Err(Error::other("it is damaged: its reader failed")))
}

//! Data sets that are kept in large files which say each picture's class themselves: WebDataset
//! shards and Parquet tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data_set::DataSet;
use super::error::DataError;
use super::remark::Remark;
use super::shards::Shards;
use super::source::Source;
use crate::data::containers::table::{Table, UNNAMED};
use crate::data::containers::{ContainerError, archive, web_dataset};
use crate::data::labels;
use crate::data::name::Name;
use crate::data::sample::{Sample, Storage, TableRow};
use crate::data::sets::ClassFolders;

/// A picture that a shard holds.
struct ShardSample {
    /// What the shard calls it.
    name: String,
    label: usize,
    storage: Storage,
}

/// The pictures of WebDataset shards.
///
/// # Errors
/// When a shard cannot be read, or a picture's class is in doubt.
pub fn web_dataset(path: &Path, classes: &ClassFolders) -> Result<DataSet, DataError> {
    let mut shards = Shards::find(path, "tar")?;
    let mut samples = Vec::new();
    for shard in &shards.files {
        let fail = |reason| ContainerError::Archive {
            path: shard.clone(),
            reason,
        };
        let members = archive::members(shard)?;
        let pictures = web_dataset::pictures(members, &mut shards.ignored).map_err(fail)?;
        for picture in pictures {
            samples.push(ShardSample {
                label: labels::web_dataset::class(&picture, classes).map_err(fail)?,
                name: picture.picture.name,
                storage: Storage::Archive(picture.picture.span),
            });
        }
    }
    data_set(path, samples, shards, classes, Source::WebDataset)
}

/// The pictures of Parquet files.
///
/// # Errors
/// When a file cannot be read, or a picture's class is in doubt.
pub fn parquet(path: &Path, classes: &ClassFolders) -> Result<DataSet, DataError> {
    let shards = Shards::find(path, "parquet")?;
    let mut samples = Vec::new();
    for file in &shards.files {
        let rows = rows(file, classes).map_err(|reason| ContainerError::Table {
            path: file.clone(),
            reason,
        });
        samples.extend(rows?);
    }
    data_set(path, samples, shards, classes, Source::Parquet)
}

/// The pictures of a Parquet file.
fn rows(file: &Path, classes: &ClassFolders) -> Result<Vec<ShardSample>, String> {
    let table = Table::open(file)?;
    let paths = table.paths()?;
    let names = table.picture_names(paths.as_deref());
    let labels = labels::table::classes(&table, paths.as_deref(), classes)?;
    let row = |(row, (name, label))| ShardSample {
        name,
        label,
        storage: Storage::Table(TableRow {
            table: Arc::clone(table.path()),
            row: row as u64,
        }),
    };
    let rows = names.into_iter().zip(labels).enumerate();
    Ok(rows.map(row).collect())
}

fn data_set(
    path: &Path,
    samples: Vec<ShardSample>,
    shards: Shards,
    classes: &ClassFolders,
    source: Source,
) -> Result<DataSet, DataError> {
    let root = root(path);
    let repeated = repeated_names(&samples);
    let sample = |sample: ShardSample| {
        let path = sample.storage.container().join(&sample.name);
        Sample::new(Name::of(&path, &root), sample.label, sample.storage)
    };
    let samples = samples.into_iter().map(sample).collect();
    let mut data = DataSet::new(root, samples, classes.len(), source, shards.ignored)?;
    data.remarks = shards.remarks;
    data.remarks.extend(repeated);
    Ok(data)
}

/// The folder that shards lie in: for a pattern that of the pattern.
fn root(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !path.exists() => parent.into(),
        _ => path.into(),
    }
}

/// Pictures of different files that share a name which is no number: two conversions of the same
/// pictures, perhaps.
fn repeated_names(samples: &[ShardSample]) -> Option<Remark> {
    let mut first: HashMap<&str, &Path> = HashMap::new();
    let (mut count, mut example) = (0, None);
    for sample in samples {
        let stem = Path::new(&sample.name).file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let is_number = !stem.contains(|c: char| c.is_alphabetic());
        if is_number || stem.starts_with(UNNAMED) {
            continue;
        }
        let container = sample.storage.container();
        if *first.entry(&sample.name).or_insert(container) != container {
            count += 1;
            example = example.or(Some(&sample.name));
        }
    }
    let example = example?.clone();
    Some(Remark::RepeatedNames { count, example })
}

//! One picture of a data set: its name, its label, and where its bytes are.
//!
//! All of it is plain data. Cloning it copies neither texts nor paths. Reading the bytes is the work
//! of `containers`.

use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::name::Name;
use crate::util::path_text::path_of;

/// Bytes of an encoded picture; a larger one is refused. No picture within the pixel limit is near
/// it.
pub const MAX_BYTES: u64 = 1 << 30;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub name: Name,
    /// The class index.
    pub label: usize,
    /// The classes that are right, where they are others than the label alone.
    pub right: Option<Arc<[usize]>>,
    pub storage: Storage,
}

/// Consecutive samples of a list that several owners share. Neither a clone nor a part copies a
/// sample.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    list: Arc<[Sample]>,
    range: Range<usize>,
}

/// Where a picture's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a file of its own.
    File(Arc<Path>),
    Archive(ArchiveSpan),
    Table(TableRow),
}

/// The bytes of a tar archive's member: uncompressed and in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSpan {
    pub archive: Arc<Path>,
    /// Bytes of the archive before the member's first one.
    pub offset: u64,
    /// Length of the member.
    pub bytes: u64,
}

/// A row of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    pub table: Arc<Path>,
    /// The row's number in the whole file, from 0.
    pub row: u64,
}

impl Sample {
    /// A picture that has a label and no other class that is right.
    pub fn new(name: Name, label: usize, storage: Storage) -> Self {
        Self {
            name,
            label,
            right: None,
            storage,
        }
    }

    /// A picture in a file of its own that belongs to no data set.
    pub fn file(path: PathBuf, label: usize) -> Self {
        Self::new(Name::alone(&path), label, Storage::File(path.into()))
    }

    /// A picture in a file of its own, whose [`Name`] in the data set at `root` is `below`.
    pub fn below(root: &Path, below: &str, label: usize) -> Self {
        let file = root.join(path_of(below));
        Self::new(Name::below(root, below), label, Storage::File(file.into()))
    }

    /// The classes that are right.
    pub fn right(&self) -> &[usize] {
        match &self.right {
            Some(right) => right,
            None => std::slice::from_ref(&self.label),
        }
    }
}

impl Samples {
    /// Those of the samples that are in a range, counted from the first.
    ///
    /// # Panics
    /// When the range ends behind the last sample.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.len(), "{range:?} of {}", self.len());
        let first = self.range.start;
        Self {
            list: Arc::clone(&self.list),
            range: first + range.start..first + range.end,
        }
    }
}

impl Deref for Samples {
    type Target = [Sample];

    fn deref(&self) -> &[Sample] {
        &self.list[self.range.clone()]
    }
}

impl FromIterator<Sample> for Samples {
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        let list: Arc<[Sample]> = samples.into_iter().collect();
        let range = 0..list.len();
        Self { list, range }
    }
}

impl<'a> IntoIterator for &'a Samples {
    type Item = &'a Sample;
    type IntoIter = std::slice::Iter<'a, Sample>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Storage {
    /// The file that the bytes are in.
    pub fn container(&self) -> &Path {
        self.shared_container()
    }

    /// As [`container`](Self::container), to be cloned without a copy.
    pub fn shared_container(&self) -> &Arc<Path> {
        match self {
            Self::File(path) => path,
            Self::Archive(span) => &span.archive,
            Self::Table(row) => &row.table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_part_has_the_samples_of_the_whole() {
        let sample = |label| Sample::file("x".into(), label);
        let all: Samples = (0..9).map(sample).collect();
        let part = all.part(2..8);
        let labels = |samples: &Samples| samples.iter().map(|s| s.label).collect::<Vec<_>>();
        assert_eq!(labels(&part), [2, 3, 4, 5, 6, 7]);
        assert_eq!(labels(&part.part(1..3)), [3, 4]);
        assert!(part.part(6..6).is_empty());
        assert!(std::panic::catch_unwind(|| part.part(0..7)).is_err());
    }
}

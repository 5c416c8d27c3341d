//! The pictures of a data set.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::{LabellingError, LayoutError};
use super::remark::Remark;
use super::source::Source;
use crate::data::containers::file_names::Ignored;
use crate::data::sample::{Sample, Samples};
use crate::data::sets::ClassFolders;

/// All pictures of a data set, in order.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The folder or archive that holds the pictures.
    pub root: PathBuf,
    /// Sorted by class folder, numbers as numbers, and path; members of shards and rows in their
    /// own order.
    pub samples: Samples,
    /// Classes with at least one picture.
    pub classes_present: usize,
    /// Classes that the model chooses among.
    pub classes: usize,
    /// Files and folders that were left out, hidden ones and those that are no pictures.
    pub ignored: Ignored,
    pub source: Source,
    /// The file that says the classes.
    pub labels: Option<PathBuf>,
    /// What is odd about it.
    pub remarks: Vec<Remark>,
}

impl DataSet {
    /// The pictures at `root`, labelled with some of so many classes.
    ///
    /// # Errors
    /// When there are no pictures.
    pub fn new(
        root: PathBuf,
        samples: Vec<Sample>,
        classes: usize,
        source: Source,
        ignored: Ignored,
    ) -> Result<Self, LayoutError> {
        if samples.is_empty() {
            return Err(LayoutError::NoPictures {
                path: root,
                files: ignored.not_pictures,
            });
        }
        let mut data = Self {
            root,
            samples: samples.into_iter().collect(),
            classes_present: 0,
            classes,
            ignored,
            source,
            labels: None,
            remarks: Vec::new(),
        };
        data.classes_present = data.classes_there().len();
        Ok(data)
    }

    /// The labels that its pictures have, in ascending order.
    pub fn classes_there(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.samples.iter().map(|sample| sample.label).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Refuses labels that the names of pictures contradict: a wrong order of labels is a near miss
    /// of everything, and names sometimes tell.
    ///
    /// # Errors
    /// When a picture's name says another class than its label.
    pub fn check_names(&self, classes: &ClassFolders) -> Result<(), LabellingError> {
        for sample in &self.samples {
            let named = classes.class_in_name(sample.name.file());
            if let Some(named) = named.filter(|named| *named != sample.label) {
                return Err(LabellingError::Contradiction {
                    picture: Arc::clone(sample.name.whole()),
                    label: sample.label,
                    named,
                });
            }
        }
        Ok(())
    }
}

//! Pictures without class folders, whose classes a label file or the ReaL labels say.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::data_set::DataSet;
use super::error::{DataError, LabellingError, LayoutError};
use super::remark::Remark;
use super::source::Source;
use crate::data::containers::file_names::{Ignored, stem};
use crate::data::containers::folder;
use crate::data::labels::{self, LabelFile, Labels, Lookup};
use crate::data::name::{Name, abridged};
use crate::data::sample::{Sample, Storage};
use crate::data::sets::ClassFolders;
use crate::util::escape::Shown;

/// What pictures without class folders are labelled by.
pub struct Labelling<'a> {
    /// Looked for beside the pictures when absent.
    pub file: Option<&'a Path>,
    /// Whether ReaL labels do where there is no label file.
    pub real: bool,
    pub classes: &'a ClassFolders,
}

impl Labelling<'_> {
    /// The flat pictures in a folder and below it.
    ///
    /// # Errors
    /// When the folder cannot be read, or a picture's class is in doubt.
    pub fn flat(&self, path: &Path) -> Result<DataSet, DataError> {
        let root = self.classes.root(path)?;
        if !root.is_dir() {
            return Err(LayoutError::NotAFlatFolder { path: path.into() }.into());
        }
        let mut ignored = Ignored::default();
        let paths = folder::pictures(&root, &mut ignored)?;
        let labels = self.labels(path, &root)?;
        let named = paths.into_iter().map(|path| {
            let name = Name::of(&path, &root);
            let below = name.in_set().to_string();
            (below, Sample::new(name, 0, Storage::File(path.into())))
        });
        self.apply(labels, Source::Flat, root.clone(), named, ignored)
    }

    /// Reads the label file, or the one that is in or near the folder `beside`. `path` is that of
    /// the data set, for messages.
    ///
    /// # Errors
    /// When there is no label file or several, or it cannot be read.
    pub fn labels(&self, path: &Path, beside: &Path) -> Result<Labels, DataError> {
        let path = path.to_path_buf();
        let file = match (self.file, labels::beside(beside).as_slice()) {
            (Some(file), _) => file.into(),
            (None, [only]) => only.clone(),
            (None, []) if self.real => return Ok(Labels::Real),
            (None, []) => {
                return Err(match labels::packed_devkit(beside) {
                    Some(devkit) => LabellingError::PackedDevkit { path, devkit },
                    None => LabellingError::NoLabels { path },
                }
                .into());
            }
            (None, several) => {
                let files = several.iter().map(|file| file.shown().to_string());
                let files = abridged(files);
                return Err(LabellingError::SeveralLabels { path, files }.into());
            }
        };
        Ok(Labels::File(LabelFile::read(&file, self.classes)?))
    }

    /// Gives each picture its class. `pictures` come with their paths below `root`. One without a
    /// class is an error, never left out.
    ///
    /// # Errors
    /// When a picture has no label, or it is in doubt which.
    pub fn apply(
        &self,
        labels: Labels,
        source: Source,
        root: PathBuf,
        pictures: impl Iterator<Item = (String, Sample)>,
        ignored: Ignored,
    ) -> Result<DataSet, DataError> {
        let mut samples = Vec::new();
        let mut unlabelled = Vec::new();
        // The picture that each entry labels.
        let mut labelled: HashMap<usize, String> = HashMap::new();
        for (picture, sample) in pictures {
            match labels.find(&picture) {
                Lookup::Label { class, entry } => {
                    if let Some(first) = labelled.get(&entry) {
                        return Err(LabellingError::SameName {
                            first: first.clone(),
                            name: stem(&picture).into(),
                            second: picture,
                            labels: labels.path().into(),
                        }
                        .into());
                    }
                    labelled.insert(entry, picture);
                    let label = class;
                    samples.push(Sample { label, ..sample });
                }
                Lookup::Ambiguous => {
                    return Err(LabellingError::SeveralLines {
                        picture,
                        labels: labels.path().into(),
                    }
                    .into());
                }
                Lookup::Absent => unlabelled.push(picture),
            }
        }
        if !unlabelled.is_empty() {
            return Err(LabellingError::Unlabelled {
                path: labels.path().into(),
                count: unlabelled.len(),
                examples: abridged(unlabelled.into_iter()),
            }
            .into());
        }
        let mut data = DataSet::new(root, samples, self.classes.len(), source, ignored)?;
        if let Labels::File(file) = labels {
            let count = file.pictures().saturating_sub(data.samples.len());
            if count > 0 {
                let labels = file.path.clone();
                data.remarks.push(Remark::SpareLabels { labels, count });
            }
            data.labels = Some(file.path);
        }
        Ok(data)
    }
}

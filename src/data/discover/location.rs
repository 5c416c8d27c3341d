//! Where a data set is, and finding its pictures and their classes.

use std::path::{Path, PathBuf};

use super::beside::Beside;
use super::data_set::DataSet;
use super::detect::{detect, files_of};
use super::error::{DataError, LabellingError};
use super::labelling::Labelling;
use super::pattern::is_pattern;
use super::remark::Remark;
use super::source::Source;
use super::split::is_training;
use super::{folders, sharded, tar};
use crate::data::labels;
use crate::data::sample::Sample;
use crate::data::sets::{ClassFolders, ClassFoldersError, Naming, Set};
use crate::text::ClassNames;
use crate::util::escape::Shown;

/// Where a data set is, and what is known of it beforehand.
#[derive(Debug, Clone)]
pub struct DataLocation {
    pub path: PathBuf,
    /// Found by looking when absent.
    pub source: Option<Source>,
    /// Looked for beside the pictures when absent.
    pub labels: Option<PathBuf>,
    /// Whether the pictures are judged by their ReaL labels, which do for flat ones.
    pub real: bool,
    /// What the numbers of labels count; told by the names beside the pictures when absent.
    pub numbers: Option<LabelNumbers>,
}

/// What the numbers of labels count, in a set that has some of ImageNet's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelNumbers {
    /// The set's own class folders, sorted.
    OfSet,
    /// The classes of ImageNet.
    OfImageNet,
}

impl DataLocation {
    /// A path of which nothing is known beforehand.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            source: None,
            labels: None,
            real: false,
            numbers: None,
        }
    }

    /// Finds the pictures and their classes. Every source ends in the same list of samples, in a
    /// fixed order, so that nothing behind this function knows where pictures come from.
    ///
    /// # Errors
    /// When anything cannot be read, or a picture's class is in doubt.
    pub fn find(&self, classes: &ClassFolders) -> Result<DataSet, DataError> {
        let classes = &self.numbered(classes)?;
        let label_file = self.labels.as_deref();
        // `val.tar/val` is a folder in an archive, as results name it.
        let (path, inner) = match tar::split(&self.path) {
            Some((archive, inner)) => (archive, inner),
            None => (self.path.clone(), PathBuf::new()),
        };
        let (source, path) = match self.source {
            Some(source) => (source, files_of(path, source, classes)?),
            None => detect(path, label_file, self.real, classes)?,
        };
        let is_there = path.exists() || is_pattern(&path);
        if let (false, true, Some(labels)) = (source.takes_labels(), is_there, label_file) {
            let labels = labels.into();
            return Err(LabellingError::LabelsUnused { path, labels }.into());
        }
        let labelling = Labelling {
            file: label_file,
            real: self.real,
            classes,
        };
        let mut data = match source {
            Source::Folders => folders::find(&self.path, classes),
            Source::Flat => labelling.flat(&path),
            Source::Tar => tar::find(&path, &inner, &labelling),
            Source::WebDataset => sharded::web_dataset(&path, classes),
            Source::Parquet => sharded::parquet(&path, classes),
        }?;
        data.check_names(classes)?;
        data.remarks.extend(training_split(&data));
        Ok(data)
    }

    /// The same classes, with numbers that count what is told or what the names beside the pictures
    /// say.
    fn numbered(&self, classes: &ClassFolders) -> Result<ClassFolders, DataError> {
        let told = self.numbers.map(|numbers| match numbers {
            LabelNumbers::OfSet => classes.clone().counting_folders(),
            LabelNumbers::OfImageNet => classes.clone().counting_imagenet(),
        });
        // What the classes are is what the names say already, or what a list says.
        if matches!(classes.naming(), Naming::Nothing | Naming::Sorted) {
            return Ok(told.unwrap_or_else(|| classes.clone()));
        }
        let Some(beside) = Beside::find(&self.path, self.source)? else {
            return Ok(told.unwrap_or_else(|| classes.clone()));
        };
        let names = read_names(&beside.class_names)?;
        let in_doubt = |reason| LabellingError::OtherClassNames {
            names: beside.class_names.clone(),
            reason,
        };
        let numbers = labels::class_names::numbers(&names, classes).map_err(in_doubt)?;
        let counting = classes.clone().counting(numbers.into_iter().map(Some));
        match told {
            Some(told) if told.counted() != counting.counted() => {
                Err(in_doubt("--label-numbers says otherwise".into()).into())
            }
            _ => Ok(counting),
        }
    }

    /// Finds out which set this is, and its pictures.
    ///
    /// # Errors
    /// When it is none of the sets: why it is not ImageNet.
    pub fn recognise(&self) -> Result<(Set, DataSet), DataError> {
        let find = |set: Set| self.find(&set.folders()).map(|data| (set, data));
        if let Some(beside) = Beside::find(&self.path, self.source)?
            && let Some(set) = Set::with_names(&read_names(&beside.class_names)?)
        {
            return find(set);
        }
        let (set, data) = find(Set::ImageNet).or_else(|mut why| {
            for set in Set::ALL.into_iter().skip(1) {
                match find(set) {
                    Ok(recognised) => return Ok(recognised),
                    // Several parts of a set say more than that they are no class of ImageNet.
                    Err(DataError::ClassFolders(e @ ClassFoldersError::SeveralPlaces { .. })) => {
                        why = e.into();
                    }
                    Err(_) => {}
                }
            }
            Err(why)
        })?;
        let is_sketch = |sample: &Sample| sample.name.file().starts_with("sketch_");
        let set = if data.samples.iter().all(is_sketch) {
            Set::Sketch
        } else {
            Set::with_classes(&data.classes_there()).unwrap_or(set)
        };
        Ok((set, data))
    }
}

/// The names of classes that lie beside pictures, one a line.
fn read_names(path: &Path) -> Result<Vec<String>, LabellingError> {
    let names = ClassNames::from_lines(path).map_err(|e| LabellingError::OtherClassNames {
        names: path.into(),
        reason: e.to_string(),
    })?;
    Ok(names.names().to_vec())
}

/// A remark if models are trained on these pictures, by the name of their folder or first shard.
fn training_split(data: &DataSet) -> Option<Remark> {
    let first = data.samples.first().map(|first| first.storage.container());
    let shard = first.filter(|_| data.source.has_shards());
    let named = [Some(data.root.as_path()), shard];
    let is_training = |path: &&Path| path.file_name().is_some_and(is_training);
    let path = named.into_iter().flatten().find(is_training)?;
    let name = path.shown().to_string();
    Some(Remark::TrainingSplit { name })
}

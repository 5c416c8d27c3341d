//! What a path holds, and the pictures in it with their classes.
//!
//! Each source ends in the same list of samples in a fixed order, so that nothing behind this
//! module knows where pictures come from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::archive;
use super::class_folders::ClassFolders;
use super::error::DataError;
use super::folder::{self, DataSet, Ignored};
use super::found::{self, Found};
use super::labels;
use super::shards;
use super::web_dataset;

/// The validation set's archive, as it is published.
const VALIDATION_TAR: &str = "ILSVRC2012_img_val.tar";

/// Where repositories of the Hugging Face hub keep their files, below their folder.
const SHELVES: [&str; 4] = ["", "data", "default/validation", "validation"];

/// Endings of archives that are named as a whole.
const COMPRESSED: [&str; 5] = ["tgz", "gz", "zst", "xz", "bz2"];

/// How pictures and labels are kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A folder for each class.
    Folders,
    /// Pictures and a label file.
    Flat,
    /// Pictures in a tar archive: class folders inside, or a label file beside it.
    Tar,
    /// Tar archives that hold each picture beside its label.
    WebDataset,
    /// Tables with columns of pictures and labels.
    Parquet,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folders => "folder of class folders",
            Self::Flat => "flat folder",
            Self::Tar => "tar archive",
            Self::WebDataset => "WebDataset",
            Self::Parquet => "set of Parquet files",
        })
    }
}

/// Something odd about a data set that does not stop its evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// By the names of its files, others are missing.
    MissingShards { count: u64, examples: Vec<String> },
    /// The label file has labels for pictures that are not there.
    SpareLabels { labels: PathBuf, count: usize },
    /// Files beside those of the validation set that are not evaluated.
    OtherSplits { count: usize, examples: Vec<String> },
    /// By their name these are pictures that models are trained on.
    TrainingSplit { name: String },
    /// Pictures in different files are called the same.
    RepeatedNames { count: usize, example: String },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingShards { count, examples } => write!(
                f,
                "{count} files of the data set are missing by the names of the others ({})",
                examples.join(", ")
            ),
            Self::SpareLabels { labels, count } => write!(
                f,
                "{} has labels for {count} pictures that are not there",
                labels.display()
            ),
            Self::OtherSplits { count, examples } => write!(
                f,
                "{count} files of other splits are left out ({})",
                examples.join(", ")
            ),
            Self::TrainingSplit { name } => write!(
                f,
                "{name} is a training split by its name; the accuracy is not that of a validation set"
            ),
            Self::RepeatedNames { count, example } => write!(
                f,
                "{count} pictures have the name of one in another file, as {example}; is the data set there twice?"
            ),
        }
    }
}

/// Where to look, and for what.
#[derive(Debug, Clone)]
pub struct Place {
    pub path: PathBuf,
    /// Found by looking when absent.
    pub source: Option<Source>,
    /// Looked for beside the pictures when absent.
    pub labels: Option<PathBuf>,
    /// Whether the pictures are judged by their ReaL labels, which do for flat ones.
    pub real: bool,
}

impl Place {
    /// What looking tells of a folder or file.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            source: None,
            labels: None,
            real: false,
        }
    }

    /// Finds the pictures and their classes.
    ///
    /// # Errors
    /// When anything cannot be read, or a picture's class is in doubt.
    pub fn find(&self, classes: &ClassFolders) -> Result<DataSet, DataError> {
        // `val.tar/val` is a folder in an archive, as results name it.
        let (place, inner) = match archive::split(&self.path) {
            Some((archive, inner)) => (archive, inner),
            None => (self.path.clone(), PathBuf::new()),
        };
        let (source, path) = match self.source {
            Some(source) => (source, shelved(&place, source, classes)?),
            None => self.look(place, classes)?,
        };
        let labelled = matches!(source, Source::Flat | Source::Tar);
        let is_there = path.exists() || shards::is_pattern(&path);
        if let (false, true, Some(labels)) = (labelled, is_there, &self.labels) {
            return Err(DataError::LabelsUnused {
                path,
                labels: labels.clone(),
            });
        }
        let found = Found {
            path,
            inner,
            source,
            labels: self.labels.as_deref(),
            real: self.real,
            classes,
        };
        let mut data = match source {
            Source::Folders => DataSet::scan(&self.path, classes),
            Source::Flat => found.flat(),
            Source::Tar => found.tar(),
            Source::WebDataset => found.web_dataset(),
            Source::Parquet => found.parquet(),
        }?;
        found::check_names(&data, classes)?;
        let first = data.samples.first().map(|sample| sample.container());
        let of_training = |path: &&Path| path.file_name().is_some_and(shards::is_training);
        let named = [
            Some(data.root.as_path()),
            first.filter(|_| source.has_shards()),
        ];
        if let Some(path) = named.into_iter().flatten().find(of_training) {
            let name = path.display().to_string();
            data.remarks.push(Remark::TrainingSplit { name });
        }
        Ok(data)
    }

    /// What the path looks like, and where exactly it is.
    fn look(&self, path: PathBuf, classes: &ClassFolders) -> Result<(Source, PathBuf), DataError> {
        let pattern = !path.exists() && shards::is_pattern(&path);
        if shards::has_ending(&path, "parquet") && (path.is_file() || pattern) {
            return Ok((Source::Parquet, path));
        }
        if shards::has_ending(&path, "tar") && (path.is_file() || pattern) {
            let labelled = pattern || web_dataset::is_labelled(&found::entries(&path)?, classes);
            return Ok(match labelled {
                true => (Source::WebDataset, path),
                false => (Source::Tar, path),
            });
        }
        if path.is_file() && COMPRESSED.iter().any(|c| shards::has_ending(&path, c)) {
            return Ok((Source::Tar, path)); // whose error says what is wrong
        }
        if !path.is_dir() {
            return Ok((Source::Folders, path)); // whose error says what is wrong
        }
        let root = classes.root(&path)?;
        let listing = folder::list(&root, &mut Ignored::default())?;
        let of_classes = |name: &String| classes.class_of(name).is_some();
        let folders = listing.folders.iter().any(of_classes);
        let pictures = listing
            .files
            .iter()
            .any(|f| folder::is_picture(Path::new(f)));
        match &self.labels {
            None if folders => return Ok((Source::Folders, path)),
            Some(_) if folders || pictures => return Ok((Source::Flat, root)),
            _ => {}
        }
        for source in [Source::Parquet, Source::Tar, Source::WebDataset] {
            let shelved = shelved(&root, source, classes)?;
            if shelved != root || source.is_in(&root)? {
                return Ok((source, shelved));
            }
        }
        let labelled = self.labels.is_some()
            || (pictures && (self.real || !labels::beside(&root).is_empty()))
            || (pictures && labels::packed_devkit(&root).is_some());
        Ok(match labelled {
            true => (Source::Flat, root),
            false => (Source::Folders, path),
        })
    }
}

impl Source {
    /// Whether it is in one or several large files.
    fn has_shards(self) -> bool {
        matches!(self, Self::WebDataset | Self::Parquet)
    }

    /// Whether a folder has files of this kind.
    fn is_in(self, folder: &Path) -> Result<bool, DataError> {
        let listing = folder::list(folder, &mut Ignored::default())?;
        let any = |wanted: &dyn Fn(&Path) -> bool| {
            listing.files.iter().any(|file| wanted(Path::new(file)))
        };
        Ok(match self {
            Self::Folders | Self::Flat => false,
            Self::Tar => any(&|file| file == Path::new(VALIDATION_TAR)),
            Self::WebDataset => any(&|file| shards::has_ending(file, "tar")),
            Self::Parquet => any(&|file| shards::has_ending(file, "parquet")),
        })
    }
}

/// Where below a folder the files of a source are: in the first place that has any. The path
/// itself when there are none.
fn shelved(path: &Path, source: Source, classes: &ClassFolders) -> Result<PathBuf, DataError> {
    if !path.is_dir() || matches!(source, Source::Folders | Source::Flat) {
        return Ok(path.into());
    }
    let root = classes.root(path)?;
    for place in SHELVES.map(|shelf| root.join(shelf)) {
        if !place.is_dir() || !source.is_in(&place)? {
            continue;
        }
        return Ok(match source {
            Source::Tar => place.join(VALIDATION_TAR),
            _ if place == root.join("") => root,
            _ => place,
        });
    }
    Ok(path.into())
}

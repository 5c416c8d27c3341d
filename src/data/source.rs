//! What a path holds, and the pictures in it with their classes.
//!
//! Each source ends in the same list of samples in a fixed order, so that nothing behind this
//! module knows where pictures come from.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, Entry};
use super::class_folders::ClassFolders;
use super::error::{DataError, examples};
use super::folder::{self, DataSet, Ignored};
use super::labels::{self, Labels};
use super::sample::{Row, Sample, Storage};
use super::shards::{self, Missing, Shards};
use super::table::{Label, Table};
use super::web_dataset;

/// The validation set's archive, as it is published.
const VALIDATION_TAR: &str = "ILSVRC2012_img_val.tar";

/// Where repositories of the Hugging Face hub keep their files.
const HUB_FOLDER: &str = "data";

/// Endings of archives that are named as a whole.
const COMPRESSED: [&str; 5] = ["tgz", "gz", "zst", "xz", "bz2"];

/// How pictures and labels are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
}

impl Place {
    /// What looking tells of a folder or file.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            source: None,
            labels: None,
        }
    }

    /// Finds the pictures and their classes.
    ///
    /// # Errors
    /// When anything cannot be read, or a picture's class is in doubt.
    pub fn find(&self, classes: &ClassFolders) -> Result<DataSet, DataError> {
        let (source, path) = match self.source {
            Some(source) => (source, self.path.clone()),
            None => self.look(classes)?,
        };
        let labelled = matches!(source, Source::Flat | Source::Tar);
        if let (false, Some(labels)) = (labelled, &self.labels) {
            return Err(DataError::LabelsUnused {
                path,
                labels: labels.clone(),
            });
        }
        let found = Found {
            path,
            source,
            labels: self.labels.as_deref(),
            classes,
        };
        match source {
            Source::Folders => DataSet::scan(&self.path, classes),
            Source::Flat => found.flat(),
            Source::Tar => found.tar(),
            Source::WebDataset => found.web_dataset(),
            Source::Parquet => found.parquet(),
        }
    }

    /// What the path looks like, and where exactly it is.
    fn look(&self, classes: &ClassFolders) -> Result<(Source, PathBuf), DataError> {
        let path = self.path.clone();
        let pattern = !path.exists() && shards::pattern(&path).is_some();
        if shards::has_ending(&path, "parquet") && (path.is_file() || pattern) {
            return Ok((Source::Parquet, path));
        }
        if shards::has_ending(&path, "tar") && (path.is_file() || pattern) {
            let labelled = pattern || web_dataset::is_labelled(&entries(&path)?);
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
        if self.labels.is_some() && !listing.files.iter().any(|name| name == VALIDATION_TAR) {
            return Ok((Source::Flat, root));
        }
        let hub = root.join(HUB_FOLDER);
        let of_classes = |name: &String| classes.class_of(name).is_some();
        if listing.folders.iter().any(of_classes) {
            return Ok((Source::Folders, path));
        }
        for folder in [&root, &hub].into_iter().filter(|folder| folder.is_dir()) {
            let listing = folder::list(folder, &mut Ignored::default())?;
            let any =
                |wanted: fn(&Path) -> bool| listing.files.iter().any(|f| wanted(Path::new(f)));
            if any(|name| shards::has_ending(name, "parquet")) {
                return Ok((Source::Parquet, folder.clone()));
            }
            if any(|name| name == Path::new(VALIDATION_TAR)) {
                return Ok((Source::Tar, folder.join(VALIDATION_TAR)));
            }
            if any(|name| shards::has_ending(name, "tar")) {
                return Ok((Source::WebDataset, folder.clone()));
            }
        }
        let flat = listing.folders.is_empty()
            && listing
                .files
                .iter()
                .any(|f| folder::is_picture(Path::new(f)))
            && !labels::beside(&root).is_empty();
        Ok(match flat {
            true => (Source::Flat, root),
            false => (Source::Folders, path),
        })
    }
}

/// A source whose kind is known.
struct Found<'a> {
    path: PathBuf,
    source: Source,
    labels: Option<&'a Path>,
    classes: &'a ClassFolders,
}

impl Found<'_> {
    fn flat(self) -> Result<DataSet, DataError> {
        let root = self.classes.root(&self.path)?;
        if !root.is_dir() {
            return Err(self.not_that());
        }
        let mut ignored = Ignored::default();
        let mut pictures = Vec::new();
        folder::collect(&root, 0, folder::MAX_DEPTH, &mut pictures, &mut ignored)?;
        let labels = self.label_file(&root)?;
        let named = pictures.into_iter().map(|sample| {
            let name = sample.path.strip_prefix(&root).unwrap_or(&sample.path);
            (name.to_string_lossy().into_owned(), sample)
        });
        let (samples, remarks) = self.labelled(&labels, named)?;
        let mut data = self.finish(root, samples, ignored, remarks)?;
        data.labels = Some(labels.path);
        Ok(data)
    }

    fn tar(self) -> Result<DataSet, DataError> {
        let mut ignored = Ignored::default();
        let mut entries = archive::pictures(entries(&self.path)?, &mut ignored);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let other = |entry: &Entry| {
            let mut folders = entry.name.rsplit('/').skip(1);
            folders
                .find(|folder| self.classes.leaves_out(folder))
                .map(str::to_string)
        };
        let others: HashSet<String> = entries.iter().filter_map(other).collect();
        ignored.other_folders = others.len();
        entries.retain(|entry| other(entry).is_none());
        let sample = |entry: &Entry, label| Sample {
            path: archive::display(&self.path, &entry.name),
            label,
            right: None,
            storage: Storage::Member(entry.member.clone()),
        };
        let class_inside = |entry: &Entry| {
            let mut folders = entry.name.rsplit('/').skip(1);
            folders.find_map(|folder| self.classes.class_of(folder))
        };
        let inside: Option<Vec<Sample>> = entries
            .iter()
            .map(|entry| Some(sample(entry, class_inside(entry)?)))
            .collect();
        let path = self.path.clone();
        match inside {
            Some(samples) if self.labels.is_none() => {
                self.finish(path, samples, ignored, Vec::new())
            }
            _ => {
                let labels = self.label_file(self.path.parent().unwrap_or(Path::new("")))?;
                let named = entries.iter().map(|e| (e.name.clone(), sample(e, 0)));
                let (samples, remarks) = self.labelled(&labels, named)?;
                let mut data = self.finish(path, samples, ignored, remarks)?;
                data.labels = Some(labels.path);
                Ok(data)
            }
        }
    }

    fn web_dataset(self) -> Result<DataSet, DataError> {
        let Shards {
            files,
            missing,
            mut ignored,
        } = Shards::find(&self.path, "tar")?;
        let root = root(&self.path);
        let mut samples = Vec::new();
        for shard in files {
            let entries = entries(&shard)?;
            let found = web_dataset::samples(&shard, entries, self.classes, &mut ignored);
            samples.extend(found.map_err(|reason| DataError::Archive {
                path: shard,
                reason,
            })?);
        }
        self.finish(root, samples, ignored, remarks(missing))
    }

    fn parquet(self) -> Result<DataSet, DataError> {
        let Shards {
            files,
            missing,
            ignored,
        } = Shards::find(&self.path, "parquet")?;
        let root = root(&self.path);
        let mut samples = Vec::new();
        for file in files {
            let found = rows(&file, self.classes);
            samples.extend(found.map_err(|reason| DataError::Table { path: file, reason })?);
        }
        self.finish(root, samples, ignored, remarks(missing))
    }

    fn not_that(&self) -> DataError {
        DataError::NotThat {
            path: self.path.clone(),
            kind: self.source,
        }
    }

    fn label_file(&self, beside: &Path) -> Result<Labels, DataError> {
        let path = self.path.clone();
        let labels = match (self.labels, labels::beside(beside).as_slice()) {
            (Some(labels), _) => labels.into(),
            (None, [only]) => only.clone(),
            (None, []) => return Err(DataError::NoLabels { path }),
            (None, several) => {
                let files = several.iter().map(|file| file.display().to_string());
                return Err(DataError::SeveralLabels {
                    path,
                    files: examples(files),
                });
            }
        };
        Ok(Labels::read(&labels, self.classes)?)
    }

    /// Gives each picture its class; one without is an error, never left out.
    fn labelled(
        &self,
        labels: &Labels,
        pictures: impl Iterator<Item = (String, Sample)>,
    ) -> Result<(Vec<Sample>, Vec<Remark>), DataError> {
        let mut samples = Vec::new();
        let mut unlabelled = Vec::new();
        let mut names: HashMap<String, String> = HashMap::new();
        for (name, sample) in pictures {
            let stem = labels::stem(&name).to_string();
            if let Some(first) = names.get(&stem) {
                return Err(DataError::SameName {
                    first: first.clone(),
                    second: name,
                    name: stem,
                    labels: labels.path.clone(),
                });
            }
            match labels.class_of(&name) {
                Some(label) => samples.push(Sample { label, ..sample }),
                None => unlabelled.push(name.clone()),
            }
            names.insert(stem, name);
        }
        if !unlabelled.is_empty() {
            return Err(DataError::Unlabelled {
                path: labels.path.clone(),
                count: unlabelled.len(),
                examples: examples(unlabelled.into_iter()),
            });
        }
        let count = labels.len().saturating_sub(samples.len());
        let spare = (count > 0 && !samples.is_empty()).then(|| Remark::SpareLabels {
            labels: labels.path.clone(),
            count,
        });
        Ok((samples, spare.into_iter().collect()))
    }

    fn finish(
        self,
        root: PathBuf,
        samples: Vec<Sample>,
        ignored: Ignored,
        remarks: Vec<Remark>,
    ) -> Result<DataSet, DataError> {
        if samples.is_empty() {
            return Err(DataError::NoPictures {
                path: root,
                files: ignored.not_pictures,
            });
        }
        // A wrong order of labels is a near miss of everything; names sometimes tell.
        for sample in &samples {
            let name = sample.path.file_name().map(|name| name.to_string_lossy());
            let named = name.and_then(|name| self.classes.class_in_name(&name));
            if let Some(named) = named.filter(|named| *named != sample.label) {
                return Err(DataError::Contradiction {
                    picture: sample.path.clone(),
                    said: sample.label,
                    named,
                });
            }
        }
        let mut present: Vec<usize> = samples.iter().map(|sample| sample.label).collect();
        present.sort_unstable();
        present.dedup();
        Ok(DataSet {
            root,
            samples,
            classes_present: present.len(),
            classes: self.classes.len(),
            ignored,
            source: self.source,
            labels: None,
            remarks,
        })
    }
}

/// What shards lie below: for a pattern its folder.
fn root(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !path.exists() => parent.into(),
        _ => path.into(),
    }
}

fn remarks(missing: Missing) -> Vec<Remark> {
    let Missing { count, examples } = missing;
    let remark = (count > 0).then_some(Remark::MissingShards { count, examples });
    remark.into_iter().collect()
}

/// The pictures of a Parquet file.
fn rows(path: &Path, classes: &ClassFolders) -> Result<Vec<Sample>, String> {
    let table = Table::open(path)?;
    let names = table.names()?;
    let order = match table.class_names() {
        None => None,
        // The names are WordNet ids or folders: they tell the classes. Others are in class order.
        Some(names) => {
            let order = names
                .iter()
                .map(|name| classes.class_of(name))
                .collect::<Option<Vec<usize>>>();
            if order.is_none() && names.len() != classes.len() {
                return Err(format!(
                    "it says that it has {} classes, not {}",
                    names.len(),
                    classes.len()
                ));
            }
            order
        }
    };
    let class = |row: usize, label: Label| match label {
        Label::Absent | Label::Index(-1) => Err(format!(
            "its row {row} has no label (-1); this is a split without labels, such as the test split"
        )),
        Label::Name(name) => classes
            .class_of(&name)
            .ok_or_else(|| format!("the label {name:?} of its row {row} is no class")),
        Label::Index(index) => usize::try_from(index)
            .ok()
            .and_then(|index| match &order {
                Some(order) => order.get(index).copied(),
                None => classes.of_index(index),
            })
            .ok_or_else(|| {
                format!(
                    "the label {index} of its row {row} is beyond the {} classes, numbered from 0",
                    classes.len()
                )
            }),
    };
    table
        .labels()?
        .into_iter()
        .enumerate()
        .map(|(row, label)| {
            let name = match &names {
                Some(names) => names[row].clone(),
                None => format!("row {row}"),
            };
            Ok(Sample {
                path: path.join(name),
                label: class(row, label)?,
                right: None,
                storage: Storage::Row(Row {
                    table: Arc::clone(table.path()),
                    row: row as u64,
                }),
            })
        })
        .collect()
}

/// An archive's members, of which no two share a name.
fn entries(path: &Path) -> Result<Vec<Entry>, DataError> {
    if !path.exists() {
        return Err(DataError::NotFound { path: path.into() });
    }
    let fail = |reason: String| DataError::Archive {
        path: path.into(),
        reason,
    };
    let entries = archive::index(path).map_err(|e| fail(e.to_string()))?;
    let mut seen = std::collections::HashSet::new();
    match entries
        .iter()
        .find(|entry| !seen.insert(entry.name.as_str()))
    {
        Some(entry) => Err(fail(format!("it holds {} twice", entry.name))),
        None => Ok(entries),
    }
}

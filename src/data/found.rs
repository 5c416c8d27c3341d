//! The pictures of each source whose kind and place are known.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::archive::{self, Entry};
use super::class_folders::ClassFolders;
use super::error::{DataError, examples};
use super::folder::{self, DataSet, Ignored};
use super::labels::{self, Labels};
use super::layout::{self, Listing};
use super::row_labels;
use super::sample::{Sample, Storage};
use super::shards::Shards;
use super::source::{Remark, Source};
use super::web_dataset;

/// A source whose kind is known.
pub(super) struct Found<'a> {
    pub path: PathBuf,
    /// The folder in an archive to begin in.
    pub inner: PathBuf,
    pub source: Source,
    pub labels: Option<&'a Path>,
    /// Whether ReaL labels do where there is no label file.
    pub real: bool,
    pub classes: &'a ClassFolders,
}

impl Found<'_> {
    pub fn flat(&self) -> Result<DataSet, DataError> {
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
        self.labelled(labels, root.clone(), named, ignored)
    }

    /// An archive is read as the folder that it would be unpacked to.
    pub fn tar(&self) -> Result<DataSet, DataError> {
        let mut ignored = Ignored::default();
        let all = entries(&self.path)?;
        let files: Vec<String> = all.iter().map(|entry| entry.name.clone()).collect();
        let mut entries = archive::pictures(all, &mut ignored);
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let start = match self.inner.to_str() {
            None | Some("") => String::new(),
            Some(inner) => format!("{inner}/"),
        };
        let root = layout::root_in(&self.path, start, &names, self.classes)?;
        let mut listing = Listing::of_names(names.into_iter(), &root);
        let there = files.iter().map(String::as_str);
        let there = there.filter(|name| !archive::is_hidden(name));
        listing.files = Listing::of_names(there, &root).files;
        entries.retain(|entry| entry.name.starts_with(&root));
        let place = layout::place_in(&self.path, &root);
        if entries.is_empty() {
            return Err(DataError::NoPictures {
                path: place,
                files: ignored.not_pictures,
            });
        }
        let below = |entry: &Entry| entry.name[root.len()..].to_string();
        let sample = |entry: &Entry, label| Sample {
            path: archive::display(&self.path, &entry.name),
            label,
            right: None,
            storage: Storage::Member(entry.member.clone()),
        };
        let folders = match self.labels {
            Some(_) => None,
            None => self.class_folders(&place, &listing)?,
        };
        let Some(classes) = folders else {
            entries.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
            let labels = self.label_file(self.path.parent().unwrap_or(Path::new("")))?;
            let named = entries.iter().map(|e| (below(e), sample(e, 0)));
            return self.labelled(labels, place, named, ignored);
        };
        entries.sort_by(|a, b| layout::picture_order(&below(a), &below(b)));
        let class = |entry: &Entry| {
            let below = &entry.name[root.len()..];
            classes.class_of(below.split_once('/')?.0)
        };
        let samples = entries.iter().filter_map(|e| Some(sample(e, class(e)?)));
        ignored.other_folders = listing
            .folders
            .iter()
            .filter(|name| classes.class_of(name).is_none())
            .count();
        self.finish(place, samples.collect(), ignored, Vec::new())
    }

    /// The classes of an archive's folders; `None` when a label file is to say them.
    fn class_folders(
        &self,
        place: &Path,
        listing: &Listing,
    ) -> Result<Option<ClassFolders>, DataError> {
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let checked = self
            .classes
            .settled(place, &listing.folders)
            .and_then(|classes| layout::check(place, listing, &classes).map(|()| classes));
        match checked {
            Ok(classes) => Ok(Some(classes)),
            Err(DataError::Flat { .. }) if listing.folders.is_empty() => Ok(None),
            Err(_) if !labels::beside(beside).is_empty() => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn web_dataset(&self) -> Result<DataSet, DataError> {
        let shards = Shards::find(&self.path, "tar")?;
        let mut ignored = shards.ignored;
        let mut samples = Vec::new();
        for shard in shards.files {
            let entries = entries(&shard)?;
            let found = web_dataset::samples(&shard, entries, self.classes, &mut ignored);
            samples.extend(found.map_err(|reason| DataError::Archive {
                path: shard,
                reason,
            })?);
        }
        let remarks = with_repeated(shards.remarks, &samples);
        self.finish(root(&self.path), samples, ignored, remarks)
    }

    pub fn parquet(&self) -> Result<DataSet, DataError> {
        let shards = Shards::find(&self.path, "parquet")?;
        let mut samples = Vec::new();
        for file in shards.files {
            let found = row_labels::samples(&file, self.classes);
            samples.extend(found.map_err(|reason| DataError::Table { path: file, reason })?);
        }
        let remarks = with_repeated(shards.remarks, &samples);
        self.finish(root(&self.path), samples, shards.ignored, remarks)
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
            (None, []) if self.real => return Ok(Labels::real()),
            (None, []) => {
                return Err(match labels::packed_devkit(beside) {
                    Some(devkit) => DataError::PackedDevkit { path, devkit },
                    None => DataError::NoLabels { path },
                });
            }
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
        labels: Labels,
        root: PathBuf,
        pictures: impl Iterator<Item = (String, Sample)>,
        ignored: Ignored,
    ) -> Result<DataSet, DataError> {
        let mut samples = Vec::new();
        let mut unlabelled = Vec::new();
        let mut names: HashMap<usize, String> = HashMap::new();
        for (name, sample) in pictures {
            match labels.find(&name) {
                labels::Found::Class { class, entry } => {
                    if let Some(first) = names.get(&entry) {
                        return Err(DataError::SameName {
                            first: first.clone(),
                            name: labels::stem(&name).into(),
                            second: name,
                            labels: labels.path.clone(),
                        });
                    }
                    names.insert(entry, name);
                    samples.push(Sample {
                        label: class,
                        ..sample
                    });
                }
                labels::Found::Several => {
                    return Err(DataError::SeveralLines {
                        picture: name,
                        labels: labels.path.clone(),
                    });
                }
                labels::Found::Nothing => unlabelled.push(name),
            }
        }
        if !unlabelled.is_empty() {
            return Err(DataError::Unlabelled {
                path: labels.path.clone(),
                count: unlabelled.len(),
                examples: examples(unlabelled.into_iter()),
            });
        }
        let count = labels.pictures().unwrap_or(0).saturating_sub(samples.len());
        let spare = (count > 0 && !samples.is_empty()).then(|| Remark::SpareLabels {
            labels: labels.path.clone(),
            count,
        });
        let mut data = self.finish(root, samples, ignored, spare.into_iter().collect())?;
        data.labels = labels.pictures().map(|_| labels.path);
        Ok(data)
    }

    fn finish(
        &self,
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

/// Refuses labels that the names of pictures contradict: a wrong order of labels is a near miss
/// of everything, and names sometimes tell.
pub(super) fn check_names(data: &DataSet, classes: &ClassFolders) -> Result<(), DataError> {
    for sample in &data.samples {
        let name = sample.path.file_name().map(|name| name.to_string_lossy());
        let named = name.and_then(|name| classes.class_in_name(&name));
        if let Some(named) = named.filter(|named| *named != sample.label) {
            return Err(DataError::Contradiction {
                picture: sample.path.clone(),
                said: sample.label,
                named,
            });
        }
    }
    Ok(())
}

/// An archive's members, of which no two share a name.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry>, DataError> {
    let fail = |reason: String| DataError::Archive {
        path: path.into(),
        reason,
    };
    let entries = archive::index(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => DataError::NotFound { path: path.into() },
        ErrorKind::PermissionDenied => DataError::Unreadable {
            path: path.into(),
            source: e,
        },
        _ => fail(e.to_string()),
    })?;
    let mut seen = HashSet::new();
    match entries
        .iter()
        .find(|entry| !seen.insert(entry.name.as_str()))
    {
        Some(entry) => Err(fail(format!("it holds {} twice", entry.name))),
        None => Ok(entries),
    }
}

/// What shards lie below: for a pattern its folder.
fn root(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !path.exists() => parent.into(),
        _ => path.into(),
    }
}

/// The remarks, with one more where pictures of different files share a name that is no number:
/// two conversions of the same pictures, perhaps.
fn with_repeated(mut remarks: Vec<Remark>, samples: &[Sample]) -> Vec<Remark> {
    let mut first: HashMap<&Path, &Path> = HashMap::new();
    let (mut count, mut example) = (0, None);
    for sample in samples {
        let Ok(name) = sample.path.strip_prefix(sample.container()) else {
            continue;
        };
        let stem = name.file_stem().map(|stem| stem.to_string_lossy());
        let is_name = |stem: &str| {
            stem.contains(|c: char| c.is_alphabetic()) && !stem.starts_with(row_labels::UNNAMED)
        };
        if !stem.is_some_and(|stem| is_name(&stem)) {
            continue;
        }
        let container = *first.entry(name).or_insert(sample.container());
        if container != sample.container() {
            count += 1;
            example = example.or(Some(name.display().to_string()));
        }
    }
    if let Some(example) = example {
        remarks.push(Remark::RepeatedNames { count, example });
    }
    remarks
}

//! The data sets of a suite in one folder, by the names of folders and archives in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::beside::Beside;
use super::error::DataError;
use crate::data::containers::ContainerError;
use crate::data::containers::file_names::{Ignored, has_ending, is_picture};
use crate::data::containers::folder::Contents;
use crate::data::sets::SuiteSet;
use crate::util::escape::Shown;

/// Endings of archives that have to be unpacked first.
const PACKED: [&str; 5] = ["zip", "tgz", "gz", "xz", "zst"];

/// Folders below a folder that may hold pictures, and are looked at for a sign of them.
const LOOKED_AT: usize = 3;

/// The folder that tells whether another one holds a suite, for the hub's and for other collections.
const CONTAINERS: [&str; 5] = ["clip-benchmark", "clip_benchmark", "wds", "hub", "datasets"];

/// What a folder holds of a suite.
#[derive(Debug, Default)]
pub struct SuiteFolder {
    /// The sets and where they are.
    pub found: BTreeMap<SuiteSet, PathBuf>,
    /// What cannot be evaluated, and why.
    pub problems: Vec<SuiteProblem>,
}

/// A set or a folder that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteProblem {
    /// The set, or the folder's name.
    pub name: String,
    pub reason: String,
    /// What to do next.
    pub hint: String,
}

impl SuiteFolder {
    /// Looks through a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(root: &Path) -> Result<Self, DataError> {
        let mut candidates = Candidates::default();
        candidates.look_through(root, true)?;
        Ok(candidates.settle())
    }

    /// The sets of the row that are not there; ReaL's is where ImageNet's is.
    pub fn missing(&self) -> Vec<SuiteSet> {
        let named = SuiteSet::NAMED.into_iter().filter(SuiteSet::in_average);
        let known = |set: &SuiteSet| {
            let told = self
                .problems
                .iter()
                .any(|problem| problem.name == set.name());
            told || self.found.contains_key(set)
        };
        named.filter(|set| !known(set)).collect()
    }
}

/// All that may be a set.
#[derive(Default)]
struct Candidates {
    found: BTreeMap<SuiteSet, Vec<PathBuf>>,
    packed: Vec<(SuiteSet, PathBuf)>,
    unknown: Vec<PathBuf>,
}

impl Candidates {
    /// Collects the candidates in a folder; of those in a collection only what is known.
    fn look_through(&mut self, folder: &Path, is_root: bool) -> Result<(), DataError> {
        let contents = Contents::of_folder(folder, &mut Ignored::default())?;
        for name in &contents.folders {
            self.folder(&folder.join(name), name, is_root)?;
        }
        for name in &contents.files {
            let path = folder.join(name);
            let stem = name.split_once(".tar").map_or_else(
                || {
                    name.rsplit_once('.')
                        .map_or(name.as_str(), |(stem, _)| stem)
                },
                |(stem, _)| stem,
            );
            let Some(set) = SuiteSet::by_folder(stem) else {
                continue;
            };
            if has_ending(&path, "tar") || has_ending(&path, "parquet") {
                self.found.entry(set).or_default().push(path);
            } else if PACKED.iter().any(|ending| has_ending(&path, ending)) {
                self.packed.push((set, path));
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, name: &str, is_root: bool) -> Result<(), DataError> {
        let path = &snapshot(path, name);
        if let Some(set) = SuiteSet::by_folder(name) {
            let variants = if set == SuiteSet::V2 {
                variants(path)?
            } else {
                Vec::new()
            };
            if variants.is_empty() {
                self.found.entry(set).or_default().push(path.clone());
            }
            for (set, variant) in variants {
                self.found.entry(set).or_default().push(variant);
            }
            return Ok(());
        }
        if matches!(Beside::find(path, None), Ok(Some(_))) {
            let set = SuiteSet::other(name);
            self.found.entry(set).or_default().push(path.clone());
            return Ok(());
        }
        if !is_root {
            return Ok(());
        }
        let before = self.found.len();
        if CONTAINERS.contains(&name) || self.has_known(path)? {
            self.look_through(path, false)?;
        }
        if self.found.len() == before && holds_pictures(path, LOOKED_AT)? {
            self.unknown.push(path.clone());
        }
        Ok(())
    }

    /// Whether a folder has folders with names of sets.
    fn has_known(&self, folder: &Path) -> Result<bool, ContainerError> {
        let contents = Contents::of_folder(folder, &mut Ignored::default())?;
        let known =
            |name: &String| SuiteSet::by_folder(name).is_some_and(|set| set != SuiteSet::ImageNet);
        Ok(contents.folders.iter().any(known))
    }

    fn settle(self) -> SuiteFolder {
        let mut suite = SuiteFolder::default();
        for (set, mut paths) in self.found {
            let first = paths.remove(0);
            if paths.is_empty() {
                suite.found.insert(set, first);
                continue;
            }
            let paths: Vec<String> = std::iter::once(&first)
                .chain(&paths)
                .map(|path| path.shown().to_string())
                .collect();
            suite.problems.push(SuiteProblem {
                name: set.name().into(),
                reason: format!("it is there {} times: {}", paths.len(), paths.join(" and ")),
                hint: "leave one of them there, or name it in a TOML file".into(),
            });
        }
        for (set, path) in self.packed {
            let told = suite
                .problems
                .iter()
                .any(|problem| problem.name == set.name());
            // The archive that a folder was unpacked from does no harm.
            if !told && !suite.found.contains_key(&set) {
                suite.problems.push(SuiteProblem {
                    name: set.name().into(),
                    reason: format!("{} is compressed", path.shown()),
                    hint: "unpack it, or make a plain tar archive of it".into(),
                });
            }
        }
        for path in self.unknown {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            suite.problems.push(SuiteProblem {
                name,
                reason: format!("{} holds pictures, but its name is none of a set's", path.shown()),
                hint: "name it as the set is published, or evaluate it by a TOML file or --imagenet-path".into(),
            });
        }
        suite
    }
}

/// The variants of ImageNet-V2 that lie in a folder.
fn variants(folder: &Path) -> Result<Vec<(SuiteSet, PathBuf)>, ContainerError> {
    let contents = Contents::of_folder(folder, &mut Ignored::default())?;
    let variant = |name: &String| Some((SuiteSet::by_folder(name)?, folder.join(name)));
    let of_v2 = |(set, _): &(SuiteSet, PathBuf)| {
        matches!(
            set,
            SuiteSet::V2 | SuiteSet::V2Threshold | SuiteSet::V2TopImages
        )
    };
    Ok(contents
        .folders
        .iter()
        .filter_map(variant)
        .filter(of_v2)
        .collect())
}

/// The folder with the files of a repository in the cache of the hub's tools: its snapshot, the one
/// that `refs/main` names of several.
fn snapshot(path: &Path, name: &str) -> PathBuf {
    if !name.starts_with("datasets--") {
        return path.into();
    }
    let snapshots = path.join("snapshots");
    let main = std::fs::read_to_string(path.join("refs/main"));
    let main = main.map(|revision| snapshots.join(revision.trim()));
    if let Ok(main) = main
        && main.is_dir()
    {
        return main;
    }
    let contents = Contents::of_folder(&snapshots, &mut Ignored::default());
    match contents.map(|contents| contents.folders) {
        Ok(folders) if folders.len() == 1 => snapshots.join(&folders[0]),
        _ => path.into(),
    }
}

/// Whether a folder looks as if it held pictures.
fn holds_pictures(folder: &Path, deep: usize) -> Result<bool, ContainerError> {
    let contents = Contents::of_folder(folder, &mut Ignored::default())?;
    let is_data = |name: &String| {
        let path = Path::new(name);
        is_picture(path) || has_ending(path, "tar") || has_ending(path, "parquet")
    };
    if contents.files.iter().any(is_data) {
        return Ok(true);
    }
    for name in contents.folders.iter().take(LOOKED_AT) {
        if deep > 0 && holds_pictures(&folder.join(name), deep - 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }

    fn names(suite: &SuiteFolder) -> Vec<(&str, String)> {
        let found = suite.found.iter();
        found
            .map(|(set, path)| {
                let parts: Vec<_> = path.iter().rev().take(2).collect();
                let end = parts[0].to_str().unwrap().to_string();
                (set.name(), end)
            })
            .collect()
    }

    #[test]
    fn sets_are_found_by_their_folders_archives_and_collections() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "imagenet/val/n01440764/a.jpg");
        write(root, "imagenet-a.tar");
        write(root, "imagenet-a.tar.gz");
        write(
            root,
            "imagenetv2/imagenetv2-matched-frequency-format-val/0/a.jpeg",
        );
        write(root, "imagenetv2/imagenetv2-top-images-format-val/0/a.jpeg");
        write(root, "clip-benchmark/wds_imagenet-r/test/0.tar");
        write(root, "clip-benchmark/wds_pets/test/0.tar");
        write(root, "clip-benchmark/wds_pets/classnames.txt");
        write(root, "objectnet-1.0.zip");
        write(root, "notes/todo.txt");
        write(root, "holiday/2020/a.jpg");
        let suite = SuiteFolder::find(root).unwrap();
        let expected = [
            ("imagenet", "imagenet"),
            ("imagenet-v2", "imagenetv2-matched-frequency-format-val"),
            ("imagenet-a", "imagenet-a.tar"),
            ("imagenet-r", "wds_imagenet-r"),
            ("imagenet-v2-top-images", "imagenetv2-top-images-format-val"),
            ("pets", "wds_pets"),
        ]
        .map(|(name, path)| (name, path.to_string()));
        assert_eq!(names(&suite), expected);
        let problems: Vec<&str> = suite.problems.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(problems, ["objectnet", "holiday"]);
        let missing: Vec<String> = suite
            .missing()
            .iter()
            .map(|s| s.name().to_string())
            .collect();
        assert_eq!(missing, ["imagenet-sketch"]);
    }

    #[test]
    fn a_set_that_is_there_twice_is_told_of_and_not_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "imagenet-a/n01498041/a.jpg");
        write(root, "wds_imagenet-a/test/0.tar");
        write(root, "sketch/n01440764/a.jpg");
        let suite = SuiteFolder::find(root).unwrap();
        assert_eq!(suite.found.len(), 1);
        assert_eq!(suite.problems.len(), 1);
        assert!(
            suite.problems[0].reason.contains("2 times"),
            "{:?}",
            suite.problems
        );
        assert!(!suite.missing().contains(&SuiteSet::A));
    }

    #[test]
    fn repositories_in_the_cache_of_the_hubs_tools_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("hub");
        let repository = "datasets--clip-benchmark--wds_imagenet-a";
        write(&root, &format!("{repository}/snapshots/0123/test/0.tar"));
        write(&root, &format!("{repository}/snapshots/4567/test/0.tar"));
        write(&root, &format!("{repository}/refs/main"));
        std::fs::write(root.join(repository).join("refs/main"), "4567").unwrap();
        for place in [folder.path(), &root] {
            let suite = SuiteFolder::find(place).unwrap();
            assert_eq!(names(&suite), [("imagenet-a", "4567".to_string())]);
        }
    }
}

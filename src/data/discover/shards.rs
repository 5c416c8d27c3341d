//! The files of a data set that is kept in several: a pattern, a folder, or one file.

use std::path::{Path, PathBuf};

use super::error::{DataError, ShardsError};
use super::pattern::pattern;
use super::remark::Remark;
use super::series::{Missing, series};
use super::split;
use crate::data::containers::file_names::{Ignored, has_ending};
use crate::data::containers::folder::Contents;

/// Says how many shards there are: one number.
const COUNT: &str = "nshards.txt";

/// The files of a data set, in the order of their names.
#[derive(Debug, Default)]
pub struct Shards {
    pub files: Vec<PathBuf>,
    /// Files that are missing by the names of the others, and those that are left out.
    pub remarks: Vec<Remark>,
    pub ignored: Ignored,
}

impl Shards {
    /// The files with an ending that a path stands for: a file, a pattern `name-{000..049}.tar` or
    /// `name-*.tar`, or a folder, of whose splits the validation set is taken.
    ///
    /// # Errors
    /// When there are none, or it is in doubt which belong to the validation set.
    pub fn find(path: &Path, ending: &str) -> Result<Self, DataError> {
        if path.is_dir() {
            return Self::in_folder(path, ending);
        }
        let pattern = if path.exists() { None } else { pattern(path) };
        Ok(Self {
            files: pattern.unwrap_or_else(|| vec![path.into()]),
            ..Self::default()
        })
    }

    fn in_folder(path: &Path, ending: &str) -> Result<Self, DataError> {
        let mut ignored = Ignored::default();
        let contents = Contents::of_folder(path, &mut ignored)?;
        let has_ending = |name: &&String| has_ending(Path::new(name), ending);
        let names: Vec<&String> = contents.files.iter().filter(has_ending).collect();
        if names.is_empty() {
            return Err(ShardsError::NoShards {
                path: path.into(),
                ending: ending.into(),
            }
            .into());
        }
        let known = contents.files.iter().filter(|name| *name == COUNT).count();
        ignored.not_pictures += contents.files.len() - names.len() - known + contents.folders.len();
        let mut chosen = split::choose(path, names)?;
        if let Some(numbers) = numbers(&chosen.files) {
            let mut numbered: Vec<(u64, &String)> = numbers.into_iter().zip(chosen.files).collect();
            numbered.sort_unstable();
            chosen.files = numbered.into_iter().map(|(_, name)| name).collect();
        }
        let mut missing = Missing::default();
        for (name, series) in &series(&chosen.files) {
            if series.all.len() > 1 {
                return Err(ShardsError::SeveralConversions {
                    path: path.into(),
                    examples: series.all.iter().map(|all| name.file("…", *all)).collect(),
                }
                .into());
            }
            missing.add(name, series);
        }
        if let Some(all) = told(path) {
            missing.of_numbers(numbers(&chosen.files).unwrap_or_default(), all, ending);
        }
        let mut remarks = Vec::new();
        if missing.count > 0 {
            remarks.push(Remark::MissingShards {
                count: missing.count,
                examples: missing.examples,
            });
        }
        if !chosen.others.is_empty() {
            let examples = chosen.others.iter().take(2);
            remarks.push(Remark::OtherSplits {
                count: chosen.others.len(),
                examples: examples.map(ToString::to_string).collect(),
            });
        }
        Ok(Self {
            files: chosen.files.iter().map(|name| path.join(name)).collect(),
            remarks,
            ignored,
        })
    }
}

/// The numbers that are the names of files without their endings, as `12.tar` has; none if a name is
/// something else.
fn numbers(names: &[&String]) -> Option<Vec<u64>> {
    let number = |name: &&String| name.split_once('.')?.0.parse().ok();
    names.iter().map(number).collect()
}

/// How many shards a folder says that it has.
fn told(folder: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join(COUNT)).ok()?;
    text.trim().parse().ok()
}

//! Data sets in several files: a pattern, a folder, or one file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::folder::{self, Ignored};
use super::source::Remark;

/// More shards than any data set has.
const MOST: u64 = 1 << 20;

/// Missing shards that are listed.
const LISTED: usize = 5;

/// The files of a data set, in the order of their names.
#[derive(Debug)]
pub struct Shards {
    pub files: Vec<PathBuf>,
    /// Files that are missing by the names of the others, and those that are left out.
    pub remarks: Vec<Remark>,
    pub ignored: Ignored,
}

/// Shards that a data set should have by the names of its others.
#[derive(Default)]
struct Missing {
    count: u64,
    /// Some of them.
    examples: Vec<String>,
}

impl Shards {
    /// The files with an ending that a path stands for: a file, a pattern `name-{000..049}.tar` or
    /// `name-*.tar`, or a folder, of whose splits the validation set is taken.
    ///
    /// # Errors
    /// When there are none, or it is in doubt which belong to the validation set.
    pub fn find(path: &Path, ending: &str) -> Result<Self, DataError> {
        if !path.is_dir() {
            let pattern = match path.exists() {
                true => None,
                false => pattern(path),
            };
            return Ok(Self {
                files: pattern.unwrap_or_else(|| vec![path.into()]),
                remarks: Vec::new(),
                ignored: Ignored::default(),
            });
        }
        let mut ignored = Ignored::default();
        let listing = folder::list(path, &mut ignored)?;
        let names: Vec<&String> = listing
            .files
            .iter()
            .filter(|name| has_ending(Path::new(name), ending))
            .collect();
        if names.is_empty() {
            return Err(DataError::NoShards {
                path: path.into(),
                ending: ending.into(),
            });
        }
        ignored.not_pictures += listing.files.len() - names.len() + listing.folders.len();
        let (chosen, others) = validation(path, names)?;
        let (series, missing) = (series(&chosen), &mut Missing::default());
        for (name, series) in &series {
            if series.all.len() > 1 {
                return Err(DataError::SeveralConversions {
                    path: path.into(),
                    examples: series.all.iter().map(|all| name.file("…", *all)).collect(),
                });
            }
            missing.add(name, series);
        }
        let missing = (missing.count > 0).then(|| Remark::MissingShards {
            count: missing.count,
            examples: std::mem::take(&mut missing.examples),
        });
        let left_out = (!others.is_empty()).then(|| Remark::OtherSplits {
            count: others.len(),
            examples: others.iter().take(2).map(ToString::to_string).collect(),
        });
        Ok(Self {
            remarks: missing.into_iter().chain(left_out).collect(),
            files: chosen.into_iter().map(|name| path.join(name)).collect(),
            ignored,
        })
    }
}

/// The names of the validation set, or of the only split there is, and those of other splits.
#[allow(clippy::type_complexity)]
fn validation<'a>(
    path: &Path,
    names: Vec<&'a String>,
) -> Result<(Vec<&'a String>, Vec<&'a String>), DataError> {
    let mut splits: BTreeMap<Option<Split>, Vec<&String>> = BTreeMap::new();
    for name in names {
        splits.entry(Split::of(name)).or_default().push(name);
    }
    if splits.len() == 1 {
        return Ok((splits.into_values().flatten().collect(), Vec::new()));
    }
    let Some(chosen) = splits.remove(&Some(Split::Validation)) else {
        return Err(DataError::SeveralSplits {
            path: path.into(),
            examples: splits.values().map(|names| names[0].clone()).collect(),
        });
    };
    match splits.get(&None) {
        Some(unknown) => Err(DataError::UnknownSplits {
            path: path.into(),
            count: unknown.len(),
            examples: unknown
                .iter()
                .take(LISTED)
                .map(ToString::to_string)
                .collect(),
        }),
        None => Ok((chosen, splits.into_values().flatten().collect())),
    }
}

/// Whether a file's name has an ending, in any case.
pub fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

/// Whether a path is a pattern of several.
pub fn is_pattern(path: &Path) -> bool {
    pattern(path).is_some()
}

/// The files that `name-{000..049}.tar`, `{a,b}.tar` or `name-*.tar` stands for; `*` and `?` are
/// looked for in the folder.
pub fn pattern(path: &Path) -> Option<Vec<PathBuf>> {
    let text = path.to_str()?;
    let braces = braces(text);
    if text.contains('{') && braces.is_none() {
        return None;
    }
    let names = braces.unwrap_or_else(|| vec![text.into()]);
    let wild = |name: &str| name.contains(['*', '?']);
    if !names.iter().any(|name| wild(name)) {
        return text
            .contains('{')
            .then(|| names.into_iter().map(Into::into).collect());
    }
    let mut files = BTreeSet::new();
    for name in names.iter().map(Path::new) {
        let folder = match name.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let wanted = name.file_name()?.to_str()?;
        let listing = folder::list(folder, &mut Ignored::default()).ok()?;
        let fitting = listing.files.iter().filter(|file| fits(wanted, file));
        files.extend(fitting.map(|file| name.with_file_name(file)));
    }
    (!files.is_empty()).then(|| files.into_iter().collect())
}

/// What ranges and lists in braces stand for.
fn braces(text: &str) -> Option<Vec<String>> {
    let (before, rest) = text.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    let words: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if from > to || to - from >= MOST {
                return None;
            }
            let width = first.len();
            (from..=to)
                .map(|number| format!("{number:0width$}"))
                .collect()
        }
        None => inside.split(',').map(Into::into).collect(),
    };
    let afters = match after.contains('{') {
        true => braces(after)?,
        false => vec![after.to_string()],
    };
    if words.len().saturating_mul(afters.len()) as u64 > MOST {
        return None;
    }
    let each = words
        .iter()
        .flat_map(|word| afters.iter().map(move |after| (word, after)));
    Some(
        each.map(|(word, after)| format!("{before}{word}{after}"))
            .collect(),
    )
}

/// Whether a name fits one with `*` for any characters and `?` for one.
fn fits(wanted: &str, name: &str) -> bool {
    let mut rest = wanted.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(rest.as_str(), &name[at..]))
        }
        Some(c) => {
            let mut left = name.chars();
            left.next().is_some_and(|n| c == '?' || c == n) && fits(rest.as_str(), left.as_str())
        }
    }
}

/// Whether a file's or folder's name says that models are trained on it.
pub fn is_training(name: &OsStr) -> bool {
    Split::of(&name.to_string_lossy()) == Some(Split::Train)
}

/// The part of a data set that a file's name says it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    fn of(name: &str) -> Option<Self> {
        name.to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphabetic())
            .find_map(|word| match word {
                "train" | "training" => Some(Self::Train),
                "val" | "valid" | "validation" => Some(Self::Validation),
                "test" => Some(Self::Test),
                _ => None,
            })
    }
}

/// What is the same in the names of some files, which differ in a number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a> {
    prefix: &'a str,
    ending: &'a str,
}

impl Name<'_> {
    /// The name of a file of them.
    fn file(&self, number: &str, all: u64) -> String {
        format!("{}{number}-of-{all:05}.{}", self.prefix, self.ending)
    }
}

/// Files whose names differ in a number alone.
#[derive(Default)]
struct Series {
    numbers: BTreeSet<u64>,
    /// How many there are by their names, which may disagree.
    all: BTreeSet<u64>,
    /// Digits of the last number.
    width: usize,
}

/// The series that names belong to by their last numbers, `-of-00014` aside, which says how many
/// there are.
fn series<'a>(names: &[&'a String]) -> BTreeMap<Name<'a>, Series> {
    let mut series: BTreeMap<Name<'_>, Series> = BTreeMap::new();
    for name in names {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let (stem, all) = match stem.rsplit_once("-of-") {
            Some((stem, all)) => (stem, all.parse::<u64>().ok()),
            None => (stem, None),
        };
        let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (prefix, number) = stem.split_at(stem.len() - digits);
        let Ok(number) = number.parse() else { continue };
        let entry = series.entry(Name { prefix, ending }).or_default();
        entry.numbers.insert(number);
        entry.all.extend(all);
        entry.width = digits;
    }
    series
}

impl Missing {
    /// Adds the gaps in a series.
    fn add(&mut self, name: &Name<'_>, series: &Series) {
        let (numbers, width) = (&series.numbers, series.width);
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            return;
        };
        let range = match series.all.last() {
            Some(all) if last < all && *all <= MOST => 0..*all,
            _ => *first..last.saturating_add(1),
        };
        self.count += (range.end - range.start).saturating_sub(numbers.len() as u64);
        let absent = range.filter(|number| !numbers.contains(number));
        for number in absent.take(LISTED.saturating_sub(self.examples.len())) {
            let Name { prefix, ending } = name;
            self.examples
                .push(format!("{prefix}{number:0width$}….{ending}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(names: &[&str]) -> (u64, Vec<String>) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut missing = Missing::default();
        for (name, series) in series(&names.iter().collect::<Vec<_>>()) {
            missing.add(&name, &series);
        }
        (missing.count, missing.examples)
    }

    #[test]
    fn gaps_in_the_numbers_of_shards_are_found() {
        assert_eq!(gaps(&["a-00.tar", "a-01.tar"]).0, 0);
        let (count, examples) = gaps(&["a-08.tar", "a-11.tar"]);
        assert_eq!(count, 2);
        assert_eq!(examples, ["a-09….tar", "a-10….tar"]);
        assert_eq!(gaps(&["v-00000-of-00002.parquet"]).0, 1);
        assert_eq!(gaps(&["v-00000-of-00001.parquet", "other.parquet"]).0, 0);
        let most = u64::MAX.to_string();
        assert!(gaps(&["0.tar", &format!("{most}.tar")]).0 > 1000);
    }

    #[test]
    fn a_pattern_stands_for_its_range_and_anything_else_for_none() {
        let names = |text: &str| pattern(Path::new(text)).map(|names| names.len());
        assert_eq!(names("a-{000..049}.tar"), Some(50));
        assert_eq!(names("{a,b}-{0..2}.tar"), Some(6));
        assert!(fits("a-*.tar", "a-00.tar") && fits("?-*", "a-") && !fits("a-*.tar", "b-0.tar"));
        let last = pattern(Path::new("a-{08..10}.tar")).unwrap();
        assert_eq!(
            last,
            ["a-08.tar", "a-09.tar", "a-10.tar"].map(PathBuf::from)
        );
        for odd in [
            "a.tar",
            "a-{3..1}.tar",
            "a-{0..99999999999}.tar",
            "a-{x..y}",
            "}{",
        ] {
            assert_eq!(names(odd), None, "{odd}");
        }
    }
}

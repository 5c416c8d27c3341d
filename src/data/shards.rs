//! Data sets in several files: a pattern, a folder, or one file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::folder::{self, Ignored};

/// More shards than any data set has.
const MOST: u64 = 1 << 20;

/// Missing shards that are listed.
const LISTED: usize = 5;

/// The files of a data set, in the order of their names.
#[derive(Debug)]
pub struct Shards {
    pub files: Vec<PathBuf>,
    /// Numbers that are left out in their names.
    pub missing: Missing,
    pub ignored: Ignored,
}

/// Shards that a data set should have by the names of its others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

impl Shards {
    /// The files with an ending that a path stands for: a file, a pattern `name-{000..049}.tar`, or
    /// a folder, of whose splits the validation set is taken.
    ///
    /// # Errors
    /// When there are none, or of several splits none for validation.
    pub fn find(path: &Path, ending: &str) -> Result<Self, DataError> {
        let one = |files| Self {
            files,
            missing: Missing::default(),
            ignored: Ignored::default(),
        };
        if !path.is_dir() {
            let pattern = (!path.exists()).then(|| pattern(path)).flatten();
            return Ok(one(pattern.unwrap_or_else(|| vec![path.into()])));
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
        let mut splits: BTreeMap<Option<Split>, Vec<&String>> = BTreeMap::new();
        for name in names {
            splits.entry(Split::of(name)).or_default().push(name);
        }
        let chosen = match splits.len() {
            1 => splits.pop_first().map(|(_, names)| names),
            _ => splits.remove(&Some(Split::Validation)),
        };
        let Some(chosen) = chosen else {
            return Err(DataError::SeveralSplits {
                path: path.into(),
                examples: splits.values().map(|names| names[0].clone()).collect(),
            });
        };
        Ok(Self {
            missing: missing(&chosen),
            files: chosen.into_iter().map(|name| path.join(name)).collect(),
            ignored,
        })
    }
}

/// Whether a file's name has an ending, in any case.
pub fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

/// The names that `name-{000..049}.tar` stands for.
pub fn pattern(path: &Path) -> Option<Vec<PathBuf>> {
    let text = path.to_str()?;
    let (before, rest) = text.split_once('{')?;
    let (range, after) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    if from > to || to - from >= MOST {
        return None;
    }
    let width = first.len();
    let shard = |number| format!("{before}{number:0width$}{after}").into();
    Some((from..=to).map(shard).collect())
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

/// Files whose names differ in a number alone.
#[derive(Default)]
struct Series {
    numbers: BTreeSet<u64>,
    /// How many there are by their names.
    all: Option<u64>,
    /// Digits of the last number.
    width: usize,
}

/// The gaps in the last numbers of names, `-of-00014` included, which says how many there are.
fn missing(names: &[&String]) -> Missing {
    let mut series: BTreeMap<(&str, &str), Series> = BTreeMap::new();
    for name in names {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let (stem, all) = match stem.rsplit_once("-of-") {
            Some((stem, all)) => (stem, all.parse().ok()),
            None => (stem, None),
        };
        let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (prefix, number) = stem.split_at(stem.len() - digits);
        let Ok(number) = number.parse() else { continue };
        let entry = series.entry((prefix, ending)).or_default();
        entry.numbers.insert(number);
        entry.all = entry.all.or(all);
        entry.width = digits;
    }
    let mut missing = Missing::default();
    for ((prefix, ending), series) in &series {
        let (numbers, width) = (&series.numbers, series.width);
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        let range = match series.all {
            Some(all) if *last < all && all <= MOST => 0..all,
            _ => *first..last.saturating_add(1),
        };
        missing.count += (range.end - range.start).saturating_sub(numbers.len() as u64);
        let absent = range.filter(|number| !numbers.contains(number));
        for number in absent.take(LISTED.saturating_sub(missing.examples.len())) {
            missing
                .examples
                .push(format!("{prefix}{number:0width$}….{ending}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(names: &[&str]) -> (u64, Vec<String>) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let missing = missing(&names.iter().collect::<Vec<_>>());
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

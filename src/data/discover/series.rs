//! Files whose names differ in a number, and the numbers that are missing.

use std::collections::{BTreeMap, BTreeSet};

/// Numbers that a series may have; more than any data set has.
const MOST: u64 = 1 << 20;

/// Missing files that are listed.
const LISTED: usize = 5;

/// What is the same in the names of some files, which differ in a number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesName<'a> {
    prefix: &'a str,
    ending: &'a str,
}

impl SeriesName<'_> {
    /// The name of a file of them.
    pub fn file(&self, number: &str, all: u64) -> String {
        format!("{}{number}-of-{all:05}.{}", self.prefix, self.ending)
    }
}

/// Files whose names differ in a number alone.
#[derive(Default)]
pub struct Series {
    numbers: BTreeSet<u64>,
    /// How many there are by their names, which may disagree.
    pub all: BTreeSet<u64>,
    /// Digits of the last number.
    width: usize,
}

/// The series that names belong to by their last numbers, `-of-00014` aside, which says how many
/// there are.
pub fn series<'a>(names: &[&'a String]) -> BTreeMap<SeriesName<'a>, Series> {
    let mut series: BTreeMap<SeriesName<'_>, Series> = BTreeMap::new();
    for name in names {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let (stem, all) = match stem.rsplit_once("-of-") {
            Some((stem, all)) => (stem, all.parse::<u64>().ok()),
            None => (stem, None),
        };
        let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (prefix, number) = stem.split_at(stem.len() - digits);
        let Ok(number) = number.parse() else { continue };
        let entry = series.entry(SeriesName { prefix, ending }).or_default();
        entry.numbers.insert(number);
        entry.all.extend(all);
        entry.width = digits;
    }
    series
}

/// Shards that a data set should have by the names of its others.
#[derive(Default)]
pub struct Missing {
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

impl Missing {
    /// Adds the gaps in a series.
    pub fn add(&mut self, name: &SeriesName<'_>, series: &Series) {
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
            let SeriesName { prefix, ending } = name;
            self.examples
                .push(format!("{prefix}{number:0width$}….{ending}"));
        }
    }
}

impl Missing {
    /// Replaces what was found by the gaps in files whose names are numbers, of which there are said
    /// to be so many.
    pub fn of_numbers(&mut self, numbers: Vec<u64>, all: u64, ending: &str) {
        let numbers: BTreeSet<u64> = numbers.into_iter().collect();
        if numbers.is_empty() || all > MOST || numbers.last() >= Some(&all) {
            return;
        }
        let absent = (0..all).filter(|number| !numbers.contains(number));
        *self = Self {
            count: all - numbers.len() as u64,
            examples: absent
                .take(LISTED)
                .map(|number| format!("{number}.{ending}"))
                .collect(),
        };
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
}

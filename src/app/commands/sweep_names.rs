//! How the evaluations of a sweep are told apart: in its table, and by the names of its files.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::app::settings::{Evaluate, Refused, Sweep};
use crate::report::table::{RowLabel, UNKNOWN_MODEL};
use crate::util::escape;

/// Files with the table of a sweep.
pub const TABLES: [&str; 3] = ["table.csv", "table.md", "table.tex"];

/// The evaluations of a sweep as a table shows them, in the order of the sweep.
pub struct SweepNames {
    /// Names of the columns for what differs beside the model, checkpoint, set and precision.
    pub further: Vec<&'static str>,
    /// Those of refused checkpoints are at their places.
    pub labels: Vec<RowLabel>,
    /// The place of each evaluation, by its number.
    pub places: Vec<usize>,
}

/// What names an evaluation, or a checkpoint without one.
struct Entry<'a> {
    /// None if no model is known.
    model: Option<&'a str>,
    checkpoint: &'a Path,
    set: String,
    precision: &'static str,
    distinctions: Vec<(&'static str, String)>,
    refused: bool,
}

impl<'a> Entry<'a> {
    fn of_run(run: &'a Evaluate) -> Self {
        Self {
            model: Some(&run.model.config.name),
            checkpoint: &run.model.checkpoint,
            set: run.set_name(),
            precision: run.run.devices.first().precision(),
            distinctions: run.distinctions(),
            refused: false,
        }
    }

    fn of_refused(refused: &'a Refused) -> Self {
        Self {
            model: refused.model.as_deref(),
            checkpoint: &refused.checkpoint,
            set: refused.of_sweep.set.clone(),
            precision: refused.precision,
            distinctions: refused.of_sweep.distinctions.clone(),
            refused: true,
        }
    }

    /// All of a sweep, in its order.
    fn all(sweep: &'a Sweep) -> Vec<Self> {
        let mut entries: Vec<Self> = sweep.runs.iter().map(Self::of_run).collect();
        for refused in &sweep.refused {
            entries.insert(refused.place, Self::of_refused(refused));
        }
        entries
    }

    /// What a row shows in any case. Facts that decide no result get a column only if rows that are
    /// equal in this differ in them.
    fn row(&self) -> String {
        let checkpoint = escape::name(self.checkpoint.as_os_str());
        format!(
            "{:?} {checkpoint} {} {}",
            self.model, self.set, self.precision
        )
    }
}

impl SweepNames {
    pub fn of(sweep: &Sweep) -> Self {
        let entries = Entry::all(sweep);
        let paths: Vec<&Path> = entries.iter().map(|entry| entry.checkpoint).collect();
        let columns = entries.first().map_or(0, |entry| entry.distinctions.len());
        // Whether a column for a fact tells rows apart, or says what their results depend on.
        let tells = |column: &usize| {
            let same: fn(&Entry<'_>) -> String = match entries[0].distinctions[*column].0 {
                "pictures" => |entry| entry.set.clone(),
                "device" | "batch size" | "workers" | "strict" => |entry| entry.row(),
                _ => |_| String::new(),
            };
            let mut values: HashMap<String, &str> = HashMap::new();
            entries.iter().any(|entry| {
                let value = entry.distinctions[*column].1.as_str();
                *values.entry(same(entry)).or_insert(value) != value
            })
        };
        let columns: Vec<usize> = (0..columns).filter(tells).collect();
        let models = varies(entries.iter().filter_map(|entry| entry.model));
        let sets = varies(entries.iter().map(|entry| entry.set.as_str()));
        let precisions = varies(entries.iter().map(|entry| entry.precision));
        let label = |(place, entry): (usize, &Entry<'_>)| {
            let checkpoint = distinct(entry.checkpoint, &paths);
            let folder = sweep.out.as_ref().filter(|_| !entry.refused);
            let result = folder.map(|folder| {
                let mut parts = vec![format!("{:03}", place + 1)];
                parts.extend(entry.model.filter(|_| models).map(Into::into));
                parts.push(without_ending(&checkpoint));
                parts.extend(sets.then(|| entry.set.clone()));
                parts.extend(precisions.then(|| entry.precision.into()));
                let further = columns.iter().map(|column| &entry.distinctions[*column]);
                parts.extend(further.map(|(name, value)| part_of_name(name, value)));
                folder.join(file_name(&parts.join("-")))
            });
            let further = columns.iter().map(|c| entry.distinctions[*c].1.clone());
            RowLabel {
                model: entry.model.unwrap_or(UNKNOWN_MODEL).into(),
                checkpoint,
                set: entry.set.clone(),
                precision: entry.precision.into(),
                further: further.collect(),
                path: escape::name(entry.checkpoint.as_os_str()).into_owned(),
                result,
            }
        };
        let runs = entries.iter().enumerate().filter(|(_, e)| !e.refused);
        Self {
            labels: entries.iter().enumerate().map(label).collect(),
            places: runs.map(|(place, _)| place).collect(),
            further: columns
                .iter()
                .map(|c| entries[0].distinctions[*c].0)
                .collect(),
        }
    }

    /// All files that the sweep writes into its folder.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let results = self.labels.iter().filter_map(|s| s.result.clone());
        let tables = TABLES.iter().map(|name| folder.join(name));
        results.chain(tables).collect()
    }

    /// Results in the folder that an earlier sweep left there and this one does not replace.
    pub fn stale(&self, folder: &Path) -> Vec<String> {
        stale(folder, self.files(folder))
    }
}

/// Results in a folder other than these files.
pub fn stale(folder: &Path, own: Vec<PathBuf>) -> Vec<String> {
    let own: BTreeSet<PathBuf> = own.into_iter().collect();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut stale: Vec<String> = paths
        .filter(|path| !own.contains(path) && is_result(path))
        .filter_map(|path| Some(escape::name(path.file_name()?).into_owned()))
        .collect();
    stale.sort();
    stale
}

/// Whether not all are equal.
fn varies<'a>(mut values: impl Iterator<Item = &'a str>) -> bool {
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// The shortest end of a path that no other path of the sweep has.
pub fn distinct(path: &Path, others: &[&Path]) -> String {
    let parts = |path: &Path| -> Vec<String> {
        let parts = path.iter().map(|part| escape::name(part).into_owned());
        parts.collect()
    };
    let own = parts(path);
    let end = |parts: &[String], length: usize| {
        let from = parts.len().saturating_sub(length);
        parts[from..].to_vec()
    };
    let unique = |length: &usize| {
        let mut others = others.iter().filter(|other| **other != path);
        !others.any(|other| end(&parts(other), *length) == end(&own, *length))
    };
    let length = (1..=own.len()).find(unique).unwrap_or(own.len());
    end(&own, length).join("/")
}

/// What a setting adds to a file's name: the name of the file that it names, or its value, with the
/// setting's name where that says little alone.
fn part_of_name(name: &str, value: &str) -> String {
    match name {
        "limit" | "batch size" | "workers" | "strict" => format!("{name}-{value}"),
        _ => {
            let file = Path::new(value).file_name().unwrap_or(value.as_ref());
            without_ending(&file.to_string_lossy())
        }
    }
}

fn without_ending(path: &str) -> String {
    let stem = Path::new(path).with_extension("");
    escape::name(stem.as_os_str()).into_owned()
}

/// Characters of a name that every file system has room for, the ending beside them.
const LONGEST_NAME: usize = 120;

/// A name without what cannot be in one, or would be a nuisance there; a dash stands for each run of
/// it.
pub fn file_name(name: &str) -> String {
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '=' | '@');
    let words = name.split(|c: char| !plain(&c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(LONGEST_NAME).collect();
    name + ".json"
}

/// Whether a file is named as a sweep names its results.
fn is_result(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    digits >= 3 && name[digits..].starts_with('-') && name.ends_with(".json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_far_as_it_takes_to_tell_them_apart() {
        let paths = ["a/x.pt", "b/x.pt", "c/b/x.pt", "y.pt", "x.pt", "y.pt"].map(Path::new);
        let shown = paths.map(|path| distinct(path, &paths));
        assert_eq!(
            shown,
            ["a/x.pt", "b/x.pt", "c/b/x.pt", "y.pt", "x.pt", "y.pt"]
        );
    }

    #[test]
    fn names_of_files_have_no_signs_that_need_quotes() {
        assert_eq!(file_name("001-m-a/x\n"), "001-m-a-x.json");
        let set = "imagenet (imagenet-a, original labels)";
        assert_eq!(
            file_name(&format!("002-a-{set}")),
            "002-a-imagenet-imagenet-a-original-labels.json"
        );
        assert_eq!(part_of_name("limit", "3"), "limit-3");
        assert_eq!(part_of_name("templates", "/x/one.txt"), "one");
        assert_eq!(part_of_name("templates", "built-in"), "built-in");
        let long = file_name(&"é".repeat(500));
        assert_eq!(long.chars().count(), LONGEST_NAME + ".json".len());
    }
}

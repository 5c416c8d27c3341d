//! How the evaluations of a sweep are told apart: in its table, and by the names of its files.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::app::settings::{Evaluate, Sweep};
use crate::report::table::RowLabel;
use crate::util::escape;

/// Files with the table of a sweep.
pub const TABLES: [&str; 3] = ["table.csv", "table.md", "table.tex"];

/// The evaluations of a sweep as a table shows them.
pub struct SweepNames {
    /// Names of the columns for what differs beside the model, checkpoint, set and precision.
    pub further: Vec<&'static str>,
    pub labels: Vec<RowLabel>,
}

impl SweepNames {
    pub fn of(sweep: &Sweep) -> Self {
        let runs = &sweep.runs;
        let paths: Vec<&Path> = runs.iter().map(|r| r.model.checkpoint.as_path()).collect();
        let distinctions: Vec<Vec<(&str, String)>> =
            runs.iter().map(Evaluate::distinctions).collect();
        let columns = distinctions.first().map_or(0, Vec::len);
        // Whether a column for a fact tells rows apart, or says what their results depend on.
        let tells = |column: &usize| {
            let same: fn(&Evaluate) -> String = match distinctions[0][*column].0 {
                "pictures" => Evaluate::set_name,
                "device" | "batch size" | "workers" | "strict" => row_of,
                _ => |_| String::new(),
            };
            let mut values: HashMap<String, &str> = HashMap::new();
            runs.iter().zip(&distinctions).any(|(run, distinctions)| {
                let value = distinctions[*column].1.as_str();
                *values.entry(same(run)).or_insert(value) != value
            })
        };
        let columns: Vec<usize> = (0..columns).filter(tells).collect();
        let labels =
            runs.iter()
                .zip(&distinctions)
                .enumerate()
                .map(|(number, (run, distinctions))| {
                    let model = run.model.config.name.clone();
                    let checkpoint = distinct(&run.model.checkpoint, &paths);
                    let result = sweep.out.as_ref().map(|folder| {
                        let stem = Path::new(&checkpoint).with_extension("");
                        let stem = escape::name(stem.as_os_str());
                        folder.join(file_name(&format!("{:03}-{model}-{stem}", number + 1)))
                    });
                    RowLabel {
                        model,
                        checkpoint,
                        set: run.set_name(),
                        precision: run.run.devices.first().precision().into(),
                        further: columns.iter().map(|c| distinctions[*c].1.clone()).collect(),
                        path: escape::name(run.model.checkpoint.as_os_str()).into_owned(),
                        result,
                    }
                });
        Self {
            labels: labels.collect(),
            further: columns.iter().map(|c| distinctions[0][*c].0).collect(),
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

/// What a row shows in any case. Facts that decide no result get a column only if rows that are
/// equal in this differ in them.
fn row_of(run: &Evaluate) -> String {
    format!(
        "{} {} {} {}",
        run.model.config.name,
        escape::name(run.model.checkpoint.as_os_str()),
        run.set_name(),
        run.run.devices.first().precision()
    )
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

/// A name without what cannot be in one, or would be a nuisance there.
pub fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || matches!(c, '/' | '\\' | ':') {
            '-'
        } else {
            c
        }
    };
    name.chars().map(plain).collect::<String>() + ".json"
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
        assert_eq!(file_name("001-m-a/x\n"), "001-m-a-x-.json");
    }
}

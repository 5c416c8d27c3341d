//! A suite's TOML file: where each data set is, and what is particular about it.
//!
//! A key of the table `[sets]` names a set. Its value is a path, or a table with `path` and flags of
//! an evaluation that are about this set. Paths are below the folder of the file.

use std::path::{Path, PathBuf};

use clap::Parser;
use toml::{Table, Value};

use crate::app::flags::{Cli, EvaluateArgs};
use crate::app::sweep_file::{self, SweepFileError};
use crate::data::SuiteSet;
use crate::util::escape::Shown;

/// The table of sets.
const SETS: &str = "sets";

/// Keys of a set that are flags of an evaluation.
const FLAGS: [&str; 9] = [
    "dataset",
    "source",
    "labels",
    "label-numbers",
    "classnames",
    "templates",
    "template-weights",
    "expect-top1",
    "expect-top5",
];

/// Those of them that name files.
const FILES: [&str; 3] = ["labels", "classnames", "templates"];

/// Names of values that are no files.
const NO_FILES: [&str; 3] = ["built-in", "distinct", "real"];

/// A data set of a suite, and where it is.
#[derive(Debug, Clone)]
pub struct SuiteEntry {
    pub set: SuiteSet,
    pub path: PathBuf,
    /// What a file says of it.
    pub own: Option<OwnFlags>,
}

/// Flags that are about one set.
#[derive(Debug, Clone)]
pub struct OwnFlags(Box<EvaluateArgs>);

impl From<(SuiteSet, PathBuf)> for SuiteEntry {
    fn from((set, path): (SuiteSet, PathBuf)) -> Self {
        Self {
            set,
            path,
            own: None,
        }
    }
}

impl OwnFlags {
    /// Replaces what they name.
    pub fn outrank(&self, args: &mut EvaluateArgs) {
        let own = &self.0;
        let path = args.pictures.imagenet_path.take();
        let real = args.pictures.labels.take();
        args.pictures = own.pictures.clone();
        args.pictures.imagenet_path = path;
        args.pictures.labels = args.pictures.labels.take().or(real);
        args.dataset = own.dataset.or(args.dataset);
        if !own.prompts.templates.is_empty() {
            args.prompts.templates = own.prompts.templates.clone();
            args.prompts.template_weights = own.prompts.template_weights.clone();
        }
        if own.prompts.classnames.is_some() {
            args.prompts.classnames = own.prompts.classnames.clone();
        }
        if own.expect.expect_top1.is_some() {
            args.expect.expect = None;
        }
        args.expect.expect_top1 = own.expect.expect_top1;
        args.expect.expect_top5 = own.expect.expect_top5;
    }
}

/// The sets of a file, in the order of columns.
///
/// # Errors
/// When it cannot be read or says something else.
pub fn read(path: &Path) -> Result<Vec<SuiteEntry>, SweepFileError> {
    let mut table = sweep_file::table(path)?;
    let unfit = |reason: String| SweepFileError::Suite {
        path: path.into(),
        reason,
    };
    let sets = match table.remove(SETS) {
        Some(Value::Table(sets)) if !sets.is_empty() => sets,
        _ => return Err(unfit(format!("it has no table [{SETS}]"))),
    };
    if let Some(key) = table.keys().next() {
        return Err(unfit(format!(
            "{key} is no key of a suite; give it as a flag"
        )));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let entry = |(name, value): (String, Value)| {
        entry(folder, &name, value).map_err(|reason| unfit(format!("{name}: {reason}")))
    };
    let mut entries: Vec<SuiteEntry> = sets.into_iter().map(entry).collect::<Result<_, _>>()?;
    entries.sort_by(|a, b| a.set.cmp(&b.set));
    Ok(entries)
}

fn entry(folder: &Path, name: &str, value: Value) -> Result<SuiteEntry, String> {
    let mut keys = match value {
        Value::String(path) => Table::from_iter([("path".to_string(), Value::String(path))]),
        Value::Table(table) => table,
        other => {
            return Err(format!(
                "it is a {}, not a path or a table",
                other.type_str()
            ));
        }
    };
    let Some(Value::String(path)) = keys.remove("path") else {
        return Err("it has no path".into());
    };
    let set = SuiteSet::by_name(name).unwrap_or_else(|| SuiteSet::Other(name.into()));
    let own = if keys.is_empty() {
        None
    } else {
        Some(own(folder, keys)?)
    };
    Ok(SuiteEntry {
        set,
        path: folder.join(path),
        own,
    })
}

/// The flags in a set's table.
fn own(folder: &Path, keys: Table) -> Result<OwnFlags, String> {
    let mut words: Vec<String> = ["uta-eval", "--imagenet-path", "-", "--ckpt-path", "-"]
        .map(String::from)
        .into();
    for (key, value) in keys {
        if !FLAGS.contains(&key.as_str()) {
            return Err(format!("{key} is none of path, {}", FLAGS.join(", ")));
        }
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let text = match value {
                Value::String(text) if FILES.contains(&key.as_str()) => {
                    let is_file = !NO_FILES.contains(&text.as_str());
                    if is_file {
                        folder.join(text).shown().to_string()
                    } else {
                        text
                    }
                }
                Value::String(text) => text,
                Value::Integer(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                other => return Err(format!("{key} cannot be a {}", other.type_str())),
            };
            words.push(format!("--{key}={text}"));
        }
    }
    let cli = Cli::try_parse_from(words).map_err(|error| sweep_file::as_keys(&error))?;
    Ok(OwnFlags(Box::new(cli.evaluate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<SuiteEntry>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("suite.toml");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn sets_have_paths_and_flags_of_their_own() {
        let entries = of(r#"
            [sets]
            imagenet-a = { path = "a", label-numbers = "set", expect-top1 = 40.5 }
            imagenet = "/data/imagenet"
            pets = { path = "wds_pets", templates = ["built-in", "own.txt"] }
        "#)
        .unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.set.name()).collect();
        assert_eq!(names, ["imagenet", "imagenet-a", "pets"]);
        assert_eq!(entries[0].path, Path::new("/data/imagenet"));
        assert!(entries[1].path.ends_with("a") && entries[1].path.is_absolute());
        let own = |place: usize| &entries[place].own.as_ref().unwrap().0;
        assert!(own(1).pictures.label_numbers.is_some());
        assert_eq!(own(1).expect.expect_top1, Some(40.5));
        let templates = &own(2).prompts.templates;
        assert_eq!(templates[0], Path::new("built-in"));
        assert!(templates[1].is_absolute());
    }

    #[test]
    fn what_is_no_suite_is_refused() {
        for (text, reason) in [
            ("imagenet = \"a\"", "no table [sets]"),
            ("[sets]", "no table [sets]"),
            (
                "limit = 3\n[sets]\nimagenet = \"a\"",
                "limit is no key of a suite",
            ),
            ("[sets]\nimagenet = 3", "imagenet: it is a integer"),
            ("[sets]\nimagenet = { labels = \"x\" }", "it has no path"),
            (
                "[sets]\nimagenet = { path = \"a\", device = \"cpu\" }",
                "device is none of path",
            ),
            (
                "[sets]\nimagenet = { path = \"a\", dataset = \"x\" }",
                "dataset = \"x\" cannot be used",
            ),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}

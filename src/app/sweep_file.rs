//! A sweep's TOML file as command lines.
//!
//! Each key is a flag of the main command without its dashes. A list stands for one evaluation with
//! each of its values; several lists for all combinations. Tables `[[run]]` replace or add keys, so
//! that a model can have checkpoints of its own.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::util::escape::Shown;
use crate::util::regular_file;

/// Bytes of a file; a larger one is something else.
const MOST_BYTES: u64 = 16 << 20;

/// Flags that belong to the sweep and not to one of its evaluations.
const NOT_OF_A_RUN: [&str; 10] = [
    "suite",
    "json",
    "predictions",
    "report",
    "save-features",
    "from-features",
    "trace",
    "out",
    "resume",
    "shard",
];

/// Flags that one evaluation may have several times: a list inside of the list.
const SEVERAL: [&str; 2] = ["templates", "template-weights"];

/// The key of the tables.
const RUN: &str = "run";

/// Why a sweep's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SweepFileError {
    #[error("{} cannot be read", path.shown())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not TOML: line {line}: {reason}", path.shown())]
    Syntax {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    #[error("{}: {reason}", path.shown())]
    Key { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.shown())]
    Suite { path: PathBuf, reason: String },
}

impl SweepFileError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the name",
            Self::Suite { .. } => {
                "write the sets and their paths: [sets], then imagenet = \"PATH\", imagenet-a = { path = \"PATH\", labels = \"FILE\" }"
            }
            Self::Syntax { .. } | Self::Key { .. } => {
                "write flags without their dashes: model = \"eva_base_p16\", ckpt-path = [\"a.safetensors\", \"b*.safetensors\"]"
            }
        }
    }
}

/// The command line of an evaluation.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The file and the table in it, for messages.
    pub place: String,
    pub flags: Vec<String>,
}

/// The flags of each evaluation, in the order of the file.
///
/// # Errors
/// When the file cannot be read or says something else.
pub fn read(path: &Path) -> Result<Vec<Line>, SweepFileError> {
    let table = table(path)?;
    let tables = matches!(table.get(RUN), Some(Value::Array(_)));
    let lines = flags(table).map_err(|reason| SweepFileError::Key {
        path: path.into(),
        reason,
    })?;
    let line = |(table, flags)| Line {
        place: if tables {
            format!("{}, [[{RUN}]] number {table}", path.shown())
        } else {
            path.shown().to_string()
        },
        flags,
    };
    Ok(lines.into_iter().map(line).collect())
}

/// What a TOML file says.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn table(path: &Path) -> Result<Table, SweepFileError> {
    let text =
        regular_file::read_text(path, MOST_BYTES).map_err(|source| SweepFileError::Unreadable {
            path: path.into(),
            source,
        })?;
    text.parse()
        .map_err(|e: toml::de::Error| SweepFileError::Syntax {
            path: path.into(),
            line: e.span().map_or(1, |span| line_number(&text, span.start)),
            reason: e.message().replace('\n', "; "),
        })
}

/// The line of a text in which a byte is, counted from 1.
fn line_number(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    before.filter(|b| **b == b'\n').count() + 1
}

/// What the parser of flags says, about keys.
pub fn as_keys(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let key = |flag: &str| -> String {
        let name = flag.split([' ', '=', '<']).next().unwrap_or(flag);
        name.trim_start_matches('-').into()
    };
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => vec![key(flag)],
        Some(ContextValue::Strings(flags)) => flags.iter().map(|flag| key(flag)).collect(),
        _ => Vec::new(),
    };
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    let text = error.to_string();
    match (error.kind(), named.join(", ")) {
        (ErrorKind::MissingRequiredArgument, keys) if !keys.is_empty() => {
            format!("missing: {keys}")
        }
        (ErrorKind::UnknownArgument, keys) if !keys.is_empty() => {
            format!("{keys} is no flag of an evaluation")
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, keys) if !keys.is_empty() => {
            let why = text.lines().next().unwrap_or_default();
            let why = why.rsplit_once(": ").map_or("", |(_, why)| why);
            let allowed = text.lines().find(|line| line.contains("[possible values"));
            let why = allowed.map_or(why, str::trim);
            format!("{keys} = {value:?} cannot be used: {why}")
        }
        _ => {
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").into()
        }
    }
}

/// The flags of each evaluation, with the number of its table.
fn flags(mut common: Table) -> Result<Vec<(usize, Vec<String>)>, String> {
    let runs = match common.remove(RUN) {
        None => vec![Table::new()],
        Some(Value::Array(runs)) => runs
            .into_iter()
            .map(|run| match run {
                Value::Table(table) => Ok(table),
                other => Err(format!("{RUN} is not a table but a {}", other.type_str())),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(format!("{RUN} must be written as tables, [[{RUN}]]")),
    };
    let mut lines = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        let mut keys = common.clone();
        keys.extend(run);
        let mut combinations = vec![Vec::new()];
        for (key, value) in &keys {
            let choices = choices(key, value)?;
            combinations = combinations
                .iter()
                .flat_map(|before: &Vec<String>| {
                    choices
                        .iter()
                        .map(move |choice| [&before[..], choice].concat())
                })
                .collect();
        }
        lines.extend(combinations.into_iter().map(|flags| (index + 1, flags)));
    }
    Ok(lines)
}

/// The flags that a key may stand for, one of which is taken.
fn choices(key: &str, value: &Value) -> Result<Vec<Vec<String>>, String> {
    if NOT_OF_A_RUN.contains(&key) {
        return Err(format!("{key} is not of one evaluation"));
    }
    let flag = format!("--{key}");
    let one = |value: &Value| match value {
        Value::String(text) => Ok(vec![flag.clone(), text.clone()]),
        Value::Integer(number) => Ok(vec![flag.clone(), number.to_string()]),
        Value::Float(number) => Ok(vec![flag.clone(), number.to_string()]),
        Value::Boolean(true) => Ok(vec![flag.clone()]),
        Value::Boolean(false) => Ok(Vec::new()),
        other => Err(format!("{key} cannot be a {}", other.type_str())),
    };
    let together = |value: &Value| match value {
        Value::Array(values) if values.is_empty() => Err(format!("{key} has an empty list")),
        Value::Array(values) if SEVERAL.contains(&key) => {
            let flags = values.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            Ok(flags.concat())
        }
        value => one(value),
    };
    match value {
        Value::Array(values) if values.is_empty() => Err(format!("{key} is an empty list")),
        Value::Array(values) => values.iter().map(together).collect(),
        value => Ok(vec![one(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<String>, String> {
        let lines = flags(text.parse().unwrap())?;
        Ok(lines.iter().map(|(_, line)| line.join(" ")).collect())
    }

    #[test]
    fn lists_are_combined_and_tables_replace_what_is_common() {
        let text = r#"
            imagenet-path = ["v1", "v2"]
            strict = true
            no-cache = false
            limit = 5
            [[run]]
            ckpt-path = ["a", "b"]
            [[run]]
            ckpt-path = "c"
            limit = 7
        "#;
        let expected = [
            "--ckpt-path a --imagenet-path v1 --limit 5 --strict",
            "--ckpt-path a --imagenet-path v2 --limit 5 --strict",
            "--ckpt-path b --imagenet-path v1 --limit 5 --strict",
            "--ckpt-path b --imagenet-path v2 --limit 5 --strict",
            "--ckpt-path c --imagenet-path v1 --limit 7 --strict",
            "--ckpt-path c --imagenet-path v2 --limit 7 --strict",
        ];
        assert_eq!(lines(text).unwrap(), expected);
    }

    #[test]
    fn a_list_in_a_list_is_several_files_of_one_evaluation() {
        let text = r#"templates = ["a.txt", ["built-in", "b.json"]]
            template-weights = [[0.5, 2]]"#;
        let expected = [
            "--template-weights 0.5 --template-weights 2 --templates a.txt",
            "--template-weights 0.5 --template-weights 2 --templates built-in --templates b.json",
        ];
        assert_eq!(lines(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_flag_of_an_evaluation_is_refused() {
        for text in [
            "json = \"x\"",
            "limit = []",
            "limit = [[1]]",
            "templates = [[]]",
            "templates = [[[\"a\"]]]",
            "run = 3",
            "run = [1]",
            "model = { a = 1 }",
        ] {
            assert!(lines(text).is_err(), "{text}");
        }
    }
}

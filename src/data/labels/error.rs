//! What is wrong with a label file.

use std::path::{Path, PathBuf};

use crate::util::escape::Shown;

/// Why a label file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {reason}", path.shown(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
pub struct LabelError {
    pub path: PathBuf,
    pub line: Option<usize>,
    pub reason: String,
}

impl LabelError {
    /// Something is wrong with the file as a whole.
    pub fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
            reason: reason.into(),
        }
    }

    /// Something is wrong with a line, counted from 1.
    pub fn line(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(path, reason)
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        "a label file has a picture and its class on each line, the class as WordNet id or as index from 0".into()
    }
}

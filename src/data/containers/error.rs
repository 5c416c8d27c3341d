//! What is wrong with a file or folder that pictures are kept in.

use std::path::PathBuf;

use crate::util::escape::Shown;

/// Why a folder, an archive or a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    #[error("{} does not exist", path.shown())]
    NotFound { path: PathBuf },
    #[error("{} cannot be read", path.shown())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is too deep below its class folder; does a link lead back?", path.shown())]
    TooDeep {
        path: PathBuf,
        /// Folders below the class folder that are looked into.
        deepest: usize,
    },
    #[error("{} cannot be used: {reason}", path.shown())]
    Archive { path: PathBuf, reason: String },
    #[error("{} cannot be used: {reason}", path.shown())]
    Table { path: PathBuf, reason: String },
}

impl ContainerError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "check --imagenet-path".into(),
            Self::Unreadable { .. } => return None,
            Self::TooDeep { deepest, .. } => format!("up to {deepest} folders are looked into"),
            Self::Archive { .. } => "expected a plain tar archive of pictures, with class folders, a label file (--labels FILE), or a .cls, .json or .txt beside each picture".into(),
            Self::Table { .. } => "expected Parquet files of a labelled split, with the columns image (or image.bytes) and label".into(),
        })
    }
}

//! What is wrong with the files of a data set that is kept in several.

use std::path::PathBuf;

use crate::util::escape::Shown;

/// Why it is in doubt which files belong to a data set.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError {
    #[error("{} holds no .{ending} files", path.shown())]
    NoShards { path: PathBuf, ending: String },
    #[error("{} holds the same split in different numbers of files ({})", path.shown(), examples.join(", "))]
    SeveralConversions {
        path: PathBuf,
        examples: Vec<String>,
    },
    #[error("{} holds files of the validation set, and {count} whose names tell no split ({})", path.shown(), examples.join(", "))]
    UnknownSplits {
        path: PathBuf,
        count: usize,
        examples: Vec<String>,
    },
    #[error("{} holds files of several splits ({})", path.shown(), examples.join(", "))]
    SeveralSplits {
        path: PathBuf,
        examples: Vec<String>,
    },
}

impl ShardsError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoShards { .. } => {
                "check --imagenet-path and --source; without --source the path tells"
            }
            Self::SeveralConversions { .. } => {
                "its pictures would count twice; give the files of one conversion by a pattern, or a folder of their own"
            }
            Self::UnknownSplits { .. } => {
                "do they belong to it? give all that do by a pattern such as 'PATH/*.parquet', or a folder of their own"
            }
            Self::SeveralSplits { .. } => {
                "give the files of one split: one file, a pattern such as 'test-{000..013}.tar', or a folder of their own"
            }
        }
        .into()
    }
}

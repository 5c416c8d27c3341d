//! What is odd about a data set and worth a warning.

use std::fmt;
use std::path::PathBuf;

use crate::util::count as nouns;
use crate::util::escape::Shown;

/// Something odd about a data set that does not stop its evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// By the names of its files, others are missing.
    MissingShards { count: u64, examples: Vec<String> },
    /// The label file has labels for pictures that are not there.
    SpareLabels { labels: PathBuf, count: usize },
    /// Files beside those of the validation set that are not evaluated.
    OtherSplits { count: usize, examples: Vec<String> },
    /// By their name these are pictures that models are trained on.
    TrainingSplit { name: String },
    /// Pictures in different files are called the same.
    RepeatedNames { count: usize, example: String },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingShards { count, examples } => write!(
                f,
                "{} of the data set {} missing by the names of the others ({})",
                nouns::count(*count, "file"),
                nouns::picks(*count, "is", "are"),
                examples.join(", ")
            ),
            Self::SpareLabels { labels, count } => write!(
                f,
                "{} has labels for {} that {} not there",
                labels.shown(),
                nouns::count(*count, "picture"),
                nouns::picks(*count, "is", "are")
            ),
            Self::OtherSplits { count, examples } => write!(
                f,
                "{} of other splits {} left out ({})",
                nouns::count(*count, "file"),
                nouns::picks(*count, "is", "are"),
                examples.join(", ")
            ),
            Self::TrainingSplit { name } => write!(
                f,
                "{name} is a training split by its name; the accuracy is not that of a validation set"
            ),
            Self::RepeatedNames { count, example } => write!(
                f,
                "{} {} the name of one in another file, as {example}; is the data set there twice?",
                nouns::count(*count, "picture"),
                nouns::picks(*count, "has", "have")
            ),
        }
    }
}

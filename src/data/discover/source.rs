//! The ways in which a data set's pictures and labels are kept.

use std::fmt;

/// How pictures and labels are kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A folder for each class.
    Folders,
    /// Pictures and a label file.
    Flat,
    /// Pictures in a tar archive: class folders inside, or a label file beside it.
    Tar,
    /// Tar archives that hold each picture beside its label.
    WebDataset,
    /// Tables with columns of pictures and labels.
    Parquet,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folders => "folder of class folders",
            Self::Flat => "flat folder",
            Self::Tar => "tar archive",
            Self::WebDataset => "WebDataset",
            Self::Parquet => "set of Parquet files",
        })
    }
}

impl Source {
    /// Whether the pictures are in one or several large files that say the labels themselves.
    pub fn has_shards(self) -> bool {
        matches!(self, Self::WebDataset | Self::Parquet)
    }

    /// Whether a label file may say the classes.
    pub fn takes_labels(self) -> bool {
        matches!(self, Self::Flat | Self::Tar)
    }
}

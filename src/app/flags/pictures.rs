//! The flags that say where pictures are, and what they show.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::data::{LabelNumbers, Rules};

/// Where the pictures are, and what says their classes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pictures")]
pub struct PicturesArgs {
    /// Pictures: class folders, a flat folder with labels, tar, WebDataset or Parquet files
    ///
    /// PATH/val/<wnid>/ or PATH/<wnid>/; PATH/val/ or PATH/ with pictures and a label file;
    /// FILE.tar with class folders inside or a label file beside it; WebDataset shards, with a
    /// .cls, .json or .txt beside each picture; Parquet files as the Hugging Face hub has them.
    /// Shards and Parquet files are given as a folder, as one file, or as a pattern,
    /// 'shard-{000..049}.tar'; of the splits in a folder, validation is taken. Class folders are
    /// matched by WordNet id (n01440764), so that a part of ImageNet is evaluated correctly too.
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present_any = ["from_features", "suite"],
        value_hint = ValueHint::AnyPath
    )]
    pub imagenet_path: Option<PathBuf>,
    /// How the pictures are kept; found by looking at the path by default
    #[arg(
        long,
        value_name = "SOURCE",
        default_value = "auto",
        hide_default_value = true
    )]
    pub source: SourceArg,
    /// Label file of a flat folder or a tar archive; or `real`
    ///
    /// `picture,class` on each line (comma, tab, semicolon or blanks), the class as WordNet id or
    /// as index from 0; or one WordNet id a line, line n for ILSVRC2012_val_<n>; or the devkit's
    /// ILSVRC2012_validation_ground_truth.txt, one of its ids a line. Default:
    /// LOC_val_solution.csv, imagenet_2012_validation_synset_labels.txt or the devkit's file,
    /// beside the pictures or one folder up, or in `data` or `ILSVRC2012_devkit_t12/data` there.
    ///
    /// real: the validation set is judged by its ReaL labels, by file name. A picture may have
    /// several, each of which is right; pictures without any are left out and counted.
    #[arg(
        long,
        value_name = "FILE|real",
        value_parser = LabelsArg::parse,
        value_hint = ValueHint::FilePath
    )]
    pub labels: Option<LabelsArg>,
    /// What the numbers of labels count, in a set of some of ImageNet's classes
    ///
    /// set: its own class folders, sorted (0 to 199 in ImageNet-A and -R). imagenet: ImageNet's 1000
    /// classes. Where classnames.txt lies beside shards, its names tell, and this flag is not
    /// needed.
    #[arg(long, value_name = "WHAT")]
    pub label_numbers: Option<LabelNumbersArg>,
}

/// What the numbers of labels count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LabelNumbersArg {
    /// The set's own class folders, sorted
    Set,
    /// ImageNet's 1000 classes
    Imagenet,
}

impl From<LabelNumbersArg> for LabelNumbers {
    fn from(numbers: LabelNumbersArg) -> Self {
        match numbers {
            LabelNumbersArg::Set => Self::OfSet,
            LabelNumbersArg::Imagenet => Self::OfImageNet,
        }
    }
}

/// Whose rules decide how a set is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProtocolArg {
    /// CLIP_benchmark's, by which CLIP models are published
    #[default]
    ClipBenchmark,
    /// That of ObjectNet's authors
    Objectnet,
}

impl From<ProtocolArg> for Rules {
    fn from(protocol: ProtocolArg) -> Self {
        match protocol {
            ProtocolArg::ClipBenchmark => Self::ClipBenchmark,
            ProtocolArg::Objectnet => Self::ObjectNet,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceArg {
    /// Look at the path
    Auto,
    /// A folder for each class
    Folders,
    /// Pictures in one folder, and a label file
    Flat,
    /// One tar archive
    Tar,
    /// Tar archives with each label beside its picture
    Webdataset,
    /// Parquet files with the columns image and label
    Parquet,
}

/// Labels that do not come from folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelsArg {
    /// The ReaL labels.
    Real,
    /// Those in this file.
    File(PathBuf),
}

impl LabelsArg {
    pub(super) fn parse(value: &str) -> Result<Self, std::convert::Infallible> {
        Ok(match value {
            "real" => Self::Real,
            file => Self::File(file.into()),
        })
    }
}

/// A data set of pictures of ImageNet's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatasetArg {
    Imagenet,
    ImagenetV2,
    ImagenetA,
    ImagenetR,
    ImagenetSketch,
    Objectnet,
}

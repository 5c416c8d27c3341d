//! The flags of `data check`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::numbers;
use super::pictures::{DatasetArg, LabelNumbersArg, SourceArg};

#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DataCommand {
    /// Say what a folder of pictures is, and what is odd about it
    ///
    /// Tells which set it is, what is missing, which pictures are the same, cannot be read, are
    /// gray, CMYK, turned by EXIF, or called what they are not. The exit code is 0 if the set is
    /// whole and every picture can be read, 6 if some cannot, and otherwise 1.
    Check(DataCheckArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DataCheckArgs {
    /// Pictures, as for --imagenet-path
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// How the pictures are kept; found by looking at the path by default
    #[arg(
        long,
        value_name = "SOURCE",
        default_value = "auto",
        hide_default_value = true
    )]
    pub source: SourceArg,
    /// Label file of a flat folder or a tar archive, as for an evaluation
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub labels: Option<PathBuf>,
    /// What the numbers of labels count, as for an evaluation
    #[arg(long, value_name = "WHAT")]
    pub label_numbers: Option<LabelNumbersArg>,
    /// Which set it should be [default: what it looks like]
    #[arg(long, value_name = "SET")]
    pub dataset: Option<DatasetArg>,
    /// Class names of another set: `folder<TAB>name`, or `name` in the order of the folders
    #[arg(long, value_name = "FILE", conflicts_with = "dataset", value_hint = ValueHint::FilePath)]
    pub classnames: Option<PathBuf>,
    /// Decode every picture
    ///
    /// Otherwise only their headers are read: damage behind them is not found.
    #[arg(long)]
    pub full: bool,
    /// Threads that read and decode pictures [default: one per core]
    #[arg(
        long,
        value_name = "N",
        value_parser = numbers::threads
    )]
    pub workers: Option<usize>,
    /// Write the findings as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
}

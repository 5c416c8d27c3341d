//! The flags of commands that read results.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::evaluate::ExpectArgs;

#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// JSON results of all shards, in any order
    #[arg(value_name = "RESULT", required = true, value_hint = ValueHint::FilePath)]
    pub results: Vec<PathBuf>,
    #[command(flatten)]
    pub expect: ExpectArgs,
    /// Write the result as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
    /// Write a page to look at: one HTML file, which needs no network
    ///
    /// Where the result comes from, accuracy with intervals, every class, calibration, and confusions,
    /// confident mistakes and unsure right answers with their pictures.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// JSON result to compare with
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    pub a: PathBuf,
    /// JSON result to compare
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    pub b: PathBuf,
    /// Compare on the pictures that both results have
    ///
    /// Otherwise results on different pictures are refused.
    #[arg(long)]
    pub common: bool,
    /// Write the comparison as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct ModelsArgs {
    /// List only what has this in its name: a model, a tag or a repository
    #[arg(value_name = "FILTER")]
    pub filter: Option<String>,
    /// Write the list as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct SchemaArgs {
    /// Of which document
    #[arg(long, value_name = "DOCUMENT", default_value = "result")]
    pub of: DocumentArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DocumentArg {
    /// What an evaluation and `uta-eval merge` write
    Result,
    /// What `uta-eval compare` writes
    Comparison,
    /// What `uta-eval suite` writes
    Suite,
}

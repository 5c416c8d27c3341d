//! The flags that say how the work is done and where results go.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::numbers;
use crate::inference::devices::{DeviceChoice, PrecisionChoice};

/// Largest batch: far beyond what helps, far below what overflows.
const MOST_PICTURES_IN_A_BATCH: usize = 65_536;

/// How the models compute.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Computing")]
pub struct ComputeArgs {
    /// What computes: auto, cpu, cuda, or cuda:N[,M...] [default: auto]
    ///
    /// auto takes the first GPU if one works, and otherwise the CPU; if the program was built with
    /// the feature `cuda`, it says why. cuda is cuda:0. Several GPUs, as in cuda:0,1, share the
    /// pictures; the result is one.
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "auto",
        hide_default_value = true,
        value_parser = DeviceChoice::parse
    )]
    pub device: DeviceChoice,
    /// Precision of the linear layers [default: f32 on a CPU, f16 on a GPU]
    ///
    /// bf16 rounds their factors to bfloat16 and sums in f32; the residual stream, LayerNorm and
    /// softmax stay f32. It is faster where the processor has instructions for it, and slower
    /// elsewhere. f16 and tf32 (f32 with 10 bits of mantissa inside products) need a GPU. auto is
    /// the default.
    #[arg(
        long,
        value_name = "PRECISION",
        default_value = "auto",
        hide_default_value = true
    )]
    pub precision: PrecisionArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    Auto,
    F32,
    Bf16,
    F16,
    Tf32,
}

impl From<PrecisionArg> for PrecisionChoice {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::Auto => Self::Auto,
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::Bf16 => Self::Bf16,
            PrecisionArg::F16 => Self::F16,
            PrecisionArg::Tf32 => Self::Tf32,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSizeArg {
    Auto,
    Pictures(usize),
}

/// As it is given.
impl fmt::Display for BatchSizeArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Pictures(pictures) => pictures.fmt(f),
        }
    }
}

impl BatchSizeArg {
    pub(super) fn parse(value: &str) -> Result<Self, String> {
        if value == "auto" {
            return Ok(Self::Auto);
        }
        match value.parse() {
            Ok(pictures) if (1..=MOST_PICTURES_IN_A_BATCH).contains(&pictures) => {
                Ok(Self::Pictures(pictures))
            }
            _ => Err(format!(
                "expected auto or a number from 1 to {MOST_PICTURES_IN_A_BATCH}"
            )),
        }
    }
}

/// How the work is done. Only the precision changes the result.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Computing")]
pub struct RunArgs {
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Pictures in a batch, or auto; does not change the result [default: auto]
    ///
    /// auto is 64 on a CPU. On a GPU it depends on the model, and if the memory is short, fewer
    /// pictures are computed at once, with a warning.
    #[arg(
        long,
        value_name = "N|auto",
        default_value = "auto",
        hide_default_value = true,
        value_parser = BatchSizeArg::parse
    )]
    pub batch_size: BatchSizeArg,
    /// Threads that read and decode pictures [default: one per core]
    ///
    /// They are beside the threads that compute, of which there is one per core (or as many as
    /// RAYON_NUM_THREADS says).
    #[arg(
        long,
        value_name = "N",
        value_parser = numbers::threads
    )]
    pub workers: Option<usize>,
    /// Stop at the first picture that cannot be read
    ///
    /// Otherwise it is reported and left out of the counts, the rest is evaluated, and the exit
    /// code is 6.
    #[arg(long)]
    pub strict: bool,
}

impl OutputArgs {
    /// The files that are written.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let json = self.json.iter().filter(|path| path.as_os_str() != "-");
        json.chain(&self.predictions)
            .chain(&self.report)
            .chain(&self.save_features)
            .chain(&self.trace)
    }
}

/// Where results go beside the text on standard output.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct OutputArgs {
    /// Write the result as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
    /// Write each picture's top 5: .csv or .jsonl
    ///
    /// One line for each picture in file order: path, label, and the five best classes with their
    /// logits.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub predictions: Option<PathBuf>,
    /// Write a page to look at: one HTML file, which needs no network
    ///
    /// Where the result comes from, accuracy with intervals, every class, calibration, and confusions,
    /// confident mistakes and unsure right answers with their pictures.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Keep the pictures' features, for --from-features
    ///
    /// A safetensors file with the tensors features [pictures, embedding], labels [pictures] and
    /// classifier [classes, embedding], and a record of the run, which names the pictures.
    #[arg(long, value_name = "FILE.safetensors", value_hint = ValueHint::FilePath)]
    pub save_features: Option<PathBuf>,
    /// Write what each thread did, and when, as a Chrome trace
    ///
    /// For chrome://tracing or ui.perfetto.dev. The file appears when the run ends, interrupted or
    /// not.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
}

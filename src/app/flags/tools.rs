//! The flags of the commands around checkpoints, classifiers and the program itself.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum, ValueHint};

use super::model::{CacheArgs, ModelArgs, PromptArgs};
use super::run::ComputeArgs;
use crate::app::guide;

#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Clone, Args)]
pub struct GuideArgs {
    /// Which guide; without it, the topics are listed
    #[arg(value_name = "TOPIC", value_parser = topics())]
    pub topic: Option<String>,
}

fn topics() -> PossibleValuesParser {
    let topic = |guide: &guide::Guide| PossibleValue::new(guide.topic).help(guide.summary);
    PossibleValuesParser::new(guide::all().iter().map(topic))
}

#[derive(Debug, Clone, Args)]
pub struct ClassifierCommandArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub prompts: PromptArgs,
    /// Safetensors file to write; must not exist
    #[arg(long, value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Write what each thread did, and when, as a Chrome trace
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct ClassifyArgs {
    /// Pictures
    #[arg(value_name = "PICTURE", required = true, value_hint = ValueHint::FilePath)]
    pub pictures: Vec<PathBuf>,
    /// Labels to choose among, separated by commas
    ///
    /// Each is taken as it is: write "a photo of a dog" rather than "dog", or use --templates.
    #[arg(long, value_name = "LABELS", required = true, value_delimiter = ',')]
    pub labels: Vec<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Prompt templates, one per line with {} for the label
    ///
    /// A label's embedding is the mean over the templates. Default: the label itself.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub templates: Option<PathBuf>,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Write the probabilities as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// Checkpoint to look into
    #[arg(value_name = "CKPT", value_hint = ValueHint::FilePath)]
    pub checkpoint: PathBuf,
    /// Compare with this model instead of the one it looks like
    ///
    /// The exit code is then 4 if the checkpoint does not fit.
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Option<String>,
    /// Which weights of the checkpoint, by their key in the file
    ///
    /// For instance model_ema; see `uta-eval --help`.
    #[arg(long, value_name = "KEY")]
    pub weights: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ConvertArgs {
    /// Checkpoint to read
    #[arg(value_name = "IN", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Safetensors file to write; must not exist
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Which weights of the checkpoint, by their key in the file
    ///
    /// For instance model_ema; see `uta-eval --help`.
    #[arg(long, value_name = "KEY")]
    pub weights: Option<String>,
    /// Store all floating-point tensors as this type [default: as they are]
    ///
    /// A value out of the type's range is an error.
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<FloatType>,
    /// Write the tensors under another program's names [default: as they are]
    ///
    /// open-clip, open-clip-custom-text (the text tower below `text.`), open-clip-timm (EVA models),
    /// eva-clip or transformers. Tensors are stacked, split and transposed as the layout has them.
    /// What it does not store (rotary tables, masks) is left out, and said.
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FloatType {
    F32,
    F16,
    Bf16,
}

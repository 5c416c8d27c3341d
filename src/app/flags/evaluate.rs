//! The flags of an evaluation and of a sweep.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::model::{ClassifierArgs, ModelNameArgs, PromptArgs};
use super::numbers;
use super::pictures::{DatasetArg, PicturesArgs, ProtocolArg};
use super::run::{OutputArgs, RunArgs};

#[derive(Debug, Clone, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub pictures: PicturesArgs,
    /// Evaluate all data sets of a suite in this folder, and make the row that a paper prints
    ///
    /// The same as `uta-eval suite ROOT`; see its help.
    #[arg(
        help_heading = "Pictures",
        long,
        value_name = "ROOT|FILE.toml",
        conflicts_with_all = ["imagenet_path", "source", "labels", "dataset", "predictions", "save_features"],
        value_hint = ValueHint::AnyPath
    )]
    pub suite: Option<PathBuf>,
    /// Which data set it is [default: imagenet, or what classnames.txt beside shards says]
    ///
    /// Decides how class folders are matched and among which classes pictures are ranked:
    /// imagenet-v2 has folders named by class index; of imagenet-a and imagenet-r the 200 classes
    /// compete; of objectnet the 113 folders that ImageNet has classes for are evaluated, by the
    /// rules that --protocol names. `uta-eval guide data` states them.
    #[arg(help_heading = "Pictures", long, value_name = "SET")]
    pub dataset: Option<DatasetArg>,
    /// Whose rules decide how ObjectNet is judged
    ///
    /// clip-benchmark ranks whole pictures among ObjectNet's 113 names, as all published accuracies
    /// of CLIP models do. objectnet is its authors' protocol: the red border is cut off, and pictures
    /// are ranked among the 125 classes of ImageNet that show the same objects.
    #[arg(
        help_heading = "Pictures",
        long,
        value_name = "NAME",
        default_value = "clip-benchmark"
    )]
    pub protocol: ProtocolArg,
    #[command(flatten)]
    pub model: ModelNameArgs,
    /// Checkpoint: .safetensors, or PyTorch's .pt, .pth or .bin; several make a sweep
    ///
    /// A pattern like 'run1/*.safetensors' stands for the files that fit it. Pictures are decoded
    /// once for all checkpoints that fit in memory together, and the result is a table; see --out.
    /// hf://OWNER/REPOSITORY[@REVISION]/FILE is downloaded from the Hugging Face Hub, unless it is
    /// in the cache that its Python tools use; without /FILE, the repository's weights are. So are
    /// the weights of a published model that is only named (UTA-B). A path never touches the network.
    #[arg(
        help_heading = "Model",
        long,
        value_name = "FILE",
        required_unless_present_any = ["from_features", "pretrained"],
        num_args = 1..,
        value_hint = ValueHint::FilePath
    )]
    pub ckpt_path: Vec<PathBuf>,
    /// Side of the model's input in pixels; must agree with the model
    ///
    /// The size belongs to the model and need not be given. It is accepted for scripts that pass
    /// it, and another size than the model's is an error.
    #[arg(help_heading = "Model", long, value_name = "PIXELS", value_parser = numbers::from_one)]
    pub image_size: Option<usize>,
    #[command(flatten)]
    pub prompts: PromptArgs,
    #[command(flatten)]
    pub classifier: ClassifierArgs,
    /// Evaluate the first N pictures only, in file order
    ///
    /// File order is class folder by class folder, sorted by name.
    #[arg(help_heading = "Pictures", long, value_name = "N", value_parser = numbers::from_one)]
    pub limit: Option<usize>,
    /// Evaluate part I of N: `I/N` with I from 1 to N, or `auto`
    ///
    /// The pictures, after --limit, are cut in file order into N parts whose sizes differ by at
    /// most one. Put the parts' JSON results together with `uta-eval merge`. auto reads a Slurm
    /// array's task (SLURM_ARRAY_TASK_ID and its COUNT, MIN and STEP), or RANK and WORLD_SIZE,
    /// which count from 0. Without this flag these variables mean nothing.
    #[arg(help_heading = "Pictures", long, value_name = "I/N|auto")]
    pub shard: Option<String>,
    #[command(flatten)]
    pub expect: ExpectArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub outputs: OutputArgs,
    /// Keep a journal in FILE, and go on where it ends
    ///
    /// Results are appended batch by batch. Killed at any moment, the same command goes on and
    /// ends in the same result, bit for bit. A file that does not exist is begun; one of another
    /// model, checkpoint, data set or setting is refused. --batch-size and --workers may change.
    #[arg(help_heading = "Results", long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub resume: Option<PathBuf>,
    /// Write the results of a sweep into this folder
    ///
    /// A JSON result for each checkpoint, and the table as table.csv, table.md and table.tex.
    #[arg(help_heading = "Results", long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Evaluate the features that --save-features kept, without model and pictures
    ///
    /// Gives the result of the run that kept them, bit for bit. With --classifier, a file made by
    /// `uta-eval classifier` from the same checkpoint, it gives that of other prompts, and with
    /// --classnames beside it that of other class names.
    #[arg(
        help_heading = "Model",
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "imagenet_path", "suite", "source", "labels", "label_numbers", "dataset", "protocol", "model", "pretrained", "weights", "ckpt_path", "image_size",
            "templates", "template_weights", "cache_dir", "no_cache", "limit", "shard", "device", "precision",
            "batch_size", "workers", "strict", "resume", "out", "save_features"
        ],
        value_hint = ValueHint::FilePath
    )]
    pub from_features: Option<PathBuf>,
}

/// The flags of an evaluation, with a suite's folder in place of pictures.
#[derive(Debug, Clone)]
pub struct SuiteArgs {
    pub evaluate: EvaluateArgs,
}

/// Flags of an evaluation that a suite decides itself.
const NOT_OF_A_SUITE: [&str; 7] = [
    "imagenet_path",
    "source",
    "labels",
    "dataset",
    "from_features",
    "predictions",
    "save_features",
];

impl Args for SuiteArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let mut command = EvaluateArgs::augment_args(command).mut_arg("suite", |argument| {
            argument
                .long(None)
                .index(1)
                .required(true)
                .help("Folder with the data sets, or a TOML file that says where they are")
                .long_help(SUITE_ROOT)
        });
        for name in NOT_OF_A_SUITE {
            command = command.mut_arg(name, |argument| argument.hide(true));
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

const SUITE_ROOT: &str = "\
Folder with the data sets, or a TOML file that says where they are

Sets are found by the names of their folders or archives: imagenet, imagenetv2-matched-frequency-\
format-val, imagenet-a, imagenet-r, sketch, objectnet-1.0 and the like, or clip-benchmark's wds_*. \
`uta-eval guide suite` lists the names and describes the file.";

impl clap::FromArgMatches for SuiteArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let evaluate = EvaluateArgs::from_arg_matches(matches)?;
        Ok(Self { evaluate })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.evaluate.update_from_arg_matches(matches)
    }
}

#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// TOML file with the flags of the evaluations
    ///
    /// Keys are flags without dashes. A list stands for one evaluation with each of its values,
    /// several lists for all combinations; [[run]] tables replace or add keys.
    #[arg(value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Write the results into this folder
    ///
    /// A JSON result for each evaluation, and the table as table.csv, table.md and table.tex.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Keep a journal in FILE, and go on where it ends
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub resume: Option<PathBuf>,
    /// Write what each thread did, and when, as a Chrome trace
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
}

/// What the result ought to be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Expectations")]
pub struct ExpectArgs {
    /// Expect this top-1 accuracy in percent; exit code 1 if it is missed
    ///
    /// The result is printed and written in any case. See --tolerance.
    #[arg(
        long,
        value_name = "PERCENT",
        allow_negative_numbers = true,
        value_parser = numbers::decimal
    )]
    pub expect_top1: Option<f64>,
    /// Expect this top-5 accuracy in percent; exit code 1 if it is missed
    #[arg(
        long,
        value_name = "PERCENT",
        allow_negative_numbers = true,
        value_parser = numbers::decimal
    )]
    pub expect_top5: Option<f64>,
    /// Expect the accuracy that was published for the weights on the data set
    ///
    /// The top-1 accuracy of UTA's models on ImageNet, and of the weights that open_clip has tags
    /// for on every set (`uta-eval models` lists all figures). Which weights they are is told by
    /// --pretrained, by the address on the hub, or by a folder that has the repository's name. No
    /// top-5 is published.
    #[arg(long, value_name = "WHAT", conflicts_with = "expect_top1")]
    pub expect: Option<ExpectArg>,
    /// Percentage points by which an expectation may be missed, either way [default: 0.1]
    ///
    /// A published accuracy on a smaller set than ImageNet has a wider default, up to 0.3: fewer
    /// pictures make the same differences between programs weigh more.
    #[arg(
        long,
        value_name = "POINTS",
        allow_negative_numbers = true,
        value_parser = numbers::decimal
    )]
    pub tolerance: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExpectArg {
    Published,
}

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub outputs: OutputArgs,
}

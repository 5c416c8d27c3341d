//! The command line as its user sees it. Only `settings` and `devices` read these types.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// Largest batch: far beyond what helps, far below what overflows.
const MOST_PICTURES_IN_A_BATCH: usize = 65_536;
const MOST_WORKERS: u64 = 1024;

/// Zero-shot ImageNet accuracy of UTA vision-language checkpoints.
///
/// Without a subcommand, evaluates a checkpoint on a folder of ImageNet pictures and prints its
/// top-1 and top-5 accuracy. Results go to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_long_help = EXIT_CODES
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub evaluate: EvaluateArgs,
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// How much the program says on standard error.
#[derive(Debug, Clone, Copy, Args)]
pub struct TalkArgs {
    /// Say nothing on standard error but errors
    ///
    /// No progress bars and no warnings; the warnings are in the result all the same.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell each stage and the time that it took
    ///
    /// Where standard error is no terminal, and progress bars do not appear, this is how to follow
    /// a run.
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything was done
  1  the result is not the expected one (--expect-top1, --expect-top5, --expect), or a data set is
     not whole
  2  the flags, the model, or a template, class-name, classifier or result file cannot be used
  3  the pictures' folder cannot be evaluated; with --strict, a picture cannot be read
  4  the checkpoint cannot be used
  5  a result cannot be written
  6  the evaluation or check ended, but some pictures could not be read and are not counted
  7  the computation failed
  8  some evaluations of a sweep failed
  130  interrupted; the result, if there is one, is partial and says so";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Evaluate the embedded demo: a small trained model on 220 pictures, offline
    ///
    /// Runs the whole job on a checkpoint and pictures inside the program, and checks that the
    /// accuracy is the expected one. Nothing is downloaded.
    Demo(DemoArgs),
    /// Build a text classifier ahead of time and save it
    ///
    /// For --classifier FILE. The file is a safetensors file with a tensor `classifier` [classes,
    /// embedding]. It appears whole or not at all; an existing file is never overwritten.
    Classifier(ClassifierCommandArgs),
    /// Tell which of some labels fits a picture
    ///
    /// Prints the probability of each label: the softmax of 100 times the cosine between picture
    /// and label.
    Classify(ClassifyArgs),
    /// Show what a checkpoint holds
    ///
    /// Prints format, tensors, dtypes, the model it fits, and what is missing or extra.
    Inspect(InspectArgs),
    /// Write a checkpoint as a flat safetensors file
    ///
    /// Reads .safetensors and PyTorch's .pt, .pth or .bin, removes nesting and prefixes. The new
    /// file appears whole or not at all; an existing file is never overwritten.
    Convert(ConvertArgs),
    /// Evaluate many checkpoints, models, data sets or precisions
    ///
    /// Pictures are decoded once for all that want the same crops and fit in memory together, and
    /// equal text towers share one classifier. A failing evaluation does not stop the others.
    Sweep(SweepArgs),
    /// Put the results of all shards together
    ///
    /// Reads the JSON results of runs with --shard i/n and gives the result that one run would
    /// have given, bit for bit but for the times. Shards that overlap, are missing, are incomplete
    /// or were made with other settings are refused.
    Merge(MergeArgs),
    /// Tell whether two results differ by more than chance
    ///
    /// Reads two JSON results on the same pictures and gives McNemar's paired test for top-1 and
    /// top-5: the exact binomial form below 25 discordant pictures, else chi-square with
    /// continuity correction.
    Compare(CompareArgs),
    /// Print the JSON schema of a result
    ///
    /// The document describes what --json writes; its version is the field schema_version.
    Schema,
    /// Print a completion script for a shell
    ///
    /// For bash: uta-eval completions bash > ~/.local/share/bash-completion/completions/uta-eval
    Completions(CompletionsArgs),
    /// Print the manual page
    ///
    /// To read it: uta-eval man > uta-eval.1 && man ./uta-eval.1
    Man,
    /// Look at a data set without evaluating it
    Data(DataArgs),
}

#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Clone, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub pictures: PicturesArgs,
    /// Which data set it is
    ///
    /// Decides how class folders are matched and among which classes pictures are ranked:
    /// imagenet-v2 has folders named by class index; of imagenet-a and imagenet-r the 200 classes
    /// compete; of objectnet the 113 folders that ImageNet has classes for are evaluated, without
    /// the red border of their pictures. README.md states each protocol.
    #[arg(long, value_name = "SET", default_value = "imagenet")]
    pub dataset: DatasetArg,
    #[command(flatten)]
    pub model: ModelNameArgs,
    /// Checkpoint: .safetensors, or PyTorch's .pt, .pth or .bin; several make a sweep
    ///
    /// A pattern like 'run1/*.safetensors' stands for the files that fit it. Pictures are decoded
    /// once for all checkpoints that fit in memory together, and the result is a table; see --out.
    /// hf://OWNER/REPOSITORY[@REVISION]/FILE is downloaded from the Hugging Face Hub, unless it is
    /// in the cache that its Python tools use. A path never touches the network.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "from_features",
        num_args = 1..,
        value_hint = ValueHint::FilePath
    )]
    pub ckpt_path: Vec<PathBuf>,
    /// Side of the model's input in pixels; must agree with the model
    ///
    /// The size belongs to the model and need not be given. It is accepted for scripts that pass
    /// it, and another size than the model's is an error.
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    #[command(flatten)]
    pub prompts: PromptArgs,
    #[command(flatten)]
    pub classifier: ClassifierArgs,
    /// Evaluate the first N pictures only, in file order
    ///
    /// File order is class folder by class folder, sorted by name.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: Option<usize>,
    /// Evaluate part I of N: `I/N` with I from 1 to N, or `auto`
    ///
    /// The pictures, after --limit, are cut in file order into N parts whose sizes differ by at
    /// most one. Put the parts' JSON results together with `uta-eval merge`. auto reads a Slurm
    /// array's task (SLURM_ARRAY_TASK_ID and its COUNT, MIN and STEP), or RANK and WORLD_SIZE,
    /// which count from 0. Without this flag these variables mean nothing.
    #[arg(long, value_name = "I/N|auto")]
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
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub resume: Option<PathBuf>,
    /// Write the results of a sweep into this folder
    ///
    /// A JSON result for each checkpoint, and the table as table.csv, table.md and table.tex.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Evaluate the features that --save-features kept, without model and pictures
    ///
    /// Gives the result of the run that kept them, bit for bit. With --classifier, a file made by
    /// `uta-eval classifier` from the same checkpoint, it gives that of other prompts, and with
    /// --classnames beside it that of other class names.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "imagenet_path", "source", "labels", "dataset", "model", "ckpt_path", "image_size",
            "templates", "cache_dir", "no_cache", "limit", "shard", "device", "precision",
            "batch_size", "workers", "strict", "resume", "out", "save_features"
        ],
        value_hint = ValueHint::FilePath
    )]
    pub from_features: Option<PathBuf>,
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
pub struct ExpectArgs {
    /// Expect this top-1 accuracy in percent; exit code 1 if it is missed
    ///
    /// The result is printed and written in any case. See --tolerance.
    #[arg(long, value_name = "PERCENT")]
    pub expect_top1: Option<f64>,
    /// Expect this top-5 accuracy in percent; exit code 1 if it is missed
    #[arg(long, value_name = "PERCENT")]
    pub expect_top5: Option<f64>,
    /// Expect the accuracy that was published for the model
    ///
    /// The top-1 accuracy of UTA-B, UTA-L-pix336 or UTA-g-pix336 on all of ImageNet's validation
    /// pictures. No top-5 is published.
    #[arg(long, value_name = "WHAT", conflicts_with = "expect_top1")]
    pub expect: Option<ExpectArg>,
    /// Percentage points by which an expectation may be missed, either way
    #[arg(long, value_name = "POINTS", default_value_t = 0.1)]
    pub tolerance: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExpectArg {
    Published,
}

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
    /// Accuracy with intervals, classes, confusions, calibration, and the worst and most surprising
    /// pictures as thumbnails.
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

/// Where the pictures are, and what says their classes.
#[derive(Debug, Clone, Args)]
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
        required_unless_present = "from_features",
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
    /// ILSVRC2012_validation_ground_truth.txt with its meta.mat (or a list of synsets) beside it.
    /// Default: LOC_val_solution.csv, imagenet_2012_validation_synset_labels.txt or the devkit's
    /// file, beside the pictures or one folder up, or in `data` or `ILSVRC2012_devkit_t12/data`
    /// there.
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

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub outputs: OutputArgs,
}

/// Which model.
#[derive(Debug, Clone, Args)]
pub struct ModelNameArgs {
    /// Model: a name, or a JSON file that describes one
    ///
    /// eva_base_p16 (UTA-B), eva_large_p14_336 (UTA-L-pix336), eva_giant_p14_336 (UTA-g-pix336)
    /// or uta_demo, in any case; or the path of a JSON file with the dimensions of another size
    /// of the same architecture.
    #[arg(long, value_name = "NAME|FILE", default_value = "eva_base_p16")]
    pub model: String,
}

/// Which model, with which weights.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    #[command(flatten)]
    pub name: ModelNameArgs,
    /// Checkpoint: .safetensors, or PyTorch's .pt, .pth or .bin
    ///
    /// hf://OWNER/REPOSITORY[@REVISION]/FILE is downloaded from the Hugging Face Hub, unless it is
    /// in the cache that its Python tools use. A path never touches the network.
    #[arg(long, value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub ckpt_path: Option<PathBuf>,
}

/// The texts that the classifier is made of.
#[derive(Debug, Clone, Args)]
pub struct PromptArgs {
    /// Prompt templates, one per line with {} for the class name
    ///
    /// Default: the 80 templates that CLIP's authors chose for ImageNet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub templates: Option<PathBuf>,
    /// Class names, one per line: `name`, or `folder<TAB>name`
    ///
    /// 1000 lines without a folder are names of the ImageNet classes, in their order; another
    /// number are names of the class folders, in their sorted order. With folders, any classes can
    /// be evaluated. Default: the names that CLIP's authors chose.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub classnames: Option<PathBuf>,
}

/// Where the text classifier comes from.
#[derive(Debug, Clone, Args)]
pub struct ClassifierArgs {
    /// Use the classifier in this file, made by `uta-eval classifier`
    ///
    /// It must have been made by the checkpoint's text tower from the same class names. Its
    /// templates are those that it was made with.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["templates", "cache_dir", "no_cache"],
        value_hint = ValueHint::FilePath
    )]
    pub classifier: Option<PathBuf>,
    #[command(flatten)]
    pub cache: CacheArgs,
}

#[derive(Debug, Clone, Args)]
pub struct CacheArgs {
    /// Folder in which finished classifiers are kept [default: the user's cache folder]
    ///
    /// A classifier is found again by the content of the text tower, the prompts and the
    /// precision, so that models with equal text towers share one.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Build the classifier anew and do not keep it
    #[arg(long, conflicts_with = "cache_dir")]
    pub no_cache: bool,
}

/// How the models compute.
#[derive(Debug, Clone, Args)]
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
        value_parser = DeviceArg::parse
    )]
    pub device: DeviceArg,
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceArg {
    Auto,
    Cpu,
    /// Numbers of GPUs, at least one, all different.
    Cuda(Vec<usize>),
}

impl DeviceArg {
    /// # Errors
    /// What is wrong with the value.
    pub fn parse(value: &str) -> Result<Self, String> {
        match value {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => return Ok(Self::Cuda(vec![0])),
            _ => {}
        }
        let numbers = value
            .strip_prefix("cuda:")
            .ok_or("expected auto, cpu, cuda, or cuda: and numbers of GPUs")?;
        let mut gpus = Vec::new();
        for number in numbers.split(',') {
            let gpu = number
                .parse()
                .map_err(|_| format!("\"{number}\" is not the number of a GPU"))?;
            if gpus.contains(&gpu) {
                return Err(format!("GPU {gpu} is named twice"));
            }
            gpus.push(gpu);
        }
        Ok(Self::Cuda(gpus))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSizeArg {
    Auto,
    Pictures(usize),
}

impl BatchSizeArg {
    fn parse(value: &str) -> Result<Self, String> {
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
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST_WORKERS)
    )]
    pub workers: Option<usize>,
    /// Stop at the first picture that cannot be read
    ///
    /// Otherwise it is reported and left out of the counts, the rest is evaluated, and the exit
    /// code is 6.
    #[arg(long)]
    pub strict: bool,
}

/// Where results go beside the text on standard output.
#[derive(Debug, Clone, Args)]
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
    /// Accuracy with intervals, classes, confusions, calibration, and the worst and most surprising
    /// pictures as thumbnails.
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
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST_WORKERS)
    )]
    pub workers: Option<usize>,
    /// Write the findings as JSON; `-` is standard output, then without the text
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
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
    fn parse(value: &str) -> Result<Self, std::convert::Infallible> {
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
}

#[derive(Debug, Clone, Args)]
pub struct ConvertArgs {
    /// Checkpoint to read
    #[arg(value_name = "IN", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Safetensors file to write; must not exist
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Store all floating-point tensors as this type [default: as they are]
    ///
    /// A value out of the type's range is an error.
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<FloatType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FloatType {
    F32,
    F16,
    Bf16,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_explained() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id();
                assert!(
                    argument.get_help().is_some(),
                    "{} {name}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}

//! The command line as its user sees it. Only `settings` and `devices` read these types.

mod data;
mod evaluate;
mod model;
mod numbers;
mod pictures;
mod results;
mod run;
mod tools;

use clap::{Args, Parser, Subcommand};

pub use data::{DataArgs, DataCheckArgs, DataCommand};
pub use evaluate::{DemoArgs, EvaluateArgs, ExpectArg, ExpectArgs, SuiteArgs, SweepArgs};
pub use model::{CacheArgs, ClassifierArgs, ModelArgs, ModelNameArgs, PromptArgs};
pub use pictures::{DatasetArg, LabelNumbersArg, LabelsArg, PicturesArgs, ProtocolArg, SourceArg};
pub use results::{CompareArgs, DocumentArg, MergeArgs, ModelsArgs, SchemaArgs};
pub use run::{BatchSizeArg, ComputeArgs, OutputArgs, PrecisionArg, RunArgs};
pub use tools::{
    ClassifierCommandArgs, ClassifyArgs, CompletionsArgs, ConvertArgs, FloatType, GuideArgs,
    InspectArgs,
};

macro_rules! examples {
    () => {
        "\
Examples:
  uta-eval demo
  uta-eval --imagenet-path /data/imagenet --model eva_base_p16 --ckpt-path uta_b.safetensors
  uta-eval --imagenet-path /data/imagenet --ckpt-path 'runs/*.safetensors' --out results"
    };
}

macro_rules! exit_codes {
    () => {
        "\
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
  8  some evaluations of a sweep or suite failed, or a set of a suite cannot be evaluated
  130  interrupted; the result, if there is one, is partial and says so"
    };
}

/// Zero-shot accuracy of CLIP-like checkpoints: UTA, OpenAI CLIP, OpenCLIP, EVA-CLIP and others.
///
/// Without a subcommand, evaluates a checkpoint on a folder of ImageNet pictures and prints its
/// top-1 and top-5 accuracy. Results go to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXAMPLES,
    after_long_help = concat!(examples!(), "\n\n", exit_codes!())
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
#[command(next_help_heading = "Messages")]
pub struct TalkArgs {
    /// Say nothing on standard error but errors
    ///
    /// No progress bars and no warnings; the warnings are in the result all the same.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell each stage and the time that it took, and show paths and hashes with the result
    ///
    /// Where standard error is no terminal, and progress bars do not appear, this is how to follow
    /// a run.
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// What `uta-eval` alone says.
pub const BEGIN: &str = "\
uta-eval measures the zero-shot ImageNet accuracy of vision-language checkpoints.

  uta-eval demo                                    the whole job on an embedded model, offline
  uta-eval --imagenet-path DIR --ckpt-path FILE    the accuracy of a checkpoint
  uta-eval --help                                  every command and flag";

const EXAMPLES: &str = examples!();

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
    /// Evaluate all data sets of a paper's row: ImageNet, V2, A, R, Sketch, ObjectNet
    ///
    /// Finds the sets in a folder and evaluates one checkpoint or several on them. Each picture is
    /// decoded once and each tower loaded once. Ends in the row: top-1 and top-5 for each set, their
    /// average, and the drop from ImageNet to it, beside the published figures.
    Suite(Box<SuiteArgs>),
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
    /// List the models that have a name, and the checkpoints published for them
    ///
    /// Architecture, weights, operations a picture, and published accuracies on ImageNet and five sets
    /// beside it, in percent. UTA's accuracies are from its paper, the others from open_clip's table.
    Models(ModelsArgs),
    /// Print the JSON schema of a result or a comparison
    ///
    /// The schema describes what --json writes; its version is the field schema_version.
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    ///
    /// For bash: uta-eval completions bash > ~/.local/share/bash-completion/completions/uta-eval
    Completions(CompletionsArgs),
    /// Print the manual page
    ///
    /// To read it: uta-eval man > uta-eval.1 && man ./uta-eval.1
    Man,
    /// Print a guide: data, checkpoints, results, clusters and other topics
    ///
    /// Without a topic, lists the topics with a line each. A guide is Markdown.
    Guide(GuideArgs),
    /// Look at a data set without evaluating it
    Data(DataArgs),
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

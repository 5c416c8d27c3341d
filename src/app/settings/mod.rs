//! Flags become validated settings here, once; nothing behind this module knows the flags.

mod evaluate;
mod facts;
mod features;
mod judging;
mod parts;
mod prompts;
mod refused;
mod suite;
mod sweep;

use std::path::{Path, PathBuf};

use safetensors::Dtype;

use crate::app::error::Error;
use crate::app::flags::{
    ClassifierCommandArgs, ClassifyArgs, Cli, Command, CompareArgs, ConvertArgs, DataArgs,
    DataCheckArgs, DataCommand, DemoArgs, DocumentArg, EvaluateArgs, FloatType, InspectArgs,
    MergeArgs, OutputArgs,
};
use crate::app::guide::{self, Guide};
use crate::app::json_output::JsonTarget;
use crate::checkpoint::CheckpointError;
use crate::data::check::Depth;
use crate::data::{ClassFolders, DataLocation, Set};
use crate::inference::classifiers::ClassifierSource;
use crate::inference::devices::Devices;
use crate::metrics::expectation::Expectations;
use crate::model::ModelConfig;
use crate::model::config::DEMO;
use crate::text::{ClassNames, Templates};
use crate::util::escape::Shown;

pub use evaluate::Evaluate;
pub use features::EvaluateFeatures;
pub use parts::{Execution, Model, Outputs};
pub use prompts::Prompts;
pub use refused::Refused;
pub use suite::{FailedSet, Place, Suite, SuiteRow};
pub use sweep::Sweep;

use parts::{
    Opened, check_distinct, check_folder, check_model, check_no_input, classifier_source, cores,
    devices, expectations, folders, given, model, set, source,
};

/// What to do, completely determined.
#[derive(Debug)]
pub enum Settings {
    Evaluate(Box<Evaluate>),
    EvaluateFeatures(Box<EvaluateFeatures>),
    Demo(Demo),
    Classifier(Box<Classifier>),
    Classify(Box<Classify>),
    Inspect(Inspect),
    Convert(Convert),
    Sweep(Sweep),
    Suite(Box<Suite>),
    Merge(Merge),
    Compare(Compare),
    Models(ListModels),
    Schema(Document),
    Completions(clap_complete::Shell),
    Man,
    Guide(Option<Guide>),
    DataCheck(DataCheck),
}

/// Which models to list.
#[derive(Debug)]
pub struct ListModels {
    /// A part of the name of a model or checkpoint; empty for all.
    pub filter: String,
    pub json: Option<JsonTarget>,
}

/// A JSON document that has a schema.
#[derive(Debug, Clone, Copy)]
pub enum Document {
    Result,
    Comparison,
    Suite,
}

#[derive(Debug)]
pub struct Demo {
    pub run: Execution,
    pub outputs: Outputs,
}

#[derive(Debug)]
pub struct Classifier {
    pub model: Model,
    pub prompts: Prompts,
    pub out: PathBuf,
    pub classifier_source: ClassifierSource,
    pub devices: Devices,
    pub trace: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Classify {
    pub pictures: Vec<PathBuf>,
    pub labels: ClassNames,
    pub templates: Templates,
    pub model: Model,
    pub devices: Devices,
    pub json: Option<JsonTarget>,
}

#[derive(Debug)]
pub struct Inspect {
    pub checkpoint: PathBuf,
    /// The key of the weights that are meant.
    pub weights: Option<String>,
    pub config: Option<ModelConfig>,
}

#[derive(Debug)]
pub struct Convert {
    pub input: PathBuf,
    /// The key of the weights that are meant.
    pub weights: Option<String>,
    pub output: PathBuf,
    pub dtype: Option<Dtype>,
    /// The name of the layout to write.
    pub layout: Option<String>,
}

#[derive(Debug)]
pub struct Merge {
    pub results: Vec<PathBuf>,
    pub expectations: Expectations,
    pub outputs: Outputs,
}

#[derive(Debug)]
pub struct Compare {
    pub a: PathBuf,
    pub b: PathBuf,
    /// Compare on the pictures that both have.
    pub common: bool,
    pub json: Option<JsonTarget>,
}

#[derive(Debug)]
pub struct DataCheck {
    pub pictures: DataLocation,
    pub set: CheckedSet,
    pub depth: Depth,
    pub workers: usize,
    pub json: Option<JsonTarget>,
}

/// What a folder should hold.
#[derive(Debug)]
pub enum CheckedSet {
    /// What it looks like.
    Any,
    This(Set),
    /// Other classes.
    Listed {
        folders: Box<ClassFolders>,
        names: ClassNames,
    },
}

impl Settings {
    /// Validates the flags and reads the small files that they name.
    ///
    /// # Errors
    /// When a flag's value makes no sense or contradicts another.
    pub fn new(cli: Cli) -> Result<Self, Error> {
        Ok(match cli.command {
            None => Self::evaluation(cli.evaluate)?,
            Some(Command::Demo(args)) => Self::Demo(Demo::new(args)?),
            Some(Command::Classifier(args)) => Self::Classifier(Box::new(Classifier::new(args)?)),
            Some(Command::Classify(args)) => Self::Classify(Box::new(Classify::new(args)?)),
            Some(Command::Inspect(args)) => Self::Inspect(Inspect::new(args)?),
            Some(Command::Convert(args)) => Self::Convert(Convert::new(args)?),
            Some(Command::Suite(args)) => Self::evaluation(args.evaluate)?,
            Some(Command::Sweep(args)) => Self::Sweep(Sweep::of_file(args)?),
            Some(Command::Merge(args)) => Self::Merge(Merge::new(args)?),
            Some(Command::Compare(args)) => Self::Compare(Compare::new(args)?),
            Some(Command::Models(args)) => Self::Models(ListModels {
                filter: args.filter.unwrap_or_default(),
                json: args.json.map(JsonTarget::new),
            }),
            Some(Command::Schema(args)) => Self::Schema(match args.of {
                DocumentArg::Result => Document::Result,
                DocumentArg::Comparison => Document::Comparison,
                DocumentArg::Suite => Document::Suite,
            }),
            Some(Command::Completions(args)) => Self::Completions(args.shell),
            Some(Command::Man) => Self::Man,
            Some(Command::Guide(args)) => Self::Guide(args.topic.as_deref().and_then(guide::find)),
            Some(Command::Data(DataArgs {
                command: DataCommand::Check(args),
            })) => Self::DataCheck(DataCheck::new(args)?),
        })
    }

    /// Whether it computes with models or pictures, on several threads.
    pub fn computes(&self) -> bool {
        !matches!(
            self,
            Self::Models(_) | Self::Schema(_) | Self::Completions(_) | Self::Man | Self::Guide(_)
        )
    }

    /// Where a trace of the run goes.
    pub fn trace(&self) -> Option<&Path> {
        match self {
            Self::Evaluate(settings) => settings.outputs.trace.as_deref(),
            Self::EvaluateFeatures(settings) => settings.outputs.trace.as_deref(),
            Self::Demo(settings) => settings.outputs.trace.as_deref(),
            Self::Sweep(settings) => settings.trace.as_deref(),
            Self::Suite(settings) => settings.sweep.trace.as_deref(),
            Self::Classifier(settings) => settings.trace.as_deref(),
            _ => None,
        }
    }

    /// One evaluation, of pictures or features, or a sweep over several checkpoints.
    fn evaluation(args: EvaluateArgs) -> Result<Self, Error> {
        if let Some(features) = args.from_features.clone() {
            let settings = EvaluateFeatures::new(args, features)?;
            return Ok(Self::EvaluateFeatures(Box::new(settings)));
        }
        let checkpoints = sweep::checkpoints(&args)?;
        if args.suite.is_some() {
            return Ok(Self::Suite(Box::new(Suite::new(args, &checkpoints)?)));
        }
        Ok(match checkpoints.as_slice() {
            [only] if args.out.is_none() => {
                check_model(&args.model, only.as_deref())?;
                let run = Evaluate::new(args, only.as_deref(), &mut Opened::default())?;
                Self::Evaluate(Box::new(run))
            }
            _ => Self::Sweep(Sweep::of_checkpoints(&args, &checkpoints)?),
        })
    }
}

impl Demo {
    fn new(args: DemoArgs) -> Result<Self, Error> {
        Ok(Self {
            run: Execution::new(
                &args.run,
                devices(&args.run.compute)?,
                &ModelConfig::from_name_or_file(DEMO)?,
            ),
            outputs: Outputs::new(args.outputs, None, &[])?,
        })
    }
}

impl Classifier {
    fn new(args: ClassifierCommandArgs) -> Result<Self, Error> {
        let out = given(args.out, "--out")?;
        check_folder(&out)?;
        let model = model(&args.model)?;
        if let Some(trace) = &args.trace {
            check_no_input(trace, "--trace", &[&model.checkpoint])?;
            check_distinct(&[("--out", &out), ("--trace", trace)])?;
        }
        Ok(Self {
            model,
            prompts: Prompts::new(&args.prompts)?.check()?,
            out,
            classifier_source: classifier_source(args.cache),
            devices: devices(&args.compute)?,
            trace: args.trace,
        })
    }
}

impl Classify {
    fn new(args: ClassifyArgs) -> Result<Self, Error> {
        let labels: Vec<String> = args
            .labels
            .iter()
            .map(|label| label.trim().into())
            .collect();
        if labels.iter().any(String::is_empty) {
            return Err(Error::usage(
                "--labels has an empty label",
                "separate labels by single commas: --labels \"a diagram,a dog,a cat\"",
            ));
        }
        if let Some(path) = args.json.as_deref().filter(|path| *path != Path::new("-")) {
            check_folder(path)?;
        }
        let model = model(&args.model)?;
        let inputs: Vec<&PathBuf> = args.pictures.iter().chain([&model.checkpoint]).collect();
        let json = args.json.map(JsonTarget::new);
        if let Some(path) = json.as_ref().and_then(JsonTarget::file) {
            check_no_input(path, "--json", &inputs)?;
        }
        Ok(Self {
            labels: ClassNames::from_names(labels),
            templates: match &args.templates {
                Some(path) => Templates::from_file(path)?,
                None => Templates::verbatim(),
            },
            json,
            devices: devices(&args.compute)?,
            pictures: args.pictures,
            model,
        })
    }
}

impl Inspect {
    fn new(args: InspectArgs) -> Result<Self, Error> {
        let config = args
            .model
            .as_deref()
            .map(ModelConfig::from_name_or_file)
            .transpose()?;
        Ok(Self {
            checkpoint: args.checkpoint,
            weights: args.weights,
            config,
        })
    }
}

impl Convert {
    fn new(args: ConvertArgs) -> Result<Self, Error> {
        let ending = args.output.extension();
        if !ending.is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")) {
            return Err(Error::usage(
                format!(
                    "convert writes safetensors, and {} ends otherwise",
                    args.output.shown()
                ),
                "give the new file a name that ends in .safetensors",
            ));
        }
        let output = &args.output;
        check_folder(output)?;
        if output.symlink_metadata().is_ok() {
            let path = output.clone();
            return Err(CheckpointError::OutputExists { path }.into());
        }
        let dtype = args.dtype.map(|dtype| match dtype {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        });
        Ok(Self {
            input: args.input,
            weights: args.weights,
            output: args.output,
            dtype,
            layout: args.layout,
        })
    }
}

impl Merge {
    fn new(args: MergeArgs) -> Result<Self, Error> {
        let inputs: Vec<&PathBuf> = args.results.iter().collect();
        let outputs = OutputArgs {
            json: args.json,
            predictions: None,
            report: args.report,
            save_features: None,
            trace: None,
        };
        Ok(Self {
            outputs: Outputs::new(outputs, None, &inputs)?,
            expectations: expectations(&args.expect)?,
            results: args.results,
        })
    }
}

impl Compare {
    fn new(args: CompareArgs) -> Result<Self, Error> {
        let json = args.json.map(JsonTarget::new);
        if let Some(path) = json.as_ref().and_then(JsonTarget::file) {
            check_no_input(path, "--json", &[&args.a, &args.b])?;
        }
        Ok(Self {
            a: args.a,
            b: args.b,
            common: args.common,
            json,
        })
    }
}

impl DataCheck {
    fn new(args: DataCheckArgs) -> Result<Self, Error> {
        Ok(Self {
            pictures: DataLocation {
                path: args.path,
                source: source(args.source),
                labels: args.labels,
                real: false,
                numbers: args.label_numbers.map(Into::into),
            },
            set: match (args.dataset, args.classnames) {
                (_, Some(file)) => {
                    let names = ClassNames::from_file(&file)?;
                    let folders = folders(&names).into();
                    CheckedSet::Listed { folders, names }
                }
                (Some(dataset), None) => CheckedSet::This(set(dataset)),
                (None, None) => CheckedSet::Any,
            },
            depth: if args.full { Depth::Full } else { Depth::Fast },
            workers: args.workers.unwrap_or_else(cores),
            json: args.json.map(JsonTarget::new),
        })
    }
}

//! Flags become validated settings here, once; nothing behind this module knows the flags.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

use crate::classifier::cache::Cache;
use crate::classifiers::Stock;
use crate::cli::{
    BatchSizeArg, CacheArgs, ClassifierCommandArgs, ClassifyArgs, Cli, Command, CompareArgs,
    ComputeArgs, ConvertArgs, DataArgs, DataCheckArgs, DataCommand, DatasetArg, DemoArgs,
    DeviceArg, EvaluateArgs, ExpectArgs, FloatType, InspectArgs, LabelsArg, MergeArgs, ModelArgs,
    OutputArgs, PrecisionArg, PromptArgs, RunArgs, SourceArg, SweepArgs,
};
use crate::data::check::Depth;
use crate::data::{ClassFolders, LoaderSettings, Place, Protocol, Set, Source, Truth};
use crate::devices::{self, Devices};
use crate::error::{Error, Warning};
use crate::expectation::{Expectations, Tolerance};
use crate::loading;
use crate::model::Variant;
use crate::model::schema::{self, TensorSpec};
use crate::model::variant::DEMO;
use crate::report::json::JsonTarget;
use crate::shard::Shard;
use crate::sweep_file;
use crate::text::{ClassNames, Templates, imagenet};
use clap::Parser;

/// What to do, completely determined.
#[derive(Debug)]
pub enum Settings {
    Evaluate(Box<Evaluate>),
    Demo(Demo),
    Classifier(Box<Classifier>),
    Classify(Box<Classify>),
    Inspect(Inspect),
    Convert(Convert),
    Sweep(Sweep),
    Merge(Merge),
    Compare(Compare),
    Schema,
    Completions(clap_complete::Shell),
    Man,
    DataCheck(DataCheck),
}

#[derive(Debug)]
pub struct Evaluate {
    /// The run's name in a journal and a sweep's table.
    pub name: String,
    pub pictures: Place,
    /// How they are judged.
    pub protocol: Protocol,
    pub model: Model,
    pub prompts: Arc<Prompts>,
    pub classifier: Stock,
    pub limit: Option<usize>,
    pub shard: Option<Shard>,
    pub expectations: Expectations,
    pub run: Run,
    pub outputs: Outputs,
    /// What has been found already, and what will be.
    pub journal: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Demo {
    pub run: Run,
    pub outputs: Outputs,
}

#[derive(Debug)]
pub struct Classifier {
    pub model: Model,
    pub prompts: Prompts,
    pub out: PathBuf,
    pub stock: Stock,
    pub devices: Devices,
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
    pub variant: Option<Variant>,
}

#[derive(Debug)]
pub struct Convert {
    pub input: PathBuf,
    pub output: PathBuf,
    pub dtype: Option<Dtype>,
}

/// Several evaluations.
#[derive(Debug)]
pub struct Sweep {
    pub runs: Vec<Evaluate>,
    /// Folder for the results.
    pub out: Option<PathBuf>,
    pub journal: Option<PathBuf>,
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
    pub pictures: Place,
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
        folders: ClassFolders,
        names: ClassNames,
    },
}

/// A variant and where its weights are.
#[derive(Debug)]
pub struct Model {
    pub variant: Variant,
    pub checkpoint: PathBuf,
}

/// Class names and templates, and the folders that the classes have.
#[derive(Debug)]
pub struct Prompts {
    pub classes: ClassNames,
    pub folders: ClassFolders,
    pub templates: Templates,
    pub classnames_file: Option<PathBuf>,
    pub templates_file: Option<PathBuf>,
}

/// How the work is done.
#[derive(Debug, Clone)]
pub struct Run {
    pub devices: Devices,
    pub loader: LoaderSettings,
    pub strict: bool,
}

/// Where results go beside the text on standard output.
#[derive(Debug, Default)]
pub struct Outputs {
    pub json: Option<JsonTarget>,
    pub predictions: Option<PathBuf>,
    /// The HTML report.
    pub report: Option<PathBuf>,
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
            Some(Command::Convert(args)) => Self::Convert(Convert::new(args)),
            Some(Command::Sweep(args)) => Self::Sweep(Sweep::of_file(args)?),
            Some(Command::Merge(args)) => Self::Merge(Merge::new(args)?),
            Some(Command::Compare(args)) => Self::Compare(Compare::new(args)?),
            Some(Command::Schema) => Self::Schema,
            Some(Command::Completions(args)) => Self::Completions(args.shell),
            Some(Command::Man) => Self::Man,
            Some(Command::Data(DataArgs {
                command: DataCommand::Check(args),
            })) => Self::DataCheck(DataCheck::new(args)?),
        })
    }

    /// One evaluation, or a sweep over several checkpoints.
    fn evaluation(args: EvaluateArgs) -> Result<Self, Error> {
        let checkpoints = checkpoints(&args.ckpt_path)?;
        Ok(match checkpoints.as_slice() {
            [only] if args.out.is_none() => {
                let run = Evaluate::new(args, only, &mut Opened::default())?;
                Self::Evaluate(Box::new(run))
            }
            _ => Self::Sweep(Sweep::of_checkpoints(&args, &checkpoints)?),
        })
    }
}

impl Sweep {
    /// The evaluations of several checkpoints with the same flags.
    fn of_checkpoints(args: &EvaluateArgs, checkpoints: &[PathBuf]) -> Result<Self, Error> {
        let OutputArgs {
            json,
            predictions,
            report,
        } = &args.outputs;
        for (flag, path) in [
            ("--json", json),
            ("--predictions", predictions),
            ("--report", report),
        ] {
            if path.is_some() {
                return Err(Error::usage(
                    format!("{flag} is for the result of one checkpoint"),
                    "give --out DIR, which gets a JSON result for each checkpoint",
                ));
            }
        }
        let mut opened = Opened::default();
        let run = |checkpoint: &PathBuf| Evaluate::new(args.clone(), checkpoint, &mut opened);
        Self::new(
            checkpoints.iter().map(run).collect::<Result<_, _>>()?,
            args.out.clone(),
            args.resume.clone(),
        )
    }

    /// The evaluations of a sweep's file.
    fn of_file(args: SweepArgs) -> Result<Self, Error> {
        let mut opened = Opened::default();
        let mut runs = Vec::new();
        for flags in sweep_file::read(&args.file)? {
            let line = std::iter::once("uta-eval").chain(flags.iter().map(String::as_str));
            let run = Cli::try_parse_from(line).map_err(|e| {
                let text = e.to_string();
                let reason = text.lines().next().unwrap_or_default();
                let reason = reason.trim_start_matches("error: ");
                Error::usage(
                    format!("{}: {}: {reason}", args.file.display(), flags.join(" ")),
                    "its keys are the flags of the main command; see uta-eval --help",
                )
            })?;
            let run = run.evaluate;
            for checkpoint in checkpoints(&run.ckpt_path)? {
                runs.push(Evaluate::new(run.clone(), &checkpoint, &mut opened)?);
            }
        }
        Self::new(runs, args.out, args.resume)
    }

    fn new(
        mut runs: Vec<Evaluate>,
        out: Option<PathBuf>,
        journal: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let mut names = HashSet::new();
        for run in &mut runs {
            let checkpoint = run.model.checkpoint.display();
            let precision = run.run.devices.first().precision();
            let model = &run.model.variant.name;
            run.name = format!("{model} {checkpoint} {precision} {}", run.stream());
            if !names.insert(run.name.clone()) {
                return Err(Error::usage(
                    format!("the sweep evaluates {checkpoint} twice in the same way"),
                    "name each checkpoint once",
                ));
            }
        }
        Ok(Self { runs, out, journal })
    }

    /// What is worth a warning about the devices, once.
    pub fn remarks(&self) -> impl Iterator<Item = &Warning> {
        let mut told = HashSet::new();
        let remarks = self
            .runs
            .iter()
            .filter_map(|run| run.run.devices.remark.as_ref());
        remarks.filter(move |remark| told.insert(remark.to_string()))
    }
}

impl Evaluate {
    /// Names the list of pictures: evaluations in which it is equal see the same ones.
    pub fn stream(&self) -> String {
        let shard = self.shard.map(|shard| shard.to_string());
        format!(
            "{} as {} {:?} {:?} {:?} {:?} {:?}",
            self.pictures.path.display(),
            self.protocol.name(),
            self.pictures.source,
            self.pictures.labels,
            self.limit,
            shard,
            self.prompts.classnames_file
        )
    }

    /// A short name for the data set: its folder's, and how it is judged if not as ImageNet.
    pub fn set_name(&self) -> String {
        let mut names = self
            .pictures
            .path
            .iter()
            .rev()
            .map(|part| part.to_string_lossy());
        let name = names.find(|name| !matches!(name.as_ref(), "val" | "." | "/"));
        let name = name.map_or_else(|| self.pictures.path.display().to_string(), Into::into);
        match self.protocol == Protocol::default() || self.protocol == Protocol::listed(None) {
            true => name,
            false => format!("{name} ({})", self.protocol.name()),
        }
    }

    /// Memory that the loaded vision towers take, on all lanes together.
    pub fn tower_bytes(&self) -> u64 {
        let element = match self.run.devices.first().precision() {
            "bf16" | "f16" => 2,
            _ => 4,
        };
        let vision = |tensor: &TensorSpec| tensor.name.starts_with(loading::VISION_TOWER);
        let elements: usize = schema::tensors(&self.model.variant)
            .iter()
            .filter(|tensor| tensor.required && vision(tensor))
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        (elements * element * self.run.devices.lanes().count()) as u64
    }

    fn new(args: EvaluateArgs, checkpoint: &Path, opened: &mut Opened) -> Result<Self, Error> {
        let model = Model {
            variant: Variant::from_name_or_file(&args.model.model)?,
            checkpoint: checkpoint.into(),
        };
        check_image_size(args.image_size, &model.variant)?;
        let shard = args.shard.as_deref().map(Shard::from_flag).transpose()?;
        let expectations = expectations(&args.expect)?;
        if shard.is_some() && !expectations.is_empty() {
            return Err(Error::usage(
                "a shard's accuracy is not the data set's, so that nothing can be expected of it",
                "give --expect, --expect-top1 and --expect-top5 to uta-eval merge",
            ));
        }
        expectations.check_published(&model.variant.name)?;
        let mut prompts = Prompts::new(args.prompts)?;
        let real = args.pictures.labels == Some(LabelsArg::Real);
        let protocol = protocol(set(args.dataset), real, &mut prompts)?;
        if args.expect.expect.is_some() && protocol != Protocol::default() {
            return Err(Error::usage(
                "--expect published is about ImageNet's validation set with its own labels",
                "give what you expect of this data set with --expect-top1",
            ));
        }
        let labels = match args.pictures.labels {
            Some(LabelsArg::File(path)) => Some(path),
            Some(LabelsArg::Real) | None => None,
        };
        let pictures = Place {
            path: given(args.pictures.imagenet_path, "--imagenet-path")?,
            source: source(args.pictures.source),
            labels,
        };
        let inputs = [&model.checkpoint, &pictures.path];
        let inputs: Vec<&PathBuf> = inputs.into_iter().chain(&pictures.labels).collect();
        Ok(Self {
            name: "evaluation".into(),
            protocol,
            journal: args.resume,
            prompts: prompts.into(),
            classifier: match args.classifier.classifier {
                Some(path) => Stock::File(path),
                None => stock(args.classifier.cache),
            },
            limit: args.limit,
            shard,
            expectations,
            run: Run::new(&args.run, &model.variant, opened)?,
            outputs: Outputs::new(args.outputs, &inputs)?,
            pictures,
            model,
        })
    }
}

impl Demo {
    fn new(args: DemoArgs) -> Result<Self, Error> {
        Ok(Self {
            run: Run::new(
                &args.run,
                &Variant::from_name_or_file(DEMO)?,
                &mut Opened::default(),
            )?,
            outputs: Outputs::new(args.outputs, &[])?,
        })
    }
}

impl Classifier {
    fn new(args: ClassifierCommandArgs) -> Result<Self, Error> {
        Ok(Self {
            model: Model::new(args.model)?,
            prompts: Prompts::new(args.prompts)?,
            out: given(args.out, "--out")?,
            stock: stock(args.cache),
            devices: devices(&args.compute)?,
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
        let model = Model::new(args.model)?;
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
        let variant = args
            .model
            .as_deref()
            .map(Variant::from_name_or_file)
            .transpose()?;
        Ok(Self {
            checkpoint: args.checkpoint,
            variant,
        })
    }
}

impl Convert {
    fn new(args: ConvertArgs) -> Self {
        let dtype = args.dtype.map(|dtype| match dtype {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        });
        Self {
            input: args.input,
            output: args.output,
            dtype,
        }
    }
}

impl Merge {
    fn new(args: MergeArgs) -> Result<Self, Error> {
        let inputs: Vec<&PathBuf> = args.results.iter().collect();
        let outputs = OutputArgs {
            json: args.json,
            predictions: None,
            report: args.report,
        };
        Ok(Self {
            outputs: Outputs::new(outputs, &inputs)?,
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
            pictures: Place {
                path: args.path,
                source: source(args.source),
                labels: args.labels,
            },
            set: match (args.dataset, args.classnames) {
                (_, Some(file)) => {
                    let names = ClassNames::from_file(&file)?;
                    let folders = folders(&names);
                    CheckedSet::Listed { folders, names }
                }
                (Some(dataset), None) => CheckedSet::This(set(dataset)),
                (None, None) => CheckedSet::Any,
            },
            depth: match args.full {
                true => Depth::Full,
                false => Depth::Fast,
            },
            workers: args.workers.unwrap_or_else(cores),
            json: args.json.map(JsonTarget::new),
        })
    }
}

impl Model {
    fn new(args: ModelArgs) -> Result<Self, Error> {
        Ok(Self {
            variant: Variant::from_name_or_file(&args.name.model)?,
            checkpoint: given(args.ckpt_path, "--ckpt-path")?,
        })
    }
}

impl Prompts {
    /// The built-in class names and templates.
    pub fn imagenet() -> Self {
        Self {
            classes: ClassNames::imagenet(),
            folders: ClassFolders::imagenet(),
            templates: Templates::imagenet(),
            classnames_file: None,
            templates_file: None,
        }
    }

    fn new(args: PromptArgs) -> Result<Self, Error> {
        let mut prompts = Self::imagenet();
        if let Some(path) = &args.templates {
            prompts.templates = Templates::from_file(path)?;
        }
        if let Some(path) = &args.classnames {
            prompts.classes = ClassNames::from_file(path)?;
            prompts.folders = folders(&prompts.classes);
        }
        Ok(Self {
            classnames_file: args.classnames,
            templates_file: args.templates,
            ..prompts
        })
    }
}

impl Run {
    fn new(args: &RunArgs, variant: &Variant, opened: &mut Opened) -> Result<Self, Error> {
        let workers = args.workers.unwrap_or_else(cores);
        let devices = opened.devices(&args.compute)?;
        Ok(Self {
            loader: LoaderSettings {
                batch_size: batch_size(args.batch_size, &devices, variant),
                workers,
            },
            devices,
            strict: args.strict,
        })
    }
}

impl Outputs {
    fn new(args: OutputArgs, inputs: &[&PathBuf]) -> Result<Self, Error> {
        let json = args.json.map(JsonTarget::new);
        let files: Vec<(&str, &Path)> = [
            ("--json", json.as_ref().and_then(JsonTarget::file)),
            ("--predictions", args.predictions.as_deref()),
            ("--report", args.report.as_deref()),
        ]
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path?)))
        .collect();
        for (index, (flag, path)) in files.iter().enumerate() {
            check_no_input(path, flag, inputs)?;
            let others = files.get(index + 1..).unwrap_or_default();
            if let Some((other, _)) = others.iter().find(|(_, other)| other == path) {
                return Err(Error::usage(
                    format!("{flag} and {other} both name {}", path.display()),
                    "give each a file of its own",
                ));
            }
        }
        Ok(Self {
            json,
            predictions: args.predictions,
            report: args.report,
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn set(dataset: DatasetArg) -> Set {
    match dataset {
        DatasetArg::Imagenet => Set::ImageNet,
        DatasetArg::ImagenetV2 => Set::V2,
        DatasetArg::ImagenetA => Set::A,
        DatasetArg::ImagenetR => Set::R,
        DatasetArg::ImagenetSketch => Set::Sketch,
        DatasetArg::Objectnet => Set::ObjectNet,
    }
}

/// How the pictures of a data set are judged; the prompts get its folders.
fn protocol(set: Set, real: bool, prompts: &mut Prompts) -> Result<Protocol, Error> {
    let others = prompts.classes.folders().is_some() || prompts.classes.len() != imagenet::CLASSES;
    let mut protocol = match (others, set) {
        (false, set) => {
            prompts.folders = set.folders();
            Protocol::of(set)
        }
        (true, Set::ImageNet) => Protocol::listed(None),
        (true, Set::ObjectNet) if prompts.classes.folders().is_some() => {
            let folders = prompts.classes.folders().unwrap_or_default();
            prompts.folders = set.listed_folders(folders);
            Protocol::listed(Some(set))
        }
        (true, set) => {
            return Err(Error::usage(
                format!(
                    "--dataset {} has ImageNet's classes, but --classnames lists others",
                    set.name()
                ),
                "leave --dataset out to evaluate the folders that the file lists, or list the names of ImageNet's 1000 classes",
            ));
        }
    };
    if real {
        if others || set != Set::ImageNet {
            return Err(Error::usage(
                "--labels real is about ImageNet's validation set",
                "leave --labels out for other data sets and other classes",
            ));
        }
        protocol.truth = Truth::Real;
    }
    Ok(protocol)
}

/// The folders of listed classes.
fn folders(names: &ClassNames) -> ClassFolders {
    match names.folders() {
        Some(folders) => ClassFolders::named(folders),
        None if names.len() == imagenet::CLASSES => ClassFolders::imagenet(),
        None => ClassFolders::sorted(names.len()),
    }
}

/// Pictures in a batch of a model with so many tokens a picture.
fn batch_size(wanted: BatchSizeArg, devices: &Devices, variant: &Variant) -> usize {
    match wanted {
        BatchSizeArg::Pictures(pictures) => pictures,
        BatchSizeArg::Auto => devices.batch_size(variant.vision.tokens()),
    }
}

/// Devices that were opened for earlier evaluations of a sweep.
#[derive(Default)]
struct Opened(Vec<(DeviceArg, PrecisionArg, Devices)>);

impl Opened {
    fn devices(&mut self, args: &ComputeArgs) -> Result<Devices, Error> {
        let known = self
            .0
            .iter()
            .find(|(device, precision, _)| (device, precision) == (&args.device, &args.precision));
        if let Some((_, _, devices)) = known {
            return Ok(devices.clone());
        }
        let devices = devices(args)?;
        self.0
            .push((args.device.clone(), args.precision, devices.clone()));
        Ok(devices)
    }
}

/// The files that paths and patterns name.
fn checkpoints(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(pattern) = pattern.filter(|_| !path.exists()) else {
            files.push(path.clone());
            continue;
        };
        let unfit = |reason: String| {
            Error::usage(
                format!("--ckpt-path {pattern}: {reason}"),
                "* stands for any part of a name, ** for any folders",
            )
        };
        let found = glob::glob(pattern).map_err(|e| unfit(e.to_string()))?;
        let before = files.len();
        for file in found {
            files.push(file.map_err(|e| unfit(e.to_string()))?);
        }
        if files.len() == before {
            return Err(unfit("no file fits the pattern".into()));
        }
    }
    Ok(files)
}

fn devices(args: &ComputeArgs) -> Result<Devices, Error> {
    devices::select(&args.device, args.precision)
}

fn expectations(args: &ExpectArgs) -> Result<Expectations, Error> {
    let tolerance = Tolerance::new(args.tolerance)?;
    Expectations::new(
        args.expect_top1,
        args.expect_top5,
        args.expect.is_some(),
        tolerance,
    )
}

/// Where classifiers are kept. Without a home folder there is no default one.
fn stock(args: CacheArgs) -> Stock {
    match args.cache_dir.or_else(Cache::default_folder) {
        Some(folder) if !args.no_cache => Stock::Cache(Cache::new(folder)),
        _ => Stock::None,
    }
}

/// How pictures are kept, if it is said.
fn source(source: SourceArg) -> Option<Source> {
    match source {
        SourceArg::Auto => None,
        SourceArg::Folders => Some(Source::Folders),
        SourceArg::Flat => Some(Source::Flat),
        SourceArg::Tar => Some(Source::Tar),
        SourceArg::Webdataset => Some(Source::WebDataset),
        SourceArg::Parquet => Some(Source::Parquet),
    }
}

/// A flag that the command line requires.
fn given(path: Option<PathBuf>, flag: &str) -> Result<PathBuf, Error> {
    path.ok_or_else(|| Error::usage(format!("{flag} is missing"), "see uta-eval --help"))
}

fn check_image_size(given: Option<usize>, variant: &Variant) -> Result<(), Error> {
    let size = variant.preprocessing.size;
    match given {
        Some(given) if given != size => Err(Error::usage(
            format!(
                "--image-size {given} does not agree with {}, whose input is {size} x {size} pixels",
                variant.display_name()
            ),
            "leave --image-size out: the size belongs to the model",
        )),
        _ => Ok(()),
    }
}

/// Refuses to replace an input by a result.
fn check_no_input(output: &Path, flag: &str, inputs: &[&PathBuf]) -> Result<(), Error> {
    let Ok(real) = output.canonicalize() else {
        return Ok(());
    };
    match inputs
        .iter()
        .find(|input| input.canonicalize().is_ok_and(|input| input == real))
    {
        Some(_) => Err(Error::usage(
            format!("{flag} {} would replace an input", output.display()),
            "choose another name for the result",
        )),
        None => Ok(()),
    }
}

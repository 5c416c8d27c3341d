//! What several commands have in common: models, prompts, devices, outputs.

use std::path::{Path, PathBuf};

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::{
    BatchSizeArg, CacheArgs, ComputeArgs, DatasetArg, ExpectArgs, ModelArgs, ModelNameArgs,
    OutputArgs, RunArgs, SourceArg,
};
use crate::app::json_output::JsonTarget;
use crate::classifier::cache::Cache;
use crate::data::{ClassFolders, LoaderSettings, Set, Source};
use crate::inference::choice::{Asked, Chosen, choose};
use crate::inference::classifiers::ClassifierSource;
use crate::inference::devices::{self, DeviceChoice, Devices, PrecisionChoice};
use crate::inference::loading;
use crate::metrics::expectation::{Expectations, Tolerance};
use crate::model::ModelConfig;
use crate::report::predictions;
use crate::text::{ClassNames, imagenet};
use crate::util::destination::Destination;
use crate::util::escape::Shown;
use crate::util::output_file::OutputError;
use crate::util::usage::UsageError;

/// A configuration, and where its weights are.
pub type Model = Chosen;

/// How the work is done.
#[derive(Debug, Clone)]
pub struct Execution {
    pub devices: Devices,
    pub loader: LoaderSettings,
    pub strict: bool,
}

/// Where results go beside the text on standard output.
#[derive(Debug, Default)]
pub struct Outputs {
    pub json: Option<JsonTarget>,
    /// Each picture's best classes.
    pub predictions: Option<(PathBuf, predictions::Format)>,
    /// The HTML report.
    pub report: Option<PathBuf>,
    /// The pictures' features.
    pub features: Option<PathBuf>,
    /// What each thread did, and when.
    pub trace: Option<PathBuf>,
}

/// Refuses a model that is none, and a checkpoint that is not there, without opening it.
pub(super) fn check_model(args: &ModelNameArgs, checkpoint: Option<&Path>) -> Result<(), Error> {
    if let Some(model) = &args.model {
        ModelConfig::from_name_or_file(model)?;
    }
    match checkpoint {
        Some(path) => Ok(loading::check(path)?),
        None => Ok(()),
    }
}

/// The model that the flags mean.
pub(super) fn model(args: &ModelArgs) -> Result<Model, Error> {
    check_model(&args.name, args.ckpt_path.as_deref())?;
    let asked = Asked {
        model: args.name.model.as_deref(),
        pretrained: args.name.pretrained.as_deref(),
        checkpoint: args.ckpt_path.as_deref(),
        weights: args.name.weights.as_deref(),
    };
    Ok(choose(asked, &mut Console::default())?)
}

impl Execution {
    pub(super) fn new(args: &RunArgs, devices: Devices, config: &ModelConfig) -> Self {
        Self {
            loader: LoaderSettings {
                batch_size: batch_size(args.batch_size, &devices, config),
                workers: workers(args),
            },
            devices,
            strict: args.strict,
        }
    }
}

impl Outputs {
    /// `journal` is written, too, and so has to be another file.
    pub(super) fn new(
        args: OutputArgs,
        journal: Option<&Path>,
        inputs: &[&PathBuf],
    ) -> Result<Self, Error> {
        let json = args.json.map(JsonTarget::new);
        let stdout = Path::new("/dev/stdout");
        let json_path = json.as_ref().map(|json| json.file().unwrap_or(stdout));
        let files: Vec<(&str, &Path)> = [
            ("--json", json_path),
            ("--predictions", args.predictions.as_deref()),
            ("--report", args.report.as_deref()),
            ("--save-features", args.save_features.as_deref()),
            ("--trace", args.trace.as_deref()),
            ("--resume", journal),
        ]
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path?)))
        .collect();
        for (flag, path) in &files {
            check_no_input(path, flag, inputs)?;
        }
        check_distinct(&files)?;
        let predictions = args.predictions.map(|path| {
            let format = predictions::Format::of(&path)?;
            Ok::<_, UsageError>((path, format))
        });
        Ok(Self {
            json,
            predictions: predictions.transpose()?,
            report: args.report,
            features: args.save_features,
            trace: args.trace,
        })
    }
}

/// Threads that read and decode pictures.
pub(super) fn workers(args: &RunArgs) -> usize {
    args.workers.unwrap_or_else(cores)
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) fn set(dataset: DatasetArg) -> Set {
    match dataset {
        DatasetArg::Imagenet => Set::ImageNet,
        DatasetArg::ImagenetV2 => Set::V2,
        DatasetArg::ImagenetA => Set::A,
        DatasetArg::ImagenetR => Set::R,
        DatasetArg::ImagenetSketch => Set::Sketch,
        DatasetArg::Objectnet => Set::ObjectNet,
    }
}

/// The folders of listed classes.
pub(super) fn folders(names: &ClassNames) -> ClassFolders {
    match names.folders() {
        Some(folders) => ClassFolders::named(folders),
        None if names.len() == imagenet::CLASSES => ClassFolders::imagenet(),
        None => ClassFolders::sorted(names.len()),
    }
}

/// Pictures in a batch of a model with so many tokens a picture.
pub(super) fn batch_size(request: BatchSizeArg, devices: &Devices, config: &ModelConfig) -> usize {
    match request {
        BatchSizeArg::Pictures(pictures) => pictures,
        BatchSizeArg::Auto => devices.batch_size(config.vision.tokens()),
    }
}

/// Devices that were opened for earlier evaluations of a sweep.
#[derive(Default)]
pub(super) struct Opened(Vec<(DeviceChoice, PrecisionChoice, Devices)>);

impl Opened {
    pub(super) fn devices(&mut self, args: &ComputeArgs) -> Result<Devices, Error> {
        let known = self.0.iter().find(|(device, precision, _)| {
            (device, *precision) == (&args.device, args.precision.into())
        });
        if let Some((_, _, devices)) = known {
            return Ok(devices.clone());
        }
        let devices = devices(args)?;
        self.0
            .push((args.device.clone(), args.precision.into(), devices.clone()));
        Ok(devices)
    }
}

pub(super) fn devices(args: &ComputeArgs) -> Result<Devices, Error> {
    Ok(devices::select(&args.device, args.precision.into())?)
}

pub(super) fn expectations(args: &ExpectArgs) -> Result<Expectations, Error> {
    let tolerance = args.tolerance.map(Tolerance::new).transpose()?;
    Ok(Expectations::new(
        args.expect_top1,
        args.expect_top5,
        args.expect.is_some(),
        tolerance,
    )?)
}

/// Where classifiers are kept. Without a home folder there is no default one.
pub(super) fn classifier_source(args: CacheArgs) -> ClassifierSource {
    match args.cache_dir.or_else(Cache::default_folder) {
        Some(folder) if !args.no_cache => ClassifierSource::Cache(Cache::new(folder)),
        _ => ClassifierSource::None,
    }
}

/// How pictures are kept, if it is said.
pub(super) fn source(source: SourceArg) -> Option<Source> {
    match source {
        SourceArg::Auto => None,
        SourceArg::Folders => Some(Source::Folders),
        SourceArg::Flat => Some(Source::Flat),
        SourceArg::Tar => Some(Source::Tar),
        SourceArg::Webdataset => Some(Source::WebDataset),
        SourceArg::Parquet => Some(Source::Parquet),
    }
}

/// Refuses a result whose folder is not there, before anything that takes time.
pub(super) fn check_folder(output: &Path) -> Result<(), Error> {
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(()),
    };
    let failed = |source| OutputError {
        path: output.into(),
        source,
    };
    let metadata = folder.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Ok(());
    }
    Err(failed(std::io::ErrorKind::NotADirectory.into()).into())
}

/// A flag that the command line requires.
pub(super) fn given(path: Option<PathBuf>, flag: &str) -> Result<PathBuf, Error> {
    path.ok_or_else(|| Error::usage(format!("{flag} is missing"), "see uta-eval --help"))
}

/// Refuses results that would replace each other, however their paths are spelled.
pub(super) fn check_distinct(files: &[(&str, &Path)]) -> Result<(), Error> {
    // What leads nowhere is refused when it is opened.
    let ends = files
        .iter()
        .filter_map(|(flag, path)| Some((flag, path, Destination::of(path).ok()?)));
    let ends: Vec<_> = ends.collect();
    for (index, (flag, path, end)) in ends.iter().enumerate() {
        let others = ends.get(index + 1..).unwrap_or_default();
        if let Some((other, spelled, _)) = others.iter().find(|(.., other)| other.collides(end)) {
            let as_well = if spelled == path {
                String::new()
            } else {
                format!(", also spelled {}", spelled.shown())
            };
            return Err(Error::usage(
                format!("{flag} and {other} both name {}{as_well}", path.shown()),
                "give each a file of its own",
            ));
        }
    }
    Ok(())
}

/// Refuses to replace an input by a result.
pub(super) fn check_no_input(output: &Path, flag: &str, inputs: &[&PathBuf]) -> Result<(), Error> {
    let Ok(real) = output.canonicalize() else {
        return Ok(());
    };
    match inputs
        .iter()
        .find(|input| input.canonicalize().is_ok_and(|input| input == real))
    {
        Some(_) => Err(Error::usage(
            format!("{flag} {} would replace an input", output.shown()),
            "choose another name for the result",
        )),
        None => Ok(()),
    }
}

//! The settings of one evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parts::{
    Execution, Model, Opened, Outputs, Prompts, check_folder, classifier_source, expectations,
    given, set, source,
};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::{EvaluateArgs, LabelsArg};
use crate::data::{DataLocation, Protocol, Set, Truth};
use crate::evaluation::shard::Shard;
use crate::inference::accuracy;
use crate::inference::choice::{Asked, choose};
use crate::inference::classifiers::ClassifierSource;
use crate::metrics::expectation::{Expectations, Published};
use crate::model::ModelConfig;
use crate::model::schema::{self, TensorSpec};
use crate::report::predictions;
use crate::text::imagenet;
use crate::util::escape;

#[derive(Debug)]
pub struct Evaluate {
    /// The run's name in a journal and a sweep's table.
    pub name: String,
    pub pictures: DataLocation,
    /// How they are judged.
    pub protocol: Protocol,
    pub model: Model,
    pub prompts: Arc<Prompts>,
    pub classifier: ClassifierSource,
    pub limit: Option<usize>,
    pub shard: Option<Shard>,
    pub expectations: Expectations,
    /// The accuracy that is published for these weights and pictures.
    pub published: Option<Published>,
    pub run: Execution,
    pub outputs: Outputs,
    /// What has been found already, and what will be.
    pub journal: Option<PathBuf>,
}

impl Evaluate {
    /// Names the list of pictures: evaluations in which it is equal see the same ones.
    pub fn stream(&self) -> String {
        let shard = self.shard.map(|shard| shard.to_string());
        format!(
            "{} as {} {:?} {:?} {:?} {:?} {:?}",
            escape::name(self.pictures.path.as_os_str()),
            self.protocol.name(),
            self.pictures.source,
            self.pictures.labels,
            self.limit,
            shard,
            self.prompts.classnames_file
        )
    }

    /// What may tell it from other evaluations of its model, checkpoint, set and precision, with
    /// the names of a table's columns. The list is as long for all.
    pub fn distinctions(&self) -> Vec<(&'static str, String)> {
        let file = |path: Option<&PathBuf>, otherwise: &str| match path {
            Some(path) => escape::name(path.as_os_str()).into_owned(),
            None => otherwise.into(),
        };
        let prompts = &self.prompts;
        let classifier = match &self.classifier {
            ClassifierSource::File(path) => Some(path),
            ClassifierSource::Cache(_) | ClassifierSource::None => None,
        };
        let loader = &self.run.loader;
        vec![
            ("pictures", file(Some(&self.pictures.path), "")),
            ("labels", file(self.pictures.labels.as_ref(), "the set's")),
            (
                "templates",
                file(prompts.templates_file.as_ref(), "built-in"),
            ),
            (
                "class names",
                file(prompts.classnames_file.as_ref(), "built-in"),
            ),
            ("classifier", file(classifier, "of the templates")),
            (
                "weights",
                self.model.weights.clone().unwrap_or("default".into()),
            ),
            ("limit", self.limit.map_or("all".into(), |n| n.to_string())),
            ("device", self.run.devices.name()),
            ("batch size", loader.batch_size.to_string()),
            ("workers", loader.workers.to_string()),
            ("strict", self.run.strict.to_string()),
        ]
    }

    /// A short name for the data set: its folder's, and how it is judged if not as ImageNet.
    pub fn set_name(&self) -> String {
        let mut names = self.pictures.path.iter().rev().map(escape::name);
        let name = names.find(|name| !matches!(name.as_ref(), "val" | "." | "/"));
        let name = name
            .unwrap_or_else(|| escape::name(self.pictures.path.as_os_str()))
            .into_owned();
        if self.protocol == Protocol::default() || self.protocol == Protocol::listed(None) {
            name
        } else {
            format!("{name} ({})", self.protocol.name())
        }
    }

    /// Memory that the loaded vision towers take, on all replicas together.
    pub fn tower_bytes(&self) -> u64 {
        let element = match self.run.devices.first().precision() {
            "bf16" | "f16" => 2,
            _ => 4,
        };
        let vision = |tensor: &TensorSpec| tensor.name.starts_with("visual.");
        let elements: usize = schema::tensors(&self.model.config)
            .iter()
            .filter(|tensor| vision(tensor))
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        (elements * element * self.run.devices.replicas().count()) as u64
    }

    pub(super) fn new(
        args: EvaluateArgs,
        checkpoint: Option<&Path>,
        opened: &mut Opened,
    ) -> Result<Self, Error> {
        // Before a checkpoint is opened, or downloaded.
        let predictions = args.outputs.predictions.as_deref();
        predictions.map(predictions::Format::of).transpose()?;
        // A sweep makes the folder of its results.
        let outputs = args.outputs.files().chain(&args.resume);
        for output in outputs.filter(|_| args.out.is_none()) {
            check_folder(output)?;
        }
        let asked = Asked {
            model: args.model.model.as_deref(),
            pretrained: args.model.pretrained.as_deref(),
            checkpoint,
            weights: args.model.weights.as_deref(),
        };
        let model = choose(asked, &mut Console::default())?;
        check_image_size(args.image_size, &model.config)?;
        let shard = args.shard.as_deref().map(Shard::from_flag).transpose()?;
        let expectations = expectations(&args.expect)?;
        if shard.is_some() && !expectations.is_empty() {
            return Err(Error::usage(
                "a shard's accuracy is not the data set's, so that nothing can be expected of it",
                "give --expect, --expect-top1 and --expect-top5 to uta-eval merge",
            ));
        }
        let mut prompts = Prompts::new(args.prompts)?;
        let real = args.pictures.labels == Some(LabelsArg::Real);
        let protocol = protocol(set(args.dataset), real, &mut prompts)?;
        let published = match accuracy::published(&model, &protocol) {
            Err(error) if expectations.published() => return Err(error.into()),
            published => published.ok(),
        };
        let labels = match args.pictures.labels {
            Some(LabelsArg::File(path)) => Some(path),
            Some(LabelsArg::Real) | None => None,
        };
        let pictures = DataLocation {
            path: given(args.pictures.imagenet_path, "--imagenet-path")?,
            source: source(args.pictures.source),
            labels,
            real,
        };
        if args.resume.is_some() && args.outputs.save_features.is_some() {
            return Err(Error::usage(
                "--save-features keeps nothing of pictures that a journal knows already",
                "give either --resume or --save-features",
            ));
        }
        let inputs = [&model.checkpoint, &pictures.path];
        let journal = args.resume;
        let classifier = args.classifier.classifier;
        let (names, templates) = (&prompts.classnames_file, &prompts.templates_file);
        let others = [&pictures.labels, &classifier, names, templates];
        let others = others.into_iter().flatten();
        let inputs: Vec<&PathBuf> = inputs.into_iter().chain(others).collect();
        let outputs = Outputs::new(args.outputs, journal.as_deref(), &inputs)?;
        Ok(Self {
            name: "evaluation".into(),
            protocol,
            journal,
            prompts: prompts.into(),
            classifier: match classifier {
                Some(path) => ClassifierSource::File(path),
                None => classifier_source(args.classifier.cache),
            },
            limit: args.limit,
            shard,
            expectations,
            published,
            run: Execution::new(&args.run, &model.config, opened)?,
            outputs,
            pictures,
            model,
        })
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

fn check_image_size(given: Option<usize>, config: &ModelConfig) -> Result<(), Error> {
    let size = config.preprocessing.size;
    match given {
        Some(given) if given != size => Err(Error::usage(
            format!(
                "--image-size {given} does not agree with {}, whose input is {size} x {size} pixels",
                config.display_name()
            ),
            "leave --image-size out: the size belongs to the model",
        )),
        _ => Ok(()),
    }
}

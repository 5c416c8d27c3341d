//! The settings of one evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::judging::Judged;
use super::parts::{
    Execution, Model, Opened, Outputs, check_folder, classifier_source, expectations,
};
use super::prompts::Prompts;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::EvaluateArgs;
use crate::data::{DataLocation, Protocol, Truth};
use crate::evaluation::shard::Shard;
use crate::inference::accuracy;
use crate::inference::choice::{Asked, choose};
use crate::inference::classifiers::ClassifierSource;
use crate::metrics::expectation::{Expectations, Published};
use crate::model::ModelConfig;
use crate::model::schema::{self, TensorSpec};
use crate::report::predictions;
use crate::util::escape;
use crate::util::escape::Shown;

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
            "{} as {} {:?} {:?} {:?} {:?} {:?} {:?}",
            escape::name(self.pictures.path.as_os_str()),
            self.protocol.name(),
            self.pictures.source,
            self.pictures.labels,
            self.pictures.numbers,
            self.limit,
            shard,
            self.prompts.names
        )
    }

    /// Names the loaded towers: evaluations in which it is equal share them.
    pub fn model_key(&self) -> String {
        let checkpoint = &self.model.checkpoint;
        let checkpoint = checkpoint
            .canonicalize()
            .unwrap_or_else(|_| checkpoint.clone());
        let devices = &self.run.devices;
        format!(
            "{} {:?} {} {}",
            checkpoint.shown(),
            self.model.config,
            devices.name(),
            devices.first().precision()
        )
    }

    /// Names the crops and how they come: evaluations in which it is equal can share passes.
    pub fn crops_key(&self) -> String {
        let preprocessing = &self.model.config.preprocessing;
        format!(
            "{} {:?} {:?} {:?} {} {}",
            preprocessing.size,
            preprocessing.interpolation,
            preprocessing.resize,
            self.run.loader,
            self.run.devices.name(),
            self.run.strict
        )
    }

    /// Whether it judges the pictures of another evaluation by their ReaL labels, so that what the
    /// other finds is all that it takes. Of parts of a data set the two take different pictures.
    pub fn judges_again(&self, other: &Self) -> bool {
        let (real, plain) = (&self.pictures, &other.pictures);
        let whole = |run: &Self| run.limit.is_none() && run.shard.is_none();
        self.protocol.truth == Truth::Real
            && other.protocol == Protocol::default()
            && (&real.path, real.source) == (&plain.path, plain.source)
            && self.prompts.classes == other.prompts.classes
            && self.prompts.lists == other.prompts.lists
            && self.prompts.names == other.prompts.names
            && format!("{:?}", self.classifier) == format!("{:?}", other.classifier)
            && whole(self)
            && whole(other)
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
            ("templates", prompts.lists_label()),
            ("class names", prompts.names_label()),
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
        let plain = self.protocol == Protocol::default() || self.protocol.set.is_none();
        if plain {
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
        let model = chosen(&args, checkpoint)?;
        let judged = Judged::of(&args)?;
        Self::of(args, model, judged, opened)
    }

    /// The evaluation of a model on pictures that are judged in a way.
    pub(super) fn of(
        args: EvaluateArgs,
        model: Model,
        judged: Judged,
        opened: &mut Opened,
    ) -> Result<Self, Error> {
        let Judged {
            pictures,
            protocol,
            prompts,
        } = judged;
        check_image_size(args.image_size, &model.config)?;
        let shard = args.shard.as_deref().map(Shard::from_flag).transpose()?;
        let expectations = expectations(&args.expect)?;
        if shard.is_some() && !expectations.is_empty() {
            return Err(Error::usage(
                "a shard's accuracy is not the data set's, so that nothing can be expected of it",
                "give --expect, --expect-top1 and --expect-top5 to uta-eval merge",
            ));
        }
        let published = match accuracy::published(&model, &protocol) {
            Err(error) if expectations.published() => return Err(error.into()),
            published => published.ok(),
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
        let others = [&pictures.labels, &classifier].into_iter().flatten();
        let others = others.chain(prompts.all_files());
        let inputs: Vec<&PathBuf> = inputs.into_iter().chain(others).collect();
        let outputs = Outputs::new(args.outputs, journal.as_deref(), &inputs)?;
        Ok(Self {
            name: "evaluation".into(),
            protocol,
            journal,
            prompts,
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

/// The model that flags choose, and its weights.
pub(super) fn chosen(args: &EvaluateArgs, checkpoint: Option<&Path>) -> Result<Model, Error> {
    let asked = Asked {
        model: args.model.model.as_deref(),
        pretrained: args.model.pretrained.as_deref(),
        checkpoint,
        weights: args.model.weights.as_deref(),
    };
    Ok(choose(asked, &mut Console::default())?)
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

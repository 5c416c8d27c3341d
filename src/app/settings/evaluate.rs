//! The settings of one evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::facts::Facts;
use super::judging::Judged;
use super::parts::{
    Execution, Model, Opened, Outputs, check_folder, classifier_source, expectations, workers,
};
use super::prompts::Prompts;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::EvaluateArgs;
use crate::data::{DataLocation, Protocol, Truth};
use crate::evaluation::shard::Shard;
use crate::inference::accuracy;
use crate::inference::choice::{Asked, Named};
use crate::inference::classifiers::ClassifierSource;
use crate::inference::devices::Devices;
use crate::metrics::expectation::{Expectations, Published};
use crate::model::ModelConfig;
use crate::model::schema::{self, TensorSpec};
use crate::report::predictions;
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
    /// What is known of it whatever its model is.
    fn facts(&self) -> Facts<'_> {
        let loader = &self.run.loader;
        Facts {
            pictures: &self.pictures,
            protocol: &self.protocol,
            prompts: &self.prompts,
            classifier: &self.classifier,
            weights: self.model.weights.as_deref(),
            limit: self.limit,
            shard: self.shard,
            device: self.run.devices.name(),
            batch_size: loader.batch_size.to_string(),
            workers: loader.workers,
            strict: self.run.strict,
        }
    }

    /// Names the list of pictures: evaluations in which it is equal see the same ones.
    pub fn stream(&self) -> String {
        self.facts().stream()
    }

    /// Names the loaded towers: evaluations in which it is equal share them.
    pub fn model_key(&self) -> String {
        let checkpoint = &self.model.checkpoint;
        let checkpoint = checkpoint
            .canonicalize()
            .unwrap_or_else(|_| checkpoint.clone());
        let devices = &self.run.devices;
        format!(
            "{} {:?} {:?} {} {}",
            checkpoint.shown(),
            self.model.weights,
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
        self.facts().distinctions()
    }

    /// A short name for the data set: its folder's, and how it is judged if not as ImageNet.
    pub fn set_name(&self) -> String {
        self.facts().set_name()
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
        let named = Named::by(asked(&args, checkpoint))?;
        let manner = Manner::new(args.clone(), opened)?;
        manner.with(named.choose(&mut Console::default())?)
    }
}

/// All of an evaluation but its model.
#[derive(Debug)]
pub(super) struct Manner {
    args: EvaluateArgs,
    judged: Judged,
    classifier: ClassifierSource,
    shard: Option<Shard>,
    expectations: Expectations,
    devices: Devices,
}

impl Manner {
    /// Looks at all that can be wrong before a checkpoint is opened, or downloaded.
    pub(super) fn new(args: EvaluateArgs, opened: &mut Opened) -> Result<Self, Error> {
        let predictions = args.outputs.predictions.as_deref();
        predictions.map(predictions::Format::of).transpose()?;
        // A sweep makes the folder of its results.
        let outputs = args.outputs.files().chain(&args.resume);
        for output in outputs.filter(|_| args.out.is_none()) {
            check_folder(output)?;
        }
        let judged = Judged::of(&args)?;
        Self::of(args, judged, opened)
    }

    /// The evaluation of pictures that are judged in a way.
    pub(super) fn of(
        args: EvaluateArgs,
        judged: Judged,
        opened: &mut Opened,
    ) -> Result<Self, Error> {
        let shard = args.shard.as_deref().map(Shard::from_flag).transpose()?;
        let expectations = expectations(&args.expect)?;
        if shard.is_some() && !expectations.is_empty() {
            return Err(Error::usage(
                "a shard's accuracy is not the data set's, so that nothing can be expected of it",
                "give --expect, --expect-top1 and --expect-top5 to uta-eval merge",
            ));
        }
        if args.resume.is_some() && args.outputs.save_features.is_some() {
            return Err(Error::usage(
                "--save-features keeps nothing of pictures that a journal knows already",
                "give either --resume or --save-features",
            ));
        }
        Ok(Self {
            classifier: match &args.classifier.classifier {
                Some(path) => ClassifierSource::File(path.clone()),
                None => classifier_source(args.classifier.cache.clone()),
            },
            devices: opened.devices(&args.run.compute)?,
            shard,
            expectations,
            judged,
            args,
        })
    }

    /// What is known of it whatever its model is.
    pub(super) fn facts(&self) -> Facts<'_> {
        let run = &self.args.run;
        Facts {
            pictures: &self.judged.pictures,
            protocol: &self.judged.protocol,
            prompts: &self.judged.prompts,
            classifier: &self.classifier,
            weights: self.args.model.weights.as_deref(),
            limit: self.args.limit,
            shard: self.shard,
            device: self.devices.name(),
            batch_size: run.batch_size.to_string(),
            workers: workers(run),
            strict: run.strict,
        }
    }

    /// The precision in which it computes.
    pub(super) fn precision(&self) -> &'static str {
        self.devices.first().precision()
    }

    /// The evaluation of a model in this manner.
    pub(super) fn with(self, model: Model) -> Result<Evaluate, Error> {
        let Self {
            args,
            judged,
            classifier,
            shard,
            expectations,
            devices,
        } = self;
        let Judged {
            pictures,
            protocol,
            prompts,
        } = judged;
        check_image_size(args.image_size, &model.config)?;
        let published = match accuracy::published(&model, &protocol) {
            Err(error) if expectations.published() => return Err(error.into()),
            published => published.ok(),
        };
        let inputs = [&model.checkpoint, &pictures.path];
        let journal = args.resume;
        let others = [&pictures.labels, &args.classifier.classifier];
        let others = others.into_iter().flatten().chain(prompts.all_files());
        let inputs: Vec<&PathBuf> = inputs.into_iter().chain(others).collect();
        let outputs = Outputs::new(args.outputs, journal.as_deref(), &inputs)?;
        Ok(Evaluate {
            name: "evaluation".into(),
            run: Execution::new(&args.run, devices, &model.config),
            limit: args.limit,
            protocol,
            journal,
            prompts,
            classifier,
            shard,
            expectations,
            published,
            outputs,
            pictures,
            model,
        })
    }
}

/// What flags say of the model and its weights.
pub(super) fn asked<'a>(args: &'a EvaluateArgs, checkpoint: Option<&'a Path>) -> Asked<'a> {
    Asked {
        model: args.model.model.as_deref(),
        pretrained: args.model.pretrained.as_deref(),
        checkpoint,
        weights: args.model.weights.as_deref(),
    }
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

//! A checkpoint made ready for pictures, and the report on it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info_span;

use super::loaded::LoadedModel;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::settings::Evaluate;
use crate::checkpoint::dtype_name;
use crate::classifier;
use crate::classifier::ranker::Ranker;
use crate::data::file_state::FileStates;
use crate::data::{DataSet, Protocol, Sample, Samples, Set, identity, judge};
use crate::evaluation::journal::{Journal, RunIdentity};
use crate::evaluation::{Finding, Outcome};
use crate::inference::classifiers::{
    self, ClassifierRequest, ClassifierSource, ResolvedClassifier, SharedClassifiers,
};
use crate::inference::weights::Weights;
use crate::inference::zero_shot::ZeroShot;
use crate::metrics::Statistics;
use crate::model::ModelConfig;
use crate::picture::Preprocessor;
use crate::report::{self, Report};
use crate::util::escape;
use crate::util::memory;
use crate::util::warning::Warning;

/// Pictures to evaluate on, and what is odd about them.
pub struct Pictures {
    pub data: DataSet,
    /// Those that this process evaluates.
    pub samples: Samples,
    /// As their files were when they were listed.
    pub states: FileStates,
    /// Number of those of all shards.
    selected: usize,
    selected_sha256: String,
    /// Pictures that were left out because they have no label.
    unlabelled: usize,
    pub warnings: Vec<Warning>,
}

impl Pictures {
    /// Finds them, and says what is odd.
    ///
    /// # Errors
    /// When the folder cannot be evaluated.
    pub fn find(settings: &Evaluate, console: &mut Console) -> Result<Self, Error> {
        let _span = info_span!("find the pictures").entered();
        let protocol = &settings.protocol;
        console.wait_for("finding the pictures");
        let mut data = settings.pictures.find(&settings.prompts.folders)?;
        console.clear();
        let mut warnings = Vec::new();
        warnings.extend(size_warning(&data, protocol));
        let unlabelled = judge(&mut data, protocol)?;
        let (hidden, not_pictures) = (data.ignored.hidden, data.ignored.not_pictures);
        if (hidden, not_pictures) != (0, 0) {
            warnings.push(Warning::IgnoredFiles {
                hidden,
                not_pictures,
            });
        }
        warnings.extend(
            data.remarks
                .iter()
                .map(|remark| Warning::DataSet(remark.to_string())),
        );
        for warning in &warnings {
            console.warn(warning);
        }
        let selected = data.samples.len().min(settings.limit.unwrap_or(usize::MAX));
        let all = &data.samples[..selected];
        let shard = settings.shard;
        let range = shard.map_or(0..selected, |shard| shard.range(selected));
        let samples = data.samples.part(range);
        Ok(Self {
            states: FileStates::of(&samples),
            samples,
            selected,
            unlabelled,
            selected_sha256: report::selection_sha256(all),
            data,
            warnings,
        })
    }

    /// The pictures by their names in reports.
    pub fn by_name(&self) -> HashMap<&str, &Sample> {
        let samples = self.data.samples.iter();
        samples.map(|s| (s.name.in_set(), s)).collect()
    }
}

/// What a whole set has and these pictures do not, or the other way round.
fn size_warning(data: &DataSet, protocol: &Protocol) -> Option<Warning> {
    let classes = protocol.size.map_or(data.classes, |size| size.classes);
    if data.classes_present < classes {
        let meant = match protocol.set {
            Some(Set::ImageNet) => Set::with_classes(&data.classes_there()),
            _ => None,
        };
        return Some(Warning::PartialDataSet {
            pictures: data.samples.len(),
            present: data.classes_present,
            classes,
            meant: meant.map(Set::name),
        });
    }
    let (set, whole) = (protocol.set?, protocol.size?.pictures);
    let pictures = data.samples.len();
    (pictures != whole).then_some(Warning::OtherSize {
        set: set.name(),
        pictures,
        whole,
    })
}

/// A checkpoint that is loaded, with its classifier.
pub struct PreparedEvaluation<'a> {
    pub settings: &'a Evaluate,
    /// One for each replica.
    pub zero_shots: Vec<ZeroShot>,
    /// What a journal knows of its pictures.
    pub known: Vec<Finding>,
    /// Whether what is found is kept, for another judgement of the same pictures.
    pub keeps_findings: bool,
    pub seconds: report::Seconds,
    pub warnings: Vec<Warning>,
    /// When its turn came.
    pub start: Instant,
    model: Rc<LoadedModel>,
    /// The classifier of all classes.
    pub resolved: ResolvedClassifier,
    tied_classes: Vec<Vec<usize>>,
}

impl<'a> PreparedEvaluation<'a> {
    /// Gets the classifier of a loaded checkpoint. All that can be wrong with it is found here.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub fn prepare(
        settings: &'a Evaluate,
        start: Instant,
        model: &Rc<LoadedModel>,
        pictures: &Pictures,
        journal: Option<&mut Journal>,
        shared: &mut SharedClassifiers,
        console: &mut Console,
    ) -> Result<Self, Error> {
        let config = &settings.model.config;
        let devices = &settings.run.devices;
        let mut seconds = report::Seconds {
            load: model.take_seconds(),
            ..report::Seconds::default()
        };
        let remark = devices.remark.iter();
        let others = pictures.warnings.iter().chain(&model.warnings);
        let mut warnings: Vec<Warning> = remark.chain(others).cloned().collect();
        let request = ClassifierRequest {
            weights: &model.weights,
            fingerprint: &model.fingerprint,
            config,
            compute: devices.first(),
            classes: &settings.prompts.classes,
            prompts: &settings.prompts.lists,
        };
        let known = match journal {
            Some(journal) => {
                let sha256 = model.sha256()?;
                let identity = identity(&request, settings, pictures, &sha256)?;
                journal.begin(&settings.name, identity)?
            }
            None => Vec::new(),
        };
        console.clear();
        let clock = Instant::now();
        let resolved = classifiers::resolve(
            &request,
            &settings.classifier,
            shared,
            console,
            &mut warnings,
        )?;
        console.clear();
        seconds.classifier = clock.elapsed().as_secs_f64();
        let choices = settings.protocol.choices.as_ref();
        let ranker = Ranker::new(Arc::clone(&resolved.classifier), choices);
        let tied_classes = ranker.tied_classes();
        let zero_shots = model
            .encoders
            .iter()
            .map(|encoder| {
                let zero_shot = ZeroShot::with(Arc::clone(encoder), ranker.clone())?;
                Ok(match settings.outputs.features {
                    Some(_) => zero_shot.keeping_features(),
                    None => zero_shot,
                })
            })
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Self {
            settings,
            resolved,
            tied_classes,
            zero_shots,
            known,
            keeps_findings: false,
            seconds,
            warnings,
            start,
            model: Rc::clone(model),
        })
    }

    /// Begins now: what it waited for since it was prepared is not counted.
    pub fn begin(&mut self) {
        let prepared = Duration::from_secs_f64(self.seconds.load + self.seconds.classifier);
        let now = Instant::now();
        self.start = now.checked_sub(prepared).unwrap_or(now);
    }

    /// The result. `seconds` are complete except for the total; `computed` is the number of
    /// pictures that were evaluated in them.
    ///
    /// # Errors
    /// When the checkpoint's file cannot be read any more.
    pub fn report(
        mut self,
        pictures: &Pictures,
        outcome: Outcome,
        computed: usize,
        interrupted: bool,
    ) -> Result<Report, Error> {
        let settings = self.settings;
        let sha256 = self.model.sha256()?;
        let mut seconds = self.seconds;
        seconds.total = self.start.elapsed().as_secs_f64();
        self.warnings
            .extend(report::unreadable_warning(&outcome.unreadable));
        self.warnings
            .extend(report::changed_warning(&outcome.changed));
        let data = &pictures.data;
        let judgements = outcome.judgements;
        let statistics = Statistics::of(&judgements, |class| settings.prompts.classes.name(class));
        let classes = settings.protocol.ranked_among(data.classes);
        self.warnings
            .extend(report::chance_warning(&statistics.top1, classes));
        let expectations = if interrupted {
            Vec::new()
        } else {
            settings.expectations.check(
                settings.published.as_ref(),
                &statistics.top1,
                &statistics.top5,
            )
        };
        Ok(Report {
            schema_version: report::SCHEMA_VERSION,
            interrupted,
            program: report::Program::default(),
            provenance: report::Provenance::since(self.start),
            model: report::Model::of(&settings.model, settings.published.as_ref()),
            checkpoint: checkpoint_info(&self.model.weights, sha256),
            data: report::Data {
                path: data.root.as_path().into(),
                source: data.source,
                labels_file: data.labels.clone().map(Into::into),
                pictures: data.samples.len(),
                selected: pictures.selected,
                selected_sha256: pictures.selected_sha256.clone(),
                classes_present: data.classes_present,
                classes,
                dataset: settings.protocol.set.map(|set| set.name().into()),
                protocol: settings.protocol.rules.name().into(),
                labels: settings.protocol.truth.name().into(),
                unlabelled: pictures.unlabelled,
                ignored: data.ignored,
            },
            prompts: report::Prompts {
                templates: self.resolved.recipe.templates,
                templates_file: settings.prompts.templates_file().cloned().map(Into::into),
                lists: prompt_lists(settings),
                classnames: settings.prompts.names.name().into(),
                classnames_file: settings.prompts.names.file().cloned().map(Into::into),
            },
            classifier: report::ClassifierInfo::of(&self.resolved),
            settings: run_settings(settings),
            features_file: None,
            statistics,
            expectations,
            unreadable: outcome.unreadable,
            changed: outcome.changed,
            tied_classes: self.tied_classes,
            pictures_per_second: report::rate(computed, seconds.evaluation),
            seconds,
            peak_memory_bytes: memory::peak(),
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
            judgements,
        })
    }
}

/// All that decides the result, in a user's words.
fn identity(
    request: &ClassifierRequest<'_>,
    settings: &Evaluate,
    pictures: &Pictures,
    sha256: &str,
) -> Result<RunIdentity, Error> {
    let classifier = match &settings.classifier {
        // By what it was made of, so that it may be built now and kept in a file the next time.
        ClassifierSource::File(path) => classifier::file::read(path)?.1,
        ClassifierSource::Cache(_) | ClassifierSource::None => classifiers::recipe(request)?.0,
    };
    let classifier = format!(
        "of {} templates, {}",
        classifier.templates,
        classifier.key()
    );
    let limit = settings.limit.map_or("none".into(), |n| n.to_string());
    let shard = settings.shard.map_or("none".into(), |s| s.to_string());
    let folders = identity::identity(&pictures.data.root, &pictures.samples, &pictures.states);
    let values = [
        ("program", env!("CARGO_PKG_VERSION").to_string()),
        ("checkpoint", format!("sha256 {sha256}")),
        (
            "weights",
            request
                .weights
                .checkpoint
                .nested_under()
                .unwrap_or("all")
                .into(),
        ),
        ("precision", request.compute.precision().into()),
        ("device", settings.run.devices.name()),
        ("instructions", request.compute.instructions().into()),
        ("classifier", classifier),
        ("data set", settings.protocol.name()),
        ("limit", limit),
        ("shard", shard),
        (
            "pictures",
            format!("{} ({folders})", pictures.samples.len()),
        ),
    ];
    let values = values.map(|(name, value)| (name.to_string(), value));
    Ok(values
        .into_iter()
        .chain(request.config.hyperparameters())
        .collect())
}

/// The preparation of an evaluation's pictures.
pub fn preprocessor_of(settings: &Evaluate) -> Preprocessor {
    preprocessor(&settings.model.config).without_border(settings.protocol.border)
}

/// The preparation of pictures that a configuration asks for.
pub fn preprocessor(config: &ModelConfig) -> Preprocessor {
    let preprocessing = &config.preprocessing;
    Preprocessor::new(preprocessing.size, preprocessing.interpolation)
        .resizing(preprocessing.resize)
}

fn checkpoint_info(weights: &Weights, sha256: String) -> report::CheckpointInfo {
    let checkpoint = &weights.checkpoint;
    let mut dtypes: Vec<String> = checkpoint.entries().map(|e| dtype_name(e.dtype)).collect();
    dtypes.sort_unstable();
    dtypes.dedup();
    let path = checkpoint.path();
    report::CheckpointInfo {
        path: path.into(),
        name: escape::name(path.file_name().unwrap_or(path.as_os_str())).into_owned(),
        format: checkpoint.described_format(),
        weights: checkpoint.nested_under().map(Into::into),
        prefix: checkpoint.stripped_prefix().map(Into::into),
        layout: weights.layout.name().into(),
        bytes: checkpoint.bytes(),
        sha256,
        dtypes,
    }
}

/// The lists of prompts that a classifier is made of.
fn prompt_lists(settings: &Evaluate) -> Vec<report::PromptListInfo> {
    // Which they were is known to whoever made the classifier.
    if matches!(settings.classifier, ClassifierSource::File(_)) {
        return Vec::new();
    }
    let prompts = &settings.prompts;
    let lists = prompts.files.iter().cloned().zip(prompts.lists.weights());
    lists
        .map(|(file, weight)| report::PromptListInfo {
            file: file.map(Into::into),
            weight,
        })
        .collect()
}

fn run_settings(settings: &Evaluate) -> report::RunSettings {
    let run = &settings.run;
    report::RunSettings {
        precision: run.devices.first().precision().into(),
        device: run.devices.name(),
        batch_size: run.loader.batch_size,
        workers: run.loader.workers,
        threads: rayon::current_num_threads(),
        limit: settings.limit,
        shard: settings.shard,
    }
}

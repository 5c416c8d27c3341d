//! Results as plain data, and one small file for each form they are written in.

pub mod check;
pub mod compare;
pub mod features;
pub mod html;
pub mod layout;
pub mod merge;
pub mod models;
pub mod predictions;
pub mod provenance;
pub mod read;
pub mod schema;
pub mod suite;
pub mod table;
pub mod text;

pub use provenance::Provenance;

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{Ignored, Sample, Source, Unreadable};
use crate::evaluation::shard::Shard;
use crate::inference::choice::Chosen;
use crate::inference::classifiers::{Origin, ResolvedClassifier};
use crate::metrics::expectation::{Checked, Published};
use crate::metrics::{Accuracy, Judgement, Statistics};
use crate::util::hex;
use crate::util::path_text::PathText;
use crate::util::warning::Warning;

/// Version of the JSON forms, of which results are one. It grows when a field appears, changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 4;

/// The result of an evaluation, with everything needed to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this form. It grows when a field appears, changes its meaning or goes away.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Whether the user ended the run before all pictures were evaluated; the result is partial then.
    pub interrupted: bool,
    /// The program that made the result.
    pub program: Program,
    /// Where, when and by which command it was made.
    pub provenance: Provenance,
    /// The evaluated model.
    pub model: Model,
    /// The evaluated weights.
    pub checkpoint: CheckpointInfo,
    /// The pictures.
    pub data: Data,
    /// The texts of the classifier.
    pub prompts: Prompts,
    /// Where the text classifier came from.
    pub classifier: ClassifierInfo,
    /// How the work was done.
    pub settings: RunSettings,
    /// The file of `--from-features`; `null` when pictures were evaluated. Model, checkpoint, data
    /// and settings are then those of the run that made it.
    pub features_file: Option<PathText>,
    #[serde(flatten)]
    pub statistics: Statistics,
    /// What `--expect`, `--expect-top1` and `--expect-top5` ask; empty without them.
    pub expectations: Vec<Checked>,
    /// Pictures that could not be read. They are in neither `correct` nor `total`.
    pub unreadable: Vec<Unreadable>,
    /// Pictures whose files changed, in length or time, between listing and reading. What was evaluated
    /// is what they held when they were read.
    pub changed: Vec<Arc<str>>,
    /// Groups of classes with identical prompts, whose logits always tie; the lower index ranks
    /// first.
    pub tied_classes: Vec<Vec<usize>>,
    /// Wall time of the stages; after a merge, sums over the shards.
    pub seconds: Seconds,
    /// Pictures evaluated in a second of the evaluation stage; `null` if a journal knew them all, or no
    /// time passed.
    #[schemars(range(min = 0))]
    pub pictures_per_second: Option<f64>,
    /// Largest resident memory in bytes, mapped files included; `null` if the system does not tell.
    /// After a merge, of the largest shard.
    pub peak_memory_bytes: Option<u64>,
    /// Warnings of the run.
    pub warnings: Vec<String>,
    /// Each evaluated picture, in file order.
    pub judgements: Vec<Judgement>,
}

impl Report {
    /// Pictures that this run, or its shard, was to evaluate.
    pub fn to_evaluate(&self) -> usize {
        let selected = self.data.selected;
        let shard = self.settings.shard;
        shard.map_or(selected, |shard| shard.range(selected).len())
    }
}

/// The program that made a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// Always `uta-eval`.
    pub name: Cow<'static, str>,
    /// Its version.
    pub version: Cow<'static, str>,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// The evaluated model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// As `--model` names it.
    pub name: String,
    /// Name in the publication.
    pub published_name: Option<String>,
    /// The accuracy that is published for these weights on this data set, if one is known.
    pub published: Option<Published>,
    /// Side of the input, in pixels.
    pub image_size: usize,
    /// What decided the configuration: `--model`, a description beside the weights, their shapes.
    pub decided_by: String,
}

impl Model {
    pub fn of(chosen: &Chosen, published: Option<&Published>) -> Self {
        let config = &chosen.config;
        Self {
            decided_by: chosen.decided_by.clone(),
            name: config.name.clone(),
            published_name: config.published.map(|published| published.name.into()),
            published: published.cloned(),
            image_size: config.preprocessing.size,
        }
    }
}

/// The evaluated weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointInfo {
    /// The file, as given, or the list of its files.
    pub path: PathText,
    /// The file's name.
    pub name: String,
    /// The file's format.
    pub format: String,
    /// The key under which the weights lie in the file, e.g. `model_ema`; `null` if under none.
    pub weights: Option<String>,
    /// What every tensor's name has in front in the file, e.g. `module.`; `null` if nothing.
    pub prefix: Option<String>,
    /// Whose names its tensors have, e.g. `open-clip`.
    pub layout: String,
    /// The file's size; that of all files together if there are several.
    pub bytes: usize,
    /// SHA-256 of the file; of several files that of what `sha256sum` prints for them, in the order of
    /// their names.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The tensors' dtypes, e.g. `["f16"]`.
    pub dtypes: Vec<String>,
}

impl CheckpointInfo {
    /// Where in the file the weights lie, in words behind others.
    pub fn within(&self) -> String {
        let weights = self.weights.as_ref();
        let prefix = self.prefix.as_ref();
        let weights = weights.map(|key| format!(", weights under {key}"));
        let prefix = prefix.map(|prefix| format!(", names without {prefix}"));
        weights.into_iter().chain(prefix).collect()
    }
}

/// The pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// The folder or archive that holds the pictures.
    pub path: PathText,
    /// How the pictures and labels are kept.
    pub source: Source,
    /// The file that says their classes, unless folders or the archive itself do.
    pub labels_file: Option<PathText>,
    /// Pictures found; `--limit` may have left some out.
    pub pictures: usize,
    /// Pictures to evaluate, by all shards together.
    pub selected: usize,
    /// SHA-256 over the names and labels of the selected pictures, in order.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub selected_sha256: String,
    /// Classes that have pictures.
    pub classes_present: usize,
    /// Classes each picture was ranked among.
    pub classes: usize,
    /// As `--dataset` names it; `null` for other classes than ImageNet's.
    pub dataset: Option<String>,
    /// Whose rules decided among which classes pictures were ranked: `clip-benchmark`, or
    /// `objectnet` for those of ObjectNet's authors.
    #[schemars(extend("enum" = PROTOCOLS))]
    pub protocol: String,
    /// `original`, or `real` for the ReaL labels, any of which is right.
    #[schemars(extend("enum" = LABELS))]
    pub labels: String,
    /// Pictures that were left out because they have no label.
    pub unlabelled: usize,
    /// What was left out of the search.
    pub ignored: Ignored,
}

/// The names of protocols.
const PROTOCOLS: [&str; 2] = ["clip-benchmark", "objectnet"];

/// The names of whose labels are right.
const LABELS: [&str; 2] = ["original", "real"];

/// The texts of the classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prompts {
    /// Prompts for each class; 0 where not all classes have the same number.
    pub templates: usize,
    /// The file given with `--templates`, or found beside the pictures; the first of several. `null`
    /// for the built-in list, and where features were evaluated with another classifier.
    pub templates_file: Option<PathText>,
    /// The lists that are averaged; empty where a classifier's file was given, which does not name
    /// them.
    pub lists: Vec<PromptListInfo>,
    /// Whose class names: `built-in`, `distinct` for the built-in ones without two that are the same,
    /// `objectnet` for those of ObjectNet's folders, or `file`.
    #[schemars(extend("enum" = ["built-in", "distinct", "objectnet", "file"]))]
    pub classnames: String,
    /// The file given with `--classnames`, or found beside the pictures; `null` for built-in lists.
    pub classnames_file: Option<PathText>,
}

/// A list of prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromptListInfo {
    /// Its file; `null` for the built-in list.
    pub file: Option<PathText>,
    /// Its weight among the others.
    #[schemars(range(min = 0))]
    pub weight: f64,
}

/// Where the text classifier came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassifierInfo {
    /// How it was resolved: `built`, `cache` or `file`.
    #[schemars(extend("enum" = ["built", "cache", "file"]))]
    pub origin: Cow<'static, str>,
    /// The file, unless it was built.
    pub path: Option<PathText>,
    /// SHA-256 over all that decides its values.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub key: String,
}

impl ClassifierInfo {
    pub fn of(obtained: &ResolvedClassifier) -> Self {
        let (origin, path) = match &obtained.origin {
            Origin::Built => ("built", None),
            Origin::Cache(path) => ("cache", Some(path.as_path().into())),
            Origin::File(path) => ("file", Some(path.as_path().into())),
        };
        Self {
            origin: origin.into(),
            path,
            key: obtained.recipe.key(),
        }
    }
}

/// How the work was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSettings {
    /// Precision of the linear layers.
    pub precision: Cow<'static, str>,
    /// Where it was computed.
    pub device: String,
    /// Pictures in a batch.
    pub batch_size: usize,
    /// Threads that decode pictures.
    pub workers: usize,
    /// Threads that compute.
    pub threads: usize,
    /// `--limit`.
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// The part that this process evaluated, of several; `null` for all.
    pub shard: Option<Shard>,
}

impl RunSettings {
    /// `cpu` or `cuda`.
    pub fn device_kind(&self) -> &str {
        self.device.split(':').next().unwrap_or(&self.device)
    }
}

/// Wall time of the stages, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// Opening the checkpoint and loading the vision tower.
    #[schemars(range(min = 0))]
    pub load: f64,
    /// Getting the text classifier; its text tower is loaded only to build it.
    #[schemars(range(min = 0))]
    pub classifier: f64,
    /// From the program's start to the results of the first batch. `null` without pictures. After a
    /// merge, of the quickest shard.
    #[schemars(range(min = 0))]
    pub first_batch: Option<f64>,
    /// Evaluating the pictures.
    #[schemars(range(min = 0))]
    pub evaluation: f64,
    /// All of it.
    #[schemars(range(min = 0))]
    pub total: f64,
}

/// SHA-256 over the names and labels of pictures, in order.
pub fn selection_sha256(samples: &[Sample]) -> String {
    let mut hash = Sha256::new();
    for sample in samples {
        // No file name holds a zero byte, so that no two lists run together.
        hash.update(sample.name.in_set());
        hash.update([0]);
        hash.update((sample.label as u64).to_le_bytes());
        for class in sample.right.iter().flat_map(|right| right.iter()) {
            hash.update((*class as u64).to_le_bytes());
        }
    }
    hex::digest(hash)
}

/// Pictures below which an accuracy says little.
const FEW: u64 = 20;

/// The warning about an accuracy that guessing among so many classes reaches as well.
pub fn chance_warning(top1: &Accuracy, classes: usize) -> Option<Warning> {
    let Accuracy { correct, total, .. } = *top1;
    let guessed = correct.saturating_mul(classes as u64) <= total;
    (total >= FEW && classes > 1 && guessed).then_some(Warning::AtChance {
        correct,
        total,
        classes,
    })
}

/// Pictures in a second; none where nothing was done, or the clock stood still.
pub fn rate(pictures: usize, seconds: f64) -> Option<f64> {
    let rate = pictures as f64 / seconds;
    (pictures > 0 && rate.is_finite()).then_some(rate)
}

/// What is told of pictures whose files changed while the program ran, in one place.
pub fn changed_warning(changed: &[Arc<str>]) -> Option<Warning> {
    Some(Warning::ChangedPictures {
        count: changed.len(),
        first: changed.first()?.to_string(),
    })
}

/// The counts of pictures that a warning about unreadable ones names, in one place.
pub fn unreadable_warning(unreadable: &[Unreadable]) -> Option<Warning> {
    let count = unreadable.len();
    (count > 0).then_some(Warning::UnreadablePictures { count })
}

//! Results as plain data, and one small file for each form they are written in.

pub mod check;
pub mod compare;
pub mod html;
pub mod json;
mod layout;
pub mod merge;
pub mod output;
pub mod predictions;
pub mod read;
pub mod schema;
pub mod table;
pub mod text;

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::classifiers::{Obtained, Origin};
use crate::data::{Ignored, Sample, Source, Unreadable};
use crate::error::Warning;
use crate::expectation::Checked;
use crate::model::Variant;
use crate::shard::Shard;
use crate::statistics::{Judgement, Statistics};

/// Version of the JSON forms, of which results are one. It grows when a field appears, changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 3;

/// The result of an evaluation, with everything needed to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema_version: u32,
    /// Whether the user ended it before all pictures were evaluated.
    pub interrupted: bool,
    pub program: Program,
    pub model: Model,
    pub checkpoint: CheckpointFacts,
    pub data: Data,
    pub prompts: Prompts,
    pub classifier: ClassifierFacts,
    pub settings: Run,
    /// The features that were evaluated instead of pictures; absent when pictures were.
    pub features_file: Option<PathBuf>,
    #[serde(flatten)]
    pub statistics: Statistics,
    /// What was expected; empty when nothing was.
    pub expectations: Vec<Checked>,
    /// Pictures that could not be read. They are in neither `correct` nor `total`.
    pub unreadable: Vec<Unreadable>,
    /// Groups of classes whose logits always tie; the lower index ranks first.
    pub tied_classes: Vec<Vec<usize>>,
    pub seconds: Seconds,
    /// Pictures evaluated in a second of the evaluation stage.
    pub pictures_per_second: f64,
    /// Largest resident memory in bytes, mapped files included; `null` if the system does not tell.
    pub peak_memory_bytes: Option<u64>,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub name: Cow<'static, str>,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub name: String,
    pub published_name: Option<String>,
    /// Published ImageNet-1K top-1 accuracy, in percent.
    pub published_top1_percent: Option<f64>,
    /// Side of the input, in pixels.
    pub image_size: usize,
}

impl Model {
    pub fn of(variant: &Variant) -> Self {
        Self {
            name: variant.name.clone(),
            published_name: variant.published.map(|published| published.name.into()),
            published_top1_percent: variant.published.map(|published| published.top1_percent),
            image_size: variant.preprocessing.size,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointFacts {
    pub path: PathBuf,
    /// The file's name.
    pub name: String,
    pub format: String,
    pub bytes: usize,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The tensors' dtypes, e.g. `["f16"]`.
    pub dtypes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The folder or archive that holds the pictures.
    pub path: PathBuf,
    pub source: Source,
    /// The file that says their classes, unless folders or the archive itself do.
    pub labels_file: Option<PathBuf>,
    /// Pictures found; `--limit` may have left some out.
    pub pictures: usize,
    /// Pictures to evaluate, by all shards together.
    pub selected: usize,
    /// SHA-256 over the names and labels of the selected pictures, in order.
    pub selected_sha256: String,
    pub classes_present: usize,
    /// Classes each picture was ranked among.
    pub classes: usize,
    /// As `--dataset` names it; `null` for other classes than ImageNet's.
    pub dataset: Option<String>,
    /// `original`, or `real` for the ReaL labels.
    pub labels: String,
    /// Pictures that were left out because they have no label.
    pub unlabelled: usize,
    pub ignored: Ignored,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompts {
    /// Templates for each class.
    pub templates: usize,
    /// The file given with `--templates`; the built-in list when absent.
    pub templates_file: Option<PathBuf>,
    /// The file given with `--classnames`; the built-in list when absent.
    pub classnames_file: Option<PathBuf>,
}

/// Where the text classifier came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierFacts {
    /// `built`, `cache` or `file`.
    pub origin: Cow<'static, str>,
    /// The file, unless it was built.
    pub path: Option<PathBuf>,
    /// SHA-256 over all that decides its values.
    pub key: String,
}

impl ClassifierFacts {
    pub fn of(obtained: &Obtained) -> Self {
        let (origin, path) = match &obtained.origin {
            Origin::Built => ("built", None),
            Origin::Cache(path) => ("cache", Some(path.clone())),
            Origin::File(path) => ("file", Some(path.clone())),
        };
        Self {
            origin: origin.into(),
            path,
            key: obtained.recipe.key(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub precision: Cow<'static, str>,
    pub device: String,
    pub batch_size: usize,
    /// Threads that decode pictures.
    pub workers: usize,
    /// Threads that compute.
    pub threads: usize,
    pub limit: Option<usize>,
    /// The part that this process evaluated, of several.
    pub shard: Option<Shard>,
}

impl Run {
    /// `cpu` or `cuda`.
    pub fn device_kind(&self) -> &str {
        self.device.split(':').next().unwrap_or(&self.device)
    }
}

/// Wall time of the stages, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Opening the checkpoint and loading the vision tower.
    pub load: f64,
    /// Getting the text classifier; its text tower is loaded only to build it.
    pub classifier: f64,
    /// From the program's start to the results of the first batch. `null` without pictures.
    pub first_batch: Option<f64>,
    /// Evaluating the pictures.
    pub evaluation: f64,
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
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// The counts of pictures that a warning about unreadable ones names, in one place.
pub fn unreadable_warning(unreadable: &[Unreadable]) -> Option<Warning> {
    let count = unreadable.len();
    (count > 0).then_some(Warning::UnreadablePictures { count })
}

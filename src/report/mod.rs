//! Results as plain data, and one small file for each form they are written in.

pub mod json;
pub mod output;
pub mod predictions;
pub mod text;

use std::path::PathBuf;

use serde::Serialize;

use crate::classifiers::{Obtained, Origin};
use crate::data::Unreadable;
use crate::data::folder::Ignored;
use crate::metrics::Accuracy;
use crate::model::Variant;

/// Version of the JSON form. It grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of an evaluation, with everything needed to repeat it.
#[derive(Debug, Clone, Serialize)]
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
    pub top1: Accuracy,
    pub top5: Accuracy,
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
}

#[derive(Debug, Clone, Serialize)]
pub struct Program {
    pub name: &'static str,
    pub version: &'static str,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
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

#[derive(Debug, Clone, Serialize)]
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

#[derive(Debug, Clone, Serialize)]
pub struct Data {
    /// The folder with the class folders.
    pub path: PathBuf,
    /// Pictures found; `--limit` may have left some out.
    pub pictures: usize,
    pub classes_present: usize,
    /// Classes each picture was ranked among.
    pub classes: usize,
    pub ignored: Ignored,
}

#[derive(Debug, Clone, Serialize)]
pub struct Prompts {
    /// Templates for each class.
    pub templates: usize,
    /// The file given with `--templates`; the built-in list when absent.
    pub templates_file: Option<PathBuf>,
    /// The file given with `--classnames`; the built-in list when absent.
    pub classnames_file: Option<PathBuf>,
}

/// Where the text classifier came from.
#[derive(Debug, Clone, Serialize)]
pub struct ClassifierFacts {
    /// `built`, `cache` or `file`.
    pub origin: &'static str,
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
            origin,
            path,
            key: obtained.recipe.key(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub precision: &'static str,
    pub device: String,
    pub batch_size: usize,
    /// Threads that decode pictures.
    pub workers: usize,
    /// Threads that compute.
    pub threads: usize,
    pub limit: Option<usize>,
}

/// Wall time of the stages, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
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

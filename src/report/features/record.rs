//! What a features file says besides its numbers, in a form of its own.
//!
//! The form is written down here, field by field, so that results may change theirs without a word
//! to features files. Where a type of the report is renamed or changed, this file no longer
//! compiles until it says how the old form maps to the new type. Whoever changes the form itself
//! raises [`VERSION`](super::VERSION); a test holds both together.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::classifier::recipe::Recipe;
use crate::data::{Ignored, Source, Unreadable};
use crate::evaluation::shard::Shard;
use crate::metrics::expectation::Published;
use crate::report::{CheckpointInfo, Data, Model, PromptListInfo, Prompts, Report, RunSettings};
use crate::text::ClassNames;
use crate::util::path_text::PathText;

/// All that evaluating the features again takes, but for the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of each picture, in order: its path below the data set's folder.
    pub names: Vec<String>,
    /// Of each picture: its class. They stand in a tensor of their own, not in the JSON.
    #[serde(skip)]
    pub labels: Vec<usize>,
    /// Of each picture: the classes that are right, where they are others than the label alone.
    pub right: Vec<Option<Arc<[usize]>>>,
    /// The classes' names, and their folders if a file gave them.
    pub classes: ClassNames,
    /// The classes that pictures are ranked among, where they are not all.
    pub choices: Option<Arc<[usize]>>,
    /// What the classifier was made from.
    pub recipe: Recipe,
    #[serde(with = "ModelForm")]
    pub model: Model,
    #[serde(with = "CheckpointForm")]
    pub checkpoint: CheckpointInfo,
    #[serde(with = "DataForm")]
    pub data: Data,
    #[serde(with = "PromptsForm")]
    pub prompts: Prompts,
    #[serde(with = "RunForm")]
    pub settings: RunSettings,
    /// Pictures that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Warnings of the run that made the features.
    pub warnings: Vec<String>,
}

impl Record {
    /// Of the run whose result is `report`. `right` is as the field of that name.
    pub fn new(
        report: &Report,
        right: Vec<Option<Arc<[usize]>>>,
        classes: ClassNames,
        choices: Option<Arc<[usize]>>,
        recipe: Recipe,
    ) -> Self {
        let judgements = || report.judgements.iter();
        Self {
            names: judgements().map(|judged| judged.name.clone()).collect(),
            labels: judgements().map(|judged| judged.label as usize).collect(),
            right,
            classes,
            choices,
            recipe,
            model: report.model.clone(),
            checkpoint: report.checkpoint.clone(),
            data: report.data.clone(),
            prompts: report.prompts.clone(),
            settings: report.settings.clone(),
            unreadable: report.unreadable.clone(),
            warnings: report.warnings.clone(),
        }
    }

    /// Whether it is of so many pictures and classes, and names no class beyond them.
    pub(super) fn fits(&self, pictures: usize, classes: usize) -> bool {
        let listed = self.right.iter().chain([&self.choices]).flatten();
        let mut named = listed.flat_map(|list| list.iter()).chain(&self.labels);
        [self.names.len(), self.labels.len(), self.right.len()] == [pictures; 3]
            && [self.classes.len(), self.recipe.classes] == [classes; 2]
            && named.all(|class| *class < classes)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Model", deny_unknown_fields)]
struct ModelForm {
    name: String,
    published_name: Option<String>,
    published: Option<Published>,
    decided_by: String,
    image_size: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CheckpointInfo", deny_unknown_fields)]
struct CheckpointForm {
    path: PathText,
    name: String,
    format: String,
    weights: Option<String>,
    prefix: Option<String>,
    layout: String,
    bytes: usize,
    sha256: String,
    dtypes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Data", deny_unknown_fields)]
struct DataForm {
    path: PathText,
    source: Source,
    labels_file: Option<PathText>,
    pictures: usize,
    selected: usize,
    selected_sha256: String,
    classes_present: usize,
    classes: usize,
    dataset: Option<String>,
    protocol: String,
    labels: String,
    unlabelled: usize,
    ignored: Ignored,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Prompts", deny_unknown_fields)]
struct PromptsForm {
    templates: usize,
    templates_file: Option<PathText>,
    lists: Vec<PromptListInfo>,
    classnames: String,
    classnames_file: Option<PathText>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RunSettings", deny_unknown_fields)]
struct RunForm {
    precision: Cow<'static, str>,
    device: String,
    batch_size: usize,
    workers: usize,
    threads: usize,
    limit: Option<usize>,
    shard: Option<Shard>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Record;
    use crate::report::features::VERSION;

    /// A change of this text is a change of the form: it asks for another version.
    #[test]
    fn version_3_has_this_form() {
        assert_eq!(VERSION, "3");
        let form = json!({
            "names": ["n01/a.jpg"],
            "right": [[0, 1]],
            "classes": {"names": ["tench", "shark"], "folders": ["n01", "n02"]},
            "choices": [0, 1],
            "recipe": {
                "text_tower": "00", "class_names": "01", "prompts": "02", "classes": 2,
                "templates": 1, "precision": "f32", "algorithm": 1,
            },
            "model": {
                "name": "m", "published_name": "M",
                "published": {"top1_percent": 77.0, "tolerance": 0.1, "source": "s"},
                "decided_by": "--model",
                "image_size": 64,
            },
            "checkpoint": {
                "path": "c/m.pt", "name": "m.pt", "format": "safetensors",
                "weights": "model_ema", "prefix": "module.", "layout": "eva-clip", "bytes": 3,
                "sha256": "03", "dtypes": ["f16"],
            },
            "data": {
                "path": "d", "source": "folders", "labels_file": "l", "pictures": 3,
                "selected": 2, "selected_sha256": "04", "classes_present": 1, "classes": 2,
                "dataset": "imagenet", "protocol": "clip-benchmark", "labels": "original", "unlabelled": 0,
                "ignored": {"hidden": 1, "not_pictures": 2, "other_folders": 3},
            },
            "prompts": {
                "templates": 1, "templates_file": "t", "lists": [{"file": "t", "weight": 1.0}],
                "classnames": "file", "classnames_file": "n",
            },
            "settings": {
                "precision": "f32", "device": "cpu", "batch_size": 8, "workers": 1, "threads": 2,
                "limit": 2, "shard": {"index": 1, "of": 2},
            },
            "unreadable": [{"path": "d/n01/b.jpg", "reason": "the file is empty"}],
            "warnings": ["w"],
        });
        let record: Record = serde_json::from_value(form.clone()).unwrap();
        assert_eq!(serde_json::to_value(record).unwrap(), form);
    }
}

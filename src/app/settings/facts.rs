//! What tells evaluations apart beside their models.

use std::path::PathBuf;

use crate::data::{DataLocation, Protocol};
use crate::evaluation::shard::Shard;
use crate::inference::classifiers::ClassifierSource;
use crate::util::escape;

use super::prompts::Prompts;

/// What is known of an evaluation whether or not a model is chosen for it.
pub(super) struct Facts<'a> {
    pub pictures: &'a DataLocation,
    pub protocol: &'a Protocol,
    pub prompts: &'a Prompts,
    pub classifier: &'a ClassifierSource,
    /// The key of the weights that are meant, if it is said.
    pub weights: Option<&'a str>,
    pub limit: Option<usize>,
    pub shard: Option<Shard>,
    pub device: String,
    pub batch_size: String,
    pub workers: usize,
    pub strict: bool,
}

impl Facts<'_> {
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

    /// What may tell it from other evaluations of its model, checkpoint, set and precision, with
    /// the names of a table's columns. The list is as long for all.
    pub fn distinctions(&self) -> Vec<(&'static str, String)> {
        let file = |path: Option<&PathBuf>, otherwise: &str| match path {
            Some(path) => escape::name(path.as_os_str()).into_owned(),
            None => otherwise.into(),
        };
        let classifier = match self.classifier {
            ClassifierSource::File(path) => Some(path),
            ClassifierSource::Cache(_) | ClassifierSource::None => None,
        };
        vec![
            ("pictures", file(Some(&self.pictures.path), "")),
            ("labels", file(self.pictures.labels.as_ref(), "the set's")),
            ("templates", self.prompts.lists_label()),
            ("class names", self.prompts.names_label()),
            ("classifier", file(classifier, "of the templates")),
            ("weights", self.weights.unwrap_or("default").into()),
            ("limit", self.limit.map_or("all".into(), |n| n.to_string())),
            ("device", self.device.clone()),
            ("batch size", self.batch_size.clone()),
            ("workers", self.workers.to_string()),
            ("strict", self.strict.to_string()),
        ]
    }

    /// A short name for the data set: its folder's, and how it is judged if not as ImageNet.
    pub fn set_name(&self) -> String {
        let mut names = self.pictures.path.iter().rev().map(escape::name);
        let name = names.find(|name| !matches!(name.as_ref(), "val" | "." | "/"));
        let name = name
            .unwrap_or_else(|| escape::name(self.pictures.path.as_os_str()))
            .into_owned();
        let plain = *self.protocol == Protocol::default() || self.protocol.set.is_none();
        if plain {
            name
        } else {
            format!("{name} ({})", self.protocol.name())
        }
    }
}

//! Results of each class, and which class is taken for which.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Judgement;

/// Confusions that are listed.
const LISTED: usize = 20;

/// One class's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassResult {
    /// Its index.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// Its evaluated pictures.
    pub pictures: u64,
    /// Of these, right ones.
    pub top1: u64,
    /// Of these, with the label among the first five.
    pub top5: u64,
    /// Pictures, of any class, for which this class ranked first.
    pub predicted: u64,
}

impl ClassResult {
    /// Share of its pictures that were recognised, in percent.
    pub fn recall_percent(&self) -> Option<f64> {
        (self.pictures > 0).then(|| 100.0 * self.top1 as f64 / self.pictures as f64)
    }
}

/// A class whose pictures were taken for another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// The right class.
    pub label: u32,
    /// Its name.
    pub label_name: String,
    /// The class that ranked first.
    pub predicted: u32,
    /// Its name.
    pub predicted_name: String,
    /// How many.
    pub pictures: u64,
}

/// Counts of all classes that have pictures or were predicted, by index.
pub(super) fn per_class<'a>(
    judgements: &[Judgement],
    name: &impl Fn(usize) -> Option<&'a str>,
) -> Vec<ClassResult> {
    let mut classes: BTreeMap<u32, ClassResult> = BTreeMap::new();
    let mut with = |class: u32, count: &dyn Fn(&mut ClassResult)| {
        count(classes.entry(class).or_insert_with(|| ClassResult {
            class,
            name: name_of(class, name),
            pictures: 0,
            top1: 0,
            top5: 0,
            predicted: 0,
        }));
    };
    for judgement in judgements {
        with(judgement.best, &|class| class.predicted += 1);
        with(judgement.label, &|class| {
            class.pictures += 1;
            class.top1 += u64::from(judgement.top1());
            class.top5 += u64::from(judgement.top5());
        });
    }
    classes.into_values().collect()
}

/// Mean recall of the classes that have pictures, in percent.
pub(super) fn mean_recall(classes: &[ClassResult]) -> Option<f64> {
    let recalls: Vec<f64> = classes
        .iter()
        .filter_map(ClassResult::recall_percent)
        .collect();
    (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// The most frequent confusions; equally frequent ones by class index.
pub(super) fn confusions<'a>(
    judgements: &[Judgement],
    name: &impl Fn(usize) -> Option<&'a str>,
) -> Vec<Confusion> {
    let mut counts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for judgement in judgements.iter().filter(|j| !j.top1()) {
        *counts.entry((judgement.label, judgement.best)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // Stable, so that the classes' order remains among equals.
    counts.sort_by_key(|(_, pictures)| std::cmp::Reverse(*pictures));
    counts
        .into_iter()
        .take(LISTED)
        .map(|((label, predicted), pictures)| Confusion {
            label,
            label_name: name_of(label, name),
            predicted,
            predicted_name: name_of(predicted, name),
            pictures,
        })
        .collect()
}

fn name_of<'a>(class: u32, name: &impl Fn(usize) -> Option<&'a str>) -> String {
    name(class as usize).map_or_else(|| format!("class {class}"), Into::into)
}

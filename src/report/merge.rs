//! The results of all shards, put together to the one that a single run gives.

use std::collections::HashSet;
use std::path::PathBuf;

use super::{Report, Seconds, chance_warning, changed_warning, rate, unreadable_warning};
use crate::evaluation::shard::Shard;
use crate::metrics::Statistics;
use crate::util::brief;
use crate::util::count::{count, picks};
use crate::util::escape::Shown;
use crate::util::usage::UsageError;

/// Shards that a message lists before it abridges.
const LISTED: usize = 20;

/// Puts the shards' results together. Bit for bit but for the times, that is the result of a
/// single run; facts that do not change the result (paths, batch size, threads, where the
/// classifier came from) are the first shard's.
///
/// # Errors
/// When the results are not those of all shards of one evaluation, saying what is wrong.
pub fn merge(results: Vec<(PathBuf, Report)>) -> Result<Report, UsageError> {
    let mut parts = Vec::with_capacity(results.len());
    for (path, report) in results {
        match report.settings.shard {
            Some(shard) => parts.push(Part {
                path,
                shard,
                report,
            }),
            None => {
                return Err(UsageError::new(
                    format!(
                        "{} is the result of a whole run, not of a shard",
                        path.shown()
                    ),
                    "give the results of runs with --shard",
                ));
            }
        }
    }
    parts.sort_by_key(|part| part.shard.index);
    check_settings(&parts)?;
    check_coverage(&parts)?;
    parts.iter().try_for_each(Part::check_complete)?;
    check_distinct(&parts)?;
    for part in &parts {
        part.report.check_counts(&part.path)?;
    }
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return Err(UsageError::new("there are no results to merge", MISSING));
    };
    let mut merged = first.report.without_shard();
    for part in parts {
        merged.append(part.report.without_shard());
    }
    merged.count_again();
    Ok(merged)
}

const MISSING: &str = "give the JSON results of all shards, for instance results/*.json";

struct Part {
    path: PathBuf,
    shard: Shard,
    report: Report,
}

impl Part {
    /// Refuses a result that does not hold its whole shard.
    fn check_complete(&self) -> Result<(), UsageError> {
        if self.report.interrupted {
            return Err(UsageError::new(
                format!(
                    "{} is the partial result of an interrupted run",
                    self.path.shown()
                ),
                "evaluate this shard again, or go on with its --resume FILE",
            ));
        }
        let found = self.report.judgements.len() + self.report.unreadable.len();
        let expected = self.report.to_evaluate();
        if found == expected {
            Ok(())
        } else {
            Err(UsageError::new(
                format!(
                    "{} holds {}, but shard {} has {expected}",
                    self.path.shown(),
                    count(found, "picture"),
                    self.shard
                ),
                "the result is incomplete; evaluate this shard again",
            ))
        }
    }
}

/// Refuses results of different evaluations, naming all that differs.
fn check_settings(parts: &[Part]) -> Result<(), UsageError> {
    let Some((first, others)) = parts.split_first() else {
        return Ok(());
    };
    let ours = decisive(&first.report);
    for other in others {
        let theirs = decisive(&other.report);
        let differences: Vec<String> = ours
            .iter()
            .zip(&theirs)
            .filter(|(ours, theirs)| ours != theirs)
            .map(|((name, ours), (_, theirs))| {
                let (ours, theirs) = (brief::excerpt(ours), brief::excerpt(theirs));
                format!("{name} ({ours} and {theirs})")
            })
            .collect();
        if !differences.is_empty() {
            return Err(UsageError::new(
                format!(
                    "{} and {} are not of one evaluation; they differ in {}",
                    first.path.shown(),
                    other.path.shown(),
                    differences.join(", ")
                ),
                "evaluate all shards with the same program, flags, checkpoint and pictures",
            ));
        }
    }
    Ok(())
}

/// What decides a result, with names for messages.
fn decisive(report: &Report) -> Vec<(&'static str, String)> {
    let shards = report.settings.shard.map_or(1, |shard| shard.of);
    let limit = report.settings.limit;
    vec![
        ("the number of shards", shards.to_string()),
        ("program version", report.program.version.to_string()),
        ("model", report.model.name.clone()),
        ("image size", report.model.image_size.to_string()),
        ("checkpoint sha256", report.checkpoint.sha256.clone()),
        (
            "weights",
            report.checkpoint.weights.clone().unwrap_or("all".into()),
        ),
        ("classifier", report.classifier.key.clone()),
        ("precision", report.settings.precision.to_string()),
        ("device", report.settings.device_kind().to_string()),
        (
            "--limit",
            limit.map_or_else(|| "none".into(), |limit| limit.to_string()),
        ),
        (
            "data set",
            report.data.dataset.clone().unwrap_or("none".into()),
        ),
        ("protocol", report.data.protocol.clone()),
        ("labels", report.data.labels.clone()),
        ("classes", report.data.classes.to_string()),
        ("pictures found", report.data.pictures.to_string()),
        ("pictures to evaluate", report.data.selected.to_string()),
        (
            "names or labels of the pictures, sha256",
            report.data.selected_sha256.clone(),
        ),
        ("tied classes", format!("{:?}", report.tied_classes)),
    ]
}

/// Refuses shards that are there twice or not at all.
fn check_coverage(parts: &[Part]) -> Result<(), UsageError> {
    for pair in parts.windows(2) {
        if let [a, b] = pair
            && a.shard == b.shard
        {
            return Err(UsageError::new(
                format!(
                    "{} and {} overlap: both are shard {}",
                    a.path.shown(),
                    b.path.shown(),
                    a.shard
                ),
                "give the result of each shard once",
            ));
        }
    }
    let of = parts.first().map_or(0, |part| part.shard.of);
    let present: HashSet<usize> = parts.iter().map(|part| part.shard.index).collect();
    let missing: Vec<String> = (1..=of)
        .filter(|index| !present.contains(index))
        .take(LISTED)
        .map(|index| format!("{index}/{of}"))
        .collect();
    match of - present.len() {
        0 => Ok(()),
        count => Err(UsageError::new(
            format!(
                "{count} of {of} shards {} missing: {}{}",
                picks(count, "is", "are"),
                missing.join(", "),
                if count > LISTED { ", …" } else { "" }
            ),
            MISSING,
        )),
    }
}

/// Refuses a picture that two shards evaluated.
fn check_distinct(parts: &[Part]) -> Result<(), UsageError> {
    let mut names = HashSet::new();
    for judgement in parts.iter().flat_map(|part| &part.report.judgements) {
        if !names.insert(judgement.name.as_str()) {
            return Err(UsageError::new(
                format!("{} is in two shards", judgement.name),
                "evaluate the shards again, on equal copies of the pictures",
            ));
        }
    }
    Ok(())
}

/// The rate at which two shards' pictures were evaluated one after the other. Those that a journal knew
/// took no time, and are not counted in either rate.
fn joint_rate(a: &Report, b: &Report) -> Option<f64> {
    let computed =
        |report: &Report| report.pictures_per_second.unwrap_or(0.0) * report.seconds.evaluation;
    let seconds = a.seconds.evaluation + b.seconds.evaluation;
    let pictures = (computed(a) + computed(b)).round();
    rate(pictures as usize, seconds)
}

impl Report {
    /// The report without what only concerns its shard.
    fn without_shard(mut self) -> Self {
        let counted = [
            unreadable_warning(&self.unreadable),
            changed_warning(&self.changed),
            chance_warning(&self.statistics.top1, self.data.classes),
        ];
        for warning in counted.into_iter().flatten() {
            let warning = warning.to_string();
            self.warnings.retain(|known| *known != warning);
        }
        self.settings.shard = None;
        self
    }

    fn append(&mut self, mut other: Self) {
        self.judgements.append(&mut other.judgements);
        self.unreadable.append(&mut other.unreadable);
        self.changed.append(&mut other.changed);
        self.pictures_per_second = joint_rate(self, &other);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        // Every class that a confusion can name has a row in some shard.
        let known: HashSet<u32> = self.statistics.per_class.iter().map(|c| c.class).collect();
        let new = other.statistics.per_class.into_iter();
        self.statistics
            .per_class
            .extend(new.filter(|class| !known.contains(&class.class)));
        self.provenance.append(other.provenance);
        let first = (self.seconds.first_batch, other.seconds.first_batch);
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
        self.seconds = Seconds {
            first_batch: first
                .0
                .zip(first.1)
                .map(|(a, b)| a.min(b))
                .or(first.0)
                .or(first.1),
            load: self.seconds.load + other.seconds.load,
            classifier: self.seconds.classifier + other.seconds.classifier,
            evaluation: self.seconds.evaluation + other.seconds.evaluation,
            total: self.seconds.total + other.seconds.total,
        };
    }

    /// Forms all numbers anew from the pictures.
    fn count_again(&mut self) {
        let names: std::collections::HashMap<u32, String> = self
            .statistics
            .per_class
            .iter()
            .map(|class| (class.class, class.name.clone()))
            .collect();
        self.statistics = Statistics::of(&self.judgements, |class| {
            let class = u32::try_from(class).ok()?;
            names.get(&class).map(String::as_str)
        });
        let warnings = [
            unreadable_warning(&self.unreadable),
            changed_warning(&self.changed),
            chance_warning(&self.statistics.top1, self.data.classes),
        ];
        let warnings = warnings.into_iter().flatten();
        self.warnings.extend(warnings.map(|w| w.to_string()));
        self.expectations.clear();
    }
}

//! The row that a paper prints: checkpoints on the data sets of a suite, their average and the drop
//! to it.
//!
//! A set names its task, which is classification for all of them so far; a cell has the measures of
//! its task.

mod csv;
mod estimate;
mod html;
mod latex;
mod markdown;
mod marks;
mod text;

use schemars::JsonSchema;
use serde::Serialize;

use super::table::remarks;
use super::{Program, Report};
use crate::data::{Set, SuiteSet};
use crate::metrics::Accuracy;
use crate::metrics::expectation::Checked;
use crate::util::path_text::PathText;

pub use self::csv::csv;
pub use estimate::{Estimate, Summary};
pub use html::html;
pub use latex::latex;
pub use markdown::markdown;

/// Version of the JSON form. It grows when a field appears, changes its meaning or goes away.
pub const SUITE_VERSION: u32 = 1;

/// Classes with fewer of which the first five say nothing.
const CLASSES_FOR_TOP5: usize = 5;

/// Checkpoints on the data sets of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suite {
    /// Version of this form. It grows when a field appears, changes its meaning or goes away.
    #[schemars(extend("const" = SUITE_VERSION))]
    pub schema_version: u32,
    /// Whether the user ended the run before everything was evaluated.
    pub interrupted: bool,
    /// The program that made the result.
    pub program: Program,
    /// Whose rules decided how ObjectNet was judged, as `--protocol` names them.
    #[schemars(extend("enum" = super::PROTOCOLS))]
    pub protocol: String,
    /// The data sets, in the order of the cells.
    pub sets: Vec<SetInfo>,
    /// A row for each checkpoint, in the order in which they were given.
    pub rows: Vec<Row>,
    /// Sets of the row of six that are not there.
    pub missing: Vec<String>,
    /// What was found and cannot be evaluated, and why.
    pub problems: Vec<Problem>,
}

/// A data set of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SetInfo {
    /// Its name: as `--dataset` has it, `imagenet-real`, `imagenet-v2-threshold0.7`,
    /// `imagenet-v2-top-images`, or that of its folder.
    pub name: String,
    /// The head of its column.
    pub title: String,
    /// What is measured: always `classification`.
    #[schemars(extend("const" = "classification"))]
    pub task: &'static str,
    /// Whether it is one of the six sets that the average is over.
    pub in_average: bool,
    /// Where it is.
    pub path: PathText,
}

/// A checkpoint on all sets.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Name of the model; `unknown` where none could be chosen, so that all cells are failures.
    pub model: String,
    /// As much of the checkpoint's path as tells it from the others.
    pub checkpoint: String,
    /// The whole path or address.
    pub path: String,
    /// Precision of the linear layers.
    pub precision: String,
    /// One for each set, in their order.
    pub results: Vec<Cell>,
    /// Top-1: average over the sets of the row of six, and the drop from ImageNet to it.
    pub top1: Summary,
    /// The same for top-5.
    pub top5: Summary,
    /// The average of the published top-1 accuracies of the same sets, in percent; `null` where one
    /// is not known.
    #[schemars(range(min = 0, max = 100))]
    pub published_average_percent: Option<f64>,
}

/// A checkpoint on a set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Cell {
    /// The set's name.
    pub set: String,
    /// The label ranks first; `null` without a result.
    pub top1: Option<Accuracy>,
    /// The label is among the first five; `null` also where there are fewer than five classes.
    pub top5: Option<Accuracy>,
    /// The mean of the classes' accuracies.
    #[schemars(range(min = 0, max = 100))]
    pub mean_per_class_recall_percent: Option<f64>,
    /// Pictures that could not be read.
    pub unreadable: usize,
    /// The published top-1 accuracy of this checkpoint on this set, where it is known.
    #[schemars(range(min = 0, max = 100))]
    pub published_top1_percent: Option<f64>,
    /// Found less published, in percentage points.
    pub difference: Option<f64>,
    /// What was expected, and whether it was met.
    pub expectations: Vec<Checked>,
    /// What a reader of the accuracy has to know: that it is of a part, or not what was expected.
    pub remarks: Vec<String>,
    /// Whether the accuracy is of all pictures that the set has here.
    pub whole: bool,
    /// Why there is no result.
    pub failure: Option<String>,
    /// The file with the whole result, if it is written.
    pub result: Option<PathText>,
}

/// Something that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Problem {
    /// The set, or the folder's name.
    pub name: String,
    /// Why not.
    pub reason: String,
}

impl SetInfo {
    pub fn new(set: &SuiteSet, path: PathText) -> Self {
        Self {
            name: set.name().into(),
            title: set.title().into(),
            task: "classification",
            in_average: set.in_average(),
            path,
        }
    }
}

impl Cell {
    /// What an evaluation says.
    pub fn of(
        set: &str,
        report: &Report,
        published: Option<f64>,
        result: Option<PathText>,
    ) -> Self {
        let statistics = &report.statistics;
        let top1 = statistics.top1;
        let enough = report.data.classes >= CLASSES_FOR_TOP5;
        let part = report.interrupted
            || report.settings.shard.is_some()
            || report.data.selected < report.data.pictures;
        Self {
            set: set.into(),
            top1: Some(top1),
            top5: enough.then_some(statistics.top5),
            mean_per_class_recall_percent: statistics.mean_per_class_recall_percent,
            unreadable: report.unreadable.len(),
            published_top1_percent: published,
            difference: top1
                .percent
                .zip(published)
                .map(|(found, known)| found - known),
            expectations: report.expectations.clone(),
            remarks: remarks(report)
                .into_iter()
                .chain(other_size(report))
                .collect(),
            whole: !part,
            failure: None,
            result,
        }
    }

    /// Why there is nothing.
    pub fn failed(set: &str, reason: String) -> Self {
        Self {
            set: set.into(),
            failure: Some(reason),
            ..Self::default()
        }
    }
}

/// That the pictures are more or fewer than the published set's.
fn other_size(report: &Report) -> Option<String> {
    let data = &report.data;
    let set = data.dataset.as_deref().and_then(Set::by_name)?;
    let (found, whole) = (data.pictures + data.unlabelled, set.size().pictures);
    let by_set = data.classes >= set.size().classes;
    (by_set && found != whole).then(|| format!("{found} pictures; the whole set has {whole}"))
}

impl Suite {
    /// Forms averages and drops from the cells.
    pub fn summarise(&mut self) {
        let names: Vec<String> = self.averaged().map(|set| set.name.clone()).collect();
        let first = names.first().is_some_and(|name| name == "imagenet");
        for row in &mut self.rows {
            let cells: Vec<&Cell> = row
                .results
                .iter()
                .filter(|cell| names.contains(&cell.set))
                .collect();
            let accuracies = |of: fn(&Cell) -> Option<Accuracy>| -> Vec<Option<Accuracy>> {
                let finished = |cell: &&Cell| of(cell).filter(|_| cell.failure.is_none());
                cells.iter().map(finished).collect()
            };
            row.top1 = Summary::of(&accuracies(|cell| cell.top1), first);
            row.top5 = Summary::of(&accuracies(|cell| cell.top5), first);
            let published = cells.iter().map(|cell| cell.published_top1_percent);
            let published: Option<Vec<f64>> = published.collect();
            row.published_average_percent = published
                .filter(|known| known.len() > 1)
                .map(|known| known.iter().sum::<f64>() / known.len() as f64);
        }
    }

    /// The sets that the average is over.
    pub fn averaged(&self) -> impl Iterator<Item = &SetInfo> {
        self.sets.iter().filter(|set| set.in_average)
    }

    /// The sets beside the row of six.
    fn others(&self) -> impl Iterator<Item = &SetInfo> {
        self.sets.iter().filter(|set| !set.in_average)
    }

    /// Whether some accuracy was published.
    fn has_published(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.results);
        cells.any(|cell| cell.difference.is_some())
    }

    /// What has to be said of cells, with what tells them.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for row in &self.rows {
            for (sets, why) in row.failures() {
                let of_all = sets.len() > 1 && sets.len() == row.results.len();
                let sets = if of_all {
                    String::new()
                } else {
                    format!(", {}", sets.join(", "))
                };
                notes.push(format!("{}{sets}: failed: {why}", row.checkpoint));
            }
            for cell in &row.results {
                let place = format!("{}, {}", row.checkpoint, cell.set);
                if cell.unreadable > 0 {
                    notes.push(format!("{place}: {} unreadable pictures", cell.unreadable));
                }
                notes.extend(
                    cell.remarks
                        .iter()
                        .map(|remark| format!("{place}: {remark}")),
                );
            }
        }
        for Problem { name, reason } in &self.problems {
            notes.push(format!("{name}: not evaluated: {reason}"));
        }
        if !self.missing.is_empty() {
            notes.push(format!("not there: {}", self.missing.join(", ")));
        }
        notes
    }

    /// The columns of a table: each with a title and a value for every row.
    fn columns(&self, measure: Measure) -> Vec<Column> {
        let of_set = |set: &SetInfo| Column {
            title: set.title.clone(),
            kind: Kind::Set,
            values: self
                .rows
                .iter()
                .map(|row| row.value(&set.name, measure))
                .collect(),
        };
        let summary = |title: String, kind: Kind, of: fn(&Summary) -> Option<Estimate>| Column {
            title,
            kind,
            values: self
                .rows
                .iter()
                .map(|row| Value::of_estimate(of(row.summary(measure))))
                .collect(),
        };
        let averaged = self.averaged().count();
        let mut columns: Vec<Column> = self.averaged().map(of_set).collect();
        if averaged > 1 {
            let title = match averaged {
                6 => "average".into(),
                some => format!("average of {some}"),
            };
            columns.push(summary(title, Kind::Average, |summary| summary.average));
        }
        if self
            .rows
            .iter()
            .any(|row| row.summary(measure).drop.is_some())
        {
            columns.push(summary("drop".into(), Kind::Drop, |summary| summary.drop));
        }
        columns.extend(self.others().map(of_set));
        columns
    }
}

/// What a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Top1,
    Top5,
}

/// What a column of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Set,
    Average,
    /// The less, the better.
    Drop,
}

/// A column of a table.
struct Column {
    title: String,
    kind: Kind,
    values: Vec<Value>,
}

/// A cell of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Value {
    percent: Option<f64>,
    interval95: Option<[f64; 2]>,
    /// Whether it is of a part of the set only.
    part: bool,
}

impl Value {
    fn of_estimate(estimate: Option<Estimate>) -> Self {
        Self {
            percent: estimate.map(|estimate| estimate.percent),
            interval95: estimate.map(|estimate| estimate.interval95),
            part: false,
        }
    }
}

impl Row {
    fn summary(&self, measure: Measure) -> &Summary {
        match measure {
            Measure::Top1 => &self.top1,
            Measure::Top5 => &self.top5,
        }
    }

    /// Why cells have no result: each reason once, with the sets.
    fn failures(&self) -> Vec<(Vec<&str>, &str)> {
        let mut failures: Vec<(Vec<&str>, &str)> = Vec::new();
        for cell in &self.results {
            let Some(why) = cell.failure.as_deref() else {
                continue;
            };
            match failures.iter_mut().find(|(_, known)| *known == why) {
                Some((sets, _)) => sets.push(&cell.set),
                None => failures.push((vec![&cell.set], why)),
            }
        }
        failures
    }

    fn cell(&self, set: &str) -> Option<&Cell> {
        self.results.iter().find(|cell| cell.set == set)
    }

    fn value(&self, set: &str, measure: Measure) -> Value {
        let Some(cell) = self.cell(set) else {
            return Value::default();
        };
        let accuracy = match measure {
            Measure::Top1 => cell.top1,
            Measure::Top5 => cell.top5,
        };
        Value {
            percent: accuracy.and_then(|accuracy| accuracy.percent),
            interval95: accuracy.and_then(|accuracy| accuracy.interval95),
            part: !cell.whole,
        }
    }
}

/// `77.01`, or a dash.
fn percent(percent: Option<f64>, digits: usize) -> String {
    percent.map_or_else(|| "–".into(), |percent| format!("{percent:.digits$}"))
}

/// `+0.13`, or a dash.
fn difference(points: Option<f64>) -> String {
    points.map_or_else(|| "–".into(), |points| format!("{points:+.2}"))
}

#[cfg(test)]
mod tests;

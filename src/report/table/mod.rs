//! The results of a sweep as a table: for people, and ready to paste.

mod csv;
mod latex;
mod markdown;
mod text;

use std::path::PathBuf;

use super::Report;
use crate::metrics::Accuracy;
use crate::metrics::expectation::Checked;

pub use self::csv::csv;
pub(super) use latex::escape as escape_latex;
pub use latex::latex;
pub(super) use markdown::escape as escape_markdown;
pub use markdown::markdown;
pub use text::{sentence, text};

/// A row: what was evaluated, and what came of it.
#[derive(Debug, Clone)]
pub struct Row {
    pub label: RowLabel,
    pub outcome: Result<Figures, Failure>,
}

/// What stands for the model where none could be chosen.
pub const UNKNOWN_MODEL: &str = "unknown";

/// What was evaluated.
#[derive(Debug, Clone, Default)]
pub struct RowLabel {
    /// The model's name, or [`UNKNOWN_MODEL`].
    pub model: String,
    /// As much of the checkpoint's path as tells it from the others.
    pub checkpoint: String,
    pub set: String,
    pub precision: String,
    /// The settings in which the sweep's evaluations differ beside these, in the order of
    /// [`Table::further`].
    pub further: Vec<String>,
    /// The whole path or address.
    pub path: String,
    /// The file with the result, if it is written.
    pub result: Option<PathBuf>,
}

impl RowLabel {
    /// The cells that say what was evaluated.
    fn cells(&self) -> Vec<String> {
        let first = [&self.model, &self.checkpoint, &self.set, &self.precision];
        first.into_iter().chain(&self.further).cloned().collect()
    }
}

/// Rows, and what their further columns are.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub further: Vec<&'static str>,
    pub rows: Vec<Row>,
}

/// What came of an evaluation.
#[derive(Debug, Clone)]
pub struct Figures {
    pub top1: Accuracy,
    pub top5: Accuracy,
    pub unreadable: usize,
    /// None where a journal knew all pictures.
    pub pictures_per_second: Option<f64>,
    /// Loading, the classifier, and this one's part of the pass over the pictures.
    pub seconds: f64,
    /// Whether it was ended before all pictures were evaluated.
    pub interrupted: bool,
    /// What was expected of it.
    pub expectations: Vec<Checked>,
    /// What a reader of the accuracy has to know: that it is of a part, or not what was expected.
    pub remarks: Vec<String>,
}

impl Figures {
    pub fn of(report: &Report) -> Self {
        let seconds = report.seconds;
        Self {
            top1: report.statistics.top1,
            top5: report.statistics.top5,
            unreadable: report.unreadable.len(),
            pictures_per_second: report.pictures_per_second,
            seconds: seconds.load + seconds.classifier + seconds.evaluation,
            interrupted: report.interrupted,
            expectations: report.expectations.clone(),
            remarks: remarks(report),
        }
    }

    /// The expectations that were not met.
    pub fn missed(&self) -> impl Iterator<Item = &Checked> {
        self.expectations.iter().filter(|checked| !checked.met)
    }
}

/// What a reader of an accuracy has to know.
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let mut remarks = Vec::new();
    if report.interrupted {
        let done = report.judgements.len() + report.unreadable.len();
        remarks.push(format!("PARTIAL: {done} of {}", report.to_evaluate()));
    }
    if let Some(limit) = report.settings.limit.filter(|n| *n < report.data.pictures) {
        remarks.push(format!("first {limit} of {}", report.data.pictures));
    }
    if let Some(shard) = report.settings.shard {
        remarks.push(format!("shard {shard}"));
    }
    let missed = report.expectations.iter().filter(|checked| !checked.met);
    remarks.extend(missed.map(|checked| format!("missed {checked}")));
    remarks
}

/// Why there is no result.
#[derive(Debug, Clone)]
pub struct Failure(pub String);

impl Failure {
    /// The beginning of the message, and what to do next. What else it says is not for a table.
    pub fn new(message: &str, hint: Option<&str>) -> Self {
        let first = message.lines().next().unwrap_or_default();
        Self(match hint {
            Some(hint) => format!("{first}; {hint}"),
            None => first.into(),
        })
    }
}

/// Sorts by set, and in it the best first; partial results are behind the whole ones, and failures
/// last, in the order of the sweep.
pub fn sort(rows: &mut [Row]) {
    let place = |row: &Row| match &row.outcome {
        Ok(figures) => (
            u8::from(figures.interrupted),
            figures.top1.percent.unwrap_or(-1.0),
        ),
        Err(_) => (2, 0.0),
    };
    rows.sort_by(|a, b| {
        let ((class_a, top1_a), (class_b, top1_b)) = (place(a), place(b));
        let order = a.label.set.cmp(&b.label.set);
        order
            .then(class_a.cmp(&class_b))
            .then_with(|| top1_b.total_cmp(&top1_a))
    });
}

/// Names of the columns that every table begins with.
const TEXTS: [&str; 4] = ["model", "checkpoint", "set", "precision"];

fn percent(accuracy: Accuracy) -> String {
    accuracy
        .percent
        .map_or("–".into(), |percent| format!("{percent:.2}"))
}

fn per_second(rate: Option<f64>) -> String {
    rate.map_or("–".into(), |rate| format!("{rate:.1}"))
}

/// Wilson's interval with a dash between its bounds.
fn interval(accuracy: Accuracy) -> String {
    accuracy
        .interval95
        .map_or("–".into(), |[low, high]| format!("{low:.2}–{high:.2}"))
}

impl Table {
    /// The columns of text.
    fn texts(&self) -> impl Iterator<Item = &'static str> {
        TEXTS.into_iter().chain(self.further.iter().copied())
    }

    /// Whether some row has a remark, so that there is a column for them.
    fn has_remarks(&self) -> bool {
        let figures = self.rows.iter().flat_map(|row| &row.outcome);
        figures.into_iter().any(|f| !f.remarks.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Tally;

    fn table() -> Table {
        let row = |checkpoint: &str, set: &str, outcome| Row {
            label: RowLabel {
                model: "uta_demo".into(),
                checkpoint: checkpoint.into(),
                set: set.into(),
                precision: "f32".into(),
                path: format!("/models/{checkpoint}"),
                ..RowLabel::default()
            },
            outcome,
        };
        let figures = |top1, interrupted, remarks: &[&str]| {
            let tally = Tally {
                pictures: 8,
                top1,
                top5: 8,
            };
            Ok(Figures {
                top1: tally.top1_accuracy(),
                top5: tally.top5_accuracy(),
                unreadable: 0,
                pictures_per_second: Some(10.0),
                seconds: 0.8,
                interrupted,
                expectations: Vec::new(),
                remarks: remarks.iter().map(ToString::to_string).collect(),
            })
        };
        let failure = Failure("no such file, \"x\"".into());
        let mut rows = vec![
            row("lost|<1>", "b", Err(failure)),
            row("cut", "b", figures(8, true, &["PARTIAL: 8 of 9"])),
            row("a_1", "b", figures(3, false, &[])),
            row("a_2", "b", figures(5, false, &[])),
            row("a\n*2\\", "a", figures(1, false, &[])),
        ];
        sort(&mut rows);
        Table {
            further: Vec::new(),
            rows,
        }
    }

    #[test]
    fn the_best_of_each_set_comes_first_then_partial_ones_and_failures_last() {
        let order: Vec<String> = table()
            .rows
            .iter()
            .map(|row| format!("{} {}", row.label.set, row.label.checkpoint))
            .collect();
        let expected = ["a a\n*2\\", "b a_2", "b a_1", "b cut", "b lost|<1>"];
        assert_eq!(order, expected);
    }

    #[test]
    fn columns_are_aligned() {
        let text = text(&table());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[0].find("top-1"), lines[1].find("12.50"), "{text}");
        assert_eq!(lines[0].find("top-1"), lines[2].find("62.50"), "{text}");
        assert!(lines[4].ends_with("PARTIAL: 8 of 9"));
        assert!(lines[5].ends_with("failed: no such file, \"x\""));
    }

    #[test]
    fn each_form_escapes_what_it_must() {
        let csv = csv(&table());
        let lost = "lost|<1>,b,f32,,,,,,,,,,,\"no such file, \"\"x\"\"\",,/models/lost|<1>,\n";
        assert!(csv.contains(lost), "{csv}");
        let markdown = markdown(&table());
        for line in [
            "| lost\\|\\<1> | b | f32 | failed: no such file, \"x\" |",
            "| a\\\\n\\*2\\\\ | a | f32 | 12.50 | 2.24–47.09 | 100.00 |",
            "| cut | b | f32 | 100.00 | 67.56–100.00 |",
            "| PARTIAL: 8 of 9 |",
        ] {
            assert!(markdown.contains(line), "{line}\n{markdown}");
        }
        let latex = latex(&table());
        for line in [
            "uta\\_demo & a\\_2 & b & f32 & 62.50 & 30.57--86.32 & 100.00 &",
            "lost\\textbar{}\\textless{}1\\textgreater{} & b & f32 & -- & -- & -- & -- & failed \\\\",
            "a\\textbackslash{}n*2\\textbackslash{} & a &",
            "& PARTIAL: 8 of 9 \\\\",
        ] {
            assert!(latex.contains(line), "{line}\n{latex}");
        }
    }
}

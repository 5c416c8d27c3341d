//! The results of a sweep as a table: for people, and ready to paste.

use std::fmt::Write;

use super::Report;
use crate::metrics::Accuracy;

/// A row: what was evaluated, and what came of it.
#[derive(Debug, Clone)]
pub struct Row {
    pub model: String,
    pub checkpoint: String,
    pub set: String,
    pub precision: String,
    pub outcome: Result<Figures, String>,
}

/// What came of an evaluation.
#[derive(Debug, Clone)]
pub struct Figures {
    pub top1: Accuracy,
    pub top5: Accuracy,
    pub unreadable: usize,
    pub pictures_per_second: f64,
    /// Loading, the classifier, and this one's part of the pass over the pictures.
    pub seconds: f64,
    /// Whether all expectations were met.
    pub met: bool,
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
            met: report.expectations.iter().all(|checked| checked.met),
        }
    }
}

/// Sorts by set, and in it the best first; failures are last, in the order of the sweep.
pub fn sort(rows: &mut [Row]) {
    let correct = |row: &Row| {
        let figures = row.outcome.as_ref().ok();
        figures.and_then(|figures| figures.top1.percent)
    };
    rows.sort_by(|a, b| {
        let order = a.set.cmp(&b.set);
        order.then_with(|| {
            correct(b)
                .unwrap_or(-1.0)
                .total_cmp(&correct(a).unwrap_or(-1.0))
        })
    });
}

const HEAD: [&str; 8] = [
    "model",
    "checkpoint",
    "set",
    "precision",
    "top-1",
    "top-5",
    "pictures/s",
    "seconds",
];

/// Columns of text; those behind are numbers.
const TEXTS: usize = 4;

fn percent(accuracy: Accuracy) -> String {
    accuracy
        .percent
        .map_or("–".into(), |percent| format!("{percent:.2}"))
}

/// The cells of a row, as they are shown; a failure has one for the reason.
fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![
        row.model.clone(),
        row.checkpoint.clone(),
        row.set.clone(),
        row.precision.clone(),
    ];
    match &row.outcome {
        Ok(figures) => cells.extend([
            percent(figures.top1),
            percent(figures.top5),
            format!("{:.1}", figures.pictures_per_second),
            format!("{:.1}", figures.seconds),
        ]),
        Err(reason) => cells.push(format!("failed: {}", reason.replace('\n', " "))),
    }
    cells
}

/// Aligned columns for a terminal or a log.
pub fn text(rows: &[Row]) -> String {
    let table: Vec<Vec<String>> = std::iter::once(HEAD.map(String::from).to_vec())
        .chain(rows.iter().map(cells))
        .collect();
    let width = |column: usize| {
        let whole = table.iter().filter(|cells| cells.len() == HEAD.len());
        let texts = table.iter().filter(|_| column < TEXTS);
        let cells = whole
            .chain(texts)
            .map(|cells| cells[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for cells in &table {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let width = widths[column];
            let _ = match column < TEXTS || cells.len() < HEAD.len() {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// All figures, for programs.
pub fn csv(rows: &[Row]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let accuracy = |accuracy: Accuracy| {
        let bound = |index: usize| number(accuracy.interval95.map(|interval| interval[index]));
        [number(accuracy.percent), bound(0), bound(1)]
    };
    let head = [
        "model",
        "checkpoint",
        "set",
        "precision",
        "top1",
        "top1_low",
        "top1_high",
        "top5",
        "top5_low",
        "top5_high",
        "pictures",
        "unreadable",
        "pictures_per_second",
        "seconds",
        "failure",
    ];
    // Writing to memory cannot fail.
    let _ = writer.write_record(head);
    for row in rows {
        let mut record = cells(row);
        record.truncate(TEXTS);
        match &row.outcome {
            Ok(figures) => {
                record.extend(accuracy(figures.top1));
                record.extend(accuracy(figures.top5));
                record.extend([
                    figures.top1.total.to_string(),
                    figures.unreadable.to_string(),
                    figures.pictures_per_second.to_string(),
                    figures.seconds.to_string(),
                    String::new(),
                ]);
            }
            Err(reason) => {
                record.resize(head.len() - 1, String::new());
                record.push(reason.clone());
            }
        }
        let _ = writer.write_record(record);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A table for a README or an issue.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|", HEAD.join(" | "));
    for column in 0..HEAD.len() {
        text += if column < TEXTS { " --- |" } else { " ---: |" };
    }
    text.push('\n');
    for row in rows {
        let mut cells = cells(row);
        cells.resize(HEAD.len(), String::new());
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// A table for a paper; needs the package booktabs.
pub fn latex(rows: &[Row]) -> String {
    let mut text = String::from("\\begin{tabular}{llllrr}\n\\toprule\n");
    text += "Model & Checkpoint & Set & Precision & Top-1 & Top-5 \\\\\n\\midrule\n";
    for row in rows {
        let mut cells = cells(row);
        match row.outcome.is_ok() {
            true => cells.truncate(TEXTS + 2),
            // A reason has no place in a paper.
            false => cells
                .splice(TEXTS.., ["–".into(), "–".into()])
                .for_each(drop),
        }
        let cells: Vec<String> = cells.iter().map(|cell| escape_latex(cell)).collect();
        let _ = writeln!(text, "{} \\\\", cells.join(" & "));
    }
    text + "\\bottomrule\n\\end{tabular}\n"
}

fn escape_latex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '–' => escaped += "--",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Tally;

    fn rows() -> Vec<Row> {
        let row = |checkpoint: &str, set: &str, outcome| Row {
            model: "uta_demo".into(),
            checkpoint: checkpoint.into(),
            set: set.into(),
            precision: "f32".into(),
            outcome,
        };
        let figures = |top1| {
            let tally = Tally {
                pictures: 8,
                top1,
                top5: 8,
            };
            Ok(Figures {
                top1: tally.top1_accuracy(),
                top5: tally.top5_accuracy(),
                unreadable: 0,
                pictures_per_second: 10.0,
                seconds: 0.8,
                met: true,
            })
        };
        let mut rows = vec![
            row("lost|1", "b", Err("no such file, \"x\"".into())),
            row("a_1", "b", figures(3)),
            row("a_2", "b", figures(5)),
            row("a_2", "a", figures(1)),
        ];
        sort(&mut rows);
        rows
    }

    #[test]
    fn the_best_of_each_set_comes_first_and_failures_last() {
        let order: Vec<String> = rows()
            .iter()
            .map(|row| format!("{} {}", row.set, row.checkpoint))
            .collect();
        assert_eq!(order, ["a a_2", "b a_2", "b a_1", "b lost|1"]);
    }

    #[test]
    fn columns_are_aligned() {
        let text = text(&rows());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].find("top-1"), lines[1].find("12.50"), "{text}");
        assert!(lines[4].ends_with("failed: no such file, \"x\""));
    }

    #[test]
    fn each_form_escapes_what_it_must() {
        assert!(csv(&rows()).contains("lost|1,b,f32,,,,,,,,,,,\"no such file, \"\"x\"\"\""));
        let markdown = markdown(&rows());
        assert!(markdown.contains("| lost\\|1 | b | f32 | failed: no such file, \"x\" |"));
        let latex = latex(&rows());
        assert!(latex.contains("uta\\_demo & a\\_2 & b & f32 & 62.50 & 100.00 \\\\"));
        assert!(latex.contains("lost|1 & b & f32 & -- & -- \\\\"));
    }
}

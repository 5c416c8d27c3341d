//! Aligned columns for a terminal or a log, and a line for each result as it comes.

use super::{Row, RowLabel, TEXTS, Table, per_second, percent};
use crate::util::escape::one_line;

/// Columns of numbers, and how wide they are.
const NUMBERS: [(&str, usize); 4] = [
    ("top-1", 6),
    ("top-5", 6),
    ("pictures/s", 10),
    ("seconds", 8),
];

/// Where the columns are.
#[derive(Debug)]
struct Columns {
    names: Vec<&'static str>,
    widths: Vec<usize>,
}

impl Columns {
    /// Columns that these labels fit into.
    fn of<'a>(further: &[&'static str], labels: impl Iterator<Item = &'a RowLabel>) -> Self {
        let names: Vec<&str> = TEXTS.into_iter().chain(further.iter().copied()).collect();
        let mut widths: Vec<usize> = names.iter().map(|name| name.len()).collect();
        for label in labels {
            for (width, cell) in widths.iter_mut().zip(label.cells()) {
                *width = (*width).max(one_line(&cell).chars().count());
            }
        }
        Self { names, widths }
    }

    /// The line above the rows.
    fn head(&self) -> String {
        let names = self.names.iter().map(ToString::to_string).collect();
        let numbers = NUMBERS.map(|(name, _)| name.to_string());
        self.line(names, numbers.into(), "remarks")
    }

    fn row(&self, row: &Row) -> String {
        let label = row.label.cells();
        match &row.outcome {
            Ok(figures) => {
                let numbers = vec![
                    percent(figures.top1),
                    percent(figures.top5),
                    per_second(figures.pictures_per_second),
                    format!("{:.1}", figures.seconds),
                ];
                self.line(label, numbers, &figures.remarks.join("; "))
            }
            Err(failure) => self.line(label, Vec::new(), &format!("failed: {}", failure.0)),
        }
    }

    fn line(&self, texts: Vec<String>, numbers: Vec<String>, rest: &str) -> String {
        let mut line = String::new();
        for (cell, width) in texts.iter().zip(&self.widths) {
            line += &format!("{:<width$}  ", one_line(cell));
        }
        for (cell, (_, width)) in numbers.iter().zip(NUMBERS) {
            line += &format!("{cell:>width$}  ");
        }
        line += &one_line(rest);
        line.trim_end().into()
    }
}

/// What was evaluated and what came of it, in a line of its own.
pub fn sentence(row: &Row) -> String {
    let label = row.label.cells().join(", ");
    let label = one_line(&label);
    match &row.outcome {
        Ok(figures) => {
            let shown = |accuracy| match percent(accuracy).as_str() {
                "–" => "–".to_string(),
                percent => format!("{percent} %"),
            };
            let mut line = format!(
                "{label}: top-1 {}, top-5 {}",
                shown(figures.top1),
                shown(figures.top5)
            );
            for remark in &figures.remarks {
                line += &format!("; {}", one_line(remark));
            }
            line
        }
        Err(failure) => format!("{label}: failed: {}", one_line(&failure.0)),
    }
}

/// The whole table.
pub fn text(table: &Table) -> String {
    let columns = Columns::of(&table.further, table.rows.iter().map(|row| &row.label));
    let mut head = columns.head();
    if !table.has_remarks() {
        head.truncate(head.trim_end_matches("remarks").trim_end().len());
    }
    let rows = table.rows.iter().map(|row| columns.row(row));
    let lines: Vec<String> = std::iter::once(head).chain(rows).collect();
    lines.join("\n") + "\n"
}

//! A table for a README or an issue.

use std::fmt::Write;

use super::{Table, interval, per_second, percent};
use crate::util::escape::one_line;

const NUMBERS: [&str; 6] = ["top-1", "95 %", "top-5", "95 %", "pictures/s", "seconds"];

pub fn markdown(table: &Table) -> String {
    let mut names: Vec<&str> = table.texts().collect();
    let mut rules = vec!["---"; names.len()];
    names.extend(NUMBERS);
    rules.extend(["---:"; NUMBERS.len()]);
    if table.has_remarks() {
        names.push("remarks");
        rules.push("---");
    }
    let mut text = format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    for row in &table.rows {
        let mut cells = row.label.cells();
        match &row.outcome {
            Ok(figures) => cells.extend([
                percent(figures.top1),
                interval(figures.top1),
                percent(figures.top5),
                interval(figures.top5),
                per_second(figures.pictures_per_second),
                format!("{:.1}", figures.seconds),
                figures.remarks.join("; "),
            ]),
            Err(failure) => cells.push(format!("failed: {}", failure.0)),
        }
        cells.resize(names.len(), String::new());
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// Text that stands for itself. `_` is left as it is: inside of words it means nothing.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '\\' | '`' | '*' | '|' | '<' | '[' | ']' | '~' => escaped.extend(['\\', c]),
            '&' => escaped += "&amp;",
            c => escaped.push(c),
        }
    }
    escaped
}

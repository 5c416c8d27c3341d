//! A table for a paper; needs the package booktabs.

use std::fmt::Write;

use super::{Table, interval, percent};
use crate::util::escape::one_line;

/// Names of the columns, above those with numbers.
const NUMBERS: [&str; 4] = ["Top-1", "95\\,\\%", "Top-5", "95\\,\\%"];

pub fn latex(table: &Table) -> String {
    let remarks = table.has_remarks();
    let texts: Vec<String> = table.texts().map(capitalised).collect();
    let mut names: Vec<&str> = texts.iter().map(String::as_str).collect();
    names.extend(NUMBERS);
    if remarks {
        names.push("Remarks");
    }
    let (left, right) = ("l".repeat(texts.len()), "r".repeat(NUMBERS.len()));
    let last = if remarks { "l" } else { "" };
    let mut text = format!("\\begin{{tabular}}{{{left}{right}{last}}}\n\\toprule\n");
    text += &format!("{} \\\\\n\\midrule\n", names.join(" & "));
    for row in &table.rows {
        let mut cells = row.label.cells();
        match &row.outcome {
            Ok(figures) => cells.extend([
                percent(figures.top1),
                interval(figures.top1),
                percent(figures.top5),
                interval(figures.top5),
                figures.remarks.join("; "),
            ]),
            // A reason has no place in a paper.
            Err(_) => {
                cells.extend(["–"; NUMBERS.len()].map(String::from));
                cells.push("failed".into());
            }
        }
        cells.truncate(names.len());
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(text, "{} \\\\", cells.join(" & "));
    }
    text + "\\bottomrule\n\\end{tabular}\n"
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Text that stands for itself in every font encoding.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "\\textless{}",
            '>' => escaped += "\\textgreater{}",
            '|' => escaped += "\\textbar{}",
            '"' => escaped += "''",
            '–' => escaped += "--",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

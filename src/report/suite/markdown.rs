//! Tables for a README or an issue.

use std::fmt::Write;

use super::marks::Mark;
use super::{Column, Measure, Suite, Value, difference, percent};
use crate::report::table::escape_markdown as escape;

const DIGITS: usize = 2;

pub fn markdown(suite: &Suite) -> String {
    let mut text = String::new();
    for (title, measure) in [("Top-1", Measure::Top1), ("Top-5", Measure::Top5)] {
        let precision = suite.rows.first().map_or("", |row| row.precision.as_str());
        let _ = writeln!(
            text,
            "{title} in percent with 95 % intervals, {precision}, protocol {}\n",
            suite.protocol
        );
        table(&mut text, suite, &suite.columns(measure));
        text.push('\n');
    }
    if suite.has_published() {
        text += "Top-1 less the published accuracy, in percentage points\n\n";
        differences(&mut text, suite);
        text.push('\n');
    }
    for note in suite.notes() {
        let _ = writeln!(text, "- {}", escape(&note));
    }
    text.trim_end().to_owned() + "\n"
}

fn head(text: &mut String, titles: impl Iterator<Item = String>) {
    let titles: Vec<String> = titles.collect();
    let rules = vec!["---:"; titles.len()];
    let _ = writeln!(text, "| model | checkpoint | {} |", titles.join(" | "));
    let _ = writeln!(text, "| --- | --- | {} |", rules.join(" | "));
}

fn line(text: &mut String, suite: &Suite, place: usize, cells: impl Iterator<Item = String>) {
    let row = &suite.rows[place];
    let cells: Vec<String> = cells.collect();
    let (model, checkpoint) = (escape(&row.model), escape(&row.checkpoint));
    let _ = writeln!(text, "| {model} | {checkpoint} | {} |", cells.join(" | "));
}

fn table(text: &mut String, suite: &Suite, columns: &[Column]) {
    head(text, columns.iter().map(|column| column.title.clone()));
    let marks: Vec<Vec<Mark>> = columns.iter().map(|column| column.marks(DIGITS)).collect();
    let cell = |value: &Value, mark: Mark| {
        let number = percent(value.percent, DIGITS);
        let number = match mark {
            Mark::Best => format!("**{number}**"),
            Mark::Second | Mark::None => number,
        };
        let part = if value.part && value.percent.is_some() {
            "\\*"
        } else {
            ""
        };
        match value.interval95 {
            Some([low, high]) => format!("{number}{part} ({low:.2}–{high:.2})"),
            None => number,
        }
    };
    for place in 0..suite.rows.len() {
        let cells = columns.iter().zip(&marks);
        let cells = cells.map(|(column, marks)| cell(&column.values[place], marks[place]));
        line(text, suite, place, cells);
    }
}

fn differences(text: &mut String, suite: &Suite) {
    let sets: Vec<_> = suite.averaged().collect();
    head(text, sets.iter().map(|set| set.title.clone()));
    for (place, row) in suite.rows.iter().enumerate() {
        let cells = sets.iter().map(|set| row.cell(&set.name));
        let cells = cells.map(|cell| difference(cell.and_then(|cell| cell.difference)));
        line(text, suite, place, cells);
    }
}

//! Tables for a paper; they need the package booktabs.

use std::fmt::Write;

use super::marks::Mark;
use super::{Column, Kind, Measure, Suite, Value, percent};
use crate::report::table::{UNKNOWN_MODEL, escape_latex as escape};
use crate::util::escape::one_line;

/// Digits behind the point, as papers print them.
const DIGITS: usize = 1;

/// Top-1 and below it top-5. The best value of a column is bold and the second underlined.
pub fn latex(suite: &Suite) -> String {
    let mut text = String::from("% \\usepackage{booktabs}\n");
    for (title, measure) in [("top-1", Measure::Top1), ("top-5", Measure::Top5)] {
        if measure == Measure::Top5 {
            text += "\n\\bigskip\n\n";
        }
        let _ = writeln!(
            text,
            "% Zero-shot {title} accuracy in percent, protocol {}",
            suite.protocol
        );
        table(&mut text, suite, &suite.columns(measure));
    }
    for note in suite.notes() {
        let _ = writeln!(text, "% {}", one_line(&note));
    }
    text
}

fn table(text: &mut String, suite: &Suite, columns: &[Column]) {
    // Averages stand apart, and a checkpoint is named only where the models do not tell rows apart.
    let models: std::collections::HashSet<&str> =
        suite.rows.iter().map(|row| row.model.as_str()).collect();
    let told = models.len() == suite.rows.len() && !models.contains(UNKNOWN_MODEL);
    let names = if told { "l" } else { "ll" };
    let _ = writeln!(
        text,
        "\\begin{{tabular}}{{{names}{}}}\n\\toprule",
        "r".repeat(columns.len())
    );
    let mut head = vec!["Model".to_string()];
    if !told {
        head.push("Checkpoint".into());
    }
    head.extend(columns.iter().map(|column| match column.kind {
        Kind::Set => escape(&column.title),
        Kind::Average => column.title.replacen("average", "Avg.", 1),
        Kind::Drop => "$\\Delta\\downarrow$".into(),
    }));
    let _ = writeln!(text, "{} \\\\\n\\midrule", head.join(" & "));
    let marks: Vec<Vec<Mark>> = columns.iter().map(|column| column.marks(DIGITS)).collect();
    for (place, row) in suite.rows.iter().enumerate() {
        let mut cells = vec![escape(&row.model)];
        if !told {
            cells.push(escape(&row.checkpoint));
        }
        let values = columns.iter().zip(&marks);
        cells.extend(values.map(|(column, marks)| cell(&column.values[place], marks[place])));
        let _ = writeln!(text, "{} \\\\", cells.join(" & "));
    }
    *text += "\\bottomrule\n\\end{tabular}\n";
}

fn cell(value: &Value, mark: Mark) -> String {
    let number = match value.percent {
        Some(_) => percent(value.percent, DIGITS),
        None => "--".into(),
    };
    let part = if value.part && value.percent.is_some() {
        "$^*$"
    } else {
        ""
    };
    let number = match mark {
        Mark::Best => format!("\\textbf{{{number}}}"),
        Mark::Second => format!("\\underline{{{number}}}"),
        Mark::None => number,
    };
    number.replace('-', if value.percent.is_some() { "$-$" } else { "-" }) + part
}

//! All checkpoints of a suite side by side, as one HTML file: no network, no scripts, light and dark.

use std::fmt::Write;

use crate::report::html::escape::{escape_attribute, escape_text};
use crate::report::table::UNKNOWN_MODEL;

use super::marks::Mark;
use super::{Cell, Column, Estimate, Kind, Measure, Row, Suite, Value, difference, percent};

const STYLE: &str = include_str!("suite.css");

/// Digits behind the point.
const DIGITS: usize = 2;

/// The whole page.
pub fn html(suite: &Suite) -> String {
    let title = match suite.rows.as_slice() {
        [only] => format!("{} · {}", only.model, only.checkpoint),
        rows => format!(
            "{} checkpoints on {} data sets",
            rows.len(),
            suite.sets.len()
        ),
    };
    let precision = suite.rows.first().map_or("", |row| row.precision.as_str());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width, initial-scale=1\"><title>{0} – uta-eval</title><style>{STYLE}</style></head>\n<body><header><h1>{0}</h1><p class=soft>Zero-shot accuracy, {precision}, protocol {1}, uta-eval {2}</p></header>\n",
        escape_text(&title),
        suite.protocol,
        escape_text(suite.program.version.as_ref())
    );
    if suite.interrupted {
        page += "<p class=banner>Partial: the run was interrupted.</p>\n";
    }
    cards(&mut page, suite);
    for (title, measure) in [("Top-1", Measure::Top1), ("Top-5", Measure::Top5)] {
        section(&mut page, suite, title, measure);
    }
    if suite.has_published() {
        published(&mut page, suite);
    }
    bars(&mut page, suite);
    notes(&mut page, suite);
    page + "</body></html>\n"
}

/// The average and the drop of each checkpoint.
fn cards(page: &mut String, suite: &Suite) {
    if suite.averaged().count() < 2 {
        return;
    }
    *page += "<div class=cards>";
    for row in &suite.rows {
        let average = row.top1.average;
        let drop = |drop: Estimate| {
            let side = if drop.percent < 0.0 { "above" } else { "below" };
            format!(", {:.2} points {side} ImageNet-1K", drop.percent.abs())
        };
        let under = match average {
            Some(_) => format!(
                "average of {} sets{}",
                row.top1.sets,
                row.top1.drop.map_or_else(String::new, drop)
            ),
            None => "no average: a set is missing".into(),
        };
        let _ = write!(
            page,
            "<div class=card><small>{}</small><b>{}</b><small>{under}</small></div>",
            name(row),
            percent(average.map(|average| average.percent), DIGITS)
        );
    }
    *page += "</div>\n";
}

fn name(row: &Row) -> String {
    format!(
        "{} <span class=soft title=\"{}\">{}</span>",
        escape_text(&row.model),
        escape_attribute(&row.path),
        escape_text(&row.checkpoint)
    )
}

fn head(page: &mut String, caption: &str, titles: impl Iterator<Item = String>) {
    let _ = write!(
        page,
        "<p class=soft>{caption}</p><div class=scroll><table><thead><tr><th scope=col>Model</th>"
    );
    for title in titles {
        let _ = write!(page, "<th scope=col class=n>{}</th>", escape_text(&title));
    }
    *page += "</tr></thead><tbody>\n";
}

fn section(page: &mut String, suite: &Suite, title: &str, measure: Measure) {
    let columns = suite.columns(measure);
    let _ = writeln!(page, "<section><h2>{title}</h2>");
    head(
        page,
        "In percent, with 95 % intervals. The best of a column is bold, the second underlined.",
        columns.iter().map(|column| match column.kind {
            Kind::Set => column.title.clone(),
            Kind::Average => column.title.replacen('a', "A", 1),
            Kind::Drop => "Drop".into(),
        }),
    );
    let marks: Vec<Vec<Mark>> = columns.iter().map(|column| column.marks(DIGITS)).collect();
    for (place, row) in suite.rows.iter().enumerate() {
        let _ = write!(page, "<tr><th scope=row>{}</th>", name(row));
        for (column, marks) in columns.iter().zip(&marks) {
            table_cell(page, column, &column.values[place], marks[place]);
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div></section>\n";
}

fn table_cell(page: &mut String, column: &Column, value: &Value, mark: Mark) {
    let class = match (mark, column.kind) {
        (Mark::Best, _) => " best",
        (Mark::Second, _) => " second",
        (Mark::None, _) => "",
    };
    let summary = if column.kind == Kind::Set { "" } else { " sum" };
    let part = if value.part && value.percent.is_some() {
        "*"
    } else {
        ""
    };
    let interval = value.interval95.map_or_else(String::new, |[low, high]| {
        format!("<small>{low:.2} to {high:.2}</small>")
    });
    let _ = write!(
        page,
        "<td class=\"n{class}{summary}\"><span>{}</span>{part}{interval}</td>",
        percent(value.percent, DIGITS)
    );
}

/// What was found beside what was published.
fn published(page: &mut String, suite: &Suite) {
    let sets: Vec<_> = suite.averaged().collect();
    *page += "<section><h2>Published accuracies</h2>\n";
    head(
        page,
        "Published top-1 accuracy in percent, and what was found less that, in percentage points.",
        sets.iter().map(|set| set.title.clone()),
    );
    for row in &suite.rows {
        let _ = write!(page, "<tr><th scope=row>{}</th>", name(row));
        for set in &sets {
            let cell = row.cell(&set.name);
            let known = cell.and_then(|cell| cell.published_top1_percent);
            let less = cell.and_then(|cell| cell.difference);
            let less = match less {
                Some(_) => format!("<small>{}</small>", difference(less)),
                None => String::new(),
            };
            let _ = write!(
                page,
                "<td class=n><span>{}</span>{less}</td>",
                percent(known, DIGITS)
            );
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div></section>\n";
}

/// Each set with a bar for each checkpoint.
fn bars(page: &mut String, suite: &Suite) {
    *page += "<section><h2>Top-1 on each set</h2><div class=bars>\n";
    for set in &suite.sets {
        let _ = write!(
            page,
            "<figure><figcaption><b>{}</b> <span class=soft>{}</span></figcaption>",
            escape_text(&set.title),
            escape_text(&set.name)
        );
        for row in &suite.rows {
            let cell = row.cell(&set.name);
            let top1 = cell
                .and_then(|cell| cell.top1)
                .and_then(|top1| top1.percent);
            let recall = cell.and_then(|cell| cell.mean_per_class_recall_percent);
            let recall = recall.map_or_else(String::new, |recall| {
                format!(" title=\"mean per-class recall {recall:.2} %\"")
            });
            let _ = write!(
                page,
                "<div class=bar{recall}><span>{}</span><i style=\"--v:{:.2}%\"></i><b>{}</b></div>",
                escape_text(short(suite, row)),
                top1.unwrap_or(0.0),
                percent(top1, DIGITS)
            );
        }
        *page += "</figure>\n";
    }
    *page += "</div></section>\n";
}

/// What tells a row from the others in a few letters.
fn short<'a>(suite: &Suite, row: &'a Row) -> &'a str {
    let same = suite.rows.iter().filter(|other| other.model == row.model);
    if same.count() == 1 && row.model != UNKNOWN_MODEL {
        &row.model
    } else {
        &row.checkpoint
    }
}

/// What has to be said, and where the results are.
fn notes(page: &mut String, suite: &Suite) {
    let notes = suite.notes();
    if !notes.is_empty() {
        *page += "<section><h2>Notes</h2><ul class=notes>\n";
        for note in notes {
            let _ = writeln!(page, "<li>{}</li>", escape_text(&note));
        }
        *page += "</ul></section>\n";
    }
    *page += "<section><h2>Data sets</h2><div class=scroll><table><thead><tr><th scope=col>Set</th><th scope=col>Folder or archive</th><th scope=col class=n>Pictures</th></tr></thead><tbody>\n";
    for set in &suite.sets {
        let pictures = |row: &Row| row.cell(&set.name).and_then(|cell: &Cell| cell.top1);
        let pictures = suite.rows.iter().find_map(pictures);
        let _ = writeln!(
            page,
            "<tr><th scope=row>{}</th><td><code>{}</code></td><td class=n>{}</td></tr>",
            escape_text(&set.name),
            escape_text(set.path.to_string()),
            pictures.map_or_else(|| "–".into(), |top1| top1.total.to_string())
        );
    }
    *page += "</tbody></table></div></section>\n";
}

//! Aligned tables for a terminal.

use std::fmt;

use super::{Column, Measure, Suite, Value, difference, percent};
use crate::util::escape;

/// Digits behind the point.
const DIGITS: usize = 2;

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.interrupted {
            writeln!(f, "PARTIAL: the run was interrupted")?;
        }
        let precision = self.rows.first().map_or("", |row| row.precision.as_str());
        writeln!(
            f,
            "top-1 in percent, ± half of the 95 % interval; {precision}, protocol {}",
            self.protocol
        )?;
        table(f, self, &self.columns(Measure::Top1), true)?;
        writeln!(f, "\ntop-5 in percent")?;
        table(f, self, &self.columns(Measure::Top5), false)?;
        if self.has_published() {
            writeln!(
                f,
                "\ntop-1 less the published accuracy, in percentage points"
            )?;
            self.differences(f)?;
        }
        let notes = self.notes();
        if !notes.is_empty() {
            writeln!(f)?;
        }
        for note in notes {
            writeln!(f, "{}", escape::one_line(&note))?;
        }
        Ok(())
    }
}

fn table(
    f: &mut fmt::Formatter<'_>,
    suite: &Suite,
    columns: &[Column],
    intervals: bool,
) -> fmt::Result {
    let value = |value: &Value| {
        let part = if value.part && value.percent.is_some() {
            "*"
        } else {
            ""
        };
        percent(value.percent, DIGITS) + part
    };
    let half = |value: &Value| match value.interval95 {
        Some([low, high]) => format!("±{:.2}", (high - low) / 2.0),
        None => String::new(),
    };
    let mut grid = Grid::new(columns.iter().map(|column| column.title.clone()));
    for (place, row) in suite.rows.iter().enumerate() {
        let values = columns.iter().map(|column| &column.values[place]);
        let names = [row.model.as_str(), row.checkpoint.as_str()];
        grid.add(names, values.clone().map(value));
        let halves: Vec<String> = values.map(half).collect();
        if intervals && halves.iter().any(|half| !half.is_empty()) {
            grid.add(["", ""], halves.into_iter());
        }
    }
    grid.write(f)
}

impl Suite {
    /// What was found less what was published.
    fn differences(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets: Vec<_> = self.averaged().collect();
        let titles = sets.iter().map(|set| set.title.clone());
        let mut grid = Grid::new(titles.chain(["average".into()]));
        for row in &self.rows {
            let cells = sets.iter().map(|set| row.cell(&set.name));
            let cells = cells.map(|cell| difference(cell.and_then(|cell| cell.difference)));
            let average = row.top1.average.zip(row.published_average_percent);
            let average = average.map(|(found, known)| found.percent - known);
            let names = [row.model.as_str(), row.checkpoint.as_str()];
            grid.add(names, cells.chain([difference(average)]));
        }
        grid.write(f)
    }
}

/// Two columns of names, and columns of numbers.
struct Grid {
    lines: Vec<Vec<String>>,
}

impl Grid {
    fn new(titles: impl Iterator<Item = String>) -> Self {
        let names = ["model", "checkpoint"].map(String::from);
        Self {
            lines: vec![names.into_iter().chain(titles).collect()],
        }
    }

    fn add(&mut self, names: [&str; 2], values: impl Iterator<Item = String>) {
        let names = names.map(|name| escape::one_line(name).into_owned());
        self.lines.push(names.into_iter().chain(values).collect());
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        for line in &self.lines {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                text += &match column {
                    0 | 1 => format!("{cell:<width$}  "),
                    _ => format!("{cell:>width$}  "),
                };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

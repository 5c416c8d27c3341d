//! All figures, for programs.

use super::Table;
use crate::metrics::Accuracy;
use crate::util::escape;

/// Columns between those that say what was evaluated and those that name files.
const FIGURES: [&str; 12] = [
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
    "remarks",
];

pub fn csv(table: &Table) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let accuracy = |accuracy: Accuracy| {
        let bound = |index: usize| number(accuracy.interval95.map(|interval| interval[index]));
        [number(accuracy.percent), bound(0), bound(1)]
    };
    let files = ["checkpoint_path", "result_file"];
    let further = table.further.iter().map(|name| name.replace(' ', "_"));
    let named = super::TEXTS.iter().chain(&FIGURES).chain(&files);
    let head: Vec<String> = named.map(ToString::to_string).chain(further).collect();
    // Writing to memory cannot fail.
    let _ = writer.write_record(head);
    for row in &table.rows {
        let mut record = row.label.cells();
        record.truncate(super::TEXTS.len());
        match &row.outcome {
            Ok(figures) => {
                record.extend(accuracy(figures.top1));
                record.extend(accuracy(figures.top5));
                record.extend([
                    figures.top1.total.to_string(),
                    figures.unreadable.to_string(),
                    number(figures.pictures_per_second),
                    figures.seconds.to_string(),
                    String::new(),
                    figures.remarks.join("; "),
                ]);
            }
            Err(failure) => {
                record.resize(super::TEXTS.len() + FIGURES.len() - 2, String::new());
                record.extend([failure.0.clone(), String::new()]);
            }
        }
        let result = row.label.result.as_ref();
        let result = result.map_or(String::new(), |path| {
            escape::name(path.as_os_str()).into_owned()
        });
        record.extend([row.label.path.clone(), result]);
        record.extend(row.label.further.iter().cloned());
        let _ = writer.write_record(record);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

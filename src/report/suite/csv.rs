//! All figures of a suite, for programs: a line for each checkpoint.

use super::{Estimate, Suite};
use crate::metrics::Accuracy;

/// Columns of each set.
const OF_A_SET: [&str; 11] = [
    "top1",
    "top1_low",
    "top1_high",
    "top5",
    "top5_low",
    "top5_high",
    "mean_per_class_recall",
    "pictures",
    "unreadable",
    "published_top1",
    "note",
];

/// Columns of the whole row.
const OF_A_ROW: [&str; 13] = [
    "average_top1",
    "average_top1_low",
    "average_top1_high",
    "drop_top1",
    "drop_top1_low",
    "drop_top1_high",
    "average_top5",
    "average_top5_low",
    "average_top5_high",
    "drop_top5",
    "drop_top5_low",
    "drop_top5_high",
    "published_average_top1",
];

pub fn csv(suite: &Suite) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let named = |name: &str| name.to_string();
    let mut head: Vec<String> = ["model", "checkpoint", "precision", "protocol"]
        .map(named)
        .into();
    for set in &suite.sets {
        head.extend(OF_A_SET.map(|column| format!("{}_{column}", set.name)));
    }
    head.extend(OF_A_ROW.map(named));
    head.extend(["average_sets", "checkpoint_path"].map(named));
    // Writing to memory cannot fail.
    let _ = writer.write_record(head);
    for row in &suite.rows {
        let mut record = vec![
            row.model.clone(),
            row.checkpoint.clone(),
            row.precision.clone(),
            suite.protocol.clone(),
        ];
        for set in &suite.sets {
            let cell = row.cell(&set.name);
            let cell = cell.cloned().unwrap_or_default();
            record.extend(accuracy(cell.top1));
            record.extend(accuracy(cell.top5));
            record.extend([
                number(cell.mean_per_class_recall_percent),
                cell.top1
                    .map_or_else(String::new, |top1| top1.total.to_string()),
                cell.unreadable.to_string(),
                number(cell.published_top1_percent),
                cell.failure.unwrap_or_else(|| cell.remarks.join("; ")),
            ]);
        }
        for summary in [row.top1, row.top5] {
            record.extend(estimate(summary.average));
            record.extend(estimate(summary.drop));
        }
        record.push(number(row.published_average_percent));
        record.extend([row.top1.sets.to_string(), row.path.clone()]);
        let _ = writer.write_record(record);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn accuracy(accuracy: Option<Accuracy>) -> [String; 3] {
    let interval = accuracy.and_then(|accuracy| accuracy.interval95);
    [
        number(accuracy.and_then(|accuracy| accuracy.percent)),
        number(interval.map(|[low, _]| low)),
        number(interval.map(|[_, high]| high)),
    ]
}

fn estimate(estimate: Option<Estimate>) -> [String; 3] {
    [
        number(estimate.map(|estimate| estimate.percent)),
        number(estimate.map(|estimate| estimate.interval95[0])),
        number(estimate.map(|estimate| estimate.interval95[1])),
    ]
}

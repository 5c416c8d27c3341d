//! How many classes have which accuracy.

use std::fmt::Write as _;

use super::plot::{Plot, open, step};
use crate::metrics::ClassResult;
use crate::util::count::{count, grouped};

/// Columns, of ten points each.
const COLUMNS: usize = 10;

pub(super) fn chart(classes: &[ClassResult]) -> String {
    let columns = columns(classes);
    let most = columns.iter().copied().max().unwrap_or(0).max(1);
    let step = step(most);
    let top = most.div_ceil(step) * step;
    let mut plot = Plot {
        svg: open(400, 460, &label(classes)),
        left: 56.0,
        top: 16.0,
        width: 328.0,
        height: 390.0,
    };
    let marks = (0..=top / step).map(|n| ((n * step) as f64 / top as f64, grouped(n * step)));
    plot.marks_beside(&marks.collect::<Vec<_>>());
    plot.title_beside("number of classes");
    for (i, classes) in columns.into_iter().enumerate() {
        let tall = classes as f64 / top as f64;
        let (from, to) = (i as f64 / COLUMNS as f64, (i + 1) as f64 / COLUMNS as f64);
        let title = format!(
            "{} from {} to {} %",
            count(classes, "class"),
            10 * i,
            10 * (i + 1)
        );
        plot.column("bar", from, to, tall, &title);
        if classes > 0 {
            let at = (plot.x((from + to) / 2.0), plot.y(tall) - 5.0);
            plot.word("number", at, "middle", &grouped(classes));
        }
    }
    plot.percentages_below("top-1 accuracy of the class (%)");
    plot.svg + "</svg>"
}

pub(super) fn table(classes: &[ClassResult]) -> String {
    let mut table =
        "<table><thead><tr><th scope=col>Accuracy<th scope=col class=n>Classes</tr></thead><tbody>"
            .to_string();
    for (i, classes) in columns(classes).into_iter().enumerate() {
        let _ = write!(
            table,
            "<tr><th scope=row>{} to {} %<td class=n>{}</tr>",
            10 * i,
            10 * (i + 1),
            grouped(classes)
        );
    }
    table + "</tbody></table>"
}

/// Numbers of classes; 100 % belongs to the last column.
fn columns(classes: &[ClassResult]) -> [u64; COLUMNS] {
    let mut columns = [0; COLUMNS];
    for recall in classes.iter().filter_map(ClassResult::recall_percent) {
        let column = ((recall / 10.0) as usize).min(COLUMNS - 1);
        columns[column] += 1;
    }
    columns
}

/// What there is to see, in words.
fn label(classes: &[ClassResult]) -> String {
    let recalls = || classes.iter().filter_map(ClassResult::recall_percent);
    let all = recalls().count();
    let perfect = recalls().filter(|recall| *recall >= 100.0).count();
    let poor = recalls().filter(|recall| *recall < 50.0).count();
    format!(
        "Histogram of {} by accuracy: {perfect} with 100 %, {poor} below 50 %",
        count(all, "class")
    )
}

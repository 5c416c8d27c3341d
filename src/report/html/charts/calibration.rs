//! Accuracy against confidence, above how often each confidence is.

use std::fmt::Write as _;

use super::plot::{Plot, open};
use crate::metrics::Calibration;
use crate::metrics::calibration::{BINS, Bin};
use crate::metrics::interval::wilson95;
use crate::util::count::{count, grouped};

/// Bins of fewer pictures say little.
const FEW: u64 = 10;

/// A bin that has pictures.
struct Point {
    /// Its place among the bins.
    index: usize,
    pictures: u64,
    /// Shares of 0 to 1.
    confidence: f64,
    accuracy: f64,
    interval: [f64; 2],
}

impl Point {
    fn of((index, bin): (usize, &Bin)) -> Option<Self> {
        let interval = wilson95(bin.correct, bin.pictures)?;
        let pictures = bin.pictures as f64;
        Some(Self {
            index,
            pictures: bin.pictures,
            confidence: bin.confidence as f64 / pictures / 1e6,
            accuracy: bin.correct as f64 / pictures,
            interval: interval.map(|end| end / 100.0),
        })
    }

    fn all(calibration: &Calibration) -> Vec<Self> {
        let bins = calibration.bins.iter().enumerate();
        bins.filter_map(Self::of).collect()
    }

    fn class(&self, class: &str) -> String {
        match self.pictures < FEW {
            true => format!("{class} few"),
            false => class.into(),
        }
    }
}

pub(super) fn chart(calibration: &Calibration) -> String {
    let points = Point::all(calibration);
    let all: u64 = points.iter().map(|point| point.pictures).sum();
    let label = match calibration.ece_percent {
        Some(ece) => format!("Reliability diagram: the expected calibration error is {ece:.2} %"),
        None => "Reliability diagram without pictures".into(),
    };
    let mut plot = Plot {
        svg: open(400, 460, &label),
        left: 56.0,
        top: 16.0,
        width: 328.0,
        height: 272.0,
    };
    let fifths = (0..=5).map(|step| (f64::from(step) / 5.0, (20 * step).to_string()));
    plot.marks_beside(&fifths.collect::<Vec<_>>());
    plot.title_beside("accuracy (%)");
    plot.line("axis", (0.0, 0.0), (1.0, 0.0));
    plot.line("ideal", (0.0, 0.0), (1.0, 1.0));
    let firm = points.iter().filter(|point| point.pictures >= FEW);
    let curve = firm.map(|p| format!("{:.1},{:.1}", plot.x(p.confidence), plot.y(p.accuracy)));
    let curve = curve.collect::<Vec<_>>().join(" ");
    let _ = write!(plot.svg, "<polyline class=curve points=\"{curve}\"/>");
    for point in &points {
        let [low, high] = point.interval;
        let x = point.confidence;
        plot.line(&point.class("whisker"), (x, low), (x, high));
        let _ = write!(
            plot.svg,
            "<circle class=\"{}\" cx={:.1} cy={:.1} r=4.5><title>{}</title></circle>",
            point.class("dot"),
            plot.x(x),
            plot.y(point.accuracy),
            title(point)
        );
    }
    let mut below = Plot {
        svg: plot.svg,
        top: 318.0,
        height: 88.0,
        ..plot
    };
    let most = points.iter().map(|point| point.pictures).max().unwrap_or(1);
    let share = 100.0 * most as f64 / all.max(1) as f64;
    below.marks_beside(&[(0.0, "0".into()), (1.0, format!("{share:.0}"))]);
    below.title_beside("pictures (%)");
    for point in &points {
        let (from, to) = (point.index as f64, point.index as f64 + 1.0);
        let tall = point.pictures as f64 / most as f64;
        let bins = BINS as f64;
        let class = point.class("bar");
        below.column(&class, from / bins, to / bins, tall, &title(point));
    }
    below.percentages_below("confidence (%)");
    below.svg + "</svg>"
}

fn title(point: &Point) -> String {
    format!(
        "{}: {:.1} % confidence, {:.1} % right",
        count(point.pictures, "picture"),
        100.0 * point.confidence,
        100.0 * point.accuracy
    )
}

pub(super) fn table(calibration: &Calibration) -> String {
    let mut table = "<table><thead><tr><th scope=col>Bin<th scope=col class=n>Pictures<th scope=col class=n>Confidence<th scope=col class=n>Accuracy<th scope=col class=n>95 % interval</tr></thead><tbody>".to_string();
    for point in Point::all(calibration) {
        let edge = |bin: usize| 100.0 * bin as f64 / BINS as f64;
        let [low, high] = point.interval.map(|end| 100.0 * end);
        let _ = write!(
            table,
            "<tr><th scope=row>{:.0} to {:.0} %<td class=n>{}<td class=n>{:.1} %<td class=n>{:.1} %<td class=n>{low:.1} to {high:.1}</tr>",
            edge(point.index),
            edge(point.index + 1),
            grouped(point.pictures),
            100.0 * point.confidence,
            100.0 * point.accuracy
        );
    }
    table + "</tbody></table>"
}

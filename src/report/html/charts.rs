//! Charts as inline SVG, coloured by the page's style.

use std::fmt::Write as _;

use crate::metrics::{Calibration, ClassResult};

/// Accuracy against confidence, a dot for each bin that has pictures, its area by their number.
pub fn calibration(calibration: &Calibration) -> String {
    let (left, top, side) = (44.0, 10.0, 280.0);
    let x = |share: f64| left + side * share;
    let y = |share: f64| top + side * (1.0 - share);
    let mut svg = open(
        340,
        336,
        "Calibration curve: accuracy against the mean confidence of each bin",
    );
    grid(&mut svg, x, y);
    line(&mut svg, "ideal", (x(0.0), y(0.0)), (x(1.0), y(1.0)));
    let most = calibration.bins.iter().map(|b| b.pictures).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let bins = calibration.bins.iter().filter(|bin| bin.pictures > 0);
    let dots: Vec<(f64, f64, f64, String)> = bins
        .map(|bin| {
            let n = bin.pictures as f64;
            let (sure, right) = (bin.confidence as f64 / n / 1e6, bin.correct as f64 / n);
            let title = format!(
                "{} pictures: {:.1} % confidence, {:.1} % right",
                bin.pictures,
                100.0 * sure,
                100.0 * right
            );
            (x(sure), y(right), 3.0 + 8.0 * (n / most).sqrt(), title)
        })
        .collect();
    let points: Vec<String> = dots
        .iter()
        .map(|(x, y, ..)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = write!(
        svg,
        "<polyline class=curve points=\"{}\"/>",
        points.join(" ")
    );
    for (x, y, r, title) in dots {
        let _ = write!(
            svg,
            "<circle class=dot cx={x:.1} cy={y:.1} r={r:.1}><title>{title}</title></circle>"
        );
    }
    axis_titles(&mut svg, "confidence", "accuracy", (184, 332), (12, 150));
    svg + "</svg>"
}

/// How many classes have which accuracy, in ten columns.
pub fn classes(classes: &[ClassResult]) -> String {
    let mut columns = [0u64; 10];
    for recall in classes.iter().filter_map(ClassResult::recall_percent) {
        // 100 % belongs to the last column.
        let column = ((recall / 10.0) as usize).min(9);
        columns[column] += 1;
    }
    let most = columns.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (left, top, width, height) = (15.0, 24.0, 310.0, 246.0);
    let mut svg = open(340, 336, "Number of classes by accuracy");
    let step = width / columns.len() as f64;
    for (i, count) in columns.iter().enumerate() {
        let tall = height * *count as f64 / most;
        let (x, y) = (left + step * i as f64, top + height - tall);
        let middle = x + step / 2.0;
        let _ = write!(
            svg,
            "<rect class=bar x={:.1} y={y:.1} width={:.1} height={tall:.1} rx=2><title>{count} classes from {} to {} %</title></rect>",
            x + 2.0,
            step - 4.0,
            10 * i,
            10 * (i + 1)
        );
        if *count > 0 {
            let _ = write!(
                svg,
                "<text class=value x={middle:.1} y={:.1} text-anchor=middle>{count}</text>",
                y - 6.0
            );
        }
    }
    let base = top + height;
    line(&mut svg, "axis", (left, base), (left + width, base));
    for percent in (0..=100).step_by(20) {
        let x = left + width * f64::from(percent) / 100.0;
        let _ = write!(
            svg,
            "<text x={x:.1} y={:.1} text-anchor=middle>{percent}</text>",
            base + 18.0
        );
    }
    axis_titles(
        &mut svg,
        "accuracy of the class (%)",
        "",
        (170, 322),
        (0, 0),
    );
    svg + "</svg>"
}

fn open(width: u32, height: u32, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {width} {height}\" role=img aria-label=\"{label}\">")
}

fn grid(svg: &mut String, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    for step in 0..=5 {
        let share = f64::from(step) / 5.0;
        let percent = 20 * step;
        line(svg, "grid", (x(0.0), y(share)), (x(1.0), y(share)));
        line(svg, "grid", (x(share), y(0.0)), (x(share), y(1.0)));
        let _ = write!(
            svg,
            "<text x={:.1} y={:.1} text-anchor=end>{percent}</text>",
            x(0.0) - 6.0,
            y(share) + 4.0
        );
        let _ = write!(
            svg,
            "<text x={:.1} y={:.1} text-anchor=middle>{percent}</text>",
            x(share),
            y(0.0) + 16.0
        );
    }
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(
        svg,
        "<line class={class} x1={:.1} y1={:.1} x2={:.1} y2={:.1} />",
        from.0, from.1, to.0, to.1
    );
}

fn axis_titles(svg: &mut String, x: &str, y: &str, at_x: (u32, u32), at_y: (u32, u32)) {
    let _ = write!(
        svg,
        "<text x={} y={} text-anchor=middle>{x}</text>",
        at_x.0, at_x.1
    );
    if !y.is_empty() {
        let _ = write!(
            svg,
            "<text transform=\"translate({} {}) rotate(-90)\" text-anchor=middle>{y}</text>",
            at_y.0, at_y.1
        );
    }
}

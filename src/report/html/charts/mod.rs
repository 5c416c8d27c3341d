//! Charts as inline SVG, coloured by the page's style.

mod calibration;
mod classes;
mod plot;

use std::fmt::Write as _;

use crate::report::Report;

/// Both charts, each with a title, a caption and its numbers as a table.
pub(super) fn charts(page: &mut String, report: &Report) {
    let statistics = &report.statistics;
    *page += "<section><h2 id=charts>Classes and calibration</h2><div class=charts>";
    figure(
        page,
        "How accurate are the classes?",
        &classes::chart(&statistics.per_class),
        "How many classes have which top-1 accuracy.",
        &classes::table(&statistics.per_class),
    );
    figure(
        page,
        "Is it right as often as it is sure?",
        &calibration::chart(&statistics.calibration),
        "Top: top-1 accuracy against confidence, the probability of the first choice, in 15 bins with 95&nbsp;% intervals. On the dashed line both agree; below it the model is too sure. Faded bins have fewer than 10 pictures. Bottom: how many pictures have which confidence.",
        &calibration::table(&statistics.calibration),
    );
    *page += "</div></section>\n";
}

fn figure(page: &mut String, title: &str, chart: &str, caption: &str, table: &str) {
    let _ = write!(
        page,
        "<figure class=chart><h3>{title}</h3>{chart}<figcaption>{caption}</figcaption><details><summary>The numbers</summary>{table}</details></figure>"
    );
}

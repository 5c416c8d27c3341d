//! The page's text.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};

use super::escape::{escape_attribute, escape_text};
use super::{Gallery, charts};
use crate::metrics::Accuracy;
use crate::metrics::{ClassResult, Judgement};
use crate::report::Report;

const STYLE: &str = include_str!("style.css");

/// Classes that the list of hardest ones shows.
const HARDEST: usize = 20;

/// Unreadable pictures that are listed.
const UNREADABLE: usize = 50;

/// The whole page.
pub fn page(report: &Report, gallery: &Gallery) -> String {
    let title = format!("{} · {}", report.model.name, report.checkpoint.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width, initial-scale=1\"><title>{0} – uta-eval</title><style>{STYLE}</style></head>\n<body><header><h1>{0}</h1><p class=soft>Zero-shot accuracy on {1} of {2} pictures of {3} classes, ranked among {4}</p></header>\n",
        escape_text(&title),
        report.statistics.top1.total,
        report.data.pictures,
        report.data.classes_present,
        report.data.classes
    );
    headline(&mut page, report);
    charts(&mut page, report);
    confusions(&mut page, report);
    hardest(&mut page, &report.statistics.per_class);
    pictures(&mut page, report, gallery);
    run(&mut page, report);
    page + "</body></html>\n"
}

fn headline(page: &mut String, report: &Report) {
    let statistics = &report.statistics;
    let accuracy = |name: &str, accuracy: Accuracy| match accuracy.interval95 {
        Some([low, high]) => card(
            name,
            percent(accuracy.percent),
            format!(
                "{} of {}; 95 % interval {low:.2} to {high:.2}",
                accuracy.correct, accuracy.total
            ),
        ),
        None => card(name, "–".into(), "no picture could be read"),
    };
    let calibration = &statistics.calibration;
    let ties = statistics.ties;
    let _ = writeln!(
        page,
        "<div class=cards>{}{}{}{}</div>",
        accuracy("Top-1", statistics.top1),
        accuracy("Top-5", statistics.top5),
        card(
            "Mean per-class recall",
            percent(statistics.mean_per_class_recall_percent),
            format!("{} pictures tied between classes", ties.pictures),
        ),
        card(
            "Calibration error",
            percent(calibration.ece_percent),
            format!(
                "mean confidence {}",
                percent(calibration.mean_confidence_percent)
            ),
        ),
    );
    for checked in &report.expectations {
        let class = if checked.met { "met" } else { "missed" };
        let _ = write!(
            page,
            "<p class={class}><strong>{class}</strong>: {checked}</p>"
        );
    }
    for warning in &report.warnings {
        let _ = write!(page, "<p class=soft>Note: {}</p>", escape_text(warning));
    }
}

fn card(name: &str, value: String, detail: impl Display) -> String {
    format!("<div class=card>{name}<b>{value}</b><small>{detail}</small></div>")
}

fn charts(page: &mut String, report: &Report) {
    let _ = writeln!(
        page,
        "<h2>Classes and calibration</h2><div class=charts><figure class=chart>{}<figcaption>Number of classes by their accuracy.</figcaption></figure><figure class=chart>{}<figcaption>Share of right pictures (%) against the model’s probability for its first choice (%), in 15 bins; larger dots have more pictures. On the dashed line both agree.</figcaption></figure></div>",
        charts::classes(&report.statistics.per_class),
        charts::calibration(&report.statistics.calibration),
    );
}

fn confusions(page: &mut String, report: &Report) {
    if report.statistics.confusions.is_empty() {
        return;
    }
    *page += "<section><h2>Most confused</h2><table><tr><th>True class<th>Taken for<th class=n>Pictures</tr>";
    for confusion in &report.statistics.confusions {
        let _ = write!(
            page,
            "<tr><td>{} <small>{}</small><td>{} <small>{}</small><td class=n>{}</tr>",
            escape_text(&confusion.label_name),
            confusion.label,
            escape_text(&confusion.predicted_name),
            confusion.predicted,
            confusion.pictures
        );
    }
    *page += "</table></section>\n";
}

fn hardest(page: &mut String, classes: &[ClassResult]) {
    let mut classes: Vec<(&ClassResult, f64)> = classes
        .iter()
        .filter(|class| class.top1 < class.pictures)
        .filter_map(|class| Some((class, class.recall_percent()?)))
        .collect();
    classes.sort_by(|a, b| a.1.total_cmp(&b.1));
    if classes.is_empty() {
        return;
    }
    *page += "<section><h2>Hardest classes</h2><table><tr><th>Class<th class=n>Pictures<th class=n>Top-1<th class=n>Top-5</tr>";
    for (class, recall) in classes.into_iter().take(HARDEST) {
        let top5 = 100.0 * class.top5 as f64 / class.pictures as f64;
        let _ = write!(
            page,
            "<tr><td>{} <small>{}</small><td class=n>{}<td class=n>{recall:.1} %<td class=n>{top5:.1} %</tr>",
            escape_text(&class.name),
            class.class,
            class.pictures
        );
    }
    *page += "</table></section>\n";
}

fn pictures(page: &mut String, report: &Report, gallery: &Gallery) {
    let names: HashMap<u32, &str> = report
        .statistics
        .per_class
        .iter()
        .map(|class| (class.class, class.name.as_str()))
        .collect();
    for group in gallery.groups.iter().filter(|g| !g.pictures.is_empty()) {
        let _ = write!(
            page,
            "<h2>{}</h2><p class=soft>{}</p><div class=pictures>",
            group.title, group.explanation
        );
        for judgement in &group.pictures {
            picture(page, judgement, &names, gallery.thumbnail(judgement));
        }
        *page += "</div>\n";
    }
}

fn picture(
    page: &mut String,
    judgement: &Judgement,
    names: &HashMap<u32, &str>,
    thumbnail: Option<&str>,
) {
    let name = |class: u32| escape_text(names.get(&class).copied().unwrap_or("?"));
    *page += "<figure class=picture>";
    let _ = match thumbnail {
        Some(uri) => write!(
            page,
            "<img src=\"{uri}\" alt=\"{}\" loading=lazy>",
            escape_attribute(&judgement.name)
        ),
        None => write!(page, "<div class=none>not at hand</div>"),
    };
    let probability = f64::from(judgement.confidence) / 1e4;
    let _ = if judgement.top1() {
        write!(
            page,
            "<figcaption><span class=right>{}</span> {probability:.1} %",
            name(judgement.best)
        )
    } else {
        write!(
            page,
            "<figcaption><span class=wrong>{}</span> {probability:.1} %<br>is <strong>{}</strong>{}",
            name(judgement.best),
            name(judgement.label),
            judgement
                .rank
                .map_or_else(String::new, |rank| format!(", ranked {}", rank + 1))
        )
    };
    let _ = write!(
        page,
        "<small>{}</small></figcaption></figure>",
        escape_text(&judgement.name)
    );
}

fn run(page: &mut String, report: &Report) {
    let (settings, data) = (&report.settings, &report.data);
    let mut facts: Vec<(&str, String)> = vec![
        (
            "program",
            format!("{} {}", report.program.name, report.program.version),
        ),
        (
            "model",
            format!(
                "{0}, {1} × {1} pixels",
                report.model.name, report.model.image_size
            ),
        ),
        (
            "checkpoint",
            format!(
                "{}{}",
                report.checkpoint.path.display(),
                report.checkpoint.within()
            ),
        ),
        ("checkpoint SHA-256", report.checkpoint.sha256.clone()),
        (
            "pictures",
            format!("{} ({})", data.path.display(), data.source),
        ),
        ("picture list SHA-256", data.selected_sha256.clone()),
        (
            "classifier",
            format!(
                "{}, {} templates, key {}",
                report.classifier.origin, report.prompts.templates, report.classifier.key
            ),
        ),
        (
            "ran",
            format!(
                "{} on {}, batch size {}, {} loader and {} compute threads",
                settings.precision,
                settings.device,
                settings.batch_size,
                settings.workers,
                settings.threads
            ),
        ),
        (
            "time",
            format!(
                "{:.1} s in all, {}",
                report.seconds.total,
                match report.pictures_per_second {
                    Some(rate) => format!("{rate:.1} pictures/s"),
                    None => "– pictures/s".into(),
                }
            ),
        ),
    ];
    if let Some(features) = &report.features_file {
        facts.push(("features", features.display().to_string()));
    }
    if let Some(published) = &report.model.published {
        let text = format!("top-1 {} % ({})", published.top1_percent, published.source);
        facts.insert(2, ("published", text));
    }
    if let Some(limit) = settings.limit {
        facts.push(("limit", format!("the first {limit} pictures")));
    }
    if let Some(shard) = settings.shard {
        facts.push(("shard", format!("{shard} of {} pictures", data.selected)));
    }
    *page += "<section><h2>This run</h2><table class=facts>";
    for (name, value) in facts {
        let _ = write!(page, "<tr><th>{name}<td>{}</tr>", escape_text(value));
    }
    *page += "</table></section>";
    if report.unreadable.is_empty() {
        return;
    }
    let _ = write!(
        page,
        "<details><summary>{} pictures could not be read and are not counted</summary><table>",
        report.unreadable.len()
    );
    for picture in report.unreadable.iter().take(UNREADABLE) {
        let _ = write!(
            page,
            "<tr><td>{}<td>{}</tr>",
            escape_text(&*picture.name),
            escape_text(&picture.reason)
        );
    }
    *page += "</table></details>";
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.2} %"))
}

//! Settings, hashes, and the pictures that could not be read.

use std::fmt::Write as _;

use super::text;
use crate::report::Report;
use crate::util::count::{count, grouped_count};

/// Unreadable pictures that are listed.
const UNREADABLE: usize = 200;

/// The last part of the page.
pub(super) fn run(page: &mut String, report: &Report) {
    *page += "<section><h2 id=run>This run</h2><table class=facts><tbody>";
    for (name, value) in facts(report) {
        let _ = write!(page, "<tr><th scope=row>{name}<td>{}</tr>", text(&value));
    }
    *page += "</tbody></table></section>";
    unreadable(page, report);
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let (settings, data) = (&report.settings, &report.data);
    let mut facts = vec![
        (
            "Program",
            format!("{} {}", report.program.name, report.program.version),
        ),
        (
            "Model",
            format!(
                "{0}, {1} × {1} pixels, by {2}",
                report.model.name, report.model.image_size, report.model.decided_by
            ),
        ),
        (
            "Checkpoint",
            format!("{}{}", report.checkpoint.path, report.checkpoint.within()),
        ),
        ("Checkpoint’s SHA-256", report.checkpoint.sha256.clone()),
        ("Pictures", format!("{} ({})", data.path, data.source)),
        ("SHA-256 of the list", data.selected_sha256.clone()),
        (
            "Classifier",
            format!(
                "{}, {}, key {}",
                report.classifier.origin,
                count(report.prompts.templates, "template"),
                report.classifier.key
            ),
        ),
        (
            "Work",
            format!(
                "batch size {}, {} and {}",
                settings.batch_size,
                count(settings.workers, "loader thread"),
                count(settings.threads, "compute thread")
            ),
        ),
        (
            "Time",
            format!(
                "{:.1} s in all, {}",
                report.seconds.total,
                match report.pictures_per_second {
                    Some(rate) => format!("{rate:.1} pictures/s"),
                    None => "every picture known before".into(),
                }
            ),
        ),
    ];
    if let Some(published) = &report.model.published {
        let text = format!("top-1 {} % ({})", published.top1_percent, published.source);
        facts.insert(2, ("Published", text));
    }
    let hosts = &report.provenance.hosts;
    if hosts.len() > 1 {
        facts.push(("Hosts", hosts.join(", ")));
    }
    if let Some(labels) = &data.labels_file {
        facts.push(("Labels", labels.to_string()));
    }
    if let Some(features) = &report.features_file {
        facts.push(("Features", features.to_string()));
    }
    facts
}

fn unreadable(page: &mut String, report: &Report) {
    if report.unreadable.is_empty() {
        return;
    }
    let all = report.unreadable.len();
    let _ = write!(
        page,
        "<section><h2 id=unreadable>Unreadable pictures</h2><p class=soft>{}, not counted{}.</p><table class=facts><thead><tr><th scope=col>Picture<th scope=col>Why</tr></thead><tbody>",
        grouped_count(all, "picture"),
        if all > UNREADABLE {
            format!("; the first {UNREADABLE} are listed")
        } else {
            String::new()
        }
    );
    for picture in report.unreadable.iter().take(UNREADABLE) {
        let (name, reason) = (text(&picture.name), text(&picture.reason));
        let _ = write!(page, "<tr><td>{name}<td>{reason}</tr>");
    }
    *page += "</tbody></table></section>";
}

//! Provenance, banners, and the numbers that matter.

use std::fmt::{Display, Write as _};

use super::{head, percent, text};
use crate::data::{Set, Truth};
use crate::metrics::Accuracy;
use crate::report::{Report, unreadable_warning};
use crate::util::count::{grouped, grouped_count, picks};

/// What was evaluated, in large letters.
pub(super) fn title(page: &mut String, report: &Report) {
    let data = &report.data;
    let evaluated = report.statistics.top1.total;
    let _ = write!(
        page,
        "<p class=kicker>Zero-shot evaluation</p><h1>{}</h1><p class=soft>Accuracy on {} of {}, ranked among {}.</p>",
        text(head::title(report)),
        grouped_count(evaluated, "picture"),
        grouped_count(data.classes_present, "class"),
        grouped_count(data.classes, "class")
    );
}

/// Where, when, on what and by which command.
pub(super) fn provenance(page: &mut String, report: &Report) {
    let (settings, data, provenance) = (&report.settings, &report.data, &report.provenance);
    let pictures = grouped_count(data.pictures, "picture");
    let date = provenance.started.replace('T', " ").replace('Z', " UTC");
    let several = |all: &[String]| match all {
        [] => "unknown".to_string(),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    let limit = match (settings.limit, settings.shard) {
        (None, None) => "none".to_string(),
        (Some(limit), None) => format!("the first {}", grouped_count(limit, "picture")),
        (limit, Some(shard)) => {
            let limit = limit.map(|limit| format!(" of the first {}", grouped(limit as u64)));
            format!("shard {shard}{}", limit.unwrap_or_default())
        }
    };
    let labels = match data.labels == Truth::Real.name() {
        true => ", ReaL labels",
        false => "",
    };
    let facts = [
        ("Date", date),
        ("Host", several(&provenance.hosts)),
        ("Processor", several(&provenance.processors)),
        (
            "Data set",
            format!("{}: {pictures}{labels}", data.short_name()),
        ),
        (
            "Precision",
            format!("{} on {}", settings.precision, settings.device),
        ),
        ("Limit", limit),
    ];
    *page += "<dl class=provenance>";
    for (name, value) in facts {
        let _ = write!(page, "<div><dt>{name}<dd>{}</div>", text(&value));
    }
    // A flag is not torn apart at its dashes.
    let words = provenance.command.split(' ');
    let words: Vec<String> = words
        .map(|word| format!("<span>{}</span>", text(word)))
        .collect();
    let _ = write!(
        page,
        "<div class=wide><dt>Command<dd><code>{}</code></div></dl>",
        words.join(" ")
    );
}

/// What a reader of the accuracy has to know before it.
pub(super) fn banners(page: &mut String, report: &Report) {
    let mut banner = |class: &str, name: &str, message: &str| {
        let _ = write!(
            page,
            "<p class=\"banner {class}\"><strong>{name}.</strong> {message}</p>"
        );
    };
    for checked in &report.expectations {
        let (class, name) = if checked.met {
            ("good", "Expectation met")
        } else {
            ("bad", "Expectation missed")
        };
        banner(class, name, &text(checked.to_string()));
    }
    if report.interrupted {
        let done = report.statistics.top1.total + report.unreadable.len() as u64;
        let of = grouped_count(report.to_evaluate(), "picture");
        let message = format!("Only {} of {of} were evaluated.", grouped(done));
        banner("bad", "Interrupted", &message);
    }
    if !report.unreadable.is_empty() {
        let count = report.unreadable.len();
        let message = format!(
            "{} could not be read and {} not counted: <a href=#unreadable>see which</a>.",
            grouped_count(count, "picture"),
            picks(count, "is", "are")
        );
        banner("bad", "Unreadable pictures", &message);
    }
    let (settings, data) = (&report.settings, &report.data);
    if let Some(limit) = settings.limit.filter(|limit| *limit < data.pictures) {
        let message = format!(
            "The first {} of {} only; the accuracy is not that of the whole set.",
            grouped(limit as u64),
            grouped_count(data.pictures, "picture")
        );
        banner("warn", "Partial set", &message);
    }
    if let Some(shard) = settings.shard {
        let message = format!(
            "Shard {shard} of {} only; merge the results of all.",
            grouped_count(data.selected, "picture")
        );
        banner("warn", "Partial set", &message);
    }
    let told = unreadable_warning(&report.unreadable).map(|warning| warning.to_string());
    for warning in &report.warnings {
        if Some(warning) != told.as_ref() {
            let name = if warning.contains("of the whole set") {
                "Partial set"
            } else {
                "Warning"
            };
            banner("warn", name, &sentence(warning));
        }
    }
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(char::to_uppercase);
    let upper: String = first.into_iter().flatten().collect();
    let end = if message.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    text(format!("{upper}{}{end}", letters.as_str()))
}

/// The numbers that matter.
pub(super) fn cards(page: &mut String, report: &Report) {
    let statistics = &report.statistics;
    let calibration = &statistics.calibration;
    let ties = statistics.ties.pictures;
    let mut classes = "mean of the classes’ accuracies".to_string();
    if ties > 0 {
        classes += &format!(
            "<br>{} {} several best classes",
            grouped_count(ties, "picture"),
            picks(ties, "has", "have")
        );
    }
    *page += "<div class=cards>";
    accuracy(page, "Top-1", statistics.top1, &published(report));
    accuracy(page, "Top-5", statistics.top5, "");
    card(
        page,
        "Per class",
        &percent(statistics.mean_per_class_recall_percent),
        classes,
    );
    card(
        page,
        "Calibration error",
        &percent(calibration.ece_percent),
        format!(
            "expected error over 15 bins<br>mean confidence {}",
            percent(calibration.mean_confidence_percent)
        ),
    );
    *page += "</div>\n";
}

fn accuracy(page: &mut String, name: &str, accuracy: Accuracy, more: &str) {
    let Some([low, high]) = accuracy.interval95 else {
        return card(page, name, "–", "no picture could be read");
    };
    let value = percent(accuracy.percent);
    let middle = accuracy.percent.unwrap_or_default();
    let detail = format!(
        "<svg class=range viewBox=\"0 0 100 4\" preserveAspectRatio=none aria-hidden=true><rect class=track width=100 height=4 /><rect class=interval x={low:.2} width={:.2} height=4 /><rect class=point x={:.2} width=1 height=4 /></svg>{} of {}<br>95 % interval {low:.2} to {high:.2}{more}",
        high - low,
        (middle - 0.5).clamp(0.0, 99.0),
        grouped(accuracy.correct),
        grouped_count(accuracy.total, "picture")
    );
    card(page, name, &value, detail);
}

fn card(page: &mut String, name: &str, value: &str, detail: impl Display) {
    let _ = write!(
        page,
        "<div class=card><h2>{name}</h2><p class=value>{value}</p><p class=soft>{detail}</p></div>"
    );
}

/// The published accuracy of these weights on this set, beside ours.
fn published(report: &Report) -> String {
    let (Some(published), Some(ours)) = (&report.model.published, report.statistics.top1.percent)
    else {
        return String::new();
    };
    let expected = published.top1_percent;
    let set = report.data.dataset.as_deref().and_then(Set::by_name);
    let whole = set.map(|set| set.size().pictures as u64);
    if whole != Some(report.statistics.top1.total) {
        return format!(
            "<br><span class=published>published {expected} %, for the whole set</span>"
        );
    }
    let difference = ours - expected;
    let direction = if difference < 0.0 { "lower" } else { "higher" };
    format!(
        "<br><span class=published>published {expected} %; this is {:.2} points {direction}</span>",
        difference.abs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_becomes_a_sentence() {
        assert_eq!(sentence("the set is <small>"), "The set is &lt;small&gt;.");
        assert_eq!(sentence("is it?"), "Is it?");
        assert_eq!(sentence(""), ".");
    }
}

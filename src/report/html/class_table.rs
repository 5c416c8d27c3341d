//! Every class: how often it is recognised, and what it is taken for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use super::pictures::anchor;
use super::text;
use crate::metrics::ClassResult;
use crate::report::Report;
use crate::util::count::{grouped, grouped_count};

/// Other classes that are listed for each.
const TAKEN_FOR: usize = 3;

/// The table. Without the page's script it is in the order of accuracy, the lowest first.
pub(super) fn class_table(page: &mut String, report: &Report) {
    let classes = &report.statistics.per_class;
    if classes.is_empty() {
        return;
    }
    let names: HashMap<u32, &str> = classes.iter().map(|c| (c.class, c.name.as_str())).collect();
    let confusions = report.statistics.confusions.iter();
    let shown: HashSet<(u32, u32)> = confusions.map(|c| (c.label, c.predicted)).collect();
    let mistakes = mistakes(report);
    let _ = write!(
        page,
        "<section><h2 id=all-classes>All classes</h2><p class=soft>The {}, the least accurate first. “Predicted” counts the pictures of any class that were predicted as this one.</p><p id=tools hidden><label>Find a class <input type=search id=query></label> <span id=shown class=soft role=status></span></p><div class=scroll role=region aria-labelledby=all-classes tabindex=0><table id=classes><thead><tr><th scope=col>Class<th scope=col class=n>Pictures<th scope=col class=n data-up>Top-1<th scope=col class=n data-up>Top-5<th scope=col class=n>Predicted<th scope=col>Taken for</tr></thead><tbody>",
        grouped_count(classes.len(), "class")
    );
    for class in sorted(classes) {
        let of_class = mistakes.get(&class.class).map_or(&[][..], Vec::as_slice);
        row(page, class, of_class, &names, &shown);
    }
    *page += "</tbody></table></div></section>\n";
}

/// The least accurate first, then those of more pictures; last those that have none.
fn sorted(classes: &[ClassResult]) -> Vec<&ClassResult> {
    let mut sorted: Vec<&ClassResult> = classes.iter().collect();
    let accuracy = |class: &ClassResult| class.recall_percent().unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| {
        let order = accuracy(a).total_cmp(&accuracy(b));
        order.then(b.pictures.cmp(&a.pictures))
    });
    sorted
}

/// Of each class, the classes that its pictures were taken for, the most frequent first.
fn mistakes(report: &Report) -> HashMap<u32, Vec<(u32, u64)>> {
    let mut counts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for judgement in report.judgements.iter().filter(|j| !j.top1()) {
        *counts.entry((judgement.label, judgement.best)).or_default() += 1;
    }
    let mut mistakes: HashMap<u32, Vec<(u32, u64)>> = HashMap::new();
    for ((label, best), count) in counts {
        mistakes.entry(label).or_default().push((best, count));
    }
    for of_class in mistakes.values_mut() {
        of_class.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }
    mistakes
}

fn row(
    page: &mut String,
    class: &ClassResult,
    mistakes: &[(u32, u64)],
    names: &HashMap<u32, &str>,
    shown: &HashSet<(u32, u32)>,
) {
    let _ = write!(
        page,
        "<tr><th scope=row>{} <small>{}</small><td class=n data-value={}>{}",
        text(&class.name),
        class.class,
        class.pictures,
        grouped(class.pictures)
    );
    for right in [class.top1, class.top5] {
        // Classes without pictures sort in front of the least accurate.
        let _ = match class.pictures {
            0 => write!(page, "<td class=n data-value=-1>–"),
            pictures => {
                let share = 100.0 * right as f64 / pictures as f64;
                write!(
                    page,
                    "<td class=n data-value={share:.3}>{share:.1} %<svg class=share viewBox=\"0 0 100 3\" preserveAspectRatio=none aria-hidden=true><rect class=track width=100 height=3 /><rect class=part width={share:.1} height=3 /></svg>"
                )
            }
        };
    }
    let wrong: u64 = mistakes.iter().map(|(_, count)| count).sum();
    let _ = write!(
        page,
        "<td class=n data-value={0}>{1}<td data-value={wrong}>",
        class.predicted,
        grouped(class.predicted)
    );
    for (place, (best, count)) in mistakes.iter().take(TAKEN_FOR).enumerate() {
        let name = text(names.get(best).copied().unwrap_or("?"));
        let separator = if place > 0 { ", " } else { "" };
        let _ = if shown.contains(&(class.class, *best)) {
            let anchor = anchor(class.class, *best);
            write!(page, "{separator}<a href=#{anchor}>{name}</a> ({count})")
        } else {
            write!(page, "{separator}{name} ({count})")
        };
    }
    match mistakes.len().saturating_sub(TAKEN_FOR) {
        0 => {}
        more => {
            let _ = write!(page, " and {}", grouped_count(more, "other class"));
        }
    }
    *page += "</tr>";
}

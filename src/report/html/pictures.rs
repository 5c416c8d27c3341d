//! Pictures in grids, of which no row has a single picture beneath full ones.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{Gallery, attribute, text};
use crate::metrics::Judgement;
use crate::report::Report;
use crate::util::count::{grouped, grouped_count};

/// Columns of the widest grid.
const COLUMNS: usize = 6;

/// Names of the classes.
type Names<'a> = HashMap<u32, &'a str>;

/// The most frequent confusions, each with its pictures.
pub(super) fn confusions(page: &mut String, report: &Report, gallery: &Gallery) {
    if gallery.confusions.is_empty() {
        return;
    }
    let names = names(report);
    *page += "<section><h2 id=confusions>Most confused</h2><p class=soft>Classes that were predicted for pictures of another; each opens its pictures.</p><div class=confusions>";
    for (place, shown) in gallery.confusions.iter().enumerate() {
        let confusion = shown.confusion;
        let _ = write!(
            page,
            "<details{}><summary id={}><span><b>{}</b> <small>{}</small> predicted as <b>{}</b> <small>{}</small></span><span class=n>{}</span></summary>",
            if place == 0 { " open" } else { "" },
            anchor(confusion.label, confusion.predicted),
            text(&confusion.label_name),
            confusion.label,
            text(&confusion.predicted_name),
            confusion.predicted,
            grouped_count(confusion.pictures, "picture")
        );
        grid(page, &shown.pictures, &names, gallery);
        let more = confusion
            .pictures
            .saturating_sub(shown.pictures.len() as u64);
        if more > 0 {
            let _ = write!(page, "<p class=soft>and {} more</p>", grouped(more));
        }
        *page += "</details>";
    }
    *page += "</div></section>\n";
}

/// What a confusion is called in links.
pub(super) fn anchor(label: u32, predicted: u32) -> String {
    format!("c{label}-{predicted}")
}

/// The groups of pictures.
pub(super) fn groups(page: &mut String, report: &Report, gallery: &Gallery) {
    let names = names(report);
    for group in gallery.groups.iter().filter(|g| !g.pictures.is_empty()) {
        let _ = write!(
            page,
            "<section><h2>{}</h2><p class=soft>{}</p>",
            group.title, group.explanation
        );
        grid(page, &group.pictures, &names, gallery);
        *page += "</section>\n";
    }
}

fn names(report: &Report) -> Names<'_> {
    let classes = report.statistics.per_class.iter();
    classes
        .map(|class| (class.class, class.name.as_str()))
        .collect()
}

fn grid(page: &mut String, pictures: &[&Judgement], names: &Names, gallery: &Gallery) {
    let [wide, medium] = columns(pictures.len());
    let _ = write!(page, "<div class=\"pictures w{wide} m{medium}\">");
    for judgement in pictures {
        picture(page, judgement, names, gallery.thumbnail(judgement));
    }
    *page += "</div>";
}

/// Columns for so many pictures on a wide page and on a narrower one. On a telephone there are two, and
/// the last of an odd number takes both.
fn columns(pictures: usize) -> [usize; 2] {
    let wide = if pictures <= COLUMNS {
        pictures.max(1)
    } else {
        pictures.div_ceil(2).min(COLUMNS)
    };
    let medium = match pictures {
        0..=3 => pictures.max(1),
        6 | 9 => 3,
        n if n % 4 == 1 => 3,
        _ => 4,
    };
    [wide, medium]
}

fn picture(page: &mut String, judgement: &Judgement, names: &Names, thumbnail: Option<&str>) {
    let name = |class: u32| names.get(&class).copied().unwrap_or("?");
    let (best, label) = (name(judgement.best), name(judgement.label));
    *page += "<figure class=picture>";
    let _ = match thumbnail {
        Some(uri) => write!(
            page,
            "<img src=\"{uri}\" width=160 height=160 alt=\"{}\" loading=lazy>",
            attribute(format!("a picture of {label}"))
        ),
        None => write!(page, "<div class=none>not at hand</div>"),
    };
    let probability = f64::from(judgement.confidence) / 1e4;
    let _ = if judgement.top1() {
        write!(
            page,
            "<figcaption>Predicted as <b class=right>{}</b>, rightly, with {probability:.1} %",
            text(best)
        )
    } else {
        write!(
            page,
            "<figcaption>Predicted as <b class=wrong>{}</b> with {probability:.1} %<br>Is <b>{}</b>, {}",
            text(best),
            text(label),
            match judgement.rank {
                Some(rank) => format!("ranked {}", rank + 1),
                None => "not among the first 5".into(),
            }
        )
    };
    let _ = write!(
        page,
        "<small>{}</small></figcaption></figure>",
        text(&judgement.name)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_of_a_grid_has_a_single_picture_beneath_full_ones() {
        for pictures in 1..=12 {
            for columns in columns(pictures) {
                assert!((1..=COLUMNS).contains(&columns), "{pictures}");
                let alone = pictures > columns && pictures % columns == 1;
                assert!(!alone, "{pictures} pictures in {columns} columns");
            }
        }
    }
}

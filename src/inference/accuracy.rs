//! The accuracy that is published for weights on a data set.

use super::choice::Chosen;
use crate::data::{Protocol, Set};
use crate::metrics::expectation::Published;
use crate::model::published::Pretrained;
use crate::util::usage::UsageError;

/// Percentage points on ImageNet's 50,000 pictures that the precision and the resizer's version may move.
const TOLERANCE: f64 = 0.1;

/// The figure for the weights that were chosen, on a data set judged by a protocol.
///
/// # Errors
/// When none is known, or it is not known which weights these are.
pub fn published(chosen: &Chosen, protocol: &Protocol) -> Result<Published, UsageError> {
    let none = |reason: String| {
        UsageError::new(
            format!("no published accuracy is known: {reason}"),
            "give what you expect with --expect-top1",
        )
    };
    let set = match protocol.set {
        Some(set) if *protocol == Protocol::of(set) => set,
        _ => return Err(none(format!("figures are not of {}", protocol.name()))),
    };
    if let Some(of_paper) = chosen.config.published {
        return match set {
            Set::ImageNet => Ok(Published {
                top1_percent: of_paper.top1_percent,
                tolerance: tolerance(set),
                source: "arXiv 2405.19009, table 1".into(),
            }),
            _ => Err(none(format!(
                "that of {} is on imagenet alone",
                of_paper.name
            ))),
        };
    }
    let name = &chosen.config.name;
    let Some(known) = chosen.pretrained else {
        let all = Pretrained::all().iter();
        let tags: Vec<&str> = all
            .filter(|known| known.model == name)
            .map(|known| known.tag)
            .collect();
        if tags.is_empty() {
            return Err(none(format!("none is published for {name}")));
        }
        return Err(UsageError::new(
            format!("nothing tells which of the published weights of {name} these are"),
            format!("say it with --pretrained: {}", tags.join(", ")),
        ));
    };
    let percent = percent(known, set).ok_or_else(|| {
        none(format!(
            "none is published for {} on {}",
            known.repository,
            set.name()
        ))
    })?;
    Ok(Published {
        top1_percent: percent,
        tolerance: tolerance(set),
        source: format!("open_clip's results for {}", known.repository).into(),
    })
}

/// The figure of weights of the table.
fn percent(known: &Pretrained, set: Set) -> Option<f64> {
    let place = Set::ALL.into_iter().position(|other| other == set)?;
    *known.top1_percent.get(place)?
}

/// By how much a faithful evaluation may miss a figure, in percentage points, to the next twentieth.
///
/// Precision, the resizer's version and the JPEG decoder turn single pictures, at random; so the difference
/// of two programs shrinks with the root of the number of pictures.
fn tolerance(set: Set) -> f64 {
    let pictures = |set: Set| set.size().pictures as f64;
    let points = TOLERANCE * (pictures(Set::ImageNet) / pictures(set)).sqrt();
    // ImageNet-Sketch is larger, but by too little to be held to more.
    (points.max(TOLERANCE) * 20.0).ceil() / 20.0
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::data::{Rules, Truth};
    use crate::model::ModelConfig;

    fn chosen(model: &str, tag: Option<&str>) -> Chosen {
        Chosen {
            config: ModelConfig::by_name(model).unwrap(),
            checkpoint: PathBuf::new(),
            weights: None,
            decided_by: "--model".into(),
            pretrained: tag.map(|tag| Pretrained::by_tag(model, tag).unwrap()),
            warnings: Vec::new(),
        }
    }

    /// The figures are those of open_clip's `docs/openclip_results.csv`.
    #[test]
    fn each_set_has_its_figure_and_its_tolerance() {
        let openai = chosen("ViT-B-32", Some("openai"));
        for (set, percent, tolerance) in [
            (Set::ImageNet, 63.32, 0.1),
            (Set::V2, 55.92, 0.25),
            (Set::A, 31.55, 0.3),
            (Set::R, 69.33, 0.15),
            (Set::Sketch, 42.29, 0.1),
            (Set::ObjectNet, 44.31, 0.2),
        ] {
            let published = published(&openai, &Protocol::of(set)).unwrap();
            assert_eq!(published.top1_percent, percent, "{set:?}");
            assert!((published.tolerance - tolerance).abs() < 1e-12, "{set:?}");
        }
        let base = published(&chosen("UTA-B", None), &Protocol::default()).unwrap();
        assert_eq!((base.top1_percent, base.tolerance), (77.0, 0.1));
    }

    #[test]
    fn what_has_no_figure_is_told_with_what_to_do() {
        let refused = |chosen: &Chosen, protocol: &Protocol, words: &[&str]| {
            let error = published(chosen, protocol).unwrap_err();
            let text = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        let imagenet = Protocol::default();
        let unknown = chosen("ViT-B-32", None);
        refused(&unknown, &imagenet, &["--pretrained", "laion2b_s34b_b79k"]);
        refused(&chosen("uta_demo", None), &imagenet, &["uta_demo"]);
        let uta = chosen("UTA-B", None);
        refused(&uta, &Protocol::of(Set::A), &["imagenet alone"]);
        let real = Protocol {
            truth: Truth::Real,
            ..Protocol::default()
        };
        let openai = chosen("ViT-B-32", Some("openai"));
        refused(&openai, &real, &["real labels", "--expect-top1"]);
        let listed = Protocol::listed(Rules::default(), None);
        refused(&openai, &listed, &["other classes"]);
        let authors = Protocol::by(Rules::ObjectNet, Set::ObjectNet);
        refused(&openai, &authors, &["by the protocol objectnet"]);
    }
}

use serde::Deserialize;
use uta_eval::metrics::interval::{Pairs, wilson95};
use uta_eval::metrics::mcnemar::Form;
use uta_eval::metrics::{Calibration, Judgement, McNemar, Statistics, Tie};

use crate::support::json;

/// What scipy, statsmodels and numpy say; made by `make.py` beside it.
#[derive(Deserialize)]
struct Expected {
    wilson: Vec<Interval>,
    mcnemar: Vec<Paired>,
    differences: Vec<Difference>,
    calibration: Calibrated,
}

#[derive(Deserialize)]
struct Interval {
    correct: u64,
    total: u64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Paired {
    only_a: u64,
    only_b: u64,
    exact: bool,
    statistic: Option<f64>,
    p_value: f64,
}

#[derive(Deserialize)]
struct Difference {
    both: u64,
    only_a: u64,
    only_b: u64,
    neither: u64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Calibrated {
    confidence_millionths: Vec<u32>,
    correct: Vec<bool>,
    ece_percent: f64,
    mean_confidence_percent: f64,
}

fn expected() -> Expected {
    json("statistics/expected.json")
}

fn judgement(label: u32, best: u32, confidence: u32) -> Judgement {
    Judgement {
        name: String::new(),
        label,
        best,
        rank: (label == best).then_some(0),
        confidence,
        tie: Tie::None,
    }
}

#[test]
fn intervals_are_those_of_scipy_and_statsmodels() {
    for Interval {
        correct,
        total,
        low,
        high,
    } in expected().wilson
    {
        let [found_low, found_high] = wilson95(correct, total).unwrap();
        assert!((found_low - low).abs() < 1e-9, "{correct}/{total}");
        assert!((found_high - high).abs() < 1e-9, "{correct}/{total}");
        assert!(0.0 <= found_low && found_high <= 100.0);
    }
    assert_eq!(wilson95(0, 0), None);
}

#[test]
fn the_paired_test_is_that_of_statsmodels() {
    for paired in expected().mcnemar {
        let found = McNemar::new(paired.only_a, paired.only_b);
        let name = format!("{} {}", paired.only_a, paired.only_b);
        assert_eq!(found.form == Form::ExactBinomial, paired.exact, "{name}");
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1e-300);
        assert!(close(found.p_value, paired.p_value), "{name} {found:?}");
        match (found.statistic, paired.statistic) {
            (None, None) => {}
            (Some(a), Some(b)) => assert!(close(a, b), "{name}"),
            _ => panic!("{name}"),
        }
    }
}

#[test]
fn the_interval_of_a_paired_difference_is_newcombes() {
    for case in expected().differences {
        let Difference {
            both,
            only_a,
            only_b,
            neither,
            low,
            high,
        } = case;
        let pairs = Pairs {
            both,
            only_a,
            only_b,
            neither,
        };
        let [found_low, found_high] = pairs.difference95().unwrap();
        assert!((found_low - low).abs() < 1e-9, "{pairs:?} {found_low}");
        assert!((found_high - high).abs() < 1e-9, "{pairs:?} {found_high}");
        // Which result is the first is a matter of sign.
        let turned = Pairs {
            only_a: only_b,
            only_b: only_a,
            ..pairs
        };
        let [turned_low, turned_high] = turned.difference95().unwrap();
        assert!((turned_low + high).abs() < 1e-9, "{pairs:?}");
        assert!((turned_high + low).abs() < 1e-9, "{pairs:?}");
    }
    let nothing = Pairs {
        both: 0,
        only_a: 0,
        only_b: 0,
        neither: 0,
    };
    assert_eq!(nothing.difference95(), None);
}

#[test]
fn the_calibration_error_is_that_of_numpy() {
    let expected = expected().calibration;
    let pictures: Vec<Judgement> = expected
        .confidence_millionths
        .iter()
        .zip(&expected.correct)
        .map(|(confidence, correct)| judgement(u32::from(!correct), 0, *confidence))
        .collect();
    let found = Calibration::of(&pictures);
    assert!((found.ece_percent.unwrap() - expected.ece_percent).abs() < 1e-9);
    let mean = found.mean_confidence_percent.unwrap();
    assert!((mean - expected.mean_confidence_percent).abs() < 1e-9);
    assert_eq!(found.bins.len(), 15);
}

#[test]
fn recall_weighs_classes_alike_and_confusions_come_most_frequent_first() {
    let pictures = [
        judgement(0, 0, 5),
        judgement(0, 0, 5),
        judgement(0, 0, 5),
        judgement(0, 2, 5),
        judgement(1, 2, 5),
        judgement(1, 2, 5),
    ];
    let statistics = Statistics::of(&pictures, |class| ["a", "b"].get(class).copied());
    assert_eq!(statistics.top1.correct, 3);
    assert_eq!(statistics.mean_per_class_recall_percent, Some(37.5));
    let confusions: Vec<_> = statistics
        .confusions
        .iter()
        .map(|c| (c.label_name.as_str(), c.predicted_name.as_str(), c.pictures))
        .collect();
    assert_eq!(confusions, [("b", "class 2", 2), ("a", "class 2", 1)]);
    let predicted: Vec<u64> = statistics.per_class.iter().map(|c| c.predicted).collect();
    assert_eq!(predicted, [3, 0, 3]);
    let nothing = Statistics::of(&[], |_| None);
    assert_eq!(nothing.mean_per_class_recall_percent, None);
    assert_eq!(nothing.calibration.ece_percent, None);
}

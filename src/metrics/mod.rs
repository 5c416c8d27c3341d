//! What a set of judged pictures says: intervals, classes, calibration, confusions, paired tests.
//!
//! Everything here is made from [`Judgement`]s by integer sums, so that results of parts of a data
//! set add up to the whole's, bit for bit.

/// Confidence against accuracy.
pub mod calibration;
/// Results of each class, and confusions.
pub mod classes;
/// The accuracy that a result ought to have.
pub mod expectation;
/// Confidence intervals of shares.
pub mod interval;
/// One picture's result as a small record.
pub mod judgement;
/// McNemar's paired test.
pub mod mcnemar;
/// Ranking classes and counting right ones.
pub mod ranking;

pub use calibration::Calibration;
pub use classes::{ClassResult, Confusion};
pub use judgement::{Judgement, Tie};
pub use mcnemar::McNemar;
pub use ranking::{Accuracy, Prediction, TOP, Tally, millionths};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pictures whose best logit belonged to several classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ties {
    /// All of them.
    pub pictures: u64,
    /// Of these, the label was among the tied classes and ranked first, by its lower index.
    pub label_first: u64,
    /// Of these, the label was among the tied classes and another ranked first.
    pub label_behind: u64,
}

impl Ties {
    fn of(judgements: &[Judgement]) -> Self {
        let mut ties = Self::default();
        for judgement in judgements {
            let label_tied = judgement.tie == Tie::WithLabel;
            ties.pictures += u64::from(judgement.tie != Tie::None);
            ties.label_first += u64::from(label_tied && judgement.top1());
            ties.label_behind += u64::from(label_tied && !judgement.top1());
        }
        ties
    }
}

/// All numbers that follow from the judgements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statistics {
    /// The label ranks first.
    pub top1: Accuracy,
    /// The label is among the first five.
    pub top5: Accuracy,
    /// Mean over the classes that have pictures of their share of right ones, in percent; `null`
    /// without pictures.
    #[schemars(range(min = 0, max = 100))]
    pub mean_per_class_recall_percent: Option<f64>,
    /// Of the best class's probability, the softmax of the logits (100 * cosine).
    pub calibration: Calibration,
    /// Pictures whose best logit several classes have; the lower index ranks first.
    pub ties: Ties,
    /// The most frequent confusions, at most 20, most frequent first.
    pub confusions: Vec<Confusion>,
    /// Classes that have pictures or were predicted, by index.
    pub per_class: Vec<ClassResult>,
}

impl Statistics {
    /// Counts; `name` gives a class's name.
    pub fn of<'a>(judgements: &[Judgement], name: impl Fn(usize) -> Option<&'a str>) -> Self {
        let mut tally = Tally::default();
        for judgement in judgements {
            tally.count(judgement.rank);
        }
        let per_class = classes::per_class(judgements, &name);
        Self {
            top1: tally.top1_accuracy(),
            top5: tally.top5_accuracy(),
            mean_per_class_recall_percent: classes::mean_recall(&per_class),
            calibration: Calibration::of(judgements),
            ties: Ties::of(judgements),
            confusions: classes::confusions(judgements, &name),
            per_class,
        }
    }
}

//! Ranking and counting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::interval::wilson95;

/// Classes that a prediction lists.
pub const TOP: usize = 5;

/// The highest-ranking classes of one picture, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// At most [`TOP`]; fewer when there are fewer classes.
    pub classes: Vec<usize>,
    /// Their logits.
    pub logits: Vec<f32>,
    /// Probability of the best class, the softmax over all logits, in millionths.
    pub confidence: u32,
}

/// A probability as the nearest number of millionths.
pub fn millionths(probability: f64) -> u32 {
    (1e6 * probability.clamp(0.0, 1.0)).round() as u32
}

impl Prediction {
    /// Ranks by descending logit; equal logits rank by lower class index.
    pub fn from_logits(logits: &[f32]) -> Self {
        let mut classes: Vec<usize> = (0..logits.len()).collect();
        let order = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
        if classes.len() > TOP {
            classes.select_nth_unstable_by(TOP, order);
            classes.truncate(TOP);
        }
        classes.sort_unstable_by(order);
        let best = classes.first().map_or(0.0, |class| logits[*class]);
        // In f64, and in the classes' order, so that the last digit is not chance.
        let sum: f64 = logits.iter().map(|l| f64::from(l - best).exp()).sum();
        Self {
            logits: classes.iter().map(|class| logits[*class]).collect(),
            confidence: millionths(1.0 / sum.max(1.0)),
            classes,
        }
    }

    /// Position in the list of the first class that is one of these, 0 being the best.
    pub fn rank_of(&self, classes: &[usize]) -> Option<usize> {
        self.classes.iter().position(|c| classes.contains(c))
    }
}

/// Integer counts; fractions are formed once, at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub pictures: u64,
    pub top1: u64,
    pub top5: u64,
}

impl Tally {
    /// Counts one picture, of which some classes are right.
    pub fn add(&mut self, prediction: &Prediction, right: &[usize]) {
        let rank = prediction.rank_of(right);
        self.count(rank.and_then(|rank| u8::try_from(rank).ok()));
    }

    /// Counts a picture by the place of its label among the first five.
    pub fn count(&mut self, rank: Option<u8>) {
        self.pictures += 1;
        self.top1 += u64::from(rank == Some(0));
        self.top5 += u64::from(rank.is_some());
    }

    pub fn top1_accuracy(&self) -> Accuracy {
        Accuracy::new(self.top1, self.pictures)
    }

    pub fn top5_accuracy(&self) -> Accuracy {
        Accuracy::new(self.top5, self.pictures)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            pictures,
            top1,
            top5,
        } = self;
        write!(f, "{top1}/{pictures} top-1 and {top5}/{pictures} top-5")
    }
}

/// A fraction of pictures, with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Pictures counted as right.
    pub correct: u64,
    /// Pictures evaluated.
    pub total: u64,
    /// 100 * correct / total; `null` when no picture could be read.
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<f64>,
    /// Wilson's 95 % interval, low and high, in percent; `null` with `percent`.
    #[schemars(inner(range(min = 0, max = 100)))]
    pub interval95: Option<[f64; 2]>,
}

impl Accuracy {
    fn new(correct: u64, total: u64) -> Self {
        let percent = (total > 0).then(|| 100.0 * correct as f64 / total as f64);
        Self {
            correct,
            total,
            percent,
            interval95: wilson95(correct, total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_rank_by_lower_class_index() {
        let prediction = Prediction::from_logits(&[1.0, 3.0, 2.0, 3.0, 2.0, 2.0, 2.0]);
        assert_eq!(prediction.classes, [1, 3, 2, 4, 5]);
        assert_eq!(prediction.logits, [3.0, 3.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn confidence_is_the_softmax_of_the_best_logit() {
        let even = Prediction::from_logits(&[3.0; 4]);
        assert_eq!(even.confidence, 250_000);
        let sure = Prediction::from_logits(&[100.0, 0.0]);
        assert_eq!(sure.confidence, 1_000_000);
        let odds = Prediction::from_logits(&[0.0, 3f32.ln()]);
        assert_eq!(odds.confidence, 750_000);
    }

    #[test]
    fn fewer_than_five_classes_give_shorter_lists() {
        assert_eq!(Prediction::from_logits(&[0.5, 0.7]).classes, [1, 0]);
    }

    #[test]
    fn a_label_outside_the_list_counts_for_the_total_only() {
        let mut tally = Tally::default();
        let prediction = Prediction::from_logits(&[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        for label in [0, 4, 5] {
            tally.add(&prediction, &[label]);
        }
        assert_eq!(
            tally,
            Tally {
                pictures: 3,
                top1: 1,
                top5: 2
            }
        );
    }

    #[test]
    fn where_several_classes_are_right_the_first_of_them_counts() {
        let prediction = Prediction::from_logits(&[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        assert_eq!(prediction.rank_of(&[5, 2, 1]), Some(1));
        assert_eq!(prediction.rank_of(&[5]), None);
        assert_eq!(prediction.rank_of(&[]), None);
    }

    #[test]
    fn no_pictures_have_no_accuracy() {
        assert_eq!(Tally::default().top1_accuracy().percent, None);
    }
}

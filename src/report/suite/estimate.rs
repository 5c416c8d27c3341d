//! Averages over data sets and differences of them, with intervals.

use schemars::JsonSchema;
use serde::Serialize;

use crate::metrics::Accuracy;

/// The average over the sets of a row, and the drop to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// How many sets the average is over.
    pub sets: usize,
    /// The mean of the sets' accuracies; `null` unless all of them, and at least two, have a result.
    pub average: Option<Estimate>,
    /// The accuracy on ImageNet less the average; `null` without one of them.
    pub drop: Option<Estimate>,
}

/// A number with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// In percent, or percentage points.
    #[schemars(range(min = -100, max = 100))]
    pub percent: f64,
    /// The 95 % interval, low and high, from those of the accuracies (Zou and Donner's MOVER).
    #[schemars(inner(range(min = -100, max = 100)))]
    pub interval95: [f64; 2],
}

impl Summary {
    /// Of the accuracies on all sets, the first of which is ImageNet's if that is said.
    pub fn of(accuracies: &[Option<Accuracy>], imagenet_is_first: bool) -> Self {
        let sets = accuracies.len();
        let finished: Option<Vec<Accuracy>> = accuracies.iter().copied().collect();
        let Some(accuracies) = finished.filter(|all| all.len() > 1) else {
            return Self {
                sets,
                ..Self::default()
            };
        };
        let share = 1.0 / sets as f64;
        let equal = vec![share; sets];
        let mut drop: Vec<f64> = equal.iter().map(|share| -share).collect();
        drop[0] += 1.0;
        Self {
            sets,
            average: Estimate::combined(&accuracies, &equal),
            drop: imagenet_is_first
                .then(|| Estimate::combined(&accuracies, &drop))
                .flatten(),
        }
    }
}

impl Estimate {
    /// A sum of accuracies times factors. The accuracies are of different pictures, so that their
    /// errors are independent: the distances from each accuracy to the bound on its side add up as
    /// squares.
    fn combined(accuracies: &[Accuracy], factors: &[f64]) -> Option<Self> {
        let mut percent = 0.0;
        let mut squares = [0.0; 2];
        for (accuracy, factor) in accuracies.iter().zip(factors) {
            let (share, [low, high]) = (accuracy.percent?, accuracy.interval95?);
            percent += factor * share;
            let sides = if *factor < 0.0 {
                [high, low]
            } else {
                [low, high]
            };
            for (square, bound) in squares.iter_mut().zip(sides) {
                *square += (factor * (share - bound)).powi(2);
            }
        }
        let [below, above] = squares.map(f64::sqrt);
        Some(Self {
            percent,
            interval95: [percent - below, percent + above],
        })
    }
}

//! Calibration: do pictures with 80 % confidence come out right 80 times in 100?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Judgement;

/// Bins of equal width.
pub const BINS: usize = 15;

const MILLION: u64 = 1_000_000;

/// Expected calibration error of the best class's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Mean gap between confidence and accuracy over the bins, weighted by pictures, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub ece_percent: Option<f64>,
    /// Mean probability of the best class, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub mean_confidence_percent: Option<f64>,
    /// Bins of equal width from 0 to 1; a confidence on an edge belongs to the lower bin.
    #[schemars(length(equal = BINS))]
    pub bins: Vec<Bin>,
}

/// One bin's integer sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Pictures in it.
    pub pictures: u64,
    /// Of these, right ones.
    pub correct: u64,
    /// Sum of the confidences, in millionths.
    pub confidence: u64,
}

impl Calibration {
    pub fn of(judgements: &[Judgement]) -> Self {
        let mut bins = [Bin::default(); BINS];
        for judgement in judgements {
            let confidence = u64::from(judgement.confidence).min(MILLION);
            // ceil(confidence * BINS) - 1, in integers.
            let index = (confidence * BINS as u64)
                .div_ceil(MILLION)
                .saturating_sub(1);
            if let Some(bin) = bins.get_mut(index as usize) {
                bin.pictures += 1;
                bin.correct += u64::from(judgement.top1());
                bin.confidence += confidence;
            }
        }
        let total: u64 = bins.iter().map(|bin| bin.pictures).sum();
        let gap: u64 = bins
            .iter()
            .map(|bin| (bin.correct * MILLION).abs_diff(bin.confidence))
            .sum();
        let sum: u64 = bins.iter().map(|bin| bin.confidence).sum();
        let percent = |millionths: u64| {
            (total > 0).then(|| 100.0 * millionths as f64 / (total * MILLION) as f64)
        };
        Self {
            ece_percent: percent(gap),
            mean_confidence_percent: percent(sum),
            bins: bins.to_vec(),
        }
    }
}

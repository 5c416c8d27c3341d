//! McNemar's test: do two results on the same pictures differ by more than chance?

use schemars::JsonSchema;
use serde::Serialize;

/// From this many discordant pairs on, the chi-square approximation is good.
const EXACT_BELOW: u64 = 25;

/// Which form of the test was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Two-sided binomial test of the discordant pairs; for fewer than 25.
    ExactBinomial,
    /// Chi-square with one degree of freedom and continuity correction.
    ChiSquareCorrected,
}

/// The result of McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct McNemar {
    /// Pictures that only the first result has right.
    pub only_a: u64,
    /// Pictures that only the second result has right.
    pub only_b: u64,
    /// Which form of the test was used.
    pub form: Form,
    /// The chi-square statistic; `null` for the exact form.
    #[schemars(range(min = 0))]
    pub statistic: Option<f64>,
    /// Probability of a difference at least as large by chance.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
}

impl McNemar {
    pub fn new(only_a: u64, only_b: u64) -> Self {
        let discordant = only_a + only_b;
        let (form, statistic, p_value) = if discordant < EXACT_BELOW {
            let p = exact(only_a.min(only_b), discordant);
            (Form::ExactBinomial, None, p)
        } else {
            let difference = only_a.abs_diff(only_b).saturating_sub(1) as f64;
            let statistic = difference * difference / discordant as f64;
            let p = libm::erfc((statistic / 2.0).sqrt());
            (Form::ChiSquareCorrected, Some(statistic), p)
        };
        Self {
            only_a,
            only_b,
            form,
            statistic,
            p_value,
        }
    }
}

/// Twice the probability of at most `fewer` heads in `n` < 64 throws, at most 1.
fn exact(fewer: u64, n: u64) -> f64 {
    let mut ways = 0u64;
    let mut choose = 1u64;
    for k in 0..=fewer {
        ways += choose;
        choose = choose * (n - k) / (k + 1);
    }
    (2.0 * ways as f64 / (1u64 << n) as f64).min(1.0)
}

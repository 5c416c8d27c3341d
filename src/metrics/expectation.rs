//! The accuracy that a result ought to have, for builds that are to fail when it moves.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Accuracy;
use crate::util::usage::UsageError;

/// Less than what counts as a difference: rounding of decimal fractions.
const ROUNDING: f64 = 1e-9;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The label ranks first.
    Top1,
    /// The label is among the first five.
    Top5,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top1 => "top-1",
            Self::Top5 => "top-5",
        })
    }
}

/// Percentage points by which an expectation may be missed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tolerance(f64);

impl Tolerance {
    /// # Errors
    /// When it is negative or no number.
    pub fn new(points: f64) -> Result<Self, UsageError> {
        if points.is_finite() && points >= 0.0 {
            Ok(Self(points))
        } else {
            Err(UsageError::new(
                format!("--tolerance {points} is no distance"),
                "give percentage points, for instance --tolerance 0.1",
            ))
        }
    }
}

impl Tolerance {
    /// For accuracies that a user gives, in percentage points.
    const DEFAULT: Self = Self(0.1);
}

/// The accuracy that is published for weights on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Top-1 accuracy.
    #[schemars(range(min = 0, max = 100))]
    pub top1_percent: f64,
    /// Percentage points by which a faithful evaluation may miss it; `--tolerance` replaces them.
    #[schemars(range(min = 0))]
    pub tolerance: f64,
    /// Who published it.
    pub source: Cow<'static, str>,
}

/// What is expected of a result; possibly nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectations {
    top1: Option<f64>,
    top5: Option<f64>,
    published: bool,
    tolerance: Option<Tolerance>,
}

impl Expectations {
    /// # Errors
    /// When a percentage is none.
    pub fn new(
        top1: Option<f64>,
        top5: Option<f64>,
        published: bool,
        tolerance: Option<Tolerance>,
    ) -> Result<Self, UsageError> {
        for (flag, percent) in [("--expect-top1", top1), ("--expect-top5", top5)] {
            if let Some(percent) = percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
                return Err(UsageError::new(
                    format!("{flag} {percent} is no percentage"),
                    "give a number from 0 to 100, for instance 77.0",
                ));
            }
        }
        Ok(Self {
            top1,
            top5,
            published,
            tolerance,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.top1.is_none() && self.top5.is_none() && !self.published
    }

    /// Whether the published accuracy is expected.
    pub fn published(&self) -> bool {
        self.published
    }

    /// Refuses to expect the published accuracy of a result that has none.
    ///
    /// # Errors
    /// When that is so.
    pub fn check_published(&self, published: Option<&Published>) -> Result<(), UsageError> {
        if self.published && published.is_none() {
            Err(UsageError::new(
                "--expect published: the result names no published accuracy of its weights on its data set",
                "give it yourself, with --expect-top1",
            ))
        } else {
            Ok(())
        }
    }

    /// Compares a result with what is expected.
    pub fn check(
        &self,
        published: Option<&Published>,
        top1: &Accuracy,
        top5: &Accuracy,
    ) -> Vec<Checked> {
        let given = |expected| (expected, Tolerance::DEFAULT, None);
        let published = published.filter(|_| self.published).map(|published| {
            let source = Some(published.source.clone());
            (
                published.top1_percent,
                Tolerance(published.tolerance),
                source,
            )
        });
        let check =
            |metric, (expected, tolerance, source): (f64, Tolerance, _), found: &Accuracy| {
                let tolerance = self.tolerance.unwrap_or(tolerance).0;
                let difference = found.percent.map(|found| found - expected);
                let within = |difference: f64| difference.abs() <= tolerance + ROUNDING;
                Checked {
                    metric,
                    expected_percent: expected,
                    source,
                    tolerance,
                    found_percent: found.percent,
                    difference,
                    met: difference.is_some_and(within),
                }
            };
        let top1 = self
            .top1
            .map(given)
            .or(published)
            .map(|expected| check(Metric::Top1, expected, top1));
        let top5 = self
            .top5
            .map(|expected| check(Metric::Top5, given(expected), top5));
        top1.into_iter().chain(top5).collect()
    }
}

/// An expectation and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// What is measured.
    pub metric: Metric,
    /// What is expected.
    #[schemars(range(min = 0, max = 100))]
    pub expected_percent: f64,
    /// Who published what is expected; `null` for what a flag gives.
    pub source: Option<Cow<'static, str>>,
    /// Allowed difference, in percentage points.
    #[schemars(range(min = 0))]
    pub tolerance: f64,
    /// What was found; `null` when no picture could be read.
    #[schemars(range(min = 0, max = 100))]
    pub found_percent: Option<f64>,
    /// Found less expected, in percentage points.
    pub difference: Option<f64>,
    /// Whether it is within the tolerance.
    pub met: bool,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            expected_percent,
            tolerance,
            source,
            ..
        } = self;
        write!(
            f,
            "{metric}: expected {expected_percent} % within {tolerance}"
        )?;
        if let Some(source) = source {
            write!(f, " ({source})")?;
        }
        f.write_str(", ")?;
        match (self.found_percent, self.difference) {
            (Some(found), Some(difference)) => {
                write!(f, "found {found:.4} %, difference {difference:+.4}")
            }
            _ => write!(f, "found nothing: no picture could be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Tally;

    fn check(expected: f64, tolerance: f64, top1: u64, pictures: u64) -> Checked {
        let tolerance = Tolerance::new(tolerance).ok();
        let expectations = Expectations::new(Some(expected), None, false, tolerance).unwrap();
        let tally = Tally {
            pictures,
            top1,
            top5: pictures,
        };
        expectations
            .check(None, &tally.top1_accuracy(), &tally.top5_accuracy())
            .remove(0)
    }

    #[test]
    fn the_tolerance_itself_is_still_within_either_way() {
        assert!(check(77.0, 0.1, 769, 1000).met);
        assert!(check(77.0, 0.1, 771, 1000).met);
        assert!(!check(77.0, 0.1, 7689, 10_000).met);
        assert!(!check(77.0, 0.1, 7711, 10_000).met);
        assert!(check(50.0, 0.0, 1, 2).met);
    }

    #[test]
    fn nothing_found_meets_no_expectation() {
        let checked = check(77.0, 100.0, 0, 0);
        assert_eq!((checked.found_percent, checked.met), (None, false));
    }

    #[test]
    fn the_published_accuracy_has_a_tolerance_of_its_own_that_a_flag_replaces() {
        let published = Published {
            top1_percent: 31.55,
            tolerance: 0.3,
            source: "somebody".into(),
        };
        let tally = Tally {
            pictures: 10_000,
            top1: 3180,
            top5: 9000,
        };
        let check = |tolerance: Option<f64>| {
            let tolerance = tolerance.map(|points| Tolerance::new(points).unwrap());
            let expectations = Expectations::new(None, None, true, tolerance).unwrap();
            assert!(expectations.check_published(None).is_err());
            assert!(expectations.check_published(Some(&published)).is_ok());
            let (top1, top5) = (tally.top1_accuracy(), tally.top5_accuracy());
            let mut checked = expectations.check(Some(&published), &top1, &top5);
            assert_eq!(checked.len(), 1);
            checked.remove(0)
        };
        let checked = check(None);
        assert!(checked.met, "{checked}");
        assert!(checked.to_string().contains("(somebody)"));
        assert!(!check(Some(0.1)).met);
    }
}

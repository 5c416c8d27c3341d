//! Numbers on the command line, with messages that say what is expected.

use std::ops::RangeInclusive;

/// A whole number from 1 on.
pub(super) fn from_one(value: &str) -> Result<usize, String> {
    whole(value, 1..=usize::MAX, "a whole number from 1 on")
}

/// A number of threads.
pub(super) fn threads(value: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    whole(value, 1..=MOST, "a whole number from 1 to 1024")
}

fn whole(value: &str, range: RangeInclusive<usize>, expected: &str) -> Result<usize, String> {
    let number = value.parse().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("expected {expected}"))
}

/// A number with or without a fraction.
pub(super) fn decimal(value: &str) -> Result<f64, String> {
    let number = value.parse().map_err(|_| "expected a number, as 77.0");
    Ok(number?)
}

//! Which values of a column are the best and the second best.

use super::{Column, Kind};

/// How a value stands among those of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Best,
    Second,
    None,
}

impl Column {
    /// The mark of each value, as it is shown with so many digits: values that look the same have the
    /// same. Where there is nothing to tell apart, there is no mark; parts of a set are not compared.
    pub(super) fn marks(&self, digits: usize) -> Vec<Mark> {
        let unit = 10f64.powi(i32::try_from(digits).unwrap_or(0));
        let sign = if self.kind == Kind::Drop { -1.0 } else { 1.0 };
        let shown: Vec<Option<f64>> = self
            .values
            .iter()
            .map(|value| {
                let percent = value.percent.filter(|_| !value.part)?;
                Some((sign * percent * unit).round())
            })
            .collect();
        let mut order: Vec<f64> = shown.iter().flatten().copied().collect();
        if order.len() < 2 {
            return vec![Mark::None; shown.len()];
        }
        order.sort_by(|a, b| b.total_cmp(a));
        let best = order[0];
        if order.last() == Some(&best) {
            return vec![Mark::None; shown.len()];
        }
        // Of two that share the first place, none is the second.
        let second = Some(order[1]).filter(|second| *second < best);
        let mark = |value: Option<f64>| match value {
            Some(value) if value == best => Mark::Best,
            Some(value) if Some(value) == second => Mark::Second,
            _ => Mark::None,
        };
        shown.into_iter().map(mark).collect()
    }
}

//! Wilson's interval for a share, and Newcombe's for the difference of two shares of the same pictures.

/// 97.5 % of a normal distribution lie below this.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share, in percent; none when there is nothing to share.
///
/// Wilson's score interval, without continuity correction: it stays within 0 to 100 and is sound
/// for small sets and shares near the ends.
pub fn wilson95(correct: u64, total: u64) -> Option<[f64; 2]> {
    if total == 0 {
        return None;
    }
    let (n, p) = (total as f64, correct as f64 / total as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the exact bound is 0 or 1; rounding must not lead past it.
    let low = if correct == 0 { 0.0 } else { centre - half };
    let high = if correct == total { 1.0 } else { centre + half };
    Some([100.0 * low, 100.0 * high])
}

/// How often two results are right on the same pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairs {
    pub both: u64,
    pub only_a: u64,
    pub only_b: u64,
    pub neither: u64,
}

impl Pairs {
    /// The 95 % interval of the second share less the first, in percentage points; none without
    /// pictures.
    ///
    /// Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial
    /// proportions based on paired data", Statistics in Medicine 17 (1998): Wilson's intervals of both
    /// shares, squared and added, with the correlation between the two (its numerator corrected for
    /// continuity). Unlike Wald's interval it stays within -100 to 100, and has a width where no
    /// picture is discordant.
    pub fn difference95(self) -> Option<[f64; 2]> {
        let Self {
            both,
            only_a,
            only_b,
            neither,
        } = self;
        let total = both + only_a + only_b + neither;
        let (right_a, right_b) = (both + only_a, both + only_b);
        let share = |right: u64| 100.0 * right as f64 / total as f64;
        let [low_a, high_a] = wilson95(right_a, total)?;
        let [low_b, high_b] = wilson95(right_b, total)?;
        let (a, b) = (share(right_a), share(right_b));
        let correlation = self.correlation();
        let half = |one: f64, other: f64| {
            let square = one * one - 2.0 * correlation * one * other + other * other;
            square.max(0.0).sqrt()
        };
        let difference = b - a;
        Some([
            difference - half(b - low_b, high_a - a),
            difference + half(high_b - b, a - low_a),
        ])
    }

    /// Newcombe's corrected phi.
    fn correlation(self) -> f64 {
        let [both, only_a, only_b, neither] =
            [self.both, self.only_a, self.only_b, self.neither].map(|count| count as f64);
        let margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
        if margins == 0.0 {
            return 0.0;
        }
        let product = both * neither - only_a * only_b;
        let half_of_all = (both + only_a + only_b + neither) / 2.0;
        let corrected = if product > 0.0 {
            (product - half_of_all).max(0.0)
        } else {
            product
        };
        corrected / margins.sqrt()
    }
}

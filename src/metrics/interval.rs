//! Wilson's interval for a share.

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

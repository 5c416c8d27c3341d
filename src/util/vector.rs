//! Vector arithmetic with a fixed order of operations: the same input gives the same bits on any
//! number of threads and in any company.

/// Partial sums that the compiler keeps in vector registers.
const LANES: usize = 8;

/// The inner product of two vectors of the same length.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The vector scaled to unit length; one without length stays as it is.
pub fn normalised(vector: &[f32]) -> Vec<f32> {
    let square: f64 = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    // F.normalize divides by at least 1e-12.
    let length = square.sqrt().max(1e-12);
    vector
        .iter()
        .map(|v| (f64::from(*v) / length) as f32)
        .collect()
}

/// Probabilities proportional to the exponentials of the logits.
pub fn softmax(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - most).exp();
        sum += *logit;
    }
    for logit in logits.iter_mut() {
        *logit /= sum;
    }
}

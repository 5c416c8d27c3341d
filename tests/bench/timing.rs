use std::time::{Duration, Instant};

/// How long each thing is repeated.
pub const ENOUGH: Duration = Duration::from_millis(600);

/// Median seconds of a call, after one that warms up.
pub fn median(work: impl FnMut()) -> f64 {
    middle(times(work))
}

/// Seconds of the fastest call.
pub fn fastest(work: impl FnMut()) -> f64 {
    times(work).into_iter().fold(f64::INFINITY, f64::min)
}

/// Seconds of several calls.
fn times(mut work: impl FnMut()) -> Vec<f64> {
    work();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed() < ENOUGH {
        let clock = Instant::now();
        work();
        times.push(clock.elapsed().as_secs_f64());
    }
    times
}

/// The median.
pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Values between -1 and 1.
pub fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

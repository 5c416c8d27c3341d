use std::time::{Duration, Instant};

/// How long each thing is repeated.
const ENOUGH: Duration = Duration::from_millis(600);

/// Median seconds of a call, after one that warms up.
pub fn median(mut work: impl FnMut()) -> f64 {
    work();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed() < ENOUGH {
        let clock = Instant::now();
        work();
        times.push(clock.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

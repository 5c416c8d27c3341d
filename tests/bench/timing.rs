use std::time::{Duration, Instant};

use uta_eval::kernels::{Precision, fastest, peak};

/// How long each thing is repeated.
pub const ENOUGH: Duration = Duration::from_millis(600);

/// How long the peak is measured around a turn.
const MOMENT: Duration = Duration::from_millis(20);
/// Turns of a comparison, and after how long fewer suffice.
const TURNS: usize = 5;
const FEWEST_TURNS: usize = 3;
const LONG: Duration = Duration::from_secs(120);
/// How far the peak may move before it is told of.
const STEADY: f64 = 1.2;

/// One of several that are compared: runs for a while and returns its rate, or nothing if it cannot run.
pub type Side<'a> = Box<dyn FnMut() -> Option<f64> + 'a>;

/// Rates of sides that took turns.
pub struct Turns {
    /// Of each turn, one of each side.
    rates: Vec<Vec<Option<f64>>>,
    /// The peak in f32, in GFLOP/s: before each turn, and after the last one.
    pub peaks: Vec<f64>,
}

impl Turns {
    /// Lets the sides take turns. A warning tells when the machine was not equally fast meanwhile.
    pub fn take(what: &str, mut sides: Vec<Side<'_>>) -> Self {
        let peak = || peak(fastest(Precision::F32), Precision::F32, MOMENT) / 1e9;
        let mut turns = Self {
            rates: Vec::new(),
            peaks: vec![peak()],
        };
        let start = Instant::now();
        while turns.rates.len() < TURNS
            && (turns.rates.len() < FEWEST_TURNS || start.elapsed() < LONG)
        {
            turns
                .rates
                .push(sides.iter_mut().map(|side| side()).collect());
            turns.peaks.push(peak());
        }
        let least = turns.peaks.iter().copied().fold(f64::INFINITY, f64::min);
        let most = turns.peaks.iter().copied().fold(0.0, f64::max);
        if most > STEADY * least {
            eprintln!(
                "warning: {what}: the peak moved between {least:.0} and {most:.0} GFLOP/s from turn to turn; \
                 the clock changes, or others use the machine. Compare ratios."
            );
        }
        turns
    }

    /// The median of a side.
    pub fn median(&self, side: usize) -> Option<f64> {
        let rates: Option<Vec<f64>> = self.rates.iter().map(|turn| turn[side]).collect();
        Some(middle(rates?))
    }

    /// The median of what one side is of another one in the same turn.
    pub fn ratio(&self, side: usize, to: usize) -> Option<f64> {
        let ratio = |turn: &Vec<Option<f64>>| Some(turn[side]? / turn[to]?);
        let ratios: Option<Vec<f64>> = self.rates.iter().map(ratio).collect();
        Some(middle(ratios?))
    }
}

/// Prints the head of a table as the guides have it; its cells are parted by `|`.
pub fn heading(cells: &str) {
    println!("| {cells} |");
    println!("|{}", "---|".repeat(cells.split('|').count()));
}

/// Prints a row of it.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// A value as a cell of a table.
pub fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or(String::new(), |value| format!("{value:.digits$}"))
}

/// Units a second, of a call that does so many, over at least this long and one call.
pub fn rate(units: usize, time: Duration, mut call: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while done == 0 || start.elapsed() < time {
        call();
        done += units;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// Median seconds of a call, after one that warms up.
pub fn median(work: impl FnMut()) -> f64 {
    middle(times(work))
}

/// Seconds of the fastest call.
pub fn least(work: impl FnMut()) -> f64 {
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

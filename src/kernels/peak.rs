//! What the machine can do at best, to which benchmarks relate what layers reach.

use std::hint::black_box;
use std::time::Instant;

use super::isa::Isa;
use super::pack::{Factor, Format, Pairs, Precision, Whole};
use super::tile::Tiles;

/// Elements of depth: all that a tile reads stays in the first cache.
const DEPTH: usize = 128;
/// Tiles in a run, long enough for the clock.
const TILES: usize = 64;
const RUNS: usize = 1000;

/// Multiply-adds a second times two, on all threads, of tiles that find everything in the first
/// cache: the sum of each thread's fastest run.
pub fn peak(isa: Isa, precision: Precision) -> f64 {
    let tiles = Tiles::of(isa);
    let rates = rayon::broadcast(|_| match Format::of(precision, isa) {
        Format::Whole | Format::Rounded => rate::<Whole>(tiles),
        Format::Pairs => rate::<Pairs>(tiles),
    });
    rates.iter().sum()
}

fn rate<T: Factor>(tiles: Tiles) -> f64 {
    let Tiles { rows, columns, .. } = tiles;
    let a = vec![T::Element::default(); DEPTH * rows];
    let b = vec![T::Element::default(); DEPTH * columns];
    let mut sums = vec![0f32; rows * columns];
    let values = 2 / T::depth(2); // in an element
    let flops = (2 * rows * columns * DEPTH * values * TILES) as f64;
    let run = |_| {
        let start = Instant::now();
        for _ in 0..TILES {
            T::tile(tiles)(rows, black_box(&a), black_box(&b), &mut sums);
        }
        flops / start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(run).fold(0.0, f64::max)
}

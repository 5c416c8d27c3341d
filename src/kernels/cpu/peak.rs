//! What the machine can do at best, to which benchmarks relate what layers reach.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::isa::Isa;
use super::pack::{Factor, Format, Pairs, Precision, Whole};
use super::tile::Tiles;

/// Elements of depth: all that a tile reads stays in the first cache.
const DEPTH: usize = 128;
/// Tiles between two looks at the clock.
const TILES: usize = 64;

/// Multiply-adds a second times two, on all threads at once, of tiles that find everything in the
/// first cache, while `time` passes.
pub fn peak(isa: Isa, precision: Precision, time: Duration) -> f64 {
    let tiles = Tiles::of(isa);
    let rates = rayon::broadcast(|_| match Format::of(precision, isa) {
        Format::Whole | Format::Rounded => rate::<Whole>(tiles, time),
        Format::Pairs => rate::<Pairs>(tiles, time),
    });
    rates.iter().sum()
}

fn rate<T: Factor>(tiles: Tiles, time: Duration) -> f64 {
    let Tiles { rows, columns, .. } = tiles;
    let a = vec![T::Element::default(); DEPTH * rows];
    let b = vec![T::Element::default(); DEPTH * columns];
    let mut sums = vec![0f32; rows * columns];
    let values = 2 / T::depth(2); // in an element
    let flops = (2 * rows * columns * DEPTH * values * TILES) as f64;
    let start = Instant::now();
    let mut done = 0.0;
    loop {
        for _ in 0..TILES {
            T::tile(tiles)(rows, black_box(&a), black_box(&b), &mut sums);
        }
        done += flops;
        let passed = start.elapsed();
        if passed >= time {
            return done / passed.as_secs_f64();
        }
    }
}

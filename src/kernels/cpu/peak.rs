//! What the machine can do at best: benchmarks relate to it what layers reach, and the fastest
//! instructions for a precision are chosen by it.

use std::hint::black_box;
use std::sync::OnceLock;
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

/// The fastest of the machine's instructions for a precision.
///
/// Whether the bfloat16 dot product is faster than f32's products depends on the processor, and no flag
/// of it tells: on AMD's it has twice their rate, on Intel's half of it. So they are timed, once in a
/// process; where the dot product loses, factors are rounded to bfloat16 and multiplied as f32.
pub fn fastest(precision: Precision) -> Isa {
    static DOT_PRODUCTS_PAY: OnceLock<bool> = OnceLock::new();
    let mut sets = Isa::available().into_iter();
    let pays = |isa: &Isa| match Format::of(precision, *isa) {
        Format::Whole | Format::Rounded => true,
        Format::Pairs => *DOT_PRODUCTS_PAY.get_or_init(|| dot_products_pay(*isa)),
    };
    sets.find(pays).unwrap_or_else(Isa::portable)
}

/// Turns of the trial, and how long each is.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_micros(500);

/// Compares the medians of alternating turns.
fn dot_products_pay(isa: Isa) -> bool {
    let tiles = Tiles::of(isa);
    let (mut pairs, mut whole) = ([0.0; TURNS], [0.0; TURNS]);
    for (pairs, whole) in pairs.iter_mut().zip(&mut whole) {
        *pairs = rate::<Pairs>(tiles, TURN);
        *whole = rate::<Whole>(tiles, TURN);
    }
    let median = |mut rates: [f64; TURNS]| {
        rates.sort_by(f64::total_cmp);
        rates[TURNS / 2]
    };
    median(pairs) >= median(whole)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The best for f32 needs no trial; that for bfloat16 stays the same for the whole process, and is the
    /// same set or the next one.
    #[test]
    fn the_choice_is_one_of_the_machines_sets_and_does_not_change() {
        assert_eq!(fastest(Precision::F32), Isa::best());
        let chosen = fastest(Precision::Bf16);
        assert!(Isa::available().iter().take(2).any(|isa| *isa == chosen));
        assert!((0..50).all(|_| fastest(Precision::Bf16) == chosen));
    }
}

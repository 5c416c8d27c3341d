//! What the machine can do at best: benchmarks relate to it what layers reach, and the fastest
//! instructions for a precision are chosen by it.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::ahead::Ahead;
use super::amx::detect::{self, NoTiles};
use super::isa::Isa;
use super::pack::{Factor, Format, Lines, Pairs, Precision, Whole};
use super::tile::{Operands, Tiles};

/// Bytes that a tile reads: they stay in the first cache.
const BYTES: usize = 24 << 10;
/// Tiles between two looks at the clock.
const TILES: usize = 64;

/// How fast the machine multiplies in a precision by some instructions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub isa: Isa,
    /// Multiply-adds a second times two.
    pub flops: f64,
}

/// The rate on all threads at once, of tiles that find everything in the first cache, while `time` passes.
pub fn peak(isa: Isa, precision: Precision, time: Duration) -> f64 {
    rayon::broadcast(|_| rate(isa, precision, time))
        .iter()
        .sum()
}

/// The fastest of the machine's instructions for a precision.
pub fn fastest(precision: Precision) -> Isa {
    match precision {
        // A set with tiles has the f32 products of the next one.
        Precision::F32 => Isa::available().into_iter().find(|isa| !isa.has_tiles()),
        Precision::Bf16 => bf16_rates().first().map(|rate| rate.isa),
    }
    .unwrap_or_else(Isa::portable)
}

/// The rates of one thread by which the instructions for bfloat16 are chosen, the fastest first.
///
/// Which is the fastest depends on the processor, and no flag of it tells: the dot product has twice
/// the rate of f32's products on AMD's, half of it on Intel's. So they are timed, once in a process;
/// f32's products serve for values that are rounded to bfloat16.
pub fn bf16_rates() -> &'static [Rate] {
    static RATES: OnceLock<Vec<Rate>> = OnceLock::new();
    RATES.get_or_init(|| {
        let mut sets = Vec::new();
        for isa in Isa::available() {
            sets.push(isa);
            // Those behind it have narrower f32 products.
            if Format::of(Precision::Bf16, isa) == Format::Rounded {
                break;
            }
        }
        trial(&sets)
    })
}

/// Why the processor's tile unit is not used, where it has one.
pub fn unused_tiles() -> Option<NoTiles> {
    detect::tiles().err()
}

/// Turns of the trial, and how long each is.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_micros(500);

/// The sets' medians for bfloat16 over alternating turns, the fastest first.
fn trial(sets: &[Isa]) -> Vec<Rate> {
    let mut rates = vec![Vec::new(); sets.len()];
    for _ in 0..TURNS {
        for (rates, isa) in rates.iter_mut().zip(sets) {
            rates.push(rate(*isa, Precision::Bf16, TURN));
        }
    }
    let median = |(mut rates, isa): (Vec<f64>, &Isa)| {
        rates.sort_by(f64::total_cmp);
        Rate {
            isa: *isa,
            flops: rates[rates.len() / 2],
        }
    };
    let mut rates: Vec<Rate> = rates.into_iter().zip(sets).map(median).collect();
    rates.sort_by(|a, b| b.flops.total_cmp(&a.flops));
    rates
}

/// The rate on this thread.
fn rate(isa: Isa, precision: Precision, time: Duration) -> f64 {
    let format = Format::of(precision, isa);
    let tiles = format.tiles(isa);
    match format {
        Format::Whole | Format::Rounded => rate_of::<Whole>(isa, tiles, time),
        Format::Pairs => rate_of::<Pairs>(isa, tiles, time),
        Format::Lines => rate_of::<Lines>(isa, tiles, time),
    }
}

fn rate_of<T: Factor>(isa: Isa, tiles: Tiles, time: Duration) -> f64 {
    let Tiles { rows, columns, .. } = tiles;
    let depth = BYTES / ((rows + columns) * size_of::<T::Element>());
    let a = vec![T::Element::default(); depth * rows];
    let b = vec![T::Element::default(); depth * columns];
    let mut sums = vec![0f32; rows * columns];
    let flops = (2 * rows * columns * depth * T::VALUES * TILES) as f64;
    let mut unit = T::unit(isa);
    let mut ahead = Ahead::nothing();
    let start = Instant::now();
    let mut done = 0.0;
    loop {
        for _ in 0..TILES {
            let operands = Operands {
                rows,
                a: black_box(&a[..]),
                b: black_box(&b[..]),
                anew: false,
            };
            T::multiply(&mut unit, operands, &mut ahead, &mut sums);
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

    /// The best for f32 needs no trial; that for bfloat16 stays the same for the whole process.
    #[test]
    fn the_choice_is_one_of_the_machines_sets_and_does_not_change() {
        assert!(Isa::available().contains(&fastest(Precision::F32)));
        assert!(!fastest(Precision::F32).has_tiles());
        let chosen = fastest(Precision::Bf16);
        assert!(Isa::available().contains(&chosen));
        assert!((0..50).all(|_| fastest(Precision::Bf16) == chosen));
    }

    /// The model of a tile unit is slower than anything, wherever it stands.
    #[test]
    fn the_fastest_is_taken_and_all_are_told() {
        let vectors = fastest(Precision::F32);
        for sets in [[Isa::tile_model(), vectors], [vectors, Isa::tile_model()]] {
            let rates = trial(&sets);
            assert_eq!(rates.len(), 2);
            assert_eq!((rates[0].isa, rates[1].isa), (vectors, Isa::tile_model()));
            assert!(rates[0].flops > rates[1].flops && rates[1].flops > 0.0);
        }
    }
}

//! Products of bfloat16 by tile units (Intel's AMX): one instruction multiplies 16 rows by 16 columns
//! over 32 values of k.
//!
//! | file | what |
//! |---|---|
//! | `detect` | whether the processor has the unit and the system permits it |
//! | `unit` | the unit's instructions |
//! | `model` | the same in plain arithmetic, for machines that have none |
//!
//! All eight tile registers are worked on at once: four hold the sums of 32 rows and 32 columns, and each
//! tile of x and of the weights that is loaded is used twice. So the products take twice the time of the
//! loads, which go on beside them.
//!
//! A panel stays in the first cache while all rows of x meet it. Tiles of x are loaded by the instruction
//! that leaves that cache as it is: where they pushed the panel out, products took a third longer. Between
//! the parts of a deep panel the sums wait in memory, which costs a tenth: so the parts are as deep as fits.
//!
//! Source of what the instructions do: Intel's Architectures Software Developer's Manual, volume 2,
//! LDTILECFG, TILELOADD, TDPBF16PS.

pub(super) mod detect;
mod model;
#[cfg(target_arch = "x86_64")]
mod unit;

use model::Model;
#[cfg(target_arch = "x86_64")]
use unit::Unit;

use super::ahead::Ahead;
use super::isa::{Isa, Set};
use super::tile::Operands;

/// Rows of a tile, and columns of its sums.
pub(super) const SIDE: usize = 16;
/// Rows of x that are multiplied together.
pub(super) const ROWS: usize = 2 * SIDE;
/// Columns of a panel.
pub(super) const COLUMNS: usize = 2 * SIDE;
/// Values of k that a tile holds of a row or column.
pub(super) const VALUES: usize = 32;

/// A row of a tile, in pairs of bfloat16, the first in the low half. In tiles of x: 32 values of one
/// row. In tiles of a panel: two consecutive values of each of 16 columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u32; SIDE]);

impl AsMut<[u32]> for Line {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

/// The tile registers of a thread, each of 16 lines.
trait Registers {
    /// Loads register T with every second one of 31 lines: a tile of a panel.
    fn load<const T: usize>(&mut self, lines: &[Line]);

    /// Loads register T with 16 lines: a tile of x. They leave the first cache to the panel, which is read
    /// again.
    fn load_once<const T: usize>(&mut self, lines: &[Line]);

    /// Fills register T with zeros.
    fn clear<const T: usize>(&mut self);

    /// Loads register T with sums: 16 columns of 16 rows, which are [`COLUMNS`] apart.
    fn load_sums<const T: usize>(&mut self, sums: &[f32]);

    /// Stores them there.
    fn store_sums<const T: usize>(&self, sums: &mut [f32]);

    /// Adds the products of tile A of x and tile B of a panel to the sums C.
    fn multiply<const C: usize, const A: usize, const B: usize>(&mut self);
}

/// Elements from the first of a tile to its last one in rows that are `stride` apart.
const fn reach(stride: usize, width: usize) -> usize {
    (SIDE - 1) * stride + width
}

/// What multiplies tiles on a thread, made ready.
pub(super) enum TileUnit {
    #[cfg(target_arch = "x86_64")]
    Amx(Unit),
    Model(Box<Model>),
}

impl TileUnit {
    /// The unit of an instruction set that has one.
    pub fn new(isa: Isa) -> Self {
        match isa.set() {
            #[cfg(target_arch = "x86_64")]
            Set::Amx => Self::Amx(Unit::configured(isa)),
            _ => Self::Model(Box::default()),
        }
    }

    /// Sums up the products of tiles of x and a panel in `sums` [rows, COLUMNS]. The rows are 16 or 32; for
    /// every 32 values of k, x has a line of each row, and the panel two lines of every two values.
    #[inline(always)]
    pub fn multiply(
        &mut self,
        operands: Operands<'_, Line>,
        ahead: &mut Ahead<'_>,
        sums: &mut [f32],
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(unit) => multiply(unit, operands, ahead, sums),
            Self::Model(model) => multiply(&mut **model, operands, ahead, sums),
        }
    }
}

#[inline(always)]
fn multiply<R: Registers>(
    registers: &mut R,
    operands: Operands<'_, Line>,
    ahead: &mut Ahead<'_>,
    sums: &mut [f32],
) {
    match operands.rows {
        SIDE => multiply_one(registers, operands, ahead, sums),
        ROWS => multiply_two(registers, operands, ahead, sums),
        rows => unreachable!("{rows} rows in tiles of {SIDE}"),
    }
}

/// Register T with what its sums begin with.
#[inline(always)]
fn begin<R: Registers, const T: usize>(r: &mut R, anew: bool, sums: &[f32]) {
    if anew {
        r.clear::<T>();
    } else {
        r.load_sums::<T>(sums);
    }
}

/// One tile of x times two tiles of a panel at a time.
#[inline(always)]
fn multiply_one<R: Registers>(
    r: &mut R,
    operands: Operands<'_, Line>,
    ahead: &mut Ahead<'_>,
    sums: &mut [f32],
) {
    let Operands { a, b, anew, .. } = operands;
    begin::<R, 0>(r, anew, sums);
    begin::<R, 1>(r, anew, &sums[SIDE..]);
    let (x, panel) = (a.chunks_exact(SIDE), b.chunks_exact(2 * SIDE));
    for (x, panel) in x.zip(panel) {
        ahead.fetch();
        r.load_once::<4>(x);
        r.load::<6>(panel);
        r.multiply::<0, 4, 6>();
        r.load::<7>(&panel[1..]);
        r.multiply::<1, 4, 7>();
    }
    r.store_sums::<0>(sums);
    r.store_sums::<1>(&mut sums[SIDE..]);
}

/// Two tiles of x times two tiles of a panel at a time.
#[inline(always)]
fn multiply_two<R: Registers>(
    r: &mut R,
    operands: Operands<'_, Line>,
    ahead: &mut Ahead<'_>,
    sums: &mut [f32],
) {
    let Operands { a, b, anew, .. } = operands;
    let (upper, lower) = sums.split_at_mut(SIDE * COLUMNS);
    begin::<R, 0>(r, anew, upper);
    begin::<R, 1>(r, anew, &upper[SIDE..]);
    begin::<R, 2>(r, anew, lower);
    begin::<R, 3>(r, anew, &lower[SIDE..]);
    let (x, panel) = (a.chunks_exact(2 * SIDE), b.chunks_exact(2 * SIDE));
    for (x, panel) in x.zip(panel) {
        ahead.fetch();
        r.load_once::<4>(x);
        r.load::<6>(panel);
        r.multiply::<0, 4, 6>();
        r.load::<7>(&panel[1..]);
        r.multiply::<1, 4, 7>();
        r.load_once::<5>(&x[SIDE..]);
        r.multiply::<2, 5, 6>();
        r.multiply::<3, 5, 7>();
    }
    r.store_sums::<0>(upper);
    r.store_sums::<1>(&mut upper[SIDE..]);
    r.store_sums::<2>(lower);
    r.store_sums::<3>(&mut lower[SIDE..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums [rows, COLUMNS], tiles of x, and tiles of a panel.
    struct Products {
        sums: Vec<f32>,
        x: Vec<Line>,
        panel: Vec<Line>,
    }

    impl Products {
        fn operands(&self, rows: usize, anew: bool) -> Operands<'_, Line> {
            Operands {
                rows,
                a: &self.x,
                b: &self.panel,
                anew,
            }
        }
    }

    /// Values of very different sizes, some of them zeros, some too small for a full mantissa.
    fn products(rows: usize, steps: usize, seed: u32) -> Products {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut value = move || match next() % 16 {
            0 => 0.0,
            1 => f32::from_bits(next() % 0x80_0000),
            2 => f32::from_bits(0x20_0000 + next() % 0x80_0000),
            kind => (next() as f32 / (1 << 23) as f32 - 1.0) * f32::powi(4.0, kind as i32 - 9),
        };
        let sums = (0..rows * COLUMNS).map(|_| value()).collect();
        let mut lines = |count: usize| -> Vec<Line> {
            let mut pair = || value().to_bits() & 0xffff_0000 | value().to_bits() >> 16;
            (0..count)
                .map(|_| Line(std::array::from_fn(|_| pair())))
                .collect()
        };
        Products {
            sums,
            x: lines(steps * rows),
            panel: lines(steps * 2 * SIDE),
        }
    }

    /// Only a machine that has a unit can tell.
    #[test]
    fn the_unit_and_its_model_give_the_same_bits() {
        for isa in Isa::available().into_iter().filter(|isa| isa.has_tiles()) {
            for (seed, steps) in (1..).zip([0, 1, 2, 3, 12, 40]) {
                for (rows, anew) in [(SIDE, false), (ROWS, false), (SIDE, true), (ROWS, true)] {
                    let products = products(rows, steps, seed);
                    let by = |isa| {
                        let mut sums = products.sums.clone();
                        TileUnit::new(isa).multiply(
                            products.operands(rows, anew),
                            &mut Ahead::nothing(),
                            &mut sums,
                        );
                        sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>()
                    };
                    assert_eq!(by(isa), by(Isa::tile_model()), "{rows} rows, {steps} steps");
                }
            }
        }
    }

    #[test]
    fn tiles_are_multiplied_row_by_column() {
        for (rows, anew) in [(SIDE, false), (ROWS, false), (SIDE, true), (ROWS, true)] {
            let steps = 3;
            let products = products(rows, steps, 7);
            let mut found = products.sums.clone();
            TileUnit::new(Isa::tile_model()).multiply(
                products.operands(rows, anew),
                &mut Ahead::nothing(),
                &mut found,
            );
            let Products { sums, x, panel } = products;
            let value = |pair: u32, k: usize| match k % 2 {
                0 => f64::from(f32::from_bits(pair << 16)),
                _ => f64::from(f32::from_bits(pair & 0xffff_0000)),
            };
            for row in 0..rows {
                for column in 0..COLUMNS {
                    let first = if anew {
                        0.0
                    } else {
                        sums[row * COLUMNS + column]
                    };
                    let (mut sum, mut size) = (f64::from(first), 0.0);
                    for k in 0..steps * VALUES {
                        let (step, pair) = (k / VALUES, k % VALUES / 2);
                        let a = x[step * rows + row].0[pair];
                        let line = (step * SIDE + pair) * 2 + column / SIDE;
                        let product = value(a, k) * value(panel[line].0[column % SIDE], k);
                        sum += product;
                        size += product.abs();
                    }
                    let difference = (f64::from(found[row * COLUMNS + column]) - sum).abs();
                    assert!(
                        difference <= 1e-6 * size + 1e-37,
                        "row {row}, column {column}"
                    );
                }
            }
        }
    }
}

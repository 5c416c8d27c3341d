//! The tile registers in plain arithmetic: what the products are tested with on machines without a unit.

use super::{COLUMNS, Line, Registers, SIDE, reach};

/// Eight registers of sixteen lines.
#[derive(Default)]
pub(in crate::kernels::cpu) struct Model {
    tiles: [[Line; SIDE]; 8],
}

impl Registers for Model {
    fn load<const T: usize>(&mut self, lines: &[Line]) {
        assert!(lines.len() >= reach(2, 1));
        for (row, line) in self.tiles[T].iter_mut().zip(lines.iter().step_by(2)) {
            *row = *line;
        }
    }

    fn load_once<const T: usize>(&mut self, lines: &[Line]) {
        self.tiles[T].copy_from_slice(&lines[..SIDE]);
    }

    fn clear<const T: usize>(&mut self) {
        self.tiles[T].fill(Line::default());
    }

    fn load_sums<const T: usize>(&mut self, sums: &[f32]) {
        assert!(sums.len() >= reach(COLUMNS, SIDE));
        for (row, sums) in self.tiles[T].iter_mut().zip(sums.chunks(COLUMNS)) {
            for (value, sum) in row.0.iter_mut().zip(sums) {
                *value = sum.to_bits();
            }
        }
    }

    fn store_sums<const T: usize>(&self, sums: &mut [f32]) {
        assert!(sums.len() >= reach(COLUMNS, SIDE));
        for (row, sums) in self.tiles[T].iter().zip(sums.chunks_mut(COLUMNS)) {
            for (value, sum) in row.0.iter().zip(sums) {
                *sum = f32::from_bits(*value);
            }
        }
    }

    /// The first values of all pairs are summed up, and the second ones; then both sums are added.
    fn multiply<const C: usize, const A: usize, const B: usize>(&mut self) {
        let (a, b) = (self.tiles[A], self.tiles[B]);
        for (sums, a) in self.tiles[C].iter_mut().zip(&a) {
            let (mut first, mut second) = ([0f32; SIDE], [0f32; SIDE]);
            for (a, b) in a.0.iter().zip(&b) {
                for (n, b) in b.0.iter().enumerate() {
                    // Such a product is exact in f32.
                    first[n] = flushed(first[n] + low(*a) * low(*b));
                    second[n] = flushed(second[n] + high(*a) * high(*b));
                }
            }
            for (n, sum) in sums.0.iter_mut().enumerate() {
                let products = flushed(first[n] + second[n]);
                *sum = flushed(flushed(f32::from_bits(*sum)) + products).to_bits();
            }
        }
    }
}

/// The first value of a pair.
fn low(pair: u32) -> f32 {
    flushed(f32::from_bits(pair << 16))
}

/// The second value of a pair.
fn high(pair: u32) -> f32 {
    flushed(f32::from_bits(pair & 0xffff_0000))
}

/// The unit takes values that are too small for a full mantissa for zeros.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0 * x } else { x }
}

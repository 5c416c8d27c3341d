//! Blocks of packed rows times a panel of packed columns, tile by tile.

use super::ahead::{Ahead, CACHE_LINE};
use super::pack::Factor;
use super::tile::{Operands, Tiles};

/// Packed rows and a panel of packed columns.
pub(super) struct Blocks<'a, T> {
    pub tiles: Tiles,
    /// Elements of depth.
    pub k: usize,
    /// Blocks of as many rows as a tile has, each [k, rows], the last one as narrow as its padded rows.
    pub x: &'a [T],
    /// [k, columns]
    pub panel: &'a [T],
    /// Whether sums begin with zero; otherwise with what is there.
    pub anew: bool,
}

impl<T> Blocks<'_, T> {
    /// How often the tiles fetch what is ahead.
    pub fn turns<F: Factor<Element = T>>(&self) -> usize {
        turns::<F>(self.tiles, self.x.len() / self.k, self.k)
    }

    /// Sums up the products in `sums` [rows, columns], which has the rows' padding, too. The panel is
    /// taken in parts that stay in the first cache while all blocks meet them. `then` is called with each
    /// block's number and its sums [rows, columns] when they are complete; it may be compiled for any
    /// instructions.
    #[inline(always)]
    pub fn multiply<F: Factor<Element = T>>(
        &self,
        unit: &mut F::Unit,
        ahead: &mut Ahead<'_>,
        sums: &mut [f32],
        mut then: impl FnMut(usize, &[f32]),
    ) {
        let (k, rows, panel) = (self.k, self.tiles.rows, self.panel);
        let columns = panel.len() / k;
        // Parts of equal depth: a short one would bring in and put out its sums for few products.
        let depth = k.div_ceil(k.div_ceil(self.tiles.depth));
        let depth = depth.next_multiple_of(F::STEPS);
        for first in (0..k).step_by(depth) {
            let last = k.min(first + depth);
            let sums = sums.chunks_mut(rows * columns);
            for (block, (x, sums)) in self.x.chunks(rows * k).zip(sums).enumerate() {
                let rows = x.len() / k;
                let operands = Operands {
                    rows,
                    a: &x[first * rows..last * rows],
                    b: &panel[first * columns..last * columns],
                    anew: self.anew && first == 0,
                };
                F::multiply(unit, operands, ahead, sums);
                if last == k {
                    then(block, sums);
                }
            }
        }
    }
}

/// How often tiles fetch what is ahead, at least, while so many rows meet a panel of depth `k`.
pub(super) fn turns<F: Factor>(tiles: Tiles, rows: usize, k: usize) -> usize {
    (rows / tiles.rows).max(1) * (k / F::STEPS).max(1)
}

/// Room for sums, which begins with a cache line.
#[derive(Default)]
pub(super) struct Sums {
    memory: Vec<f32>,
    first: usize,
}

impl Sums {
    /// Room for so many, with whatever it held before.
    #[inline(always)]
    pub fn room(&mut self, count: usize) -> &mut [f32] {
        let most = CACHE_LINE / size_of::<f32>() - 1; // in front of the first line
        if self.memory.len() < count + most {
            self.memory.resize(count + most, 0.0);
            self.first = self.memory.as_ptr().align_offset(CACHE_LINE).min(most);
        }
        self.get(count)
    }

    /// The first so many sums.
    #[inline(always)]
    pub fn get(&mut self, count: usize) -> &mut [f32] {
        &mut self.memory[self.first..][..count]
    }
}

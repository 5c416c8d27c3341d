//! Blocks of packed rows times a panel of packed columns, tile by tile.

use super::pack::Factor;
use super::tile::{CACHE_LINE, Tiles, prefetch};

/// Adds the products of packed rows with a panel of columns [k, columns] to `sums` [rows, columns].
///
/// `x` are blocks of as many rows as a tile has, each [k, rows], the last one as narrow as its padded rows;
/// `sums` has the padding, too.
/// The panel is taken in parts that stay in the first cache while all blocks meet them. Meanwhile the
/// next part is fetched, and at last the beginning of `next`, the panel that is read after this one.
#[inline(always)]
pub(super) fn add_products<T: Factor>(
    unit: &mut T::Unit,
    tiles: Tiles,
    k: usize,
    x: &[T::Element],
    panel: &[T::Element],
    next: &[T::Element],
    sums: &mut [f32],
) {
    let Tiles { rows, columns, .. } = tiles;
    let blocks = x.len().div_ceil(rows * k);
    for first in (0..k).step_by(tiles.depth) {
        let last = k.min(first.saturating_add(tiles.depth));
        let part = &panel[first * columns..last * columns];
        let behind = if last < k {
            &panel[last * columns..]
        } else {
            next
        };
        let behind = &behind[..part.len().min(behind.len())];
        let mut behind = behind.chunks(behind.len().div_ceil(blocks).max(1));
        for (x, sums) in x.chunks(rows * k).zip(sums.chunks_mut(rows * columns)) {
            prefetch(behind.next().unwrap_or_default());
            let count = x.len() / k;
            T::multiply(unit, count, &x[first * count..last * count], part, sums);
        }
    }
}

/// Room for sums, which begins with a cache line.
#[derive(Default)]
pub(super) struct Sums {
    memory: Vec<f32>,
    first: usize,
}

impl Sums {
    /// So many zeros.
    #[inline(always)]
    pub fn zeros(&mut self, count: usize) -> &mut [f32] {
        let most = CACHE_LINE / size_of::<f32>() - 1; // in front of the first line
        self.memory.clear();
        self.memory.resize(count + most, 0.0);
        self.first = self.memory.as_ptr().align_offset(CACHE_LINE).min(most);
        self.get(count)
    }

    /// The first so many sums.
    #[inline(always)]
    pub fn get(&mut self, count: usize) -> &mut [f32] {
        &mut self.memory[self.first..][..count]
    }
}

//! Blocks of packed rows times a panel of packed columns, tile by tile.

use super::pack::Factor;
use super::tile::{Tiles, prefetch};

/// Adds the products of packed rows with a panel of columns [k, columns] to `sums` [rows, columns].
///
/// `x` are blocks of as many rows as a tile has, each [k, rows], the last one as narrow as it is.
/// The panel is what `panels` begins with; what follows will be read after it. It is taken in parts
/// that stay in the first cache while all blocks meet them, and meanwhile the next part is fetched.
#[inline(always)]
pub(super) fn add_products<T: Factor>(
    tiles: Tiles,
    k: usize,
    x: &[T::Element],
    panels: &[T::Element],
    sums: &mut [f32],
) {
    let Tiles { rows, columns, .. } = tiles;
    let tile = T::tile(tiles);
    let blocks = x.len().div_ceil(rows * k);
    for first in (0..k).step_by(tiles.depth) {
        let last = k.min(first.saturating_add(tiles.depth));
        let (part, behind) = panels[first * columns..].split_at((last - first) * columns);
        let next = &behind[..part.len().min(behind.len())];
        let mut next = next.chunks(next.len().div_ceil(blocks).max(1));
        for (x, sums) in x.chunks(rows * k).zip(sums.chunks_mut(rows * columns)) {
            prefetch(next.next().unwrap_or_default());
            let count = x.len() / k;
            tile(count, &x[first * count..last * count], part, sums);
        }
    }
}

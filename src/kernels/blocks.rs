//! Blocks of packed rows times a panel of packed columns, tile by tile.

use super::pack::Factor;
use super::tile::Tiles;

/// Adds the products of packed rows with a panel of columns [k, columns] to `sums` [rows, columns].
///
/// `x` are blocks of as many rows as a tile has, each [k, rows], the last one as narrow as it is.
/// The panel is taken in parts that stay in the first cache while all blocks meet them.
#[inline(always)]
pub(super) fn add_products<T: Factor>(
    tiles: Tiles,
    k: usize,
    x: &[T::Element],
    panel: &[T::Element],
    sums: &mut [f32],
) {
    let Tiles { rows, columns, .. } = tiles;
    let tile = T::tile(tiles);
    for first in (0..k).step_by(tiles.depth) {
        let last = k.min(first.saturating_add(tiles.depth));
        let panel = &panel[first * columns..last * columns];
        for (x, sums) in x.chunks(rows * k).zip(sums.chunks_mut(rows * columns)) {
            let count = x.len() / k;
            tile(count, &x[first * count..last * count], panel, sums);
        }
    }
}

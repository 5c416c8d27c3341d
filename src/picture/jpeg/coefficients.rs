//! The coefficients of a whole picture, for files of several scans.

use super::Block;
use super::frame::Component;

/// The blocks of one component, padded to whole units.
#[derive(Debug, Clone, Default)]
pub(super) struct Plane {
    stride: usize,
    blocks: Vec<Block>,
    /// Of each block, a bit for each coefficient that is not zero, in the order of coding.
    found: Vec<u64>,
}

impl Plane {
    /// All zeros, in memory that is reused.
    pub(super) fn reset(&mut self, component: &Component) {
        let high = component.blocks_high.next_multiple_of(component.v);
        self.stride = component.blocks_wide.next_multiple_of(component.h);
        self.blocks.clear();
        self.blocks.resize(self.stride * high, [0; 64]);
        self.found.clear();
        self.found.resize(self.stride * high, 0);
    }

    pub(super) fn block(&self, x: usize, y: usize) -> &Block {
        &self.blocks[y * self.stride + x]
    }

    pub(super) fn block_mut(&mut self, x: usize, y: usize) -> &mut Block {
        &mut self.blocks[y * self.stride + x]
    }

    /// A block with the bits of its coefficients that are not zero.
    #[inline(always)]
    pub(super) fn block_and_found(&mut self, x: usize, y: usize) -> (&mut Block, &mut u64) {
        let at = y * self.stride + x;
        (&mut self.blocks[at], &mut self.found[at])
    }

    /// Bytes that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }
}

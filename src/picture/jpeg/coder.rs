//! A scan's coded data, with restarts.

use super::Block;
use super::arithmetic::Arithmetic;
use super::huffman::Huffman;
use super::input::Input;
use crate::picture::PictureError;

/// The entropy decoder of a scan, with its restarts.
pub(super) struct Coder<'m> {
    kind: Kind<'m>,
    /// Units between restarts, and those to go; 0 without any.
    interval: usize,
    left: usize,
    /// Number of the next restart marker.
    next: u8,
}

pub(super) enum Kind<'m> {
    Huffman(Box<Huffman<'m>>),
    Arithmetic(Box<Arithmetic>),
}

impl<'m> Coder<'m> {
    /// The decoder of a scan, with so many units between restarts.
    pub(super) fn new(kind: Kind<'m>, interval: usize) -> Self {
        Self {
            kind,
            interval,
            left: interval,
            next: 0,
        }
    }

    /// Reads a restart marker where one is due, before a unit of so many blocks.
    #[inline(always)]
    pub(super) fn start_unit(
        &mut self,
        input: &mut Input,
        blocks: usize,
    ) -> Result<(), PictureError> {
        if self.interval == 0 {
            if let Kind::Huffman(coder) = &mut self.kind {
                coder.look_ahead(input, blocks);
            }
        } else {
            if self.left == 0 {
                self.restart(input)?;
                self.left = self.interval;
            }
            self.left -= 1;
        }
        Ok(())
    }

    fn restart(&mut self, input: &mut Input) -> Result<(), PictureError> {
        if input.marker.is_none() {
            input.next_marker()?;
        }
        if input.marker == Some(0xd0 + self.next) {
            input.marker = None;
        } else {
            resynchronise(input, self.next)?;
        }
        self.next = (self.next + 1) % 8;
        match &mut self.kind {
            Kind::Huffman(coder) => coder.restart(input),
            Kind::Arithmetic(coder) => coder.restart(),
        }
        Ok(())
    }

    /// Whether the next unit is to be decoded.
    #[inline(always)]
    pub(super) fn is_active(&self) -> bool {
        match &self.kind {
            Kind::Huffman(coder) => coder.is_active(),
            Kind::Arithmetic(coder) => coder.is_active(),
        }
    }

    pub(super) fn ran_out(&self) -> bool {
        match &self.kind {
            Kind::Huffman(coder) => coder.ran_out(),
            Kind::Arithmetic(_) => false,
        }
    }

    /// Decodes a block of the scan's component `slot`. `found` has a bit for each coefficient that is
    /// not zero, in the order of coding; sequential scans do without.
    #[inline(always)]
    pub(super) fn block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<Decoded, PictureError> {
        match &mut self.kind {
            Kind::Huffman(coder) => {
                let more = coder.block(input, slot, block, found)?;
                Ok(Decoded { more, active: true })
            }
            Kind::Arithmetic(coder) => {
                let active = coder.block(input, slot, block)?;
                Ok(Decoded { more: true, active })
            }
        }
    }
}

/// What is known of a block that was decoded.
pub(super) struct Decoded {
    /// Whether it may have more than a first coefficient.
    pub(super) more: bool,
    /// Whether the rest of its unit is to be decoded.
    pub(super) active: bool,
}

/// libjpeg's way on from a marker that is not the restart that was due (`jpeg_resync_to_restart`):
/// markers of the past are passed over, those of the future wait, and what is further away is none.
fn resynchronise(input: &mut Input, wanted: u8) -> Result<(), PictureError> {
    while let Some(marker) = input.marker {
        match marker {
            0..0xc0 => input.next_marker()?,
            0xd0..=0xd7 => match (marker - 0xd0 + 8 - wanted) % 8 {
                1 | 2 => return Ok(()),
                6 | 7 => input.next_marker()?,
                _ => input.marker = None,
            },
            _ => return Ok(()),
        }
    }
    Ok(())
}

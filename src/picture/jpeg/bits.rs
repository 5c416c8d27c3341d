//! Bits of coded data, up to the next marker, and zeros behind it.
//!
//! As libjpeg reads them: bytes are fetched when fewer bits are at hand than the next step looks at,
//! and then as many as fit. So a file that ends without a marker ends at the same place.

use super::input::{Input, MARKER};
use crate::picture::PictureError;

/// Bits that are fetched ahead.
#[derive(Debug, Default)]
pub(super) struct Bits {
    /// The next bits, from the highest down; zeros below them or the begin of the next byte.
    ahead: u64,
    /// How many of them there are.
    count: u32,
    /// Whether more bits were taken than stood before a marker.
    pub(super) ran_out: bool,
}

impl Bits {
    /// How many bits are at hand.
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The next `n` bits, 1 to 32. Those that are not at hand are zeros, or what they will be.
    #[inline(always)]
    pub(super) fn peek(&self, n: u32) -> u32 {
        (self.ahead >> (64 - n)) as u32
    }

    /// Goes on behind the next `n` bits, which must be at hand.
    #[inline(always)]
    pub(super) fn skip(&mut self, n: u32) {
        self.ahead <<= n;
        self.count = self.count.wrapping_sub(n);
    }

    /// The next `n` bits, 1 to 16.
    #[inline(always)]
    pub(super) fn take(&mut self, input: &mut Input, n: u32) -> Result<u32, PictureError> {
        if self.count < n {
            self.fill(input, n)?;
        }
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
    }

    /// Fetches bytes. At a marker there are no more, and if `wanted` bits are not at hand, zeros
    /// follow.
    #[inline(never)]
    pub(super) fn fill(&mut self, input: &mut Input, wanted: u32) -> Result<(), PictureError> {
        if input.marker.is_none() {
            self.fetch(input)?;
        }
        if input.marker.is_some() && self.count < wanted {
            self.ran_out = true;
            self.count = 57;
        }
        Ok(())
    }

    fn fetch(&mut self, input: &mut Input) -> Result<(), PictureError> {
        if let Some(word) = input.word() {
            // A word without the byte of markers is data.
            let inverse = !word;
            let marker = inverse.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
            if marker == 0 {
                let bytes = (64 - self.count) / 8;
                self.ahead |= word >> self.count;
                self.count += bytes * 8;
                input.advance(bytes as usize);
                return Ok(());
            }
        }
        while self.count < 57 {
            let mut byte = input.byte()?;
            if byte == MARKER {
                // However many there are, with a zero behind them they are one byte of data.
                while byte == MARKER {
                    byte = input.byte()?;
                }
                if byte != 0 {
                    input.marker = Some(byte);
                    // What was seen of a byte that is no data.
                    self.ahead &= !(u64::MAX >> self.count);
                    return Ok(());
                }
                byte = MARKER;
            }
            self.ahead |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        Ok(())
    }

    /// Forgets the bits at hand: before a scan and at restarts.
    pub(super) fn clear(&mut self) {
        self.ahead = 0;
        self.count = 0;
    }
}

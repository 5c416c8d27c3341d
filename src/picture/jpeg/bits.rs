//! Bits of coded data, up to the next marker, and zeros behind it.
//!
//! As libjpeg reads them: bytes are fetched when fewer bits are at hand than the next step looks at,
//! and then as many as fit; far from the end it keeps more of them and fetches six bytes at once. So a
//! file that ends without a marker ends at the same place.

use super::input::{Input, MARKER};
use crate::picture::PictureError;

/// Bits that are fetched ahead.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next bits, from the highest down; zeros below them or the begin of the next byte.
    ahead: u64,
    /// How many of them there are.
    count: u32,
    /// Bits that are always at hand, far from the end of a file.
    reserve: u32,
    /// Whether more bits were taken than stood before a marker.
    pub(super) ran_out: bool,
}

/// Bits that libjpeg has at hand before each step, far from the end, and bytes that it fetches then.
const RESERVE: u32 = 17;
const FETCHED: u32 = 6;

impl Bits {
    /// How many bits are at hand.
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Says whether the end of the file is far.
    #[inline(always)]
    pub(super) fn set_far(&mut self, far: bool) {
        self.reserve = if far { RESERVE } else { 0 };
    }

    /// Whether a step of `n` bits in all, which begins with a code, can be done at once.
    #[inline(always)]
    pub(super) fn has(&self, n: u32) -> bool {
        self.count >= n + self.reserve && self.count >= 8
    }

    /// Whether bytes are to be fetched before a step that looks at `n` bits.
    #[inline(always)]
    pub(super) fn is_low(&self, n: u32) -> bool {
        self.count < n.max(self.reserve)
    }

    /// The next bit of a code, of whose bits the reserve has enough unless a marker is near.
    #[inline(always)]
    pub(super) fn take_of_code(&mut self, input: &mut Input, n: u32) -> Result<u32, PictureError> {
        if self.reserve == 0 || self.count < n {
            return self.take(input, n);
        }
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
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
        if self.is_low(n) {
            self.fill(input, n)?;
        }
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
    }

    /// Fetches bytes. At a marker there are no more, and if `wanted` bits are not at hand, zeros
    /// follow.
    #[inline(always)]
    pub(super) fn fill(&mut self, input: &mut Input, wanted: u32) -> Result<(), PictureError> {
        if input.marker.is_none() && self.fetch_word(input) {
            return Ok(());
        }
        // A copy, so that the original can stay in registers.
        let mut bits = *self;
        bits.fill_by_bytes(input, wanted)?;
        *self = bits;
        Ok(())
    }

    /// Fetches bytes of which none is that of markers, when there are so many.
    #[inline(always)]
    fn fetch_word(&mut self, input: &mut Input) -> bool {
        let Some(word) = input.word() else {
            return false;
        };
        let inverse = !word;
        let marker = inverse.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
        if marker != 0 {
            return false;
        }
        let room = (64 - self.count) / 8;
        let bytes = if self.reserve > 0 { FETCHED } else { room };
        self.ahead |= word >> self.count;
        self.count += bytes * 8;
        input.advance(bytes as usize);
        true
    }

    #[cold]
    #[inline(never)]
    fn fill_by_bytes(&mut self, input: &mut Input, wanted: u32) -> Result<(), PictureError> {
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
        let enough = if self.reserve > 0 {
            (self.count + 8 * FETCHED).min(57)
        } else {
            57
        };
        while self.count < enough {
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
        self.reserve = 0;
    }
}

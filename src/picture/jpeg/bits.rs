//! Bits of coded data, up to the next marker, and zeros behind it.
//!
//! Where a marker follows, `segment` reads them. Where none does, they are read here as libjpeg reads
//! them: bytes are fetched when fewer bits are at hand than the next step looks at, and then as many as
//! fit; far from the end it keeps more of them and fetches six bytes at once. So a file that ends
//! without a marker ends at the same place.

use super::codes::{LOOK, Pair, Pairs, Table};
use super::input::{Input, MARKER};
use crate::picture::PictureError;

/// Where bits come from.
pub(super) trait Source {
    /// Looks up what the next bits begin with, where it does not matter how many are at hand.
    fn look_up<'a>(&mut self, pairs: &'a Pairs) -> Option<&'a Pair>;

    /// Whether the bits that short codes are looked up by are at hand.
    fn has_short(&mut self) -> Result<bool, PictureError>;

    /// The next `n` bits, 1 to 32. Those that are not at hand are zeros, or what they will be.
    fn peek(&self, n: u32) -> u32;

    /// Goes on behind the next `n` bits, which must be at hand.
    fn skip(&mut self, n: u32);

    /// The next `n` bits, 1 to 16.
    fn take(&mut self, n: u32) -> Result<u32, PictureError>;

    /// The next symbol, whose code has at least `least` bits.
    fn long_symbol(&mut self, table: &Table, least: u32) -> Result<u8, PictureError>;
}

/// Bits that are fetched ahead.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next bits, from the highest down; zeros below them.
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
    /// Says whether the end of the file is far.
    pub(super) fn set_far(&mut self, far: bool) {
        self.reserve = if far { RESERVE } else { 0 };
    }

    /// Forgets the bits at hand: before a scan and at restarts.
    pub(super) fn clear(&mut self) {
        self.ahead = 0;
        self.count = 0;
        self.reserve = 0;
    }

    /// A reader of the bits from here on.
    pub(super) fn reader<'a, 'b>(self, input: &'a mut Input<'b>) -> Reader<'a, 'b> {
        Reader { bits: self, input }
    }

    /// Whether bytes are to be fetched before a step that looks at `n` bits.
    fn is_low(&self, n: u32) -> bool {
        self.count < n.max(self.reserve)
    }

    /// Fetches bytes. At a marker there are no more, and if `wanted` bits are not at hand, zeros
    /// follow.
    fn fill(&mut self, input: &mut Input, wanted: u32) -> Result<(), PictureError> {
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
                    return Ok(());
                }
                byte = MARKER;
            }
            self.ahead |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        Ok(())
    }
}

/// Reads bits as libjpeg does.
pub(super) struct Reader<'a, 'b> {
    bits: Bits,
    input: &'a mut Input<'b>,
}

impl Reader<'_, '_> {
    /// The bits at hand.
    pub(super) fn bits(&self) -> Bits {
        self.bits
    }

    /// The next bits of a code, of which the reserve has enough unless a marker is near.
    fn take_of_code(&mut self, n: u32) -> Result<u32, PictureError> {
        if self.bits.reserve == 0 || self.bits.count < n {
            return self.take(n);
        }
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
    }
}

impl Source for Reader<'_, '_> {
    fn look_up<'a>(&mut self, _: &'a Pairs) -> Option<&'a Pair> {
        None
    }

    fn has_short(&mut self) -> Result<bool, PictureError> {
        if self.bits.is_low(LOOK) {
            self.bits.fill(self.input, 0)?;
        }
        Ok(self.bits.count >= LOOK)
    }

    fn peek(&self, n: u32) -> u32 {
        (self.bits.ahead >> (64 - n)) as u32
    }

    fn skip(&mut self, n: u32) {
        self.bits.ahead <<= n;
        self.bits.count = self.bits.count.wrapping_sub(n);
    }

    fn take(&mut self, n: u32) -> Result<u32, PictureError> {
        if self.bits.is_low(n) {
            self.bits.fill(self.input, n)?;
        }
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
    }

    fn long_symbol(&mut self, table: &Table, least: u32) -> Result<u8, PictureError> {
        let mut code = self.take_of_code(least)? as i32;
        let mut length = least;
        while code > table.largest(length) {
            code = code << 1 | self.take_of_code(1)? as i32;
            length += 1;
        }
        Ok(table.of_length(code, length))
    }
}

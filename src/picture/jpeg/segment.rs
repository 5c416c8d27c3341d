//! Coded data up to a marker that is known to follow, and their bits.
//!
//! How far a reader has fetched ahead shows only where a file ends without a marker. Everywhere else
//! the bits are the same whoever reads them, with zeros behind the last one. So here they are read
//! the fast way: from bytes that no marker interrupts.

use super::bits::Source;
use super::codes::{LONGEST, LOOK, PAIR, Pair, Pairs, Table, extend};
use super::input::Input;
use crate::picture::PictureError;

/// Bytes that are fetched at once.
const WORD: usize = size_of::<u64>();

/// Bits that are at hand before a code: those of the longest one, and of the value behind it.
const STEP: u32 = 32;

/// The bytes of coded data without what marks them as data, and how far they have been read.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Zeros follow the data, as many as a fetch may go beyond them.
    bytes: Vec<u8>,
    /// Bits of the data.
    length: usize,
    place: Place,
}

/// A place among bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The next byte to fetch.
    at: usize,
    /// The next bits, from the highest down, and below them some of those that follow.
    ahead: u64,
    /// How many of them count as fetched.
    count: u32,
}

impl Segment {
    /// Takes the data from `input`, up to and with the marker behind them. False when no marker
    /// follows; then nothing is taken.
    pub(super) fn begin(&mut self, input: &mut Input) -> bool {
        self.bytes.clear();
        self.place = Place::default();
        let found = input.take_coded(&mut self.bytes);
        self.length = 8 * self.bytes.len();
        self.bytes.extend([0; WORD]);
        found
    }

    /// Whether more bits were taken than there are.
    pub(super) fn is_overrun(&self) -> bool {
        8 * self.place.at - self.place.count as usize > self.length
    }

    /// A reader of the bits from here on.
    #[inline(always)]
    pub(super) fn reader(&self) -> Reader<'_> {
        // A copy of the place, so that it can stay in registers.
        Reader {
            bytes: &self.bytes,
            place: self.place,
        }
    }

    /// Goes on where a reader has stopped.
    #[inline(always)]
    pub(super) fn go_on_at(&mut self, place: Place) {
        self.place = place;
    }

    /// Bytes that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads the bits of a segment.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    place: Place,
}

impl Reader<'_> {
    /// Where it has come to.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Goes back to where it was.
    #[inline(always)]
    pub(super) fn go_back_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Fetches as many bytes as there is room for.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        let Place { at, ahead, count } = &mut self.place;
        let word = self.bytes.get(*at..).and_then(|rest| rest.first_chunk());
        let word = word.map_or(0, |word| u64::from_be_bytes(*word));
        // Of a byte that fits in part, those bits are fetched now, and all of it again next time.
        *ahead |= word >> *count;
        *at += (63 - *count as usize) / 8;
        *count |= 56;
    }

    /// What the next bits begin with.
    #[inline(always)]
    pub(super) fn pair<'a>(&mut self, pairs: &'a Pairs) -> &'a Pair {
        self.prepare(PAIR);
        pairs.get(self.peek(PAIR))
    }

    /// The next first coefficient's difference: a code for the count of its bits, and the bits.
    #[inline(always)]
    pub(super) fn difference(&mut self, table: &Table) -> i32 {
        self.prepare(STEP);
        let (length, size) = match table.short(self.peek(LOOK)) {
            Some(found) => found,
            None => table.long(self.peek(LONGEST + 1)),
        };
        self.skip(length);
        let size = u32::from(size);
        let bits = (self.place.ahead >> 1 >> (63 - size)) as u32;
        self.skip(size);
        extend(bits, size)
    }

    /// Makes sure that so many bits are at hand.
    #[inline(always)]
    fn prepare(&mut self, n: u32) {
        if self.place.count < n {
            self.fetch();
        }
    }
}

impl Source for Reader<'_> {
    #[inline(always)]
    fn look_up<'a>(&mut self, pairs: &'a Pairs) -> Option<&'a Pair> {
        Some(self.pair(pairs))
    }

    #[inline(always)]
    fn has_short(&mut self) -> Result<bool, PictureError> {
        self.prepare(STEP);
        Ok(true)
    }

    #[inline(always)]
    fn peek(&self, n: u32) -> u32 {
        (self.place.ahead >> (64 - n)) as u32
    }

    #[inline(always)]
    fn skip(&mut self, n: u32) {
        self.place.ahead <<= n;
        self.place.count -= n;
    }

    #[inline(always)]
    fn take(&mut self, n: u32) -> Result<u32, PictureError> {
        self.prepare(n);
        let bits = self.peek(n);
        self.skip(n);
        Ok(bits)
    }

    #[inline(always)]
    fn long_symbol(&mut self, table: &Table, _: u32) -> Result<u8, PictureError> {
        let (length, symbol) = table.long(self.peek(LONGEST + 1));
        self.skip(length);
        Ok(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::Bits;
    use super::*;

    #[test]
    fn bits_up_to_a_marker_are_those_that_libjpeg_reads() {
        let mut state = 1u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut segment = Segment::default();
        for length in 0..60 {
            let mut file = Vec::new();
            for _ in 0..length {
                match random(6) {
                    0 => file.extend([0xff, 0]),
                    1 => file.extend([0xff, 0xff, 0xff, 0]),
                    _ => file.push(random(255) as u8),
                }
            }
            file.extend([0xff, 0xff, 0xd9, 1]);
            let (mut fast, mut slow) = (Input::new(&file), Input::new(&file));
            assert!(segment.begin(&mut fast));
            assert_eq!(fast.marker, Some(0xd9));
            assert_eq!(fast.left(), 1);
            let mut bits = Bits::default();
            for _ in 0..8 * length {
                let n = 1 + random(16);
                let mut reader = segment.reader();
                let theirs = reader.take(n);
                segment.go_on_at(reader.place());
                let mut reader = bits.reader(&mut slow);
                assert_eq!(theirs, reader.take(n), "{n} bits of {file:02x?}");
                bits = reader.bits();
                assert_eq!(segment.is_overrun(), bits.ran_out, "{file:02x?}");
            }
        }
    }

    #[test]
    fn without_a_marker_nothing_is_taken() {
        for file in [&b""[..], b"\x01\x02", b"\x01\xff\x00\x02", b"\x01\xff\xff"] {
            let mut input = Input::new(file);
            assert!(!Segment::default().begin(&mut input), "{file:02x?}");
            assert_eq!((input.left(), input.marker), (file.len(), None));
        }
    }
}

//! Arithmetic decoding of blocks (T.81, annex D and F.2.4), of sequential and of progressive scans.
//!
//! libjpeg, as Pillow runs it, cannot wait for more data in the middle of this: where Pillow's next
//! 64 KiB begin, it gives up. So nothing longer is read here either.

use super::frame::{Frame, Scan};
use super::input::{Input, MARKER};
use super::tables::Conditioning;
use super::{Block, ZIGZAG};
use crate::picture::PictureError;

/// Bytes that Pillow hands to libjpeg at once.
const CHUNK: usize = 65_536;

/// Probability states of a table: of first coefficients, and of the others.
const DC_STATES: usize = 64;
const AC_STATES: usize = 256;

/// The decoder of one scan.
#[derive(Debug)]
pub(super) struct Arithmetic {
    code: i64,
    interval: i64,
    /// Bits of `code` that are not used yet; -1 after an error, up to the next restart.
    shift: i32,
    dc: Vec<[u8; DC_STATES]>,
    ac: Vec<[u8; AC_STATES]>,
    /// The state of a bit that is as likely as not.
    even: u8,
    last: [i32; 4],
    context: [usize; 4],
    conditioning: Conditioning,
    /// Numbers of the scan's tables by component.
    tables: Vec<(usize, usize)>,
    progressive: bool,
    scan: Scan,
}

/// Where a probability state stands.
#[derive(Clone, Copy)]
enum State {
    Dc(usize, usize),
    Ac(usize, usize),
    Even,
}

impl State {
    fn plus(self, n: usize) -> Self {
        match self {
            Self::Dc(table, at) => Self::Dc(table, at + n),
            Self::Ac(table, at) => Self::Ac(table, at + n),
            Self::Even => Self::Even,
        }
    }
}

impl Arithmetic {
    pub(super) fn new(frame: &Frame, scan: &Scan, conditioning: Conditioning) -> Self {
        let tables = scan.components.iter().map(|index| {
            let component = &frame.components[*index];
            (component.dc, component.ac)
        });
        Self {
            code: 0,
            interval: 0,
            shift: -16,
            dc: vec![[0; DC_STATES]; 16],
            ac: vec![[0; AC_STATES]; 16],
            even: 113,
            last: [0; 4],
            context: [0; 4],
            conditioning,
            tables: tables.collect(),
            progressive: frame.coding.progressive,
            scan: scan.clone(),
        }
    }

    /// Begins anew behind a restart marker, which has been read.
    pub(super) fn restart(&mut self) {
        self.dc.fill([0; DC_STATES]);
        self.ac.fill([0; AC_STATES]);
        self.last = [0; 4];
        self.context = [0; 4];
        self.code = 0;
        self.interval = 0;
        self.shift = -16;
    }

    /// Whether the next unit is to be decoded.
    pub(super) fn is_active(&self) -> bool {
        self.shift != -1 || (self.progressive && self.scan.first == 0 && self.scan.high > 0)
    }

    /// Decodes a block of the scan's component `slot`; false when the rest of the unit is to be left.
    pub(super) fn block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
    ) -> Result<bool, PictureError> {
        let whole = match (self.progressive, self.scan.first, self.scan.high) {
            (false, ..) => {
                if !self.dc(input, slot, block)? {
                    return Ok(false);
                }
                self.ac(input, slot, block, 1, 63)?
            }
            (true, 0, 0) => self.dc(input, slot, block)?,
            (true, 0, _) => {
                if self.bit(input, State::Even)? {
                    block[0] |= 1 << self.scan.low;
                }
                true
            }
            (true, _, 0) => self.ac(input, slot, block, self.scan.first, self.scan.last)?,
            (true, ..) => self.refine(input, slot, block)?,
        };
        if !whole {
            self.shift = -1;
        }
        Ok(whole)
    }

    fn byte(input: &mut Input) -> Result<u8, PictureError> {
        if input.position().is_multiple_of(CHUNK) {
            return Err(PictureError::Unsupported {
                what: "an arithmetic-coded JPEG of more than 64 KiB".into(),
            });
        }
        input.byte()
    }

    /// The next decision.
    fn bit(&mut self, input: &mut Input, state: State) -> Result<bool, PictureError> {
        while self.interval < 0x8000 {
            self.shift -= 1;
            if self.shift < 0 {
                let mut data = 0;
                if input.marker.is_none() {
                    data = Self::byte(input)?;
                    if data == MARKER {
                        while data == MARKER {
                            data = Self::byte(input)?;
                        }
                        if data == 0 {
                            data = MARKER;
                        } else {
                            input.marker = Some(data);
                            data = 0;
                        }
                    }
                }
                self.code = self.code << 8 | i64::from(data);
                self.shift += 8;
                if self.shift < 0 {
                    self.shift += 1;
                    if self.shift == 0 {
                        self.interval = 0x8000;
                    }
                }
            }
            self.interval <<= 1;
        }
        let place = match state {
            State::Dc(table, at) => &mut self.dc[table][at],
            State::Ac(table, at) => &mut self.ac[table][at],
            State::Even => &mut self.even,
        };
        let (likely, index) = (*place & 0x80, usize::from(*place & 0x7f));
        let (size, after_less, after_more, switch) = STATES[index.min(STATES.len() - 1)];
        let size = i64::from(size);
        let less = likely ^ after_less ^ if switch { 0x80 } else { 0 };
        let more = likely ^ after_more;
        let mut decision = likely;
        self.interval -= size;
        let bound = self.interval << self.shift;
        if self.code >= bound {
            self.code -= bound;
            if self.interval < size {
                *place = more;
            } else {
                *place = less;
                decision ^= 0x80;
            }
            self.interval = size;
        } else if self.interval < 0x8000 {
            if self.interval < size {
                *place = less;
                decision ^= 0x80;
            } else {
                *place = more;
            }
        }
        Ok(decision != 0)
    }

    fn dc(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
    ) -> Result<bool, PictureError> {
        let table = self.tables[slot].0;
        let mut state = State::Dc(table, self.context[slot]);
        if self.bit(input, state)? {
            let negative = self.bit(input, state.plus(1))?;
            state = state.plus(2 + usize::from(negative));
            let mut magnitude = i32::from(self.bit(input, state)?);
            if magnitude != 0 {
                state = State::Dc(table, 20);
                while self.bit(input, state)? {
                    magnitude <<= 1;
                    if magnitude == 0x8000 {
                        return Ok(false);
                    }
                    state = state.plus(1);
                }
            }
            let (low, high) = self.conditioning.dc[table];
            let sign = usize::from(negative) * 4;
            self.context[slot] = if magnitude < (1i32 << low) >> 1 {
                0
            } else if magnitude > (1i32 << high) >> 1 {
                12 + sign
            } else {
                4 + sign
            };
            let value = self.value(input, state.plus(14), magnitude, negative)?;
            self.last[slot] = (self.last[slot] + value) & 0xffff;
        } else {
            self.context[slot] = 0;
        }
        let low = if self.progressive { self.scan.low } else { 0 };
        block[0] = (self.last[slot] << low) as i16;
        Ok(true)
    }

    /// The coefficients of a band; false when there are more than it has place for.
    fn ac(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        first: usize,
        last: usize,
    ) -> Result<bool, PictureError> {
        let table = self.tables[slot].1;
        let low = if self.progressive { self.scan.low } else { 0 };
        let mut k = first;
        while k <= last {
            let mut state = State::Ac(table, 3 * (k - 1));
            if self.bit(input, state)? {
                break;
            }
            while !self.bit(input, state.plus(1))? {
                state = state.plus(3);
                k += 1;
                if k > last {
                    return Ok(false);
                }
            }
            let negative = self.bit(input, State::Even)?;
            state = state.plus(2);
            let mut magnitude = i32::from(self.bit(input, state)?);
            if magnitude != 0 && self.bit(input, state)? {
                magnitude = 2;
                let small = k <= usize::from(self.conditioning.ac[table]);
                state = State::Ac(table, if small { 189 } else { 217 });
                while self.bit(input, state)? {
                    magnitude <<= 1;
                    if magnitude == 0x8000 {
                        return Ok(false);
                    }
                    state = state.plus(1);
                }
            }
            let value = self.value(input, state.plus(14), magnitude, negative)?;
            block[usize::from(ZIGZAG[k])] = (value << low) as i16;
            k += 1;
        }
        Ok(true)
    }

    /// The bits below the highest one of a magnitude, and the sign.
    fn value(
        &mut self,
        input: &mut Input,
        state: State,
        magnitude: i32,
        negative: bool,
    ) -> Result<i32, PictureError> {
        let (mut value, mut bit) = (magnitude, magnitude >> 1);
        while bit != 0 {
            if self.bit(input, state)? {
                value |= bit;
            }
            bit >>= 1;
        }
        value += 1;
        Ok(if negative { -value } else { value })
    }

    fn refine(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
    ) -> Result<bool, PictureError> {
        let table = self.tables[slot].1;
        let (first, last) = (self.scan.first, self.scan.last);
        let one = 1i16 << self.scan.low;
        let at = |k: usize| usize::from(ZIGZAG[k]);
        // The last coefficient that earlier scans have found.
        let known = (1..=last).rev().find(|k| block[at(*k)] != 0).unwrap_or(0);
        let mut k = first;
        while k <= last {
            let mut state = State::Ac(table, 3 * (k - 1));
            if k > known && self.bit(input, state)? {
                break;
            }
            loop {
                let coefficient = &mut block[at(k)];
                if *coefficient != 0 {
                    if self.bit(input, state.plus(2))? {
                        let step = if *coefficient < 0 { -one } else { one };
                        *coefficient = coefficient.wrapping_add(step);
                    }
                    break;
                }
                if self.bit(input, state.plus(1))? {
                    let negative = self.bit(input, State::Even)?;
                    *coefficient = if negative { -one } else { one };
                    break;
                }
                state = state.plus(3);
                k += 1;
                if k > last {
                    return Ok(false);
                }
            }
            k += 1;
        }
        Ok(true)
    }
}

/// Table D.3, and a last state that never changes: size of the less likely interval, the next states
/// after a less and a more likely decision, and whether the likely decision changes.
#[rustfmt::skip]
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5a1d, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080b, 18, 4, false),
    (0x03d8, 20, 5, false), (0x01da, 23, 6, false), (0x00e5, 25, 7, false), (0x006f, 28, 8, false),
    (0x0036, 30, 9, false), (0x001a, 33, 10, false), (0x000d, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5a7f, 15, 15, true), (0x3f25, 36, 16, false),
    (0x2cf2, 38, 17, false), (0x207c, 39, 18, false), (0x17b9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0cef, 43, 21, false), (0x09a1, 45, 22, false), (0x072f, 46, 23, false), (0x055c, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01b1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00f5, 57, 30, false), (0x00b7, 59, 31, false), (0x008a, 60, 32, false),
    (0x0068, 62, 33, false), (0x004e, 63, 34, false), (0x003b, 32, 35, false), (0x002c, 33, 9, false),
    (0x5ae1, 37, 37, true), (0x484c, 64, 38, false), (0x3a0d, 65, 39, false), (0x2ef1, 67, 40, false),
    (0x261f, 68, 41, false), (0x1f33, 69, 42, false), (0x19a8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0e74, 74, 46, false), (0x0bfb, 75, 47, false), (0x09f8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05cd, 48, 51, false), (0x04de, 50, 52, false),
    (0x040f, 50, 53, false), (0x0363, 51, 54, false), (0x02d4, 52, 55, false), (0x025c, 53, 56, false),
    (0x01f8, 54, 57, false), (0x01a4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00f6, 58, 61, false), (0x00cb, 59, 62, false), (0x00ab, 61, 63, false), (0x008f, 61, 32, false),
    (0x5b12, 65, 65, true), (0x4d04, 80, 66, false), (0x412c, 81, 67, false), (0x37d8, 82, 68, false),
    (0x2fe8, 83, 69, false), (0x293c, 84, 70, false), (0x2379, 86, 71, false), (0x1edf, 87, 72, false),
    (0x1aa9, 87, 73, false), (0x174e, 72, 74, false), (0x1424, 72, 75, false), (0x119c, 74, 76, false),
    (0x0f6b, 74, 77, false), (0x0d51, 75, 78, false), (0x0bb6, 77, 79, false), (0x0a40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4d1c, 88, 82, false), (0x438e, 89, 83, false), (0x3bdd, 90, 84, false),
    (0x34ee, 91, 85, false), (0x2eae, 92, 86, false), (0x299a, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4ca9, 95, 90, false), (0x44d9, 96, 91, false), (0x3e22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32b4, 99, 94, false), (0x2e17, 93, 86, false), (0x56a8, 95, 96, true),
    (0x4f46, 101, 97, false), (0x47e5, 102, 98, false), (0x41cf, 103, 99, false), (0x3c3d, 104, 100, false),
    (0x375e, 99, 93, false), (0x5231, 105, 102, false), (0x4c0f, 106, 103, false), (0x4639, 107, 104, false),
    (0x415e, 103, 99, false), (0x5627, 105, 106, true), (0x50e7, 108, 107, false), (0x4b85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504f, 111, 107, false), (0x5a10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59eb, 112, 111, true), (0x5a1d, 113, 113, false),
];

//! Huffman codes made ready for looking up.
//!
//! As forgiving as libjpeg: a code that does not exist is a zero.

use super::bits::Source;
use super::corrupt;
use super::tables::Codes;
use crate::picture::PictureError;

/// Bits that are looked up at once.
pub(super) const LOOK: u32 = 8;
/// Bits of the longest code.
pub(super) const LONGEST: u32 = 16;
/// Bits that coefficients are looked up by.
pub(super) const PAIR: u32 = 10;

/// What bits begin with: one coefficient, or two, or the end of a sequential block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) values: [i16; 2],
    /// Zeros before each of them; [`END`] at the end, and [`LONG`] when so few bits do not hold the
    /// first.
    pub(super) runs: [u8; 2],
    /// Bits of all of it, and of the first. They are the same when there is no second; its value is
    /// zero then.
    pub(super) length: u8,
    pub(super) first_length: u8,
}

/// What a run is at the end of a sequential block, and where the bits that are looked up do not hold
/// all: more than any place of a coefficient with a run before it.
pub(super) const END: u8 = 192;
pub(super) const LONG: u8 = 96;

/// A Huffman table of coefficients, with what is looked up at once.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) codes: Table,
    pairs: [Pair; 1 << PAIR],
}

impl Pairs {
    pub(super) fn new(codes: Option<&Codes>) -> Result<Self, PictureError> {
        let none = Pair {
            values: [0; 2],
            runs: [LONG, 0],
            length: 0,
            first_length: 0,
        };
        let mut table = Self {
            codes: Table::new(codes, false)?,
            pairs: [none; 1 << PAIR],
        };
        if let Some(codes) = codes {
            table.set_first(codes);
            table.set_second();
        }
        Ok(table)
    }

    /// Finds out what bits begin with.
    fn set_first(&mut self, codes: &Codes) {
        let (mut code, mut place) = (0usize, 0usize);
        for (length, count) in (1..=PAIR).zip(codes.counts) {
            for symbol in &codes.symbols[place..place + usize::from(count)] {
                let (run, size) = (symbol >> 4, u32::from(symbol & 15));
                let first = code << (PAIR - length);
                code += 1;
                let run = match (run, size) {
                    (0, 0) => END,
                    (1..15, 0) => continue,
                    _ if length + size > PAIR => continue,
                    _ => run,
                };
                let each = 1 << (PAIR - length - size);
                let pairs = self.pairs[first..first + (each << size)].chunks_exact_mut(each);
                for (bits, pairs) in pairs.enumerate() {
                    pairs.fill(Pair {
                        values: [extend(bits as u32, size) as i16, 0],
                        runs: [run, 0],
                        length: (length + size) as u8,
                        first_length: (length + size) as u8,
                    });
                }
            }
            place += usize::from(count);
            code <<= 1;
        }
    }

    /// Adds what the rest of the bits holds.
    fn set_second(&mut self) {
        let ones = self.pairs;
        for (bits, pair) in self.pairs.iter_mut().enumerate() {
            let second = ones[bits << pair.length & (ones.len() - 1)];
            let length = pair.length + second.length;
            if pair.runs[0] < LONG && second.runs[0] != LONG && u32::from(length) <= PAIR {
                pair.values[1] = second.values[0];
                pair.runs[1] = second.runs[0];
                pair.length = length;
            }
        }
    }

    /// What the next bits, as many as are looked up, begin with.
    #[inline(always)]
    pub(super) fn get(&self, bits: u32) -> &Pair {
        &self.pairs[bits as usize % (1 << PAIR)]
    }
}

/// A Huffman table made ready.
#[derive(Debug)]
pub(super) struct Table {
    /// Length and symbol of the code that eight bits begin with; length 9 for longer ones.
    short: [(u8, u8); 1 << LOOK],
    /// The largest code of each length, or -1; the last ends every search.
    largest: [i32; 18],
    /// What to add to a code to get its symbol's place.
    offset: [i32; 18],
    symbols: [u8; 256],
}

impl Table {
    pub(super) fn new(codes: Option<&Codes>, dc: bool) -> Result<Self, PictureError> {
        let wrong = || corrupt("a Huffman table is wrong");
        let codes = codes.ok_or_else(|| corrupt("a Huffman table is missing"))?;
        let mut table = Self {
            short: [(LOOK as u8 + 1, 0); 1 << LOOK],
            largest: [-1; 18],
            offset: [0; 18],
            symbols: codes.symbols,
        };
        let (mut code, mut place) = (0i32, 0usize);
        for (length, count) in (1u32..).zip(codes.counts) {
            if count > 0 {
                table.offset[length as usize] = place as i32 - code;
                for _ in 0..count {
                    let symbol = *codes.symbols.get(place).ok_or_else(wrong)?;
                    if dc && symbol > 15 {
                        return Err(wrong());
                    }
                    if length <= LOOK && code < 1 << length {
                        let first = (code as usize) << (LOOK - length);
                        table.short[first..first + (1 << (LOOK - length))]
                            .fill((length as u8, symbol));
                    }
                    code += 1;
                    place += 1;
                }
                // No code is all ones.
                if code >= 1 << length {
                    return Err(wrong());
                }
                table.largest[length as usize] = code - 1;
            }
            code <<= 1;
        }
        table.largest[17] = 0xf_ffff;
        Ok(table)
    }

    /// Length and symbol of the code that the next bits begin with, when it is a short one.
    #[inline(always)]
    pub(super) fn short(&self, bits: u32) -> Option<(u32, u8)> {
        let (length, symbol) = self.short[bits as usize % (1 << LOOK)];
        (u32::from(length) <= LOOK).then_some((u32::from(length), symbol))
    }

    /// The next symbol.
    #[inline(always)]
    pub(super) fn symbol(&self, source: &mut impl Source) -> Result<u8, PictureError> {
        if !source.has_short()? {
            return source.long_symbol(self, 1);
        }
        if let Some((length, symbol)) = self.short(source.peek(LOOK)) {
            source.skip(length);
            return Ok(symbol);
        }
        source.long_symbol(self, LOOK + 1)
    }

    /// Length and symbol of the longer code that these bits, one more than the longest has, begin
    /// with. What begins with no code is passed over, and is a zero.
    #[inline(never)]
    pub(super) fn long(&self, bits: u32) -> (u32, u8) {
        let code = |length: u32| (bits >> (LONGEST + 1 - length)) as i32;
        let length = (LOOK + 1..=LONGEST).find(|length| code(*length) <= self.largest(*length));
        let length = length.unwrap_or(LONGEST + 1);
        (length, self.of_length(code(length), length))
    }

    /// The largest code of a length; the next length after the longest ends every search.
    pub(super) fn largest(&self, length: u32) -> i32 {
        self.largest[length as usize]
    }

    /// The symbol of a code.
    pub(super) fn of_length(&self, code: i32, length: u32) -> u8 {
        if length > LONGEST {
            return 0;
        }
        let place = code + self.offset[length as usize];
        self.symbols[place as usize & 255]
    }
}

/// The number that `size` bits, 0 to 15, stand for.
#[inline(always)]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    // Numbers that begin with a zero are negative.
    let negative = i32::from(bits >> (size.max(1) - 1) == 0);
    bits as i32 - negative * ((1 << size) - 1)
}

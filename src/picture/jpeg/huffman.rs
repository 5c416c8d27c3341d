//! Huffman decoding of blocks, of sequential and of progressive scans.
//!
//! As forgiving as libjpeg: a code that does not exist is a zero, and so is all that is missing
//! before a marker.

use super::bits::Bits;
use super::frame::{Frame, Scan};
use super::input::Input;
use super::tables::{Codes, Tables};
use super::{Block, ZIGZAG, corrupt};
use crate::picture::PictureError;

/// Bits that are looked up at once.
const LOOK: u32 = 8;
/// Bits that are looked up at once for a code and the bits that belong to it.
const WHOLE: u32 = 10;

/// Code and value of a coefficient, or the end of a block.
#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    value: i16,
    /// Zeros before it; [`END`] at the end.
    run: u8,
    /// Bits of it all; 0 when ten do not hold it.
    length: u8,
}

/// What a run is at the end of a sequential block.
const END: u8 = 255;

/// A Huffman table made ready.
#[derive(Debug)]
struct Table {
    /// Length and symbol of the code that eight bits begin with; length 9 for longer ones.
    short: [(u8, u8); 1 << LOOK],
    /// What ten bits begin with, where they hold all of it.
    whole: Vec<Whole>,
    /// The largest code of each length, or -1; the last ends every search.
    largest: [i32; 18],
    /// What to add to a code to get its symbol's place.
    offset: [i32; 18],
    symbols: [u8; 256],
}

impl Table {
    fn new(codes: Option<&Codes>, dc: bool) -> Result<Self, PictureError> {
        let wrong = || corrupt("a Huffman table is wrong");
        let codes = codes.ok_or_else(|| corrupt("a Huffman table is missing"))?;
        let mut table = Self {
            short: [(LOOK as u8 + 1, 0); 1 << LOOK],
            whole: Vec::new(),
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
        table.whole = whole(codes);
        Ok(table)
    }

    /// The next symbol.
    #[inline(always)]
    fn symbol(&self, bits: &mut Bits, input: &mut Input) -> Result<u8, PictureError> {
        let mut least = LOOK + 1;
        if bits.is_low(LOOK) {
            bits.fill(input, 0)?;
            if bits.count() < LOOK {
                least = 1;
            }
        }
        if least > LOOK {
            let (length, symbol) = self.short[bits.peek(LOOK) as usize];
            if u32::from(length) <= LOOK {
                bits.skip(u32::from(length));
                return Ok(symbol);
            }
        }
        let mut copy = *bits;
        let symbol = self.long_symbol(&mut copy, input, least);
        *bits = copy;
        symbol
    }

    #[inline(never)]
    fn long_symbol(
        &self,
        bits: &mut Bits,
        input: &mut Input,
        mut length: u32,
    ) -> Result<u8, PictureError> {
        let mut code = bits.take_of_code(input, length)? as i32;
        while code > self.largest[length as usize] {
            code = code << 1 | bits.take_of_code(input, 1)? as i32;
            length += 1;
        }
        if length > 16 {
            return Ok(0);
        }
        let place = code + self.offset[length as usize];
        Ok(self.symbols[place as usize & 255])
    }
}

/// The table of whole coefficients. The codes are known to be right.
fn whole(codes: &Codes) -> Vec<Whole> {
    let mut table = vec![Whole::default(); 1 << WHOLE];
    let (mut code, mut place) = (0usize, 0usize);
    for (length, count) in (1..=WHOLE).zip(codes.counts) {
        for symbol in &codes.symbols[place..place + usize::from(count)] {
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            let first = code << (WHOLE - length);
            code += 1;
            if size == 0 && run == 0 {
                table[first..first + (1 << (WHOLE - length))].fill(Whole {
                    value: 0,
                    run: END,
                    length: length as u8,
                });
            } else if size > 0 && length + size <= WHOLE {
                let each = 1 << (WHOLE - length - size);
                let values = table[first..first + (each << size)].chunks_exact_mut(each);
                for (bits, entries) in values.enumerate() {
                    entries.fill(Whole {
                        value: extend(bits as u32, size) as i16,
                        run,
                        length: (length + size) as u8,
                    });
                }
            }
        }
        place += usize::from(count);
        code <<= 1;
    }
    table
}

/// The number that `size` bits, 1 to 15, stand for.
#[inline(always)]
fn extend(bits: u32, size: u32) -> i32 {
    let value = bits as i32;
    if value < 1 << (size - 1) {
        value - (1 << size) + 1
    } else {
        value
    }
}

/// What a scan codes of each block.
#[derive(Debug, Clone, Copy)]
enum Part {
    All,
    DcFirst,
    AcFirst,
    DcRefined,
    AcRefined,
}

/// The decoder of one scan.
#[derive(Debug)]
pub(super) struct Huffman {
    bits: Bits,
    part: Part,
    /// Tables by component of the scan.
    dc: Vec<Option<Table>>,
    ac: Vec<Option<Table>>,
    /// The last first coefficient of each component.
    last: [i32; 4],
    /// Blocks that have nothing more in this band.
    ended: u32,
    scan: Scan,
}

impl Huffman {
    pub(super) fn new(frame: &Frame, scan: &Scan, tables: &Tables) -> Result<Self, PictureError> {
        let part = match (frame.coding.progressive, scan.first, scan.high) {
            (false, ..) => Part::All,
            (true, 0, 0) => Part::DcFirst,
            (true, 0, _) => Part::DcRefined,
            (true, _, 0) => Part::AcFirst,
            (true, ..) => Part::AcRefined,
        };
        let dc = matches!(part, Part::All | Part::DcFirst);
        let ac = matches!(part, Part::All | Part::AcFirst | Part::AcRefined);
        let table = |wanted: bool, of: &[Option<Codes>; 4], number: usize, dc: bool| {
            let table = || Table::new(of.get(number).and_then(Option::as_ref), dc);
            wanted.then(table).transpose()
        };
        let components = || {
            scan.components
                .iter()
                .map(|index| &frame.components[*index])
        };
        Ok(Self {
            bits: Bits::default(),
            part,
            dc: components()
                .map(|c| table(dc, &tables.dc, c.dc, true))
                .collect::<Result<_, _>>()?,
            ac: components()
                .map(|c| table(ac, &tables.ac, c.ac, false))
                .collect::<Result<_, _>>()?,
            last: [0; 4],
            ended: 0,
            scan: scan.clone(),
        })
    }

    /// Whether data ran out before a marker, so that the rest of the interval is left as it is.
    pub(super) fn ran_out(&self) -> bool {
        self.bits.ran_out
    }

    /// Begins anew behind a restart marker, which has been read.
    pub(super) fn restart(&mut self, input: &Input) {
        self.bits.clear();
        self.last = [0; 4];
        self.ended = 0;
        if input.marker.is_none() {
            self.bits.ran_out = false;
        }
    }

    /// Gets ready for a unit of so many blocks, in a scan without restarts.
    #[inline(always)]
    pub(super) fn look_ahead(&mut self, input: &Input, blocks: usize) {
        let far = input.marker.is_none() && input.left() >= 512 * blocks;
        self.bits.set_far(far && matches!(self.part, Part::All));
    }

    /// Whether the next unit is to be decoded.
    pub(super) fn is_active(&self) -> bool {
        !self.bits.ran_out || matches!(self.part, Part::DcRefined)
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
    ) -> Result<(), PictureError> {
        match self.part {
            Part::All => self.whole_block(input, slot, block),
            Part::DcFirst => self.first_dc(input, slot, block),
            Part::AcFirst => self.first_ac(input, slot, block, found),
            Part::DcRefined => {
                if self.bits.take(input, 1)? != 0 {
                    block[0] |= 1 << self.scan.low;
                }
                Ok(())
            }
            Part::AcRefined => self.refined_ac(input, slot, block, found),
        }
    }

    #[inline(always)]
    fn dc_difference(&mut self, input: &mut Input, slot: usize) -> Result<i32, PictureError> {
        let Some(table) = &self.dc[slot] else {
            return Ok(0); // never: the part has such tables
        };
        let mut bits = self.bits;
        let whole: Option<&[Whole; 1 << WHOLE]> = table.whole.first_chunk();
        let found = whole.map_or(Whole::default(), |whole| whole[bits.peek(WHOLE) as usize]);
        let difference = if found.length > 0 && bits.has(u32::from(found.length)) {
            bits.skip(u32::from(found.length));
            i32::from(found.value)
        } else {
            match u32::from(table.symbol(&mut bits, input)?) {
                0 => 0,
                size => extend(bits.take(input, size)?, size),
            }
        };
        self.bits = bits;
        Ok(difference)
    }

    #[inline(always)]
    fn whole_block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
    ) -> Result<(), PictureError> {
        let difference = self.dc_difference(input, slot)?;
        self.last[slot] = self.last[slot].wrapping_add(difference);
        block[0] = self.last[slot] as i16;
        let Some(table) = &self.ac[slot] else {
            return Ok(());
        };
        let whole: Option<&[_; 1 << WHOLE]> = table.whole.first_chunk();
        let Some(whole) = whole else {
            return Ok(());
        };
        let mut bits = self.bits;
        let mut k = 1;
        while k < 64 {
            let found = whole[bits.peek(WHOLE) as usize];
            if found.length > 0 && bits.has(u32::from(found.length)) {
                bits.skip(u32::from(found.length));
                if found.run == END {
                    break;
                }
                k += usize::from(found.run);
                block[usize::from(ZIGZAG[k & 127]) & 63] = found.value;
                k += 1;
                continue;
            }
            let symbol = table.symbol(&mut bits, input)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run;
                let value = extend(bits.take(input, size)?, size);
                block[usize::from(ZIGZAG[k & 127]) & 63] = value as i16;
            } else if run == 15 {
                k += 15;
            } else {
                break;
            }
            k += 1;
        }
        self.bits = bits;
        Ok(())
    }

    fn first_dc(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
    ) -> Result<(), PictureError> {
        let difference = self.dc_difference(input, slot)?;
        let sum = self.last[slot].checked_add(difference);
        self.last[slot] = sum.ok_or_else(|| corrupt("a coefficient is beyond all bounds"))?;
        block[0] = (self.last[slot] << self.scan.low) as i16;
        Ok(())
    }

    fn first_ac(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        if self.ended > 0 {
            self.ended -= 1;
            return Ok(());
        }
        let Some(table) = &self.ac[slot] else {
            return Ok(());
        };
        let whole: Option<&[_; 1 << WHOLE]> = table.whole.first_chunk();
        let Some(whole) = whole else {
            return Ok(());
        };
        let bits = &mut self.bits;
        let mut put = |k: usize, value: i32| {
            let value = (value << self.scan.low) as i16;
            block[usize::from(ZIGZAG[k & 127]) & 63] = value;
            let bit = 1 << k.min(63);
            *found = if value == 0 {
                *found & !bit
            } else {
                *found | bit
            };
        };
        let mut k = self.scan.first;
        while k <= self.scan.last {
            let found = whole[bits.peek(WHOLE) as usize];
            if found.run != END && found.length > 0 && bits.has(u32::from(found.length)) {
                bits.skip(u32::from(found.length));
                k += usize::from(found.run);
                put(k, i32::from(found.value));
                k += 1;
                continue;
            }
            let symbol = table.symbol(bits, input)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run as usize;
                put(k, extend(bits.take(input, size)?, size));
            } else if run == 15 {
                k += 15;
            } else {
                self.ended = (1 << run) - 1;
                if run > 0 {
                    self.ended += bits.take(input, run)?;
                }
                break;
            }
            k += 1;
        }
        Ok(())
    }

    fn refined_ac(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        let Some(table) = &self.ac[slot] else {
            return Ok(());
        };
        let (bits, last) = (&mut self.bits, self.scan.last);
        let one = 1i16 << self.scan.low;
        let mut k = self.scan.first;
        // Without those behind the band.
        let known = *found & (u64::MAX >> (63 - last));
        if self.ended == 0 {
            while k <= last {
                let symbol = table.symbol(bits, input)?;
                let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
                let mut new = 0;
                if size > 0 {
                    new = if bits.take(input, 1)? != 0 { one } else { -one };
                } else if run != 15 {
                    self.ended = 1 << run;
                    if run > 0 {
                        self.ended += bits.take(input, run)?;
                    }
                    break;
                }
                // Past `run` zeros, and a bit for each coefficient that is none.
                loop {
                    let zeros = (known >> k).trailing_zeros();
                    if zeros > run {
                        k += run as usize;
                        break;
                    }
                    k += zeros as usize;
                    run -= zeros;
                    refine(&mut block[usize::from(ZIGZAG[k])], one, bits, input)?;
                    k += 1;
                    if k > last {
                        break;
                    }
                }
                if new != 0 {
                    // Behind the band, when there were no zeros enough.
                    let k = k.min(last + 1);
                    block[usize::from(ZIGZAG[k]) & 63] = new;
                    *found |= 1 << k.min(63);
                }
                k += 1;
            }
        }
        if self.ended > 0 {
            let mut rest = if k > last { 0 } else { known & (u64::MAX << k) };
            while rest != 0 {
                let k = rest.trailing_zeros() as usize;
                refine(&mut block[usize::from(ZIGZAG[k]) & 63], one, bits, input)?;
                rest &= rest - 1;
            }
            self.ended -= 1;
        }
        Ok(())
    }
}

/// Adds a bit to a coefficient that is not zero.
#[inline(always)]
fn refine(
    coefficient: &mut i16,
    one: i16,
    bits: &mut Bits,
    input: &mut Input,
) -> Result<(), PictureError> {
    // Without a branch: the bits are as good as random.
    let add = bits.take(input, 1)? as i16 & i16::from(*coefficient & one == 0);
    let sign = *coefficient >> 15 | 1;
    *coefficient = coefficient.wrapping_add(one * sign * add);
    Ok(())
}

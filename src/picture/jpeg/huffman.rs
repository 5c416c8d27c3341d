//! Huffman decoding of blocks, of sequential and of progressive scans.
//!
//! As forgiving as libjpeg: a code that does not exist is a zero, and so is all that is missing
//! before a marker.

use super::bits::{Bits, Source};
use super::codes::{END, LONG, Pairs, Table, extend};
use super::frame::{Frame, Scan};
use super::input::Input;
use super::segment::{Reader, Segment};
use super::tables::Tables;
use super::{Block, ZIGZAG, corrupt};
use crate::picture::PictureError;

/// What a scan codes of each block.
#[derive(Debug, Clone, Copy)]
enum Part {
    All,
    DcFirst,
    AcFirst,
    DcRefined,
    AcRefined,
}

/// Components of a scan, at most.
const SLOTS: usize = 4;

/// The decoder of one scan.
#[derive(Debug)]
pub(super) struct Huffman<'a> {
    /// Coded data up to the next marker.
    segment: &'a mut Segment,
    /// Whether there is such a marker.
    bounded: bool,
    /// What is read of coded data without one.
    bits: Bits,
    blocks: Blocks,
}

impl<'a> Huffman<'a> {
    pub(super) fn new(
        frame: &Frame,
        scan: &Scan,
        tables: &Tables,
        input: &mut Input,
        segment: &'a mut Segment,
    ) -> Result<Self, PictureError> {
        Ok(Self {
            blocks: Blocks::new(frame, scan, tables)?,
            bounded: segment.begin(input),
            segment,
            bits: Bits::default(),
        })
    }

    /// Whether data ran out before a marker, so that the rest of the interval is left as it is.
    pub(super) fn ran_out(&self) -> bool {
        self.bits.ran_out || self.bounded && self.segment.is_overrun()
    }

    /// Begins anew behind a restart marker, which has been read.
    pub(super) fn restart(&mut self, input: &mut Input) {
        self.bits.ran_out = self.ran_out() && input.marker.is_some();
        self.bits.clear();
        self.bounded = self.segment.begin(input);
        self.blocks.last = [0; SLOTS];
        self.blocks.ended = 0;
    }

    /// Gets ready for a unit of so many blocks, in a scan without restarts.
    #[inline(always)]
    pub(super) fn look_ahead(&mut self, input: &Input, blocks: usize) {
        if self.bounded {
            return;
        }
        let far = input.marker.is_none() && input.left() >= 512 * blocks;
        self.bits
            .set_far(far && matches!(self.blocks.part, Part::All));
    }

    /// Whether the next unit is to be decoded.
    #[inline(always)]
    pub(super) fn is_active(&self) -> bool {
        !self.ran_out() || matches!(self.blocks.part, Part::DcRefined)
    }

    /// Decodes a block of the scan's component `slot`, and says whether it may have more than a first
    /// coefficient. `found` has a bit for each coefficient that is not zero, in the order of coding;
    /// sequential scans do without.
    #[inline(always)]
    pub(super) fn block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<bool, PictureError> {
        if !self.bounded {
            self.careful_block(input, slot, block, found)
        } else if matches!(self.blocks.part, Part::All) {
            Ok(self.sequential_block(slot, block))
        } else {
            self.progressive_block(slot, block, found).map(|()| true)
        }
    }

    #[inline(never)]
    fn sequential_block(&mut self, slot: usize, block: &mut Block) -> bool {
        let mut reader = self.segment.reader();
        let more = self.blocks.fast_block(&mut reader, slot, block);
        let place = reader.place();
        self.segment.go_on_at(place);
        more
    }

    #[inline(never)]
    fn progressive_block(
        &mut self,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        let mut reader = self.segment.reader();
        let result = self.blocks.progressive(&mut reader, slot, block, found);
        let place = reader.place();
        self.segment.go_on_at(place);
        result
    }

    #[cold]
    #[inline(never)]
    fn careful_block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<bool, PictureError> {
        let mut reader = self.bits.reader(input);
        let more = if matches!(self.blocks.part, Part::All) {
            self.blocks.careful_block(&mut reader, slot, block)
        } else {
            let result = self.blocks.progressive(&mut reader, slot, block, found);
            result.map(|()| true)
        };
        self.bits = reader.bits();
        more
    }
}

/// What makes blocks of bits.
#[derive(Debug)]
struct Blocks {
    part: Part,
    /// Tables by component of the scan.
    dc: [Option<Box<Table>>; SLOTS],
    ac: [Option<Box<Pairs>>; SLOTS],
    /// The last first coefficient of each component.
    last: [i32; SLOTS],
    /// Blocks that have nothing more in this band.
    ended: u32,
    scan: Scan,
}

impl Blocks {
    fn new(frame: &Frame, scan: &Scan, tables: &Tables) -> Result<Self, PictureError> {
        let part = match (frame.coding.progressive, scan.first, scan.high) {
            (false, ..) => Part::All,
            (true, 0, 0) => Part::DcFirst,
            (true, 0, _) => Part::DcRefined,
            (true, _, 0) => Part::AcFirst,
            (true, ..) => Part::AcRefined,
        };
        let dc = matches!(part, Part::All | Part::DcFirst);
        let ac = matches!(part, Part::All | Part::AcFirst | Part::AcRefined);
        let mut blocks = Self {
            part,
            dc: Default::default(),
            ac: Default::default(),
            last: [0; SLOTS],
            ended: 0,
            scan: scan.clone(),
        };
        let components = || scan.components.iter().map(|at| &frame.components[*at]);
        if dc {
            for (place, component) in blocks.dc.iter_mut().zip(components()) {
                let codes = tables.dc.get(component.dc).and_then(Option::as_ref);
                *place = Some(Table::new(codes, true)?.into());
            }
        }
        if ac {
            for (place, component) in blocks.ac.iter_mut().zip(components()) {
                let codes = tables.ac.get(component.ac).and_then(Option::as_ref);
                *place = Some(Pairs::new(codes)?.into());
            }
        }
        Ok(blocks)
    }

    /// Decodes what a progressive scan has of a block.
    #[inline(always)]
    fn progressive(
        &mut self,
        source: &mut impl Source,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        match self.part {
            Part::All => Ok(()), // never: that is sequential
            Part::DcFirst => self.first_dc(source, slot, block),
            Part::AcFirst => self.first_ac(source, slot, block, found),
            Part::DcRefined => {
                if source.take(1)? != 0 {
                    block[0] |= 1 << self.scan.low;
                }
                Ok(())
            }
            Part::AcRefined => self.refined_ac(source, slot, block, found),
        }
    }

    #[inline(always)]
    fn dc_difference(
        &mut self,
        source: &mut impl Source,
        slot: usize,
    ) -> Result<i32, PictureError> {
        let Some(table) = &self.dc[slot % SLOTS] else {
            return Ok(0); // never: the part has such tables
        };
        match u32::from(table.symbol(source)?) {
            0 => Ok(0),
            size => Ok(extend(source.take(size)?, size)),
        }
    }

    /// Decodes a block of a sequential scan.
    fn careful_block(
        &mut self,
        source: &mut impl Source,
        slot: usize,
        block: &mut Block,
    ) -> Result<bool, PictureError> {
        let difference = self.dc_difference(source, slot)?;
        block[0] = add(&mut self.last[slot % SLOTS], difference);
        let Some(table) = &self.ac[slot % SLOTS] else {
            return Ok(true);
        };
        let mut k = 1;
        while k < 64 {
            let symbol = table.codes.symbol(source)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                let value = extend(source.take(size)?, size);
                block[place(k + run)] = value as i16;
            } else if run != 15 {
                break;
            }
            k += run + 1;
        }
        Ok(k > 1)
    }

    /// The same where it does not matter how many bits are at hand: two coefficients at a time.
    #[inline(always)]
    fn fast_block(&mut self, reader: &mut Reader, slot: usize, block: &mut Block) -> bool {
        let (Some(dc), Some(ac)) = (&self.dc[slot % SLOTS], &self.ac[slot % SLOTS]) else {
            return true; // never: the part has such tables
        };
        reader.fetch();
        let difference = reader.difference(dc);
        block[0] = add(&mut self.last[slot % SLOTS], difference);
        let mut k = 1;
        while k < 64 {
            let pair = reader.pair(ac);
            let before = reader.place();
            reader.skip(u32::from(pair.length));
            let first = k + usize::from(pair.runs[0]);
            if first >= usize::from(END) {
                break;
            }
            if first >= usize::from(LONG) {
                let symbol = ac.codes.symbol(reader).unwrap_or(0);
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                if size > 0 {
                    let value = extend(reader.take(size).unwrap_or(0), size);
                    block[place(k + run)] = value as i16;
                } else if run != 15 {
                    break;
                }
                k += run + 1;
                continue;
            }
            block[place(first)] = pair.values[0];
            let second = first + 1 + usize::from(pair.runs[1]);
            if first >= 63 {
                // No end is coded behind the last one, and what follows belongs to the next block.
                reader.go_back_to(before);
                reader.skip(u32::from(pair.first_length));
                return true;
            }
            if second >= usize::from(END) {
                return true;
            }
            // A zero when there is no second.
            block[place(second)] = pair.values[1];
            k = second + usize::from(pair.length != pair.first_length);
        }
        k > 1
    }

    #[inline(always)]
    fn first_dc(
        &mut self,
        source: &mut impl Source,
        slot: usize,
        block: &mut Block,
    ) -> Result<(), PictureError> {
        let difference = self.dc_difference(source, slot)?;
        let last = &mut self.last[slot % SLOTS];
        let sum = last.checked_add(difference);
        *last = sum.ok_or_else(|| corrupt("a coefficient is beyond all bounds"))?;
        block[0] = (*last << self.scan.low) as i16;
        Ok(())
    }

    #[inline(always)]
    fn first_ac(
        &mut self,
        source: &mut impl Source,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        if self.ended > 0 {
            self.ended -= 1;
            return Ok(());
        }
        let Some(table) = &self.ac[slot % SLOTS] else {
            return Ok(());
        };
        let mut put = |k: usize, value: i32| {
            let value = (value << self.scan.low) as i16;
            block[place(k)] = value;
            let bit = 1 << k.min(63);
            *found = if value == 0 {
                *found & !bit
            } else {
                *found | bit
            };
        };
        let mut k = self.scan.first;
        while k <= self.scan.last {
            if let Some(pair) = source.look_up(table)
                && pair.runs[0] < LONG
            {
                source.skip(u32::from(pair.first_length));
                k += usize::from(pair.runs[0]);
                if pair.values[0] != 0 {
                    put(k, i32::from(pair.values[0]));
                }
                k += 1;
                continue;
            }
            let symbol = table.codes.symbol(source)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run as usize;
                put(k, extend(source.take(size)?, size));
            } else if run == 15 {
                k += 15;
            } else {
                self.ended = (1 << run) - 1;
                if run > 0 {
                    self.ended += source.take(run)?;
                }
                break;
            }
            k += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn refined_ac(
        &mut self,
        source: &mut impl Source,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<(), PictureError> {
        let Some(table) = &self.ac[slot % SLOTS] else {
            return Ok(());
        };
        let last = self.scan.last;
        let one = 1i16 << self.scan.low;
        let mut k = self.scan.first;
        // Without those behind the band.
        let known = *found & (u64::MAX >> (63 - last));
        if self.ended == 0 {
            while k <= last {
                let symbol = table.codes.symbol(source)?;
                let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
                let mut new = 0;
                if size > 0 {
                    new = if source.take(1)? != 0 { one } else { -one };
                } else if run != 15 {
                    self.ended = 1 << run;
                    if run > 0 {
                        self.ended += source.take(run)?;
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
                    refine(&mut block[place(k)], one, source)?;
                    k += 1;
                    if k > last {
                        break;
                    }
                }
                if new != 0 {
                    // Behind the band, when there were no zeros enough.
                    let k = k.min(last + 1);
                    block[place(k)] = new;
                    *found |= 1 << k.min(63);
                }
                k += 1;
            }
        }
        if self.ended > 0 {
            let mut rest = if k > last { 0 } else { known & (u64::MAX << k) };
            while rest != 0 {
                let k = rest.trailing_zeros() as usize;
                refine(&mut block[place(k)], one, source)?;
                rest &= rest - 1;
            }
            self.ended -= 1;
        }
        Ok(())
    }
}

/// Adds a difference to the last first coefficient, and says what it is now.
#[inline(always)]
fn add(last: &mut i32, difference: i32) -> i16 {
    *last = last.wrapping_add(difference);
    *last as i16
}

/// The place of a coefficient in a block.
#[inline(always)]
fn place(k: usize) -> usize {
    usize::from(ZIGZAG[k % ZIGZAG.len()] % 64)
}

/// Adds a bit to a coefficient that is not zero.
#[inline(always)]
fn refine(coefficient: &mut i16, one: i16, source: &mut impl Source) -> Result<(), PictureError> {
    // Without a branch: the bits are as good as random.
    let add = source.take(1)? as i16 & i16::from(*coefficient & one == 0);
    let sign = *coefficient >> 15 | 1;
    *coefficient = coefficient.wrapping_add(one * sign * add);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tables::Codes;
    use super::*;

    /// Codes of 1 to 3 bits, and of 12 bits: runs that end at and behind the last place.
    fn long_runs() -> Codes {
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[2], counts[11]) = (1, 1, 1, 4);
        let mut symbols = [0; 256];
        symbols[..7].copy_from_slice(&[0xe1, 0x02, 0xf0, 0x00, 0x0a, 0x30, 0xf7]);
        Codes { counts, symbols }
    }

    #[test]
    fn blocks_read_fast_are_those_that_libjpeg_reads() {
        let mut tables = Tables::default();
        tables.add_standard_codes();
        let [Some(dc), ..] = &tables.dc else {
            panic!("there is a standard table");
        };
        let [Some(luminance), Some(chrominance), ..] = &tables.ac else {
            panic!("there are standard tables");
        };
        let scan = Scan {
            components: vec![0],
            first: 0,
            last: 63,
            high: 0,
            low: 0,
            number: 1,
        };
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let (mut segment, mut full, long) = (Segment::default(), 0, long_runs());
        for round in 0..600 {
            let ac = [luminance, chrominance, &long][round % 3];
            let mut file: Vec<u8> = (0..200).map(|_| random()).filter(|b| *b != 0xff).collect();
            file.extend([0xff, 0xd9]);
            let (mut fast, mut slow) = (Input::new(&file), Input::new(&file));
            let [mut a, mut b] = [(); 2].map(|()| Blocks {
                part: Part::All,
                dc: [(); SLOTS].map(|()| Some(Table::new(Some(dc), true).unwrap().into())),
                ac: [(); SLOTS].map(|()| Some(Pairs::new(Some(ac)).unwrap().into())),
                last: [0; SLOTS],
                ended: 0,
                scan: scan.clone(),
            });
            assert!(segment.begin(&mut fast));
            let mut bits = Bits::default();
            while !bits.ran_out {
                let (mut block, mut expected) = ([0; 64], [0; 64]);
                let mut reader = segment.reader();
                let more = a.fast_block(&mut reader, 0, &mut block);
                segment.go_on_at(reader.place());
                let mut reader = bits.reader(&mut slow);
                assert_eq!(b.careful_block(&mut reader, 0, &mut expected), Ok(more));
                bits = reader.bits();
                assert_eq!(block, expected, "round {round}");
                assert_eq!(segment.is_overrun(), bits.ran_out, "round {round}");
                full += usize::from(block[63] != 0);
            }
        }
        assert!(full > 500, "only {full} blocks reach the last place");
    }
}

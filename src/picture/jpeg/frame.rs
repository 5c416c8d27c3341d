//! A frame and its scans: the components, how they are sampled, and which of them a scan has.

use super::corrupt;
use super::input::Input;
use super::tables::Quantisation;
use crate::picture::PictureError;

/// How a frame's coefficients are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) progressive: bool,
    pub(super) arithmetic: bool,
}

/// A colour component.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Number of its quantisation table.
    table: usize,
    /// That table as it was when the component's first scan began.
    pub(super) quantisation: Option<Quantisation>,
    /// Numbers of its entropy coding tables in the current scan.
    pub(super) dc: usize,
    pub(super) ac: usize,
    /// Blocks that hold samples.
    pub(super) blocks_wide: usize,
    pub(super) blocks_high: usize,
    /// Samples.
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The picture that a file declares.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) coding: Coding,
    pub(super) precision: u8,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    /// The largest sampling factors.
    pub(super) max_h: usize,
    pub(super) max_v: usize,
}

/// Longest side that libjpeg takes.
const LONGEST: usize = 65_500;

/// Most blocks of an interleaved scan's unit.
const MOST_BLOCKS: usize = 10;

impl Frame {
    pub(super) fn read(input: &mut Input, coding: Coding) -> Result<Self, PictureError> {
        let length = input.short()?;
        let precision = input.byte()?;
        let (height, width) = (input.short()?, input.short()?);
        let count = usize::from(input.byte()?);
        if width == 0 || height == 0 || count == 0 {
            return Err(corrupt("it declares no pixels"));
        }
        if length != 8 + 3 * count {
            return Err(corrupt("its frame has another length than it says"));
        }
        let mut components = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, sampling, table) = (input.byte()?, input.byte()?, input.byte()?);
            components.push(Component {
                id,
                h: usize::from(sampling >> 4),
                v: usize::from(sampling & 15),
                table: usize::from(table),
                quantisation: None,
                dc: 0,
                ac: 0,
                blocks_wide: 0,
                blocks_high: 0,
                width: 0,
                height: 0,
            });
        }
        Ok(Self {
            coding,
            precision,
            width,
            height,
            components,
            max_h: 1,
            max_v: 1,
        })
    }

    /// Checks what was declared and works out the sizes, at the first scan.
    pub(super) fn set_up(&mut self) -> Result<(), PictureError> {
        if self.width > LONGEST || self.height > LONGEST {
            return Err(corrupt("a side is longer than a JPEG's may be"));
        }
        if self.precision != 8 {
            return Err(PictureError::Unsupported {
                what: format!("a JPEG of {} bits a sample", self.precision),
            });
        }
        for component in &self.components {
            if !(1..=4).contains(&component.h) || !(1..=4).contains(&component.v) {
                return Err(corrupt("its sampling factors are wrong"));
            }
            self.max_h = self.max_h.max(component.h);
            self.max_v = self.max_v.max(component.v);
        }
        let (max_h, max_v) = (self.max_h, self.max_v);
        for component in &mut self.components {
            let (h, v) = (component.h, component.v);
            component.blocks_wide = (self.width * h).div_ceil(max_h * 8);
            component.blocks_high = (self.height * v).div_ceil(max_v * 8);
            component.width = (self.width * h).div_ceil(max_h);
            component.height = (self.height * v).div_ceil(max_v);
            if !max_h.is_multiple_of(h) || !max_v.is_multiple_of(v) {
                return Err(corrupt("its sampling factors do not divide each other"));
            }
        }
        Ok(())
    }

    /// Rows of fully interleaved units.
    pub(super) fn unit_rows(&self) -> usize {
        self.height.div_ceil(self.max_v * 8)
    }

    /// Whether the first scan is all there is.
    pub(super) fn is_one_scan(&self, scan: &Scan) -> bool {
        !self.coding.progressive && scan.components.len() == self.components.len()
    }

    /// Keeps the quantisation tables of the components that a scan has for the first time.
    pub(super) fn keep_tables(
        &mut self,
        scan: &Scan,
        tables: &[Option<Quantisation>; 4],
    ) -> Result<(), PictureError> {
        for index in &scan.components {
            let component = &mut self.components[*index];
            if component.quantisation.is_none() {
                let table = tables.get(component.table).copied().flatten();
                let table = table.ok_or_else(|| corrupt("a quantisation table is missing"))?;
                component.quantisation = Some(table);
            }
        }
        Ok(())
    }
}

/// One pass over some components.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// Places of its components in the frame.
    pub(super) components: Vec<usize>,
    /// First and last coefficient, in zigzag order.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Bits that earlier scans left out, and that this one leaves out.
    pub(super) high: u32,
    pub(super) low: u32,
    /// Which scan of the file it is, from 1.
    pub(super) number: usize,
}

impl Scan {
    pub(super) fn read(
        input: &mut Input,
        frame: &mut Frame,
        number: usize,
    ) -> Result<Self, PictureError> {
        let length = input.short()?;
        let count = usize::from(input.byte()?);
        if length != 2 * count + 6 || !(1..=4).contains(&count) {
            return Err(corrupt("a scan has another length than it says"));
        }
        let mut components: Vec<usize> = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, tables) = (input.byte()?, input.byte()?);
            // Of components with one id, libjpeg takes the first whose number no place has yet.
            let wanted = |(index, component): &(usize, &Component)| {
                component.id == id && *index >= components.len()
            };
            let found = frame.components.iter().enumerate().take(4).find(wanted);
            let found = found.map(|(index, _)| index);
            let index = found
                .filter(|index| !components.contains(index))
                .ok_or_else(|| corrupt("a scan has a component that the frame has not"))?;
            frame.components[index].dc = usize::from(tables >> 4);
            frame.components[index].ac = usize::from(tables & 15);
            components.push(index);
        }
        let (first, last, bits) = (input.byte()?, input.byte()?, input.byte()?);
        Ok(Self {
            components,
            first: usize::from(first),
            last: usize::from(last),
            high: u32::from(bits >> 4),
            low: u32::from(bits & 15),
            number,
        })
    }

    /// The blocks of a unit, in the order of the coded data.
    pub(super) fn unit(&self, frame: &Frame) -> Vec<UnitBlock> {
        let mut blocks = Vec::new();
        for (slot, index) in self.components.iter().enumerate() {
            let component = &frame.components[*index];
            let (h, v) = if frame.components.len() == 1 {
                (1, 1)
            } else {
                (component.h, component.v)
            };
            for row in 0..v {
                blocks.extend((0..h).map(|column| UnitBlock {
                    slot,
                    index: *index,
                    column,
                    row,
                    h,
                    v,
                }));
            }
        }
        blocks
    }

    /// Blocks of a unit.
    pub(super) fn blocks(&self, frame: &Frame) -> usize {
        if self.components.len() == 1 {
            return 1;
        }
        let components = self
            .components
            .iter()
            .map(|index| &frame.components[*index]);
        components.map(|component| component.h * component.v).sum()
    }

    /// Checks the size of an interleaved unit.
    pub(super) fn check_unit(&self, frame: &Frame) -> Result<(), PictureError> {
        if self.blocks(frame) > MOST_BLOCKS {
            return Err(corrupt("its sampling factors are too large together"));
        }
        Ok(())
    }

    /// Checks a scan of a progressive frame.
    pub(super) fn check_progression(&self) -> Result<(), PictureError> {
        let band = if self.first == 0 {
            self.last == 0
        } else {
            self.first <= self.last && self.last < 64 && self.components.len() == 1
        };
        let bits = self.high == 0 || self.low + 1 == self.high;
        if band && bits && self.low <= 13 {
            Ok(())
        } else {
            Err(corrupt("a scan has no place in a progressive picture"))
        }
    }
}

/// A block of a unit.
#[derive(Debug)]
pub(super) struct UnitBlock {
    /// Its component's place in the scan, and in the frame.
    pub(super) slot: usize,
    pub(super) index: usize,
    /// Its place in the unit, which has so many of its component across and down.
    column: usize,
    row: usize,
    h: usize,
    v: usize,
}

impl UnitBlock {
    /// Its column among those of its component.
    #[inline(always)]
    pub(super) fn x(&self, unit: usize) -> usize {
        unit * self.h + self.column
    }

    /// Its row among those of its component.
    pub(super) fn y(&self, unit_row: usize) -> usize {
        unit_row * self.v + self.row
    }
}

//! The decoder: scans to coefficients, and coefficients to the pixels of a window.

use super::arithmetic::Arithmetic;
use super::coefficients::Plane;
use super::frame::{Frame, Scan};
use super::huffman::Huffman;
use super::input::Input;
use super::smoothing::Progress;
use super::stream::Stream;
use super::strips::{Memory as StripMemory, Strips, emit_slowly};
use super::{Block, Output, Space, corrupt};
use crate::picture::PictureError;
use crate::picture::strip::{Rows, Window};

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub(in crate::picture) struct Memory {
    planes: Vec<Plane>,
    strips: StripMemory,
}

impl Memory {
    /// Bytes of the coefficients that it keeps.
    pub(in crate::picture) fn bytes(&self) -> usize {
        self.planes.iter().map(Plane::bytes).sum()
    }
}

/// A JPEG whose header has been read.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    stream: Stream<'a>,
    frame: Frame,
    scan: Scan,
    pub(super) space: Space,
}

impl<'a> Decoder<'a> {
    /// Reads the header, up to the first scan's coded data.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, PictureError> {
        let mut stream = Stream::new(bytes);
        let scan = stream.read_header()?;
        let frame = stream.frame.take();
        let mut frame = frame.ok_or_else(|| corrupt("it has no frame"))?;
        frame.set_up()?;
        let space = Space::of(&frame, stream.jfif, stream.adobe)?;
        if !frame.coding.progressive && !frame.coding.arithmetic {
            stream.tables.add_standard_codes();
        }
        Ok(Self {
            stream,
            frame,
            scan,
            space,
        })
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.frame.width, self.frame.height)
    }

    /// Decodes all there is, and hands on the pixels of a window, when there is one.
    pub(super) fn decode(
        mut self,
        output: Output,
        wanted: Option<(Window, &mut dyn Rows)>,
        memory: &mut Memory,
    ) -> Result<(), PictureError> {
        if self.frame.is_one_scan(&self.scan) && Strips::fit(&self.frame) {
            return self.decode_at_once(output, wanted, memory);
        }
        let one_scan = self.frame.is_one_scan(&self.scan);
        memory
            .planes
            .resize_with(self.frame.components.len(), Plane::default);
        for (plane, component) in memory.planes.iter_mut().zip(&self.frame.components) {
            plane.reset(component);
        }
        let mut progress = Progress::new(&self.frame);
        self.read_scan(&mut memory.planes, &mut progress)?;
        if one_scan {
            self.finish()?;
        } else {
            while let Some(scan) = self.next_scan()? {
                self.scan = scan;
                self.read_scan(&mut memory.planes, &mut progress)?;
            }
        }
        let Some((window, sink)) = wanted else {
            return Ok(());
        };
        let incomplete = self.frame.coding.progressive && progress.is_incomplete(&self.frame);
        let smoothed: Vec<Plane>;
        let planes = if incomplete {
            smoothed = progress.smoothed_planes(&self.frame, &memory.planes);
            &smoothed
        } else {
            &memory.planes
        };
        let colours = (self.space, output);
        if !Strips::fit(&self.frame) {
            emit_slowly(&self.frame, planes, colours, &window, sink);
            return Ok(());
        }
        let mut strips = Strips::new(&self.frame, colours, window, &mut memory.strips, sink);
        let one = self.frame.components.len() == 1;
        let rows = if one {
            self.frame.components[0].blocks_high
        } else {
            self.frame.unit_rows()
        };
        for (index, component) in self.frame.components.iter().enumerate() {
            strips.set_table(index, component.quantisation.as_ref());
        }
        for unit_row in 0..rows {
            if strips.wants_row(unit_row) {
                for (index, component) in self.frame.components.iter().enumerate() {
                    let v = if one { 1 } else { component.v };
                    for row in 0..v {
                        let y = unit_row * v + row;
                        for x in strips.columns(index) {
                            if y < component.blocks_high {
                                strips.put(index, x, unit_row, row, planes[index].block(x, y));
                            }
                        }
                    }
                }
            }
            strips.end_row(unit_row);
        }
        Ok(())
    }

    /// Decodes the one scan of a sequential picture without keeping its coefficients.
    fn decode_at_once(
        mut self,
        output: Output,
        wanted: Option<(Window, &mut dyn Rows)>,
        memory: &mut Memory,
    ) -> Result<(), PictureError> {
        let mut coder = self.start_scan()?;
        let (frame, input) = (&self.frame, &mut self.stream.input);
        let mut strips = wanted.map(|(window, sink)| {
            Strips::new(
                frame,
                (self.space, output),
                window,
                &mut memory.strips,
                sink,
            )
        });
        if let Some(strips) = &mut strips {
            for (index, component) in frame.components.iter().enumerate() {
                strips.set_table(index, component.quantisation.as_ref());
            }
        }
        let one = frame.components.len() == 1;
        let (across, down) = if one {
            let component = &frame.components[0];
            (component.blocks_wide, component.blocks_high)
        } else {
            (frame.width.div_ceil(8 * frame.max_h), frame.unit_rows())
        };
        let blocks = self.scan.blocks(frame);
        for unit_row in 0..down {
            let wants_row = strips.as_ref().is_some_and(|s| s.wants_row(unit_row));
            for unit in 0..across {
                coder.start_unit(input, blocks)?;
                let mut active = coder.is_active();
                // Of components in another order, the scan's is that of the coded data.
                for (slot, index) in self.scan.components.iter().enumerate() {
                    let component = &frame.components[*index];
                    let (h, v) = if one {
                        (1, 1)
                    } else {
                        (component.h, component.v)
                    };
                    for row in 0..v {
                        for column in 0..h {
                            let mut block = [0; 64];
                            if active {
                                active = coder.block(input, slot, &mut block, &mut 0)?;
                            }
                            let x = unit * h + column;
                            if wants_row
                                && let Some(strips) = &mut strips
                                && strips.wants_column(*index, x)
                                && unit_row * v + row < component.blocks_high
                            {
                                strips.put(*index, x, unit_row, row, &block);
                            }
                        }
                    }
                }
            }
            if let Some(strips) = &mut strips {
                strips.end_row(unit_row);
            }
        }
        self.finish()
    }

    /// What follows the last row must be sound, too, unless it is missing.
    fn finish(&mut self) -> Result<(), PictureError> {
        match self.next_scan() {
            Ok(None) | Err(PictureError::Truncated) => Ok(()),
            Ok(Some(_)) => Err(corrupt("a scan follows the last one")),
            Err(error) => Err(error),
        }
    }

    fn next_scan(&mut self) -> Result<Option<Scan>, PictureError> {
        // Markers speak of the frame; it is not to come twice.
        self.stream.frame = Some(self.frame.clone());
        let scan = self.stream.next_scan();
        if let Some(frame) = self.stream.frame.take() {
            self.frame = frame;
        }
        scan
    }

    /// Gets ready for the coded data of a scan.
    fn start_scan(&mut self) -> Result<Coder, PictureError> {
        self.scan.check_unit(&self.frame)?;
        self.frame
            .keep_tables(&self.scan, &self.stream.tables.quantisation)?;
        if self.frame.coding.progressive {
            self.scan.check_progression()?;
        }
        let tables = &self.stream.tables;
        Ok(Coder {
            kind: if self.frame.coding.arithmetic {
                let conditioning = tables.conditioning;
                Kind::Arithmetic(Arithmetic::new(&self.frame, &self.scan, conditioning).into())
            } else {
                Kind::Huffman(Huffman::new(&self.frame, &self.scan, tables)?.into())
            },
            interval: self.stream.restart_interval,
            left: self.stream.restart_interval,
            next: 0,
        })
    }

    fn read_scan(
        &mut self,
        planes: &mut [Plane],
        progress: &mut Progress,
    ) -> Result<(), PictureError> {
        let mut coder = self.start_scan()?;
        if self.frame.coding.progressive {
            progress.note(&self.scan);
        }
        let (frame, input) = (&self.frame, &mut self.stream.input);
        if let [index] = self.scan.components[..] {
            let component = &frame.components[index];
            for y in 0..component.blocks_high {
                for x in 0..component.blocks_wide {
                    if !coder.ran_out() {
                        progress.last_good_row = y / component.v;
                    }
                    coder.start_unit(input, 1)?;
                    if coder.is_active() {
                        let (block, found) = planes[index].block_and_found(x, y);
                        coder.block(input, 0, block, found)?;
                    }
                }
            }
            return Ok(());
        }
        for unit_row in 0..frame.unit_rows() {
            for unit in 0..frame.width.div_ceil(8 * frame.max_h) {
                if !coder.ran_out() {
                    progress.last_good_row = unit_row;
                }
                coder.start_unit(input, self.scan.blocks(frame))?;
                let mut active = coder.is_active();
                for (slot, index) in self.scan.components.iter().enumerate() {
                    let component = &frame.components[*index];
                    for row in 0..component.v {
                        for column in 0..component.h {
                            let x = unit * component.h + column;
                            let y = unit_row * component.v + row;
                            if active {
                                let (block, found) = planes[*index].block_and_found(x, y);
                                active = coder.block(input, slot, block, found)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The entropy decoder of a scan, with its restarts.
struct Coder {
    kind: Kind,
    /// Units between restarts, and those to go; 0 without any.
    interval: usize,
    left: usize,
    /// Number of the next restart marker.
    next: u8,
}

enum Kind {
    Huffman(Box<Huffman>),
    Arithmetic(Box<Arithmetic>),
}

impl Coder {
    /// Reads a restart marker where one is due, before a unit of so many blocks.
    #[inline(always)]
    fn start_unit(&mut self, input: &mut Input, blocks: usize) -> Result<(), PictureError> {
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
    fn is_active(&self) -> bool {
        match &self.kind {
            Kind::Huffman(coder) => coder.is_active(),
            Kind::Arithmetic(coder) => coder.is_active(),
        }
    }

    fn ran_out(&self) -> bool {
        match &self.kind {
            Kind::Huffman(coder) => coder.ran_out(),
            Kind::Arithmetic(_) => false,
        }
    }

    /// Decodes a block; false when the rest of its unit is to be left.
    #[inline(always)]
    fn block(
        &mut self,
        input: &mut Input,
        slot: usize,
        block: &mut Block,
        found: &mut u64,
    ) -> Result<bool, PictureError> {
        match &mut self.kind {
            Kind::Huffman(coder) => coder.block(input, slot, block, found).map(|()| true),
            Kind::Arithmetic(coder) => coder.block(input, slot, block),
        }
    }
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

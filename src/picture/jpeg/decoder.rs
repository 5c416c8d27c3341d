//! The decoder: scans to coefficients, and coefficients to the pixels of a window.

use super::arithmetic::Arithmetic;
use super::coder::{Coder, Kind};
use super::coefficients::Plane;
use super::frame::{Frame, Scan, UnitBlock};
use super::huffman::Huffman;
use super::segment::Segment;
use super::slowly::emit_slowly;
use super::smoothing::Progress;
use super::stream::Stream;
use super::strips::{Memory as StripMemory, Strips};
use super::{Block, Output, Space, corrupt};
use crate::picture::PictureError;
use crate::picture::strip::{Rows, Window};

/// Memory that is reused from picture to picture.
#[derive(Debug, Default)]
pub(in crate::picture) struct Memory {
    planes: Vec<Plane>,
    segment: Segment,
    strips: StripMemory,
}

impl Memory {
    /// Bytes of the coefficients and coded data that it keeps.
    pub(in crate::picture) fn bytes(&self) -> usize {
        self.segment.bytes() + self.planes.iter().map(Plane::bytes).sum::<usize>()
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
        self.read_scan(memory, &mut progress)?;
        if one_scan {
            self.finish()?;
        } else {
            while let Some(scan) = self.next_scan()? {
                self.scan = scan;
                self.read_scan(memory, &mut progress)?;
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
        for unit_row in 0..rows {
            for (index, component) in self.frame.components.iter().enumerate() {
                let v = if one { 1 } else { component.v };
                for y in unit_row * v..(unit_row + 1) * v {
                    let Some(wanted) = strips.wanted(index, y) else {
                        continue;
                    };
                    for (x, place) in wanted.places() {
                        let block = planes[index].block(x, y);
                        *strips.block() = *block;
                        strips.put(place, has_more(block));
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
        let mut coder = self.start_scan(&mut memory.segment)?;
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
        let one = frame.components.len() == 1;
        let (across, down) = if one {
            let component = &frame.components[0];
            (component.blocks_wide, component.blocks_high)
        } else {
            (frame.width.div_ceil(8 * frame.max_h), frame.unit_rows())
        };
        let blocks = self.scan.unit(frame);
        let mut unwanted = [0; 64];
        for unit_row in 0..down {
            let wanted = |at: &UnitBlock| strips.as_ref()?.wanted(at.index, at.y(unit_row));
            let wanted: Vec<_> = blocks.iter().map(wanted).collect();
            for unit in 0..across {
                coder.start_unit(input, blocks.len())?;
                let mut active = coder.is_active();
                for (at, wanted) in blocks.iter().zip(&wanted) {
                    let place = wanted.as_ref().and_then(|wanted| wanted.place(at.x(unit)));
                    let (Some(place), Some(strips)) = (place, &mut strips) else {
                        if active {
                            let block = coder.block(input, at.slot, &mut unwanted, &mut 0)?;
                            active = block.active;
                        }
                        continue;
                    };
                    let mut more = false;
                    if active {
                        let block = coder.block(input, at.slot, strips.block(), &mut 0)?;
                        (more, active) = (block.more, block.active);
                    }
                    strips.put(place, more);
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
    fn start_scan<'m>(&mut self, segment: &'m mut Segment) -> Result<Coder<'m>, PictureError> {
        self.scan.check_unit(&self.frame)?;
        self.frame
            .keep_tables(&self.scan, &self.stream.tables.quantisation)?;
        if self.frame.coding.progressive {
            self.scan.check_progression()?;
        }
        let tables = &self.stream.tables;
        let kind = if self.frame.coding.arithmetic {
            let coder = Arithmetic::new(&self.frame, &self.scan, tables.conditioning);
            Kind::Arithmetic(coder.into())
        } else {
            let input = &mut self.stream.input;
            Kind::Huffman(Huffman::new(&self.frame, &self.scan, tables, input, segment)?.into())
        };
        Ok(Coder::new(kind, self.stream.restart_interval))
    }

    fn read_scan(
        &mut self,
        memory: &mut Memory,
        progress: &mut Progress,
    ) -> Result<(), PictureError> {
        let Memory {
            planes, segment, ..
        } = memory;
        let mut coder = self.start_scan(segment)?;
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
        let blocks = self.scan.unit(frame);
        for unit_row in 0..frame.unit_rows() {
            for unit in 0..frame.width.div_ceil(8 * frame.max_h) {
                if !coder.ran_out() {
                    progress.last_good_row = unit_row;
                }
                coder.start_unit(input, blocks.len())?;
                let mut active = coder.is_active();
                for at in &blocks {
                    if active {
                        let plane = &mut planes[at.index];
                        let (block, found) = plane.block_and_found(at.x(unit), at.y(unit_row));
                        active = coder.block(input, at.slot, block, found)?.active;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a block has more than a first coefficient.
fn has_more(block: &Block) -> bool {
    let (rows, _) = block.as_chunks::<8>();
    let mut others = rows[0];
    others[0] = 0;
    for row in &rows[1..] {
        for (others, coefficient) in others.iter_mut().zip(row) {
            *others |= coefficient;
        }
    }
    others != [0; 8]
}

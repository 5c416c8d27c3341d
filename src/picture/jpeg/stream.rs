//! The markers between coded data, as libjpeg takes them: tables, frames and the begin of scans.

use super::corrupt;
use super::frame::{Coding, Frame, Scan};
use super::input::Input;
use super::tables::{Tables, segment};
use crate::picture::PictureError;

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// A file, read marker by marker, and all that its markers have said so far.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) input: Input<'a>,
    pub(super) tables: Tables,
    pub(super) frame: Option<Frame>,
    /// Units between restart markers; 0 without any.
    pub(super) restart_interval: usize,
    pub(super) jfif: bool,
    /// The transform that an Adobe marker names.
    pub(super) adobe: Option<u8>,
    began: bool,
    scans: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            input: Input::new(bytes),
            tables: Tables::default(),
            frame: None,
            restart_interval: 0,
            jfif: false,
            adobe: None,
            began: false,
            scans: 0,
        }
    }

    /// Reads to the first scan. Streams of nothing but tables may stand before it.
    pub(super) fn read_header(&mut self) -> Result<Scan, PictureError> {
        loop {
            if let Some(scan) = self.next_scan()? {
                return Ok(scan);
            }
            if self.frame.is_some() {
                return Err(corrupt("it has no scan"));
            }
            self.began = false;
        }
    }

    /// Reads to the next scan, or to the end of the picture.
    pub(super) fn next_scan(&mut self) -> Result<Option<Scan>, PictureError> {
        loop {
            if self.input.marker.is_none() && self.began {
                self.input.next_marker()?;
            } else if self.input.marker.is_none() {
                if self.input.take(2)? != [0xff, START_OF_IMAGE] {
                    return Err(corrupt("it does not start as a JPEG does"));
                }
                self.input.marker = Some(START_OF_IMAGE);
            }
            let Some(marker) = self.input.marker.take() else {
                continue;
            };
            match marker {
                START_OF_IMAGE => self.begin()?,
                0xc0..=0xc2 | 0xc9 | 0xca => {
                    let coding = Coding {
                        progressive: matches!(marker, 0xc2 | 0xca),
                        arithmetic: marker >= 0xc9,
                    };
                    let frame = Frame::read(&mut self.input, coding)?;
                    if self.frame.replace(frame).is_some() {
                        return Err(corrupt("it has two frames"));
                    }
                }
                0xc3 | 0xc5..=0xc8 | 0xcb | 0xcd..=0xcf => return Err(unsupported_frame(marker)),
                START_OF_SCAN => {
                    let frame = self.frame.as_mut();
                    let frame = frame.ok_or_else(|| corrupt("a scan stands before the frame"))?;
                    self.scans += 1;
                    return Scan::read(&mut self.input, frame, self.scans).map(Some);
                }
                END_OF_IMAGE => return Ok(None),
                0xc4 => self.tables.read_codes(&mut self.input)?,
                0xcc => self.tables.read_conditioning(&mut self.input)?,
                0xdb => self.tables.read_quantisation(&mut self.input)?,
                0xdd => {
                    if segment(&mut self.input)? != 2 {
                        return Err(corrupt("its restart interval has a wrong length"));
                    }
                    self.restart_interval = self.input.short()?;
                }
                // Application data, comments, and a number of lines, which nobody heeds.
                0xe0..=0xef | 0xfe | 0xdc => self.read_application(marker)?,
                // Restarts outside coded data, and a marker for temporary use: they say nothing.
                0xd0..=0xd7 | 0x01 => {}
                _ => return Err(corrupt(&format!("the marker {marker:#04x} is unknown"))),
            }
        }
    }

    fn begin(&mut self) -> Result<(), PictureError> {
        if std::mem::replace(&mut self.began, true) {
            return Err(corrupt("it starts twice"));
        }
        self.tables.conditioning = super::tables::Conditioning::default();
        self.restart_interval = 0;
        self.jfif = false;
        self.adobe = None;
        Ok(())
    }

    fn read_application(&mut self, marker: u8) -> Result<(), PictureError> {
        let length = usize::try_from(segment(&mut self.input)?).unwrap_or(0);
        let data = self.input.take(length)?;
        match marker {
            0xe0 if data.len() >= 14 && data.starts_with(b"JFIF\0") => self.jfif = true,
            0xee if data.len() >= 12 && data.starts_with(b"Adobe") => self.adobe = Some(data[11]),
            _ => {}
        }
        Ok(())
    }
}

/// Says which kind of JPEG Pillow's reader does not decode, or this program.
pub(super) fn unsupported_frame(marker: u8) -> PictureError {
    let what = match marker {
        0xc3 | 0xcb => "a lossless JPEG",
        0xc5..=0xc7 | 0xcd..=0xcf => "a hierarchical JPEG",
        _ => "this kind of JPEG",
    };
    PictureError::Unsupported { what: what.into() }
}

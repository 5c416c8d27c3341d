//! The chunks of a PNG.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::Header;
use crate::picture::PictureError;

/// Bytes that a compressed text or colour profile may unfold to. Pillow refuses more.
const MAX_UNFOLDED: u64 = 1 << 20;
/// Bytes that all texts may unfold to.
const MAX_TEXTS: usize = 64 << 20;
/// Bytes of coded data that Pillow hands on at once.
const PIECE: usize = 65_536;

/// A file's chunks, of which the first have been read.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of the current chunk of coded data that are left.
    left: usize,
    header: Header,
    texts: usize,
    /// Number of the last frame control.
    sequence: Option<u32>,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            left: 0,
            header: Header::default(),
            texts: 0,
            sequence: None,
        }
    }

    /// Reads to the coded data.
    pub(super) fn header(&mut self) -> Result<Header, PictureError> {
        loop {
            let start = self.at;
            let (kind, length) = self
                .next()
                .ok_or_else(|| corrupt("a chunk's name is wrong"))?;
            if kind == *b"IDAT" {
                self.left = length;
                break;
            }
            if kind == *b"IEND" {
                return Err(corrupt("it has no data"));
            }
            let data = self.take(length)?;
            self.check(&kind, data)?;
            let checksum = self.take(4)?;
            let name = &self.bytes[start + 4..];
            let right = crc32fast::hash(&name[..length + 4]);
            if checksum != right.to_be_bytes() {
                let kind = String::from_utf8_lossy(&kind);
                return Err(corrupt(&format!(
                    "the checksum of its chunk {kind} is wrong"
                )));
            }
        }
        let header = std::mem::take(&mut self.header);
        let known = match header.colour {
            0 => matches!(header.depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(header.depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(header.depth, 8 | 16),
            _ => false,
        };
        if header.width == 0 || header.height == 0 || !known {
            return Err(corrupt("its header is missing or wrong"));
        }
        Ok(header)
    }

    /// The next piece of coded data, or none when something else stands there.
    pub(super) fn data(&mut self) -> Result<Option<&'a [u8]>, PictureError> {
        while self.left == 0 {
            // Nobody looks at the checksum.
            self.at += 4;
            let start = self.at;
            match self.next() {
                Some((kind, length)) if kind == *b"IDAT" => self.left = length,
                Some(_) => {
                    self.at = start;
                    return Ok(None);
                }
                None => return Err(PictureError::Truncated),
            }
        }
        let there = self.bytes.get(self.at..).unwrap_or_default();
        let piece = &there[..there.len().min(PIECE).min(self.left)];
        self.left -= piece.len();
        self.at += piece.len();
        if piece.is_empty() {
            return Err(PictureError::Truncated);
        }
        Ok(Some(piece))
    }

    /// Reads what follows the last row. It may be missing or begin wrongly; a known chunk must be
    /// right, and whole.
    pub(super) fn finish(&mut self) -> Result<(), PictureError> {
        self.at += self.left;
        loop {
            self.at += 4;
            match self.next() {
                None => return Ok(()),
                Some((kind, _)) if kind == *b"IEND" => return Ok(()),
                Some((kind, length)) => {
                    let data = self.take(length)?;
                    self.check(&kind, data)?;
                }
            }
        }
    }

    /// The name and length of the next chunk.
    fn next(&mut self) -> Option<([u8; 4], usize)> {
        let length = self.bytes.get(self.at..)?.first_chunk()?;
        let kind: [u8; 4] = *self.bytes.get(self.at + 4..)?.first_chunk()?;
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if !kind.iter().all(name) {
            return None;
        }
        self.at += 8;
        Some((kind, u32::from_be_bytes(*length) as usize))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PictureError> {
        let data = self.bytes.get(self.at..self.at.saturating_add(length));
        let data = data.ok_or(PictureError::Truncated)?;
        self.at += length;
        Ok(data)
    }

    /// Checks the form of a known chunk, and keeps what is needed.
    fn check(&mut self, kind: &[u8; 4], data: &[u8]) -> Result<(), PictureError> {
        let short = || {
            corrupt(&format!(
                "its chunk {} is wrong",
                String::from_utf8_lossy(kind)
            ))
        };
        let at_least = |length| {
            if data.len() < length {
                Err(short())
            } else {
                Ok(())
            }
        };
        let number = |at: usize| {
            let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
            bytes
                .map(|bytes| u32::from_be_bytes(*bytes))
                .ok_or_else(short)
        };
        match kind {
            b"IHDR" => {
                at_least(13)?;
                let side = |at| number(at).map(|side| side as usize);
                self.header = Header {
                    width: side(0)?,
                    height: side(4)?,
                    depth: data[8],
                    colour: data[9],
                    interlaced: data[12] != 0,
                    palette: std::mem::take(&mut self.header.palette),
                };
                if data[11] != 0 {
                    return Err(corrupt("its filters are unknown"));
                }
            }
            b"PLTE" if self.header.colour == 3 => {
                if data.len() > 3 * 256 {
                    return Err(corrupt("its palette is too long"));
                }
                self.header.palette = data.to_vec();
            }
            b"tRNS" => match self.header.colour {
                0 if self.header.depth > 0 => at_least(2)?,
                2 => at_least(6)?,
                _ => {}
            },
            b"gAMA" => at_least(4)?,
            b"cHRM" if !data.len().is_multiple_of(4) => return Err(short()),
            b"sRGB" => at_least(1)?,
            b"pHYs" => at_least(9)?,
            b"acTL" => at_least(8)?,
            b"iCCP" => {
                let name = data.iter().position(|byte| *byte == 0);
                // Without a name's end, Pillow takes the first byte for the compression.
                let method = name.map_or(0, |at| at + 1);
                if *data.get(method).ok_or_else(short)? != 0 {
                    return Err(short());
                }
                unfolded(&data[method + 1..])?;
            }
            b"zTXt" => {
                let text = split(data).map_or(&[][..], |(_, text)| text);
                if text.first().is_some_and(|method| *method != 0) {
                    return Err(short());
                }
                self.count_text(unfolded(text.get(1..).unwrap_or_default())?)?;
            }
            b"tEXt" => self.count_text(split(data).map_or(0, |(_, text)| text.len()))?,
            b"iTXt" => {
                let text = split(data).map(|(_, text)| text);
                let Some([flag, method, rest @ ..]) = text else {
                    return Ok(());
                };
                let rest = split(rest).and_then(|(_, rest)| split(rest));
                let Some((_, text)) = rest else {
                    return Ok(());
                };
                let length = match (flag, method) {
                    (0, _) => text.len(),
                    (_, 0) => unfolded(text)?,
                    _ => return Ok(()),
                };
                self.count_text(length)?;
            }
            b"fcTL" => {
                at_least(26)?;
                let sequence = number(0)?;
                if sequence != self.sequence.map_or(0, |last| last.wrapping_add(1)) {
                    return Err(short());
                }
                self.sequence = Some(sequence);
                let inside = |size: usize, offset: usize, whole: usize| {
                    let end = u64::from(number(offset)?) + u64::from(number(size)?);
                    Ok(end <= whole as u64
                        && (number(offset)?, number(size)? as usize) == (0, whole))
                };
                let header = &self.header;
                let whole: Result<bool, PictureError> =
                    Ok(inside(4, 12, header.width)? && inside(8, 16, header.height)?);
                if header.width > 0 && !whole? {
                    return Err(PictureError::Unsupported {
                        what: "an animated PNG whose first frame does not fill it".into(),
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count_text(&mut self, length: usize) -> Result<(), PictureError> {
        self.texts += length;
        if self.texts > MAX_TEXTS {
            return Err(corrupt("its texts are too long"));
        }
        Ok(())
    }
}

/// What stands before and behind the first zero.
fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == 0)?;
    Some((&data[..at], &data[at + 1..]))
}

/// The length of compressed data, when it is not too large. Damaged ones count as nothing.
fn unfolded(data: &[u8]) -> Result<usize, PictureError> {
    let mut unfolded = Vec::new();
    let limited = ZlibDecoder::new(data).take(MAX_UNFOLDED + 1);
    let mut limited = limited;
    if limited.read_to_end(&mut unfolded).is_err() {
        unfolded.clear();
    }
    if unfolded.len() as u64 > MAX_UNFOLDED {
        return Err(corrupt("a text or colour profile in it is too large"));
    }
    Ok(unfolded.len())
}

pub(super) fn corrupt(reason: &str) -> PictureError {
    PictureError::Corrupt {
        reason: reason.into(),
    }
}

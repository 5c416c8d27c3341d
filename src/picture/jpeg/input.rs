//! The bytes of a JPEG, read in order, with at most one marker that was met and not yet handled.

use crate::picture::PictureError;

/// The byte that starts every marker.
pub(super) const MARKER: u8 = 0xff;

/// The bytes of a file and how far they have been read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// A marker that was read and waits to be handled. Coded data end before it.
    pub(super) marker: Option<u8>,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            marker: None,
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The next byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, PictureError> {
        let byte = *self.bytes.get(self.at).ok_or(PictureError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next two bytes as a number.
    pub(super) fn short(&mut self) -> Result<usize, PictureError> {
        Ok(usize::from(u16::from_be_bytes([
            self.byte()?,
            self.byte()?,
        ])))
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PictureError> {
        let end = self.at.saturating_add(length);
        let bytes = self
            .bytes
            .get(self.at..end)
            .ok_or(PictureError::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// Takes the coded data up to the next marker, without what marks a byte of them as data, and keeps
    /// the marker. False when there is none up to the end of the file; then nothing is read.
    pub(super) fn take_coded(&mut self, coded: &mut Vec<u8>) -> bool {
        let mut rest = &self.bytes[self.at..];
        while self.marker.is_none() {
            let Some(data) = memchr::memchr(MARKER, rest) else {
                return false;
            };
            let (data, behind) = rest.split_at(data);
            coded.extend_from_slice(data);
            let Some(fill) = behind.iter().position(|byte| *byte != MARKER) else {
                return false;
            };
            // However many there are, with a zero behind them they are one byte of data.
            match behind[fill] {
                0 => coded.push(MARKER),
                marker => self.marker = Some(marker),
            }
            rest = &behind[fill + 1..];
        }
        self.at = self.bytes.len() - rest.len();
        true
    }

    /// Reads to the next marker, past whatever stands before it, and keeps it.
    pub(super) fn next_marker(&mut self) -> Result<(), PictureError> {
        loop {
            let skipped = memchr::memchr(MARKER, &self.bytes[self.at..]);
            self.at += skipped.ok_or(PictureError::Truncated)?;
            let mut kind = self.byte()?;
            while kind == MARKER {
                kind = self.byte()?;
            }
            if kind != 0 {
                self.marker = Some(kind);
                return Ok(());
            }
        }
    }
}

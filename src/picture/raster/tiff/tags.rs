//! The tags of a TIFF's first picture, classic or big.

use std::borrow::Cow;

use crate::picture::PictureError;

pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const FILL_ORDER: u16 = 266;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const STRIP_OFFSETS: u16 = 273;
pub(super) const SAMPLES: u16 = 277;
pub(super) const ROWS_PER_STRIP: u16 = 278;
pub(super) const STRIP_LENGTHS: u16 = 279;
pub(super) const PLANES: u16 = 284;
pub(super) const FAX_OPTIONS: u16 = 292;
pub(super) const PALETTE: u16 = 320;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_HEIGHT: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_LENGTHS: u16 = 325;
pub(super) const EXTRA: u16 = 338;
pub(super) const FORMAT: u16 = 339;
pub(super) const JPEG_TABLES: u16 = 347;

/// Types of numbers: of 16 bits, of 32, and of 64. And bytes of no type.
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG_8: u16 = 16;
const UNDEFINED: u16 = 7;

#[derive(Debug)]
struct Tag {
    tag: u16,
    kind: u16,
    count: usize,
    /// Where its values stand.
    values: usize,
}

impl Tag {
    /// Bytes of a value.
    fn size(&self) -> usize {
        match self.kind {
            UNDEFINED => 1,
            SHORT => 2,
            LONG => 4,
            _ => 8,
        }
    }
}

/// The tags that are numbers, and those of no type.
#[derive(Debug)]
pub(super) struct Tags<'a> {
    bytes: &'a [u8],
    little: bool,
    tags: Vec<Tag>,
}

impl<'a> Tags<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PictureError> {
        let (little, big) = match bytes.first_chunk() {
            Some(b"II*\0") => (true, false),
            Some(b"MM\0*") => (false, false),
            Some(b"II+\0") => (true, true),
            Some(b"MM\0+") => (false, true),
            _ => {
                return Err(PictureError::Unsupported {
                    what: "this kind of TIFF".into(),
                });
            }
        };
        let mut tags = Self {
            bytes,
            little,
            tags: Vec::new(),
        };
        tags.read_all(big).ok_or(PictureError::Truncated)?;
        Ok(tags)
    }

    fn read_all(&mut self, big: bool) -> Option<()> {
        // Bytes of an offset, and where the first one stands.
        let (wide, start) = if big { (8, 8) } else { (4, 4) };
        let directory = self.number(start, wide)?;
        let length = if big { 8 } else { 2 };
        let entries = self.number(directory, length)?;
        for entry in 0..entries {
            let at = directory.checked_add(length + entry.checked_mul(4 + 2 * wide)?)?;
            let (tag, kind) = (self.number(at, 2)? as u16, self.number(at + 2, 2)? as u16);
            let count = self.number(at + 4, wide)?;
            let size = match kind {
                UNDEFINED => 1,
                SHORT => 2,
                LONG => 4,
                LONG_8 => 8,
                _ => continue,
            };
            let place = at + 4 + wide;
            let values = if count.checked_mul(size)? <= wide {
                place
            } else {
                self.number(place, wide)?
            };
            self.tags.push(Tag {
                tag,
                kind,
                count,
                values,
            });
        }
        Some(())
    }

    fn number(&self, at: usize, length: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        let number = if self.little {
            bytes.iter().rev().fold(0, join)
        } else {
            bytes.iter().fold(0, join)
        };
        usize::try_from(number).ok()
    }

    fn find(&self, tag: u16) -> Option<&Tag> {
        self.tags.iter().find(|entry| entry.tag == tag)
    }

    /// The first value of a tag.
    pub(super) fn first(&self, tag: u16) -> Option<u32> {
        let tag = self.find(tag).filter(|tag| tag.count > 0)?;
        self.number(tag.values, tag.size())
            .map(|value| value as u32)
    }

    /// All values of a tag.
    pub(super) fn all(&self, tag: u16) -> Option<Vec<usize>> {
        let tag = self.find(tag)?;
        let value = |index| self.number(tag.values + index * tag.size(), tag.size());
        // As many as there are bytes for, whatever is declared.
        (0..tag.count.min(self.bytes.len())).map(value).collect()
    }

    /// The bytes of a tag that are of no type.
    pub(super) fn raw(&self, tag: u16) -> Option<&'a [u8]> {
        let tag = self.find(tag).filter(|tag| tag.kind == UNDEFINED)?;
        self.bytes
            .get(tag.values..tag.values.checked_add(tag.count)?)
    }

    pub(super) fn width(&self) -> Result<usize, PictureError> {
        self.side(WIDTH)
    }

    pub(super) fn height(&self) -> Result<usize, PictureError> {
        self.side(HEIGHT)
    }

    fn side(&self, tag: u16) -> Result<usize, PictureError> {
        let side = self.first(tag).ok_or_else(|| PictureError::Corrupt {
            reason: "it does not say its size".into(),
        })?;
        Ok(side as usize)
    }

    /// The colours of a palette: all reds, then all greens, then all blues, of which the high bytes
    /// count.
    pub(super) fn palette(&self, bits: u32) -> Result<Vec<[u8; 3]>, PictureError> {
        let missing = || PictureError::Corrupt {
            reason: "its palette is missing".into(),
        };
        let tag = self.find(PALETTE).filter(|tag| tag.kind == SHORT);
        let tag = tag.ok_or_else(missing)?;
        let colours = (tag.count / 3).min(1 << bits);
        let third = tag.count / 3;
        let high = |at: usize| {
            self.number(tag.values + 2 * at, 2)
                .map(|value| (value >> 8) as u8)
        };
        let colour = |i: usize| Some([high(i)?, high(third + i)?, high(2 * third + i)?]);
        (0..colours)
            .map(colour)
            .collect::<Option<_>>()
            .ok_or_else(missing)
    }

    /// The file with another meaning of its samples.
    pub(super) fn with_photometric(&self, bytes: &'a [u8], photometric: u16) -> Cow<'a, [u8]> {
        let Some(tag) = self.find(PHOTOMETRIC).filter(|tag| tag.kind == SHORT) else {
            return Cow::Borrowed(bytes);
        };
        let value = if self.little {
            photometric.to_le_bytes()
        } else {
            photometric.to_be_bytes()
        };
        let mut changed = bytes.to_vec();
        changed[tag.values..tag.values + 2].copy_from_slice(&value);
        Cow::Owned(changed)
    }
}

//! JPEG decoding with the pixels of libjpeg-turbo, as Pillow has them.
//!
//! The decoder is this project's own, for three reasons. Pillow's pixels of damaged files are those of
//! libjpeg-turbo's vector code and of its forgiveness (a bad code is a zero, a wrong restart marker
//! is passed over), which no other decoder has on every processor. A model needs a small crop, and
//! what lies outside is decoded only as far as its errors show. And it goes straight to the resizing,
//! so that no picture is ever whole in memory.
//!
//! | file | what |
//! |---|---|
//! | `pillow` | what Pillow checks before libjpeg sees the file |
//! | `stream`, `tables`, `frame` | markers, as `jdmarker.c` and `jdinput.c` take them |
//! | `segment`, `bits`, `codes` | bits of coded data, and Huffman codes among them |
//! | `huffman`, `arithmetic`, `coder` | blocks (`jdhuff.c`, `jdphuff.c`, `jdarith.c`), and restarts |
//! | `decoder` | scans, and the order of it all (`jdcoefct.c`) |
//! | `smoothing` | progressive pictures that lack scans |
//! | `strips`, `idct`, `upsampling`, `colours` | from coefficients to colours |
//! | `slowly` | the same, of rare pictures |

mod arithmetic;
mod bits;
mod coder;
mod codes;
mod coefficients;
mod colours;
mod decoder;
mod frame;
mod huffman;
mod idct;
mod input;
mod markers;
mod pillow;
mod segment;
mod slowly;
mod smoothing;
mod stream;
mod strips;
mod tables;
mod upsampling;

use super::PictureError;
use super::strip::{Interleaved, Rows, Window};
use decoder::Decoder;
pub(super) use decoder::Memory;
pub(super) use markers::frame;

/// Scans that a picture may have. Every scan costs a pass over the whole picture, so that a small
/// file of thousands of scans could keep a core busy for minutes; real ones have about ten.
const MAX_SCANS: usize = 500;

/// Coefficients of 8 x 8 samples, row by row.
type Block = [i16; 64];

/// The places of coefficients in the order in which they are coded. Damaged files go on behind the
/// last one.
#[rustfmt::skip]
const ZIGZAG: [u8; 128] = {
    const ORDER: [u8; 64] = [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];
    let mut zigzag = [63; 128];
    let mut k = 0;
    while k < 64 {
        zigzag[k] = ORDER[k];
        k += 1;
    }
    zigzag
};

/// What a file's components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Gray,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl Space {
    /// libjpeg's guess.
    fn of(frame: &frame::Frame, jfif: bool, adobe: Option<u8>) -> Result<Self, PictureError> {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.as_slice(), adobe) {
            ([_], _) => Ok(Self::Gray),
            ([_, _, _], Some(0)) if !jfif => Ok(Self::Rgb),
            (b"RGB", None) if !jfif => Ok(Self::Rgb),
            ([_, _, _], _) => Ok(Self::YCbCr),
            ([_, _, _, _], None | Some(0)) => Ok(Self::Cmyk),
            ([_, _, _, _], _) => Ok(Self::Ycck),
            (ids, _) => Err(PictureError::Unsupported {
                what: format!("a JPEG of {} components", ids.len()),
            }),
        }
    }
}

/// The values that a picture is decoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Rgb,
    /// Cyan, magenta, yellow and black as Pillow has them, of pictures that have inks.
    Inks,
}

impl Output {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Inks => 4,
        }
    }
}

/// A JPEG whose header has been read.
#[derive(Debug)]
pub(super) struct Jpeg<'a>(Decoder<'a>);

impl<'a> Jpeg<'a> {
    /// Reads the header.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, PictureError> {
        pillow::check(bytes)?;
        let scans = markers::count_scans(bytes);
        if scans > MAX_SCANS {
            return Err(PictureError::Unsupported {
                what: format!("a JPEG of {scans} scans"),
            });
        }
        Decoder::new(bytes).map(Self)
    }

    /// Reads the header of a part of another file, which says what the components are: luma and chroma, or
    /// colours as they are. No marker is asked.
    pub(super) fn open_part(bytes: &'a [u8], chroma: bool) -> Result<Self, PictureError> {
        let mut decoder = Decoder::new(bytes)?;
        decoder.space = match decoder.space {
            Space::Rgb | Space::YCbCr if chroma => Space::YCbCr,
            Space::Rgb | Space::YCbCr => Space::Rgb,
            other => other,
        };
        Ok(Self(decoder))
    }

    /// Width and height.
    pub(super) fn size(&self) -> (usize, usize) {
        self.0.size()
    }

    /// Whether it has inks, which [`Output::Inks`] leaves as they are.
    pub(super) fn has_inks(&self) -> bool {
        matches!(self.0.space, Space::Cmyk | Space::Ycck)
    }

    /// Decodes the upper left corner of a size, of which no side is longer than the picture's: its values row
    /// by row, channel by channel.
    pub(super) fn corner(
        self,
        output: Output,
        (width, height): (usize, usize),
        memory: &mut Memory,
    ) -> Result<Vec<u8>, PictureError> {
        let window = Window {
            columns: 0..width,
            rows: 0..height,
        };
        let channels = output.channels();
        let mut pixels = vec![0; width * height * channels];
        let mut rows = Interleaved {
            window: window.clone(),
            channels,
            pixels: &mut pixels,
        };
        self.decode(output, Some((window, &mut rows)), memory)?;
        Ok(pixels)
    }

    /// Decodes the whole file, hands on the rows of a window, and says whether Pillow reads it.
    pub(super) fn decode(
        self,
        output: Output,
        wanted: Option<(Window, &mut dyn Rows)>,
        memory: &mut Memory,
    ) -> Result<(), PictureError> {
        self.0.decode(output, wanted, memory)
    }
}

/// Whether a file begins as JPEGs do.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

fn corrupt(reason: &str) -> PictureError {
    PictureError::Corrupt {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn window(bytes: &[u8], window: &Window, memory: &mut Memory) -> Result<Vec<u8>, PictureError> {
        let mut pixels = vec![0; window.columns.len() * window.rows.len() * 3];
        let mut rows = Interleaved {
            window: window.clone(),
            channels: 3,
            pixels: &mut pixels,
        };
        Jpeg::open(bytes)?.decode(Output::Rgb, Some((window.clone(), &mut rows)), memory)?;
        Ok(pixels)
    }

    #[test]
    fn every_window_is_that_part_of_the_whole_picture() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures");
        let (mut compared, mut memory, mut state) = (0, Memory::default(), 1u32);
        let mut below = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let Ok((width, height)) = Jpeg::open(&bytes).map(|jpeg| jpeg.size()) else {
                continue;
            };
            let all = Window {
                columns: 0..width,
                rows: 0..height,
            };
            let whole = window(&bytes, &all, &mut memory);
            for _ in 0..20 {
                let (left, top) = (below(width), below(height));
                let part = Window {
                    columns: left..left + 1 + below(width - left),
                    rows: top..top + 1 + below(height - top),
                };
                let expected = whole.clone().map(|whole| {
                    let rows = part.rows.clone().map(|row| row * width);
                    let rows = rows.map(|row| {
                        &whole[3 * (row + part.columns.start)..3 * (row + part.columns.end)]
                    });
                    rows.collect::<Vec<_>>().concat()
                });
                let found = window(&bytes, &part, &mut memory);
                assert!(found == expected, "{} {part:?}", path.display());
                compared += usize::from(found.is_ok());
            }
        }
        assert!(compared > 1000, "only {compared}");
    }
}

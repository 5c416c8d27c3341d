//! The tables that markers define: quantisation, Huffman codes, arithmetic conditioning.

use super::input::Input;
use super::{ZIGZAG, corrupt};
use crate::picture::PictureError;

/// Values by which the 64 coefficients are multiplied, in natural order.
pub(super) type Quantisation = [u16; 64];

/// A Huffman table as a file has it.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    /// Codes of 1 to 16 bits.
    pub(super) counts: [u8; 16],
    /// Their symbols, shortest codes first; zero beyond the last.
    pub(super) symbols: [u8; 256],
}

/// What the arithmetic decoder takes for small and large differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditioning {
    pub(super) dc: [(u8, u8); 16],
    pub(super) ac: [u8; 16],
}

impl Default for Conditioning {
    fn default() -> Self {
        Self {
            dc: [(0, 1); 16],
            ac: [5; 16],
        }
    }
}

/// All tables that are defined at a point of a file.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) quantisation: [Option<Quantisation>; 4],
    pub(super) dc: [Option<Codes>; 4],
    pub(super) ac: [Option<Codes>; 4],
    pub(super) conditioning: Conditioning,
}

impl Tables {
    pub(super) fn read_quantisation(&mut self, input: &mut Input) -> Result<(), PictureError> {
        let mut rest = segment(input)?;
        while rest > 0 {
            let kind = input.byte()?;
            let wide = kind >> 4 != 0;
            let mut table = [0; 64];
            for at in &ZIGZAG[..64] {
                table[usize::from(*at)] = if wide {
                    input.short()? as u16
                } else {
                    u16::from(input.byte()?)
                };
            }
            let place = self.quantisation.get_mut(usize::from(kind & 15));
            *place.ok_or_else(|| corrupt("a quantisation table has a wrong number"))? = Some(table);
            rest -= if wide { 129 } else { 65 };
        }
        ended(rest)
    }

    pub(super) fn read_codes(&mut self, input: &mut Input) -> Result<(), PictureError> {
        let mut rest = segment(input)?;
        while rest > 16 {
            let kind = usize::from(input.byte()?);
            let mut codes = Codes {
                counts: [0; 16],
                symbols: [0; 256],
            };
            for count in &mut codes.counts {
                *count = input.byte()?;
            }
            let count: usize = codes.counts.iter().map(|n| usize::from(*n)).sum();
            rest -= 17;
            if count > 256 || count as i64 > rest {
                return Err(corrupt("a Huffman table has too many codes"));
            }
            codes.symbols[..count].copy_from_slice(input.take(count)?);
            rest -= count as i64;
            let tables = if kind & 0x10 != 0 {
                self.ac.get_mut(kind - 0x10)
            } else {
                self.dc.get_mut(kind)
            };
            *tables.ok_or_else(|| corrupt("a Huffman table has a wrong number"))? = Some(codes);
        }
        ended(rest)
    }

    pub(super) fn read_conditioning(&mut self, input: &mut Input) -> Result<(), PictureError> {
        let mut rest = segment(input)?;
        while rest > 0 {
            let (index, value) = (usize::from(input.byte()?), input.byte()?);
            rest -= 2;
            let (low, high) = (value & 15, value >> 4);
            match index {
                0..16 if low <= high => self.conditioning.dc[index] = (low, high),
                16..32 => self.conditioning.ac[index - 16] = value,
                _ => return Err(corrupt("its arithmetic conditioning is wrong")),
            }
        }
        ended(rest)
    }

    /// Fills in the standard's example tables (T.81, K.3) where a file defines none, as motion JPEGs
    /// do.
    pub(super) fn add_standard_codes(&mut self) {
        self.dc[0].get_or_insert_with(|| standard(DC_COUNTS[0], &DC_SYMBOLS));
        self.dc[1].get_or_insert_with(|| standard(DC_COUNTS[1], &DC_SYMBOLS));
        self.ac[0].get_or_insert_with(|| standard(AC_COUNTS[0], &AC_LUMINANCE));
        self.ac[1].get_or_insert_with(|| standard(AC_COUNTS[1], &AC_CHROMINANCE));
    }
}

/// The bytes of a segment after its length. May be negative: then they are no more than none.
pub(super) fn segment(input: &mut Input) -> Result<i64, PictureError> {
    Ok(input.short()? as i64 - 2)
}

fn ended(rest: i64) -> Result<(), PictureError> {
    match rest {
        0 => Ok(()),
        _ => Err(corrupt("a table has another length than it says")),
    }
}

fn standard(counts: [u8; 16], known: &[u8]) -> Codes {
    let mut symbols = [0; 256];
    symbols[..known.len()].copy_from_slice(known);
    Codes { counts, symbols }
}

const DC_COUNTS: [[u8; 16]; 2] = [
    [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
];
const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_COUNTS: [[u8; 16]; 2] = [
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
];
#[rustfmt::skip]
const AC_LUMINANCE: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];
#[rustfmt::skip]
const AC_CHROMINANCE: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

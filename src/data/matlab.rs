//! MATLAB files, as far as the ILSVRC devkit's `meta.mat` needs them: fields of a struct array.
//!
//! Level 5, little-endian, compressed or not. Everything is bounded and checked; a file of any
//! content ends in values or in an error.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Bytes of a variable; the devkit's has half a megabyte.
const MAX_BYTES: u64 = 64 << 20;

/// Elements of a struct array; the devkit's has 1676.
const MAX_STRUCTS: u64 = 1 << 16;

const HEADER: usize = 128;
const INT8: u32 = 1;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const STRUCT_CLASS: u32 = 2;
const CHAR_CLASS: u32 = 4;

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The first number of an array.
    Number(f64),
    Text(String),
    /// Empty, or of another type.
    Other,
}

/// Some fields of each struct of a struct array.
///
/// # Errors
/// When the file is no such file, is damaged, or does not have the variable or a field.
pub fn structs(bytes: &[u8], variable: &str, fields: &[&str]) -> Result<Vec<Vec<Value>>, String> {
    if bytes.starts_with(b"MATLAB 7.3") {
        return Err("it is of MATLAB's version 7.3, which is not read; save it with -v7".into());
    }
    match bytes.get(124..HEADER) {
        Some([0, 1, b'I', b'M']) => {}
        Some([1, 0, b'M', b'I']) => return Err("it is big-endian, which is not read".into()),
        _ => return Err("it is no MATLAB file of version 5 to 7".into()),
    }
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let (kind, data) = element(&mut rest)?;
        let inflated;
        let matrix = match kind {
            COMPRESSED => {
                inflated = inflate(data)?;
                let (kind, matrix) = element(&mut inflated.as_slice())?;
                match kind {
                    MATRIX => matrix,
                    _ => continue,
                }
            }
            MATRIX => data,
            _ => continue,
        };
        if let Some(found) = fields_of(matrix, variable, fields)? {
            return Ok(found);
        }
    }
    Err(format!("it has no struct array {variable}"))
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(data)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("it is damaged: {e}"))?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err("it has an absurdly large variable".into()),
        false => Ok(bytes),
    }
}

/// The fields of a variable, unless it is another one.
fn fields_of(
    mut matrix: &[u8],
    variable: &str,
    wanted: &[&str],
) -> Result<Option<Vec<Vec<Value>>>, String> {
    let header = header(&mut matrix)?;
    if header.name != variable.as_bytes() || header.class != STRUCT_CLASS {
        return Ok(None);
    }
    let (_, length) = element(&mut matrix)?;
    let length = number(length, 4).unwrap_or(0) as usize;
    let (_, names) = element(&mut matrix)?;
    if length == 0 || !names.len().is_multiple_of(length) {
        return Err("it is damaged: its fields have no names".into());
    }
    let names: Vec<&[u8]> = names
        .chunks(length)
        .map(|name| name.split(|byte| *byte == 0).next().unwrap_or_default())
        .collect();
    let places = wanted
        .iter()
        .map(|wanted| {
            let place = names.iter().position(|name| *name == wanted.as_bytes());
            place.ok_or_else(|| format!("{variable} has no field {wanted}"))
        })
        .collect::<Result<Vec<usize>, _>>()?;
    if header.elements > MAX_STRUCTS {
        return Err(format!("{variable} declares {} structs", header.elements));
    }
    let mut structs = Vec::new();
    for _ in 0..header.elements {
        let mut values = vec![Value::Other; wanted.len()];
        for field in 0..names.len() {
            // Each takes bytes of the file, so that a declared number cannot exceed what is there.
            let (kind, data) = element(&mut matrix)?;
            if kind != MATRIX {
                return Err("it is damaged: a field is no matrix".into());
            }
            for (value, _) in values.iter_mut().zip(&places).filter(|(_, p)| **p == field) {
                *value = self::value(data)?;
            }
        }
        structs.push(values);
    }
    Ok(Some(structs))
}

struct Header<'a> {
    class: u32,
    elements: u64,
    name: &'a [u8],
}

fn header<'a>(matrix: &mut &'a [u8]) -> Result<Header<'a>, String> {
    let (_, flags) = element(matrix)?;
    let class = number(flags, 4).ok_or("it is damaged: a matrix has no class")? as u32 & 0xff;
    let (_, dimensions) = element(matrix)?;
    let elements = dimensions
        .chunks_exact(4)
        .map(|n| number(n, 4).unwrap_or(0))
        .try_fold(1_u64, u64::checked_mul)
        .ok_or("it is damaged: a matrix has absurd dimensions")?;
    let (kind, name) = element(matrix)?;
    match kind {
        INT8 => Ok(Header {
            class,
            elements,
            name,
        }),
        _ => Err("it is damaged: a matrix has no name".into()),
    }
}

fn value(mut matrix: &[u8]) -> Result<Value, String> {
    if matrix.is_empty() {
        return Ok(Value::Other);
    }
    let header = header(&mut matrix)?;
    if matrix.is_empty() || !(CHAR_CLASS..=15).contains(&header.class) || header.class == 5 {
        return Ok(Value::Other);
    }
    let (kind, data) = element(&mut matrix)?;
    if header.class == CHAR_CLASS {
        let text = match kind {
            // UTF-16, and MATLAB's older 16-bit characters
            4 | 17 => {
                let units: Vec<u16> = data
                    .chunks_exact(2)
                    .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                    .collect();
                String::from_utf16_lossy(&units)
            }
            _ => String::from_utf8_lossy(data).into_owned(),
        };
        return Ok(Value::Text(text));
    }
    let number = match kind {
        1 => data.first().map(|byte| f64::from(*byte as i8)),
        2 => data.first().map(|byte| f64::from(*byte)),
        3 => number(data, 2).map(|n| f64::from(n as u16 as i16)),
        4 => number(data, 2).map(|n| n as f64),
        5 => number(data, 4).map(|n| f64::from(n as u32 as i32)),
        6 => number(data, 4).map(|n| n as f64),
        7 => number(data, 4).map(|n| f64::from(f32::from_bits(n as u32))),
        9 => number(data, 8).map(f64::from_bits),
        12 => number(data, 8).map(|n| n as i64 as f64),
        13 => number(data, 8).map(|n| n as f64),
        _ => None,
    };
    Ok(number.map_or(Value::Other, Value::Number))
}

/// Takes an element off the front: its type and its data.
fn element<'a>(bytes: &mut &'a [u8]) -> Result<(u32, &'a [u8]), String> {
    let cut = || "it is damaged or cut short".to_string();
    let tag = number(bytes, 4).ok_or_else(cut)? as u32;
    if tag >> 16 != 0 {
        // Up to four bytes lie in the tag itself.
        let length = (tag >> 16) as usize;
        let data = bytes
            .get(4..8)
            .and_then(|data| data.get(..length))
            .ok_or_else(cut)?;
        *bytes = &bytes[8..];
        return Ok((tag & 0xffff, data));
    }
    let length = number(bytes.get(4..).ok_or_else(cut)?, 4).ok_or_else(cut)? as usize;
    let data = bytes
        .get(8..)
        .and_then(|b| b.get(..length))
        .ok_or_else(cut)?;
    let padded = match tag {
        COMPRESSED => length,
        _ => length.next_multiple_of(8),
    };
    *bytes = bytes.get(8 + padded..).unwrap_or_default();
    Ok((tag, data))
}

/// The first bytes as a little-endian number.
fn number(bytes: &[u8], width: usize) -> Option<u64> {
    let mut number = [0; 8];
    number[..width].copy_from_slice(bytes.get(..width)?);
    Some(u64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with scipy: two structs like the devkit's, with other fields between.
    const COMPRESSED: &[u8] = include_bytes!("../../tests/fixtures/devkit/compressed.mat");
    const PLAIN: &[u8] = include_bytes!("../../tests/fixtures/devkit/plain.mat");

    fn read(bytes: &[u8]) -> Result<Vec<Vec<Value>>, String> {
        structs(bytes, "synsets", &["ILSVRC2012_ID", "WNID"])
    }

    fn row(id: f64, wnid: &str) -> Vec<Value> {
        vec![Value::Number(id), Value::Text(wnid.into())]
    }

    #[test]
    fn fields_of_compressed_and_plain_files_are_found_among_others() {
        let expected = vec![row(1.0, "n02119789"), row(2.0, "n02100735")];
        assert_eq!(read(COMPRESSED).unwrap(), expected);
        assert_eq!(read(PLAIN).unwrap(), expected);
    }

    #[test]
    fn absent_variables_and_fields_are_named() {
        let error = structs(PLAIN, "meta", &["WNID"]).unwrap_err();
        assert!(error.contains("no struct array meta"), "{error}");
        let error = structs(PLAIN, "synsets", &["WNID", "id"]).unwrap_err();
        assert!(error.contains("no field id"), "{error}");
        let error = read(b"MATLAB 7.3 MAT-file").unwrap_err();
        assert!(error.contains("7.3"), "{error}");
        assert!(read(b"").is_err());
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_ends_in_values_or_an_error() {
        for whole in [PLAIN, COMPRESSED] {
            for cut in 0..whole.len() {
                let _ = read(&whole[..cut]);
            }
            for at in 0..whole.len() {
                for change in [0xff, 0x80, 1] {
                    let mut bytes = whole.to_vec();
                    bytes[at] ^= change;
                    let _ = read(&bytes);
                }
            }
        }
        assert!(read(&PLAIN[..PLAIN.len() - 60]).is_err());
    }

    #[test]
    fn a_variable_that_inflates_without_end_is_refused() {
        use std::io::Write;
        let encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut encoder = encoder;
        for _ in 0..65 {
            encoder.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let data = encoder.finish().unwrap();
        let mut bytes = PLAIN[..HEADER].to_vec();
        bytes.extend(super::COMPRESSED.to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        assert!(read(&bytes).unwrap_err().contains("absurdly large"));
    }
}

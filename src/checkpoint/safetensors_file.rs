//! Reading the header of a safetensors file.
//!
//! The safetensors crate decides what is valid. It says little about what is not, so a header that
//! it refuses is looked at again, for the tensor and the numbers to name.

use std::fmt;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::CheckpointError;
use super::contents::Contents;
use super::error::printable;
use super::source::Source;
use super::values::{Stored, span};

/// Bytes of the little-endian header length that starts the file.
const LENGTH_BYTES: usize = 8;
/// Longest header that the crate reads, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Lists the tensors of a safetensors file.
pub(super) fn read(source: Source) -> Result<Contents, CheckpointError> {
    let (path, found) = (source.path(), source.size());
    let truncated = |detail| CheckpointError::Truncated {
        path: path.into(),
        detail,
    };
    let corrupt = |detail| CheckpointError::Corrupt {
        path: path.into(),
        detail,
    };
    if found < LENGTH_BYTES {
        return Err(truncated(format!(
            "it has {found} bytes, fewer than any checkpoint"
        )));
    }
    let mut length = [0; LENGTH_BYTES];
    source.fill(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(corrupt(format!(
            "it declares a header of {length} bytes, more than {MAX_HEADER}"
        )));
    }
    let data = LENGTH_BYTES + length as usize;
    if found < data {
        return Err(truncated(format!(
            "its header ends at byte {data}, but it has {found} bytes"
        )));
    }
    let header = source.bytes(LENGTH_BYTES..data)?;
    let names = serde_json::from_slice::<Names>(&header).map_err(|e| {
        corrupt(format!(
            "its header is no valid JSON object ({})",
            printable(&e.to_string())
        ))
    })?;
    if let Some(name) = names.duplicate() {
        return Err(CheckpointError::DuplicateKey {
            path: path.into(),
            tensor: printable(name),
        });
    }
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| corrupt(fault(&header).unwrap_or_else(|| printable(&e.to_string()))))?;
    let expected = data.saturating_add(metadata.data_len());
    if found < expected {
        let detail = format!("it should have {expected} bytes, but has {found}");
        return Err(truncated(detail));
    }
    if found > expected {
        let bytes = found - expected;
        return Err(corrupt(format!("{bytes} bytes follow its last tensor")));
    }
    let mut tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        if !matches!(info.dtype.bitsize(), 8 | 16 | 32 | 64) {
            return Err(CheckpointError::UnsupportedTensor {
                path: path.into(),
                tensor: printable(&name),
                kind: info.dtype.to_string(),
            });
        }
        let stored = Stored {
            file: 0,
            dtype: info.dtype,
            shape: info.shape.clone(),
            offset: data + info.data_offsets.0,
            strides: None,
        };
        tensors.push((name, stored));
    }
    Ok(Contents {
        files: vec![source],
        tensors,
        ..Contents::default()
    })
}

/// The members of a header with their values, as far as they are tensors.
type Members = serde_json::Map<String, serde_json::Value>;

/// What is wrong with the first faulty tensor of a header that the crate has refused.
fn fault(header: &[u8]) -> Option<String> {
    let members: Members = serde_json::from_slice(header).ok()?;
    let mut tensors = Vec::new();
    for (name, value) in members {
        if name == "__metadata__" {
            if let Err(e) =
                serde_json::from_value::<std::collections::HashMap<String, String>>(value)
            {
                return Some(format!(
                    "its metadata is invalid ({})",
                    printable(&e.to_string())
                ));
            }
            continue;
        }
        match serde_json::from_value::<TensorInfo>(value) {
            Ok(info) => tensors.push((name, info)),
            Err(e) => {
                let (name, e) = (printable(&name), printable(&e.to_string()));
                return Some(format!("tensor {name} is described wrongly ({e})"));
            }
        }
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in tensors {
        let reason = fault_of(&info, end);
        end = info.data_offsets.1;
        if let Some(reason) = reason {
            return Some(format!("tensor {} {reason}", printable(&name)));
        }
    }
    None
}

/// What is wrong with a tensor whose data should start at `expected`.
fn fault_of(info: &TensorInfo, expected: usize) -> Option<String> {
    let (begin, end) = info.data_offsets;
    let Some(length) = end.checked_sub(begin) else {
        return Some("ends before it begins".into());
    };
    if begin < expected {
        let bytes = expected - begin;
        return Some(format!("overlaps the tensor before it by {bytes} bytes"));
    }
    if begin > expected {
        return Some(format!("leaves a hole of {} bytes", begin - expected));
    }
    let bits = span(&info.shape, None).and_then(|count| count.checked_mul(info.dtype.bitsize()));
    match bits {
        None => Some("is impossibly large".into()),
        Some(bits) if bits.div_ceil(8) != length => Some(format!(
            "has {length} bytes, but its shape {:?} of {} needs {}",
            info.shape,
            super::dtype_name(info.dtype),
            bits.div_ceil(8)
        )),
        Some(_) => None,
    }
}

/// The keys of a JSON object, with repetitions, which the crate does not see.
struct Names(Vec<String>);

impl Names {
    fn duplicate(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        let mut names = self.0.iter().map(String::as_str);
        names.find(|name| !seen.insert(*name))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

//! The beginning of a safetensors file, whose bytes depend on nothing but what it says.
//!
//! The `safetensors` crate writes metadata in the order of a hash map, another one in each run.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Serialize;

/// What the length of a header is a multiple of, so that the tensors behind it are aligned.
const ALIGNMENT: usize = 8;

#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, TensorInfo>,
}

/// The header's length and the header, in which blanks fill up to `least` bytes in all. The data of
/// `tensors` (name, type, shape) follow each other in this order.
///
/// # Errors
/// Never, for finite lists.
pub fn header<'a>(
    metadata: impl IntoIterator<Item = (&'static str, String)>,
    tensors: impl IntoIterator<Item = (&'a str, Dtype, &'a [usize])>,
    least: usize,
) -> serde_json::Result<Vec<u8>> {
    let mut end = 0;
    let tensors = tensors.into_iter().map(|(name, dtype, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (start, end),
        };
        (name, info)
    });
    let header = serde_json::to_vec(&Header {
        metadata: metadata.into_iter().collect(),
        tensors: tensors.collect(),
    })?;
    let length = header.len().max(least.saturating_sub(size_of::<u64>()));
    let length = length.next_multiple_of(ALIGNMENT);
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.resize(size_of::<u64>() + length, b' ');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn the_order_of_metadata_changes_nothing_and_the_safetensors_crate_reads_it() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let metadata = |names: &[&'static str]| -> Vec<(&'static str, String)> {
            names.iter().map(|name| (*name, (*name).into())).collect()
        };
        let mut reversed = names;
        reversed.reverse();
        for least in [0, 17, 4096] {
            let tensors = || {
                let first: (_, _, &[usize]) = ("z", Dtype::F32, &[2, 1]);
                [first, ("y", Dtype::U8, &[3])]
            };
            let mut bytes = header(metadata(&names), tensors(), least).unwrap();
            let other = header(metadata(&reversed), tensors(), least).unwrap();
            assert_eq!(bytes, other);
            assert!(bytes.len() >= least && bytes.len() % 8 == 0);
            bytes.extend(0..11);
            let read = SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(read.tensor("z").unwrap().data(), [0, 1, 2, 3, 4, 5, 6, 7]);
            assert_eq!(read.tensor("y").unwrap().data(), [8, 9, 10]);
            let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
            let metadata = metadata.metadata().as_ref().unwrap();
            assert!(metadata.len() == 8 && metadata.iter().all(|(a, b)| a == b));
        }
    }
}

//! Reading the header of a safetensors file.

use std::path::Path;

use safetensors::tensor::SafeTensorError;
use safetensors::{Dtype, SafeTensors};

use super::{CheckpointError, Contents, Stored};

/// Bytes of the little-endian header length that starts the file.
const LENGTH_BYTES: usize = 8;

/// Lists the tensors of a mapped safetensors file; the crate checks every offset.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    let truncated = |detail| CheckpointError::Truncated {
        path: path.into(),
        detail,
    };
    let corrupt = |detail| CheckpointError::Corrupt {
        path: path.into(),
        detail,
    };
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Err(truncated(format!(
            "it has {} bytes, less than its header's length",
            bytes.len()
        )));
    };
    let header = u64::from_le_bytes(*length);
    let present = (bytes.len() - LENGTH_BYTES) as u64;
    if header > present {
        return Err(truncated(format!(
            "its header should have {header} bytes, but only {present} follow"
        )));
    }
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| match e {
        SafeTensorError::MetadataIncompleteBuffer => data_length_error(path, bytes, header),
        e => corrupt(format!("its header is not valid safetensors ({e})")),
    })?;
    let data = LENGTH_BYTES + header;
    let mut tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        if !matches!(info.dtype.bitsize(), 8 | 16 | 32 | 64) {
            return Err(corrupt(format!(
                "tensor {name} has the dtype {:?}",
                info.dtype
            )));
        }
        let stored = Stored {
            dtype: info.dtype,
            shape: info.shape.clone(),
            offset: data + info.data_offsets.0,
            strides: None,
        };
        let size = super::span(&stored.shape, None)
            .and_then(|count| count.checked_mul(info.dtype.bitsize() / 8))
            .and_then(|size| stored.offset.checked_add(size));
        if size.is_none_or(|end| end > bytes.len()) {
            return Err(corrupt(format!("tensor {name} lies outside the file")));
        }
        tensors.push((name, stored));
    }
    Ok(Contents {
        tensors,
        nested_under: None,
        without_tensor: Vec::new(),
    })
}

/// The header is whole, but the data behind it is too short or too long.
fn data_length_error(path: &Path, bytes: &[u8], header: u64) -> CheckpointError {
    #[derive(serde::Deserialize)]
    struct Offsets {
        data_offsets: (u64, u64),
    }
    let start = LENGTH_BYTES
        .saturating_add(header as usize)
        .min(bytes.len());
    let parsed: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes[LENGTH_BYTES..start]).unwrap_or_default();
    let declared = parsed
        .into_iter()
        .filter_map(|(_, value)| serde_json::from_value::<Offsets>(value).ok())
        .map(|offsets| offsets.data_offsets.1)
        .max()
        .unwrap_or(0);
    let found = (bytes.len() - start) as u64;
    let path = path.into();
    if found < declared {
        let detail = format!("its tensors need {declared} bytes, but only {found} are there");
        CheckpointError::Truncated { path, detail }
    } else {
        let detail = format!("its tensors need {declared} bytes, but {found} are there");
        CheckpointError::Corrupt { path, detail }
    }
}

/// The safetensors dtype of a PyTorch storage class; `None` for what no weight is stored as.
pub(super) fn dtype_of_storage(class: &str) -> Option<Dtype> {
    Some(match class {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

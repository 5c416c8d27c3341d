//! Reading the zip format of `torch.save`: the tensors of a pickled state dict.
//!
//! Source of the format: PyTorch's `torch/serialization.py` and `torch/_utils.py`. Members are
//! stored uncompressed, so tensors are used where they lie in the mapped file.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;

use safetensors::Dtype;
use zip::{CompressionMethod, ZipArchive};

use super::pickle::{Id, Pickle, Value};
use super::safetensors_file::dtype_of_storage;
use super::{CheckpointError, Contents, Found, Stored, WRAPPERS, span};

/// Wrappers inside wrappers that are looked into.
const NESTING: usize = 3;

/// Lists the tensors of a mapped PyTorch zip file.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    let corrupt = |detail: String| CheckpointError::Corrupt {
        path: path.into(),
        detail,
    };
    let members = Members::open(path, bytes)?;
    let (start, size) = members.pickle;
    let pickle = Pickle::parse(&bytes[start..start + size])
        .map_err(|reason| corrupt(format!("its data.pkl cannot be read: {reason}")))?;
    let Some((state_dict, nested_under)) = find_state_dict(&pickle) else {
        return Err(CheckpointError::NoTensors { path: path.into() });
    };
    let mut tensors = Vec::new();
    let mut without_tensor = Vec::new();
    for (key, value) in state_dict {
        let name = match pickle.text(*key) {
            Some(name) => name.to_string(),
            None => return Err(corrupt("a key of its state dict is no text".into())),
        };
        match tensor_call(&pickle, *value) {
            None => without_tensor.push(name),
            Some(args) => {
                let stored = stored_tensor(&pickle, args, &members)
                    .map_err(|reason| corrupt(format!("tensor {name}: {reason}")))?;
                tensors.push((name, stored));
            }
        }
    }
    Ok(Contents {
        tensors,
        nested_under,
        without_tensor,
    })
}

/// Where the archive's members lie in the file: (first byte, length).
struct Members {
    pickle: (usize, usize),
    /// By storage key.
    storages: HashMap<String, (usize, usize)>,
}

impl Members {
    fn open(path: &Path, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let unsupported = |detail: String| CheckpointError::Unsupported {
            path: path.into(),
            detail,
        };
        let corrupt = |detail: String| CheckpointError::Corrupt {
            path: path.into(),
            detail,
        };
        let not_a_checkpoint = |found| CheckpointError::NotACheckpoint {
            path: path.into(),
            found,
        };
        let mut archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|e| CheckpointError::Truncated {
                path: path.into(),
                detail: format!("its zip directory, which ends the file, cannot be read ({e})"),
            })?;
        let names: Vec<String> = archive
            .file_names()
            .map(|name| name.map(Into::into))
            .collect::<Result<_, _>>()
            .map_err(|e| corrupt(format!("a name in its zip directory cannot be read ({e})")))?;
        let Some(root) = names.iter().find_map(|name| name.strip_suffix("data.pkl")) else {
            return Err(not_a_checkpoint(Found::OtherZip));
        };
        if names
            .iter()
            .any(|name| name.strip_prefix(root) == Some("constants.pkl"))
        {
            return Err(not_a_checkpoint(Found::TorchScript));
        }
        let mut pickle = None;
        let mut storages = HashMap::new();
        for index in 0..archive.len() {
            let mut member = archive
                .by_index_raw(index)
                .map_err(|e| corrupt(format!("its zip member {index} cannot be read ({e})")))?;
            let name = match member.name() {
                Ok(name) => name.to_string(),
                Err(e) => return Err(corrupt(format!("a zip member has no name ({e})"))),
            };
            let Some(local) = name.strip_prefix(root) else {
                continue;
            };
            let storage = local.strip_prefix("data/");
            if local == "byteorder" {
                let mut order = String::new();
                let read = member.by_ref().take(16).read_to_string(&mut order);
                if read.is_err() || order.trim() != "little" {
                    return Err(unsupported(format!("its byte order is {:?}", order.trim())));
                }
            }
            if storage.is_none() && local != "data.pkl" {
                continue;
            }
            if member.compression() != CompressionMethod::Stored || member.encrypted() {
                return Err(unsupported(format!(
                    "its member {name} is compressed or encrypted"
                )));
            }
            let bounds = member
                .data_start()
                .and_then(|start| usize::try_from(start).ok())
                .zip(usize::try_from(member.size()).ok())
                .filter(|(start, size)| {
                    start
                        .checked_add(*size)
                        .is_some_and(|end| end <= bytes.len())
                })
                .ok_or_else(|| corrupt(format!("its member {name} lies outside the file")))?;
            match storage {
                Some(key) => drop(storages.insert(key.to_string(), bounds)),
                None => pickle = Some(bounds),
            }
        }
        let pickle = pickle.ok_or_else(|| not_a_checkpoint(Found::OtherZip))?;
        Ok(Self { pickle, storages })
    }
}

/// Keys and values of a dictionary, and the keys that lead to it.
type StateDict<'a> = (&'a [(Id, Id)], Option<String>);

/// The dictionary with the tensors.
fn find_state_dict(pickle: &Pickle) -> Option<StateDict<'_>> {
    let mut items = pickle.items(pickle.root())?;
    let mut keys = Vec::new();
    for _ in 0..NESTING {
        let inner = WRAPPERS.iter().find_map(|wrapper| {
            let (_, value) = items
                .iter()
                .find(|(key, _)| pickle.text(*key) == Some(wrapper))?;
            let inner = pickle.items(*value)?;
            (!inner.is_empty()).then_some((*wrapper, inner))
        });
        let Some((wrapper, inner)) = inner else { break };
        keys.push(wrapper);
        items = inner;
    }
    let holds_tensors = items
        .iter()
        .any(|(_, value)| tensor_call(pickle, *value).is_some());
    holds_tensors.then(|| (items, (!keys.is_empty()).then(|| keys.join("."))))
}

/// The arguments of `_rebuild_tensor_v2` if the value is a tensor or a parameter.
fn tensor_call(pickle: &Pickle, mut id: Id) -> Option<&[Id]> {
    // A parameter wraps a tensor; a chain of wrappers is cut short, since a pickle can be cyclic.
    for _ in 0..4 {
        let Value::Call { callable, args, .. } = pickle.get(id) else {
            return None;
        };
        let Value::Global(name) = pickle.get(*callable) else {
            return None;
        };
        let args = pickle.sequence(*args)?;
        match name.as_str() {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                return Some(args);
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                id = *args.first()?;
            }
            // (function, type, arguments, state)
            "torch._tensor._rebuild_from_type_v2" => {
                let function = pickle.get(*args.first()?);
                let inner = pickle.sequence(*args.get(2)?)?;
                match function {
                    Value::Global(name) if name == "torch._utils._rebuild_tensor_v2" => {
                        return Some(inner);
                    }
                    Value::Global(name) if name == "torch._utils._rebuild_parameter" => {
                        id = *inner.first()?;
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    None
}

/// Resolves (storage, offset, size, stride, …) to bytes of the file.
fn stored_tensor(pickle: &Pickle, args: &[Id], members: &Members) -> Result<Stored, String> {
    let [storage, offset, size, stride, ..] = args else {
        return Err("it lacks a storage, an offset, a size or strides".into());
    };
    let sizes = |id: &Id, what: &str| -> Result<Vec<usize>, String> {
        let items = pickle
            .sequence(*id)
            .ok_or_else(|| format!("its {what} is no tuple"))?;
        items
            .iter()
            .map(|item| {
                pickle
                    .int(*item)
                    .and_then(|value| usize::try_from(value).ok())
            })
            .collect::<Option<_>>()
            .ok_or_else(|| format!("its {what} is no tuple of sizes"))
    };
    let shape = sizes(size, "shape")?;
    let strides = sizes(stride, "stride")?;
    if shape.len() != strides.len() {
        return Err("its shape and its strides differ in length".into());
    }
    let offset = pickle
        .int(*offset)
        .and_then(|value| usize::try_from(value).ok())
        .ok_or("its offset is no size")?;
    let (dtype, key) = storage_of(pickle, *storage)?;
    let (start, length) = *members
        .storages
        .get(key)
        .ok_or_else(|| format!("its storage data/{key} is missing from the archive"))?;

    let strides = (strides != dense_strides(&shape)).then_some(strides);
    let bytes = dtype.bitsize() / 8;
    let begin = offset
        .checked_mul(bytes)
        .ok_or("its offset is out of range")?;
    let end = span(&shape, strides.as_deref())
        .and_then(|elements| elements.checked_mul(bytes))
        .and_then(|size| size.checked_add(begin));
    // Overlapping strides let a few bytes stand for a huge tensor; PyTorch saves no such weight.
    let claimed = span(&shape, None).and_then(|elements| elements.checked_mul(bytes));
    if end.is_none_or(|end| end > length) || claimed.is_none_or(|size| size > length) {
        return Err(format!(
            "it needs more than the {length} bytes of its storage"
        ));
    }
    Ok(Stored {
        dtype,
        shape,
        offset: start + begin,
        strides,
    })
}

/// dtype and key of `("storage", <class>, key, location, elements)`.
fn storage_of(pickle: &Pickle, id: Id) -> Result<(Dtype, &str), String> {
    let Value::Persistent(id) = pickle.get(id) else {
        return Err("its storage is no storage".into());
    };
    let parts = pickle.sequence(*id).ok_or("its storage is no tuple")?;
    let [_, class, key, ..] = parts else {
        return Err("its storage lacks a key".into());
    };
    let Value::Global(class) = pickle.get(*class) else {
        return Err("its storage has no class".into());
    };
    let name = class.strip_prefix("torch.").unwrap_or(class);
    let dtype =
        dtype_of_storage(name).ok_or_else(|| format!("its dtype, {class}, is not supported"))?;
    let key = pickle.text(*key).ok_or("its storage's key is no text")?;
    Ok((dtype, key))
}

/// Row-major strides in elements. Axes of length one can have any; they are given the dense one
/// here, and a tensor that differs only there merely takes the slower path.
fn dense_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1].saturating_mul(shape[axis + 1]);
    }
    strides
}

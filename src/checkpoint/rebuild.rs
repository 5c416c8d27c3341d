//! Turns the recorded calls by which a pickle rebuilds tensors into places in the file.
//!
//! Source of the functions' names and arguments: PyTorch's `torch/_utils.py`, `_tensor.py`.

use std::collections::HashMap;

use safetensors::Dtype;

use super::error::printable;
use super::pickle::Pickle;
use super::pickle_value::{Id, Value};
use super::values::{Place, Stored, span};

/// Parameters and subclasses around a tensor that are unwrapped; a pickle may be cyclic.
const WRAPPERS: usize = 4;

/// Why a tensor cannot be used.
#[derive(Debug)]
pub(super) enum Fault {
    Corrupt(String),
    /// Well-formed, but of this type or kind.
    Unsupported(String),
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Corrupt(reason.into())
    }
}

/// A pickle, and where its storages lie, by storage key.
pub(super) struct Rebuilder<'a> {
    pub(super) pickle: &'a Pickle,
    pub(super) storages: &'a HashMap<String, Place>,
}

/// The arguments that make a plain tensor.
struct Plain<'a> {
    storage: Id,
    offset: Id,
    size: Id,
    stride: Id,
    /// The dtype's name where the storage's class does not tell it.
    dtype: Option<&'a str>,
}

impl<'a> Rebuilder<'a> {
    /// Whether a value is a tensor of any kind.
    pub(super) fn is_tensor(&self, id: Id) -> bool {
        self.pickle.call(id).is_some_and(|(function, _)| {
            function.starts_with("torch._utils._rebuild")
                || function.starts_with("torch._tensor._rebuild")
        })
    }

    /// Resolves a tensor to bytes of the file.
    pub(super) fn tensor(&self, id: Id) -> Result<Stored, Fault> {
        let plain = self.unwrap(id)?;
        let shape = self.sizes(plain.size).ok_or("its shape is invalid")?;
        let mut strides = self.sizes(plain.stride).ok_or("its stride is invalid")?;
        let offset = self.pickle.size(plain.offset);
        let offset = offset.ok_or("its offset is invalid")?;
        if shape.len() != strides.len() {
            return Err("its shape and its stride differ in length".into());
        }
        let (dtype, place) = self.storage(&plain)?;
        let Place {
            file,
            start,
            length,
        } = place;
        let bytes = dtype.bitsize() / 8;
        let elements = span(&shape, None).and_then(|count| count.checked_mul(bytes));
        match elements {
            None => return Err("its shape is impossibly large".into()),
            Some(0) => {
                return Ok(Stored {
                    file,
                    dtype,
                    shape,
                    offset: start,
                    strides: None,
                });
            }
            Some(_) => {}
        }
        let begin = offset.checked_mul(bytes);
        let end = span(&shape, Some(&strides))
            .and_then(|elements| elements.checked_mul(bytes))
            .and_then(|size| size.checked_add(begin?));
        let (Some(begin), Some(_)) = (begin, end.filter(|end| *end <= length)) else {
            return Err(Fault::Corrupt(format!(
                "its shape {shape:?} reaches beyond its storage of {length} bytes"
            )));
        };
        let dense = normalize(&shape, &mut strides);
        Ok(Stored {
            file,
            dtype,
            shape,
            offset: start + begin,
            strides: (!dense).then_some(strides),
        })
    }

    /// Unwraps parameters and subclasses down to the call that makes the tensor.
    fn unwrap(&self, id: Id) -> Result<Plain<'a>, Fault> {
        let unknown = "it is described in an unknown way";
        let mut call = self.pickle.call(id).ok_or(unknown)?;
        for _ in 0..WRAPPERS {
            let name = call.0.rsplit('.').next().unwrap_or_default();
            call = match (name, call.1) {
                (
                    "_rebuild_tensor_v2" | "_rebuild_tensor",
                    &[storage, offset, size, stride, ..],
                ) => {
                    return Ok(Plain {
                        storage,
                        offset,
                        size,
                        stride,
                        dtype: None,
                    });
                }
                // For dtypes that have no class of storage.
                ("_rebuild_tensor_v3", &[storage, offset, size, stride, _, _, dtype, ..]) => {
                    return Ok(Plain {
                        storage,
                        offset,
                        size,
                        stride,
                        dtype: Some(self.pickle.global(dtype).ok_or(unknown)?),
                    });
                }
                ("_rebuild_parameter" | "_rebuild_parameter_with_state", &[data, ..]) => {
                    self.pickle.call(data).ok_or(unknown)?
                }
                // (function, type, arguments, state)
                ("_rebuild_from_type_v2", &[function, _, args, ..]) => (
                    self.pickle.global(function).ok_or(unknown)?,
                    self.pickle.sequence(args).ok_or(unknown)?,
                ),
                (other, _) => return Err(Fault::Unsupported(printable(other))),
            };
        }
        Err(unknown.into())
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        let items = self.pickle.sequence(id)?;
        items.iter().map(|item| self.pickle.size(*item)).collect()
    }

    /// dtype and place of the storage `("storage", class, key, location, elements)`; PyTorch before 1.6
    /// adds `(key, first element, elements)` of a part of it, or none.
    fn storage(&self, plain: &Plain) -> Result<(Dtype, Place), Fault> {
        let parts = match self.pickle.get(plain.storage) {
            Value::Persistent(id) => self.pickle.sequence(*id),
            _ => None,
        };
        let (class, key, elements, part) = match parts {
            Some(&[_, class, key, _, elements]) => (class, key, elements, None),
            Some(&[_, class, key, _, elements, part]) => (class, key, elements, Some(part)),
            _ => return Err("it has no storage".into()),
        };
        let (Some(class), Some(key), Some(elements)) = (
            self.pickle.global(class),
            self.pickle.text(key),
            self.pickle.size(elements),
        ) else {
            return Err("its storage is invalid".into());
        };
        let class = class.strip_prefix("torch.").unwrap_or(class);
        let named = plain.dtype.or(Some(class)).unwrap_or_default();
        let dtype = dtype_named(named).ok_or_else(|| Fault::Unsupported(printable(named)))?;
        let Some(&place) = self.storages.get(key) else {
            let key = printable(key);
            return Err(Fault::Corrupt(format!("its storage {key} is missing")));
        };
        let length = place.length;
        // A storage without a dtype counts bytes.
        let size = if plain.dtype.is_some() {
            1
        } else {
            dtype.bitsize() / 8
        };
        if elements.checked_mul(size).is_none_or(|size| size > length) {
            return Err(Fault::Corrupt(format!(
                "its storage has {length} bytes, too few for the {elements} elements declared"
            )));
        }
        let part = part.and_then(|part| self.pickle.sequence(part));
        let Some(part) = part else {
            return Ok((dtype, place));
        };
        let bounds = match part {
            &[_, first, count] => {
                let bytes = |id| self.pickle.size(id)?.checked_mul(size);
                bytes(first).zip(bytes(count))
            }
            _ => None,
        };
        let inside = |(first, count): &(usize, usize)| {
            first.checked_add(*count).is_some_and(|end| end <= length)
        };
        let (first, count) = bounds
            .filter(inside)
            .ok_or("its part of a storage is invalid")?;
        let start = place.start + first;
        Ok((
            dtype,
            Place {
                start,
                length: count,
                ..place
            },
        ))
    }
}

/// Bytes of an element in a storage of that class.
pub(super) fn element_size(class: &str) -> Option<usize> {
    let class = class.strip_prefix("torch.").unwrap_or(class);
    let size = match class {
        "UntypedStorage" => 1,
        "ComplexFloatStorage" => 8,
        "ComplexDoubleStorage" => 16,
        "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => 1,
        "QInt32Storage" => 4,
        _ => dtype_named(class)?.bitsize() / 8,
    };
    Some(size)
}

/// The dtype of a storage class or of that name in PyTorch; `None` for what cannot be read.
fn dtype_named(name: &str) -> Option<Dtype> {
    Some(match name {
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
        "torch.uint16" => Dtype::U16,
        "torch.uint32" => Dtype::U32,
        "torch.uint64" => Dtype::U64,
        _ => return None,
    })
}

/// Sets the strides of axes of length one, which mean nothing and may be any number, to zero.
/// Returns whether the elements are dense and row-major. No axis has length zero.
fn normalize(shape: &[usize], strides: &mut [usize]) -> bool {
    let mut dense = true;
    let mut next = 1;
    for (size, stride) in shape.iter().zip(strides).rev() {
        if *size == 1 {
            *stride = 0;
        } else {
            dense &= *stride == next;
        }
        next *= size;
    }
    dense
}

//! A restricted reader of Python pickles: enough for what `torch.save` writes, and no more.
//!
//! Nothing is executed: globals stay names, calls stay records. Values live in an arena and refer
//! to each other by index, so a value used twice is stored once, nesting needs no recursion, and a
//! cycle is harmless. Bytes, values and steps are limited, and with them the memory.

use super::pickle_machine::run;
use super::pickle_value::{Id, MODULE, Value};

/// Longest pickle that is read, in bytes. A state dict of 1000 tensors needs about 0.2 MB.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// A parsed pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Parses protocols 2 to 5.
    ///
    /// # Errors
    /// A sentence on what is wrong with the bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            let length = bytes.len();
            return Err(format!("it has {length} bytes, more than {MAX_BYTES}"));
        }
        Ok(Self::parse_first(bytes)?.0)
    }

    /// Parses a pickle that others may follow, and gives its length.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(super) fn parse_first(bytes: &[u8]) -> Result<(Self, usize), String> {
        let (values, root, length) = run(bytes)?;
        Ok((Self { values, root }, length))
    }

    /// The references that PyTorch resolves outside of the pickle.
    pub(super) fn persistent(&self) -> impl Iterator<Item = &[Id]> {
        let values = self.values.iter();
        values.filter_map(|value| match value {
            Value::Persistent(id) => self.sequence(*id),
            _ => None,
        })
    }

    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Other)
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is not negative, as sizes, strides and offsets are.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn global(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Global(name) => Some(name),
            _ => None,
        }
    }

    /// Name of the callable and the arguments of a call that was recorded.
    pub(super) fn call(&self, id: Id) -> Option<(&str, &[Id])> {
        match self.get(id) {
            Value::Call { callable, args, .. } => {
                Some((self.global(*callable)?, self.sequence(*args)?))
            }
            _ => None,
        }
    }

    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The attributes of a TorchScript module.
    pub(super) fn module(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Call {
                callable, items, ..
            } => self
                .global(*callable)
                .filter(|name| name.starts_with(MODULE))
                .map(|_| items.as_slice()),
            _ => None,
        }
    }

    /// The items of a dictionary, or those set on an `OrderedDict` or the like.
    pub(super) fn items(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(items) => Some(items),
            Value::Call {
                callable, items, ..
            } => match self.get(*callable) {
                Value::Global(name) if name.starts_with("collections.") => Some(items),
                _ => None,
            },
            _ => None,
        }
    }
}

//! What a Python pickle holds, as far as a state dict needs it.

/// What the class of a TorchScript module begins with.
pub(super) const MODULE: &str = "__torch__.";

/// Index of a value in the arena.
pub(super) type Id = usize;

/// What a pickle can hold here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Text(String),
    /// Tuples, lists and sets.
    Sequence(Vec<Id>),
    /// Dictionaries, and objects that are filled like one (`collections.OrderedDict`).
    Dict(Vec<(Id, Id)>),
    /// `module.name`.
    Global(String),
    /// `callable(*args)`, with the items set on it afterwards.
    Call {
        callable: Id,
        args: Id,
        items: Vec<(Id, Id)>,
    },
    /// A reference that PyTorch resolves outside the pickle: a storage.
    Persistent(Id),
    /// None, booleans, floats, bytes: nothing that a state dict needs.
    Other,
}

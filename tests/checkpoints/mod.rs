//! Opening, checking and converting checkpoints, one module per concern.

/// Writing safetensors files.
mod convert;
/// Damaged checkpoints, made of few bytes, each with its message and hint.
mod damaged;
/// The golden weights, nested, prefixed and incomplete.
pub mod derived;
/// Files that are no checkpoints and tensors that cannot be used, each with its message and hint.
mod errors;
/// The golden files: both formats agree, nesting and prefix go, a missing key is named.
mod golden;
/// Cut, changed and malicious files: errors, no panic, no large allocation.
mod hostile;
/// The layouts of all families: recognised, strict, and the same tensors under the same names.
mod layouts;
/// What torch.save writes in all its variety, against values written by PyTorch itself.
mod pytorch;
/// Checkpoints in several files, and folders as checkpoints.
mod shards;
/// Temporary files, and hand-made safetensors, zip and pickle bytes.
pub mod util;
/// Comparison with a model's tensors, and which configuration a checkpoint looks like.
mod verify;

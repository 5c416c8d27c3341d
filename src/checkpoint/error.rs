//! Why a checkpoint cannot be used, and what to do about it.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::Found;
use super::verify::Mismatch;
use crate::checkpoint::hub::HubError;
use crate::util::escape::Shown;
use crate::util::output_file::hint_for;

/// What to do with a file that PyTorch can read and this program cannot.
pub(super) const RESAVE: &str =
    "load it with PyTorch and save it again: torch.save(model.state_dict(), \"new.pt\")";

/// An error about one checkpoint file. The message says what and where, [`hint`](Self::hint) what
/// to do next.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error("{} does not exist", path.display())]
    NotFound { path: PathBuf },
    #[error("{} is a folder, not a checkpoint file", path.display())]
    IsFolder { path: PathBuf },
    #[error("{} is no regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not a checkpoint: {found}", path.display())]
    NotACheckpoint { path: PathBuf, found: Found },
    #[error("{} is truncated: {detail}", path.display())]
    Truncated { path: PathBuf, detail: String },
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt { path: PathBuf, detail: String },
    #[error("{} is not supported: {detail}", path.display())]
    Unsupported { path: PathBuf, detail: String },
    #[error("{} holds no tensors", path.display())]
    NoTensors { path: PathBuf },
    #[error("{} holds no state dict: {found}", path.display())]
    NoStateDict { path: PathBuf, found: String },
    #[error("{} holds several different state dicts, under {}", path.display(), keys.join(" and "))]
    Ambiguous { path: PathBuf, keys: Vec<String> },
    #[error("{}: the key {tensor} occurs twice", path.display())]
    DuplicateKey { path: PathBuf, tensor: String },
    #[error("{}: tensor {tensor} has the type {kind}, which is not supported", path.display())]
    UnsupportedTensor {
        path: PathBuf,
        tensor: String,
        kind: String,
    },
    #[error("{}: tensor {tensor} does not exist", path.display())]
    NoSuchTensor { path: PathBuf, tensor: String },
    /// `index` has one coordinate for each axis.
    #[error("{}: tensor {tensor} has {count} of {total} values that are NaN or infinite, the first at {index:?}", path.display())]
    NotFinite {
        path: PathBuf,
        tensor: String,
        index: Vec<usize>,
        count: usize,
        total: usize,
    },
    #[error("{}: tensor {tensor} has dtype {dtype}, which is no floating-point weight", path.display())]
    NotFloating {
        path: PathBuf,
        tensor: String,
        dtype: String,
    },
    #[error("{}: tensor {tensor} cannot be stored as {dtype}: the value {value} at {index:?} is out of range", path.display())]
    OutOfRange {
        path: PathBuf,
        tensor: String,
        dtype: String,
        index: Vec<usize>,
        value: f64,
    },
    #[error("weights cannot be stored as {dtype}")]
    NoTarget { dtype: String },
    #[error("{}: tensor {tensor} cannot be placed on the device", path.display())]
    Device {
        path: PathBuf,
        tensor: String,
        source: Box<candle_core::Error>,
    },
    #[error("{} does not fit the model {}\n{mismatch}", path.shown(), model.shown())]
    Mismatch {
        path: PathBuf,
        model: String,
        mismatch: Box<Mismatch>,
        /// What the checkpoint may be, and what to do then.
        advice: Option<String>,
    },
    #[error("{} exists already", path.display())]
    OutputExists { path: PathBuf },
    #[error("{} cannot be written", path.display())]
    Unwritable {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl CheckpointError {
    /// Whether the message has more lines than one: one for each key.
    pub fn lists_keys(&self) -> bool {
        matches!(self, Self::Mismatch { .. })
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Hub(e) => e.hint().into(),
            Self::NotFound { .. } => {
                "check --ckpt-path; only an address hf://… is downloaded".into()
            }
            Self::IsFolder { .. } => "name the .safetensors or .pt file inside it".into(),
            Self::NotAFile { .. } => "copy the checkpoint into a regular file first".into(),
            Self::Unreadable { path, source } if source.kind() == ErrorKind::PermissionDenied => {
                format!("allow reading it: chmod u+r {path:?}")
            }
            Self::NotACheckpoint { found, .. } => found.hint().into(),
            Self::Truncated { .. } => "the download or copy was cut off; fetch it again".into(),
            Self::Corrupt { .. } => {
                "fetch it again and compare its checksum with the publisher's".into()
            }
            Self::Unsupported { .. } => RESAVE.into(),
            Self::NoTensors { .. } | Self::NoStateDict { .. } => {
                "save the weights alone: torch.save(model.state_dict(), \"new.pt\")".into()
            }
            Self::Ambiguous { .. } => {
                "save the one that is meant alone: torch.save(checkpoint[KEY], \"new.pt\")".into()
            }
            Self::DuplicateKey { .. } => {
                "save it again with every key once; which copy is meant cannot be known".into()
            }
            Self::UnsupportedTensor { .. } => {
                "save the weights again as dense float32, float16 or bfloat16 tensors".into()
            }
            Self::NotFinite { .. } => {
                "the training diverged or the conversion overflowed; no accuracy can come of it"
                    .into()
            }
            Self::Mismatch {
                advice: Some(advice),
                ..
            } => advice.clone(),
            Self::Mismatch { mismatch, .. } => match mismatch.extra_prefix() {
                Some(prefix) => format!("the keys would fit without the prefix {prefix}"),
                None => "uta-eval inspect shows what the checkpoint holds".into(),
            },
            Self::OutputExists { .. } => {
                "remove it or choose another name; nothing is overwritten".into()
            }
            Self::OutOfRange { .. } => "choose --dtype bf16 or f32, which have the range".into(),
            Self::NoTarget { .. } => "choose f16, bf16 or f32".into(),
            Self::Unwritable { source, .. } => hint_for(source).into(),
            Self::Unreadable { .. }
            | Self::NoSuchTensor { .. }
            | Self::NotFloating { .. }
            | Self::Device { .. } => return None,
        })
    }
}

/// Whether a character could change a terminal's state or hide text there.
fn is_unprintable(c: char) -> bool {
    // Rust escapes quotes and backslashes too, which are harmless.
    !matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1
}

/// Text out of a file, fit for a message: not too long and without control characters.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        if is_unprintable(c) {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a key can be a tensor's: printed as it is from here on, and not too long.
pub(super) fn is_sound_key(key: &str) -> bool {
    const LONGEST: usize = 512;
    !key.is_empty() && key.len() <= LONGEST && !key.contains(is_unprintable)
}

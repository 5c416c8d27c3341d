//! Why a checkpoint cannot be used, and what to do about it.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::Found;
use super::verify::Mismatch;
use crate::checkpoint::hub::HubError;
use crate::util::brief;
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
    #[error("{} does not exist", path.shown())]
    NotFound { path: PathBuf },
    #[error("{} is a folder, in which no file is known to be the weights{}", path.shown(), of_files(files))]
    IsFolder {
        path: PathBuf,
        /// Those in it that may be checkpoints.
        files: Vec<String>,
    },
    #[error("{} is a checkpoint of torch.distributed.checkpoint, whose tensors lie in pieces", folder.shown())]
    Distributed { folder: PathBuf },
    #[error("{} lists {all} files, of which {} missing: {}", path.shown(), if missing.len() == 1 { "one is".into() } else { format!("{} are", missing.len()) }, brief::list(missing))]
    MissingShards {
        path: PathBuf,
        missing: Vec<String>,
        all: usize,
    },
    #[error("{} is compressed, and cannot be unpacked into {}", path.shown(), folder.shown())]
    NotUnpacked {
        path: PathBuf,
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("{} has no weights under {key}{}", path.shown(), of_keys(known))]
    NoSuchWeights {
        path: PathBuf,
        key: String,
        /// The keys that it has.
        known: Vec<String>,
    },
    #[error("{} is no regular file", path.shown())]
    NotAFile { path: PathBuf },
    #[error("{} cannot be read", path.shown())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not a checkpoint: {found}", path.shown())]
    NotACheckpoint { path: PathBuf, found: Found },
    #[error("{} is truncated: {detail}", path.shown())]
    Truncated { path: PathBuf, detail: String },
    #[error("{} is damaged: {detail}", path.shown())]
    Corrupt { path: PathBuf, detail: String },
    #[error("{cause} (it is a TorchScript program)")]
    Program { cause: Box<CheckpointError> },
    #[error("{} is not supported: {detail}", path.shown())]
    Unsupported { path: PathBuf, detail: String },
    #[error("{} holds no tensors", path.shown())]
    NoTensors { path: PathBuf },
    #[error("{} holds no state dict: {found}", path.shown())]
    NoStateDict {
        path: PathBuf,
        found: String,
        /// The keys of other dictionaries with tensors.
        known: Vec<String>,
    },
    #[error("{} holds several different state dicts, under {}", path.shown(), brief::list_by(keys, " and "))]
    Ambiguous { path: PathBuf, keys: Vec<String> },
    #[error("{}: the key {tensor} occurs twice", path.shown())]
    DuplicateKey { path: PathBuf, tensor: String },
    #[error("{}: tensor {tensor} has the type {kind}, which is not supported", path.shown())]
    UnsupportedTensor {
        path: PathBuf,
        tensor: String,
        kind: String,
    },
    #[error("{}: tensor {tensor} does not exist", path.shown())]
    NoSuchTensor { path: PathBuf, tensor: String },
    /// `index` has one coordinate for each axis.
    #[error("{}: tensor {tensor} has {count} of {total} values that are NaN or infinite, the first at {index:?}", path.shown())]
    NotFinite {
        path: PathBuf,
        tensor: String,
        index: Vec<usize>,
        count: usize,
        total: usize,
    },
    #[error("{}: tensor {tensor} has dtype {dtype}, which is no floating-point weight", path.shown())]
    NotFloating {
        path: PathBuf,
        tensor: String,
        dtype: String,
    },
    #[error("{}: tensor {tensor} cannot be stored as {dtype}: the value {value} at {index:?} is out of range", path.shown())]
    OutOfRange {
        path: PathBuf,
        tensor: String,
        dtype: String,
        index: Vec<usize>,
        value: f64,
    },
    #[error("weights cannot be stored as {dtype}")]
    NoTarget { dtype: String },
    #[error("{}: tensor {tensor} cannot be placed on the device", path.shown())]
    Device {
        path: PathBuf,
        tensor: String,
        source: Box<candle_core::Error>,
    },
    #[error("{} does not fit the model {}\n{}", path.shown(), model.shown(), mismatch.brief())]
    Mismatch {
        path: PathBuf,
        model: String,
        mismatch: Box<Mismatch>,
        /// What the checkpoint may be, and what to do then.
        advice: Option<String>,
    },
    #[error("no known model has the shapes of {} ({found})", path.shown())]
    Unrecognised {
        path: PathBuf,
        /// Its dimensions, or some of its keys.
        found: String,
        /// With its dot, what stands in front of the keys of a known model.
        prefix: Option<String>,
    },
    #[error("{} exists already", path.shown())]
    OutputExists { path: PathBuf },
    #[error("{} cannot be written", path.shown())]
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
            Self::Distributed { folder } => format!(
                "join them: python -m torch.distributed.checkpoint.format_utils dcp_to_torch {} joined.pt",
                quoted(folder)
            ),
            Self::MissingShards { .. } => {
                "copy or download all files that the list names into its folder".into()
            }
            Self::NotUnpacked { .. } => {
                "free space there, or name another folder with TMPDIR; or save it again with PyTorch, which does not compress".into()
            }
            Self::NoSuchWeights { .. } => {
                "uta-eval inspect shows what the checkpoint holds".into()
            }
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
            Self::Program { .. } => {
                "OpenAI's weights are published as safetensors, too: for instance --model ViT-B-32 --pretrained openai, which is hf://timm/vit_base_patch32_clip_224.openai".into()
            }
            Self::NoStateDict { known, .. } if !known.is_empty() => {
                format!("if one is meant, say which: --weights {}", known[0])
            }
            Self::NoTensors { .. } | Self::NoStateDict { .. } => {
                "save the weights alone: torch.save(model.state_dict(), \"new.pt\")".into()
            }
            Self::Ambiguous { keys, .. } => {
                let keys: Vec<_> = keys.iter().map(|key| format!("--weights {key}")).collect();
                format!("say which one is meant: {}", brief::list_by(&keys, " or "))
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
                Some(prefix) => without_prefix(prefix),
                None => "uta-eval inspect shows what the checkpoint holds".into(),
            },
            Self::Unrecognised {
                prefix: Some(prefix),
                ..
            } => without_prefix(prefix),
            Self::Unrecognised { .. } => {
                "name the model with --model NAME or FILE.json, or put its description beside the weights; uta-eval models lists the names, uta-eval inspect shows the tensors".into()
            }
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

fn of_files(files: &[String]) -> String {
    match files {
        [] => String::new(),
        files => format!("; it has {}", brief::list(files)),
    }
}

fn of_keys(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; it has some under {}", brief::list(known)),
    }
}

/// What to do with keys that have a prefix which a model's have not.
fn without_prefix(prefix: &str) -> String {
    format!(
        "the keys would fit without the prefix {prefix}: --weights {}",
        prefix.trim_end_matches('.')
    )
}

/// A path as a shell takes it.
fn quoted(path: &std::path::Path) -> String {
    let path = path.shown().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
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

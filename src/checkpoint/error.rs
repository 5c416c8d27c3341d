//! Why a checkpoint cannot be used, and what to do about it.

use std::path::PathBuf;

use super::verify::Mismatch;

/// An error about one checkpoint file. The message says what and where, [`hint`](Self::hint) what
/// to do next.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{} does not exist", path.display())]
    NotFound { path: PathBuf },
    #[error("{} is a folder, not a checkpoint file", path.display())]
    IsFolder { path: PathBuf },
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
    #[error("{}: tensor {tensor} does not exist", path.display())]
    NoSuchTensor { path: PathBuf, tensor: String },
    #[error("{}: tensor {tensor} has {count} values that are not finite, the first at index {index}", path.display())]
    NotFinite {
        path: PathBuf,
        tensor: String,
        index: usize,
        count: usize,
    },
    #[error("{}: tensor {tensor} has dtype {dtype}, which is no floating-point weight", path.display())]
    NotFloating {
        path: PathBuf,
        tensor: String,
        dtype: String,
    },
    #[error("{}: tensor {tensor} cannot be stored as {dtype}: the value {value} at index {index} is out of range", path.display())]
    OutOfRange {
        path: PathBuf,
        tensor: String,
        dtype: String,
        index: usize,
        value: f64,
    },
    #[error("{} does not fit the model {model}\n{mismatch}", path.display())]
    Mismatch {
        path: PathBuf,
        model: String,
        mismatch: Box<Mismatch>,
        looks_like: Option<String>,
    },
    #[error("{} exists already", path.display())]
    OutputExists { path: PathBuf },
    #[error("{} cannot be written", path.display())]
    Unwritable {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// What a file that is no checkpoint seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Empty,
    Html,
    LfsPointer,
    Text,
    LegacyPickle,
    TorchScript,
    OtherZip,
    Unknown,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "the file is empty",
            Self::Html => "it is an HTML page",
            Self::LfsPointer => {
                "it is a Git LFS pointer, a stand-in of a few lines for the real file"
            }
            Self::Text => "it is a text file",
            Self::LegacyPickle => "it is a pickle of PyTorch before version 1.6, or another pickle",
            Self::TorchScript => "it is a TorchScript program",
            Self::OtherZip => "it is a zip archive without PyTorch's data.pkl",
            Self::Unknown => "it is neither safetensors nor a PyTorch zip file",
        })
    }
}

impl CheckpointError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let resave =
            "load it with PyTorch and save it again: torch.save(model.state_dict(), \"new.pt\")";
        Some(match self {
            Self::NotFound { .. } => "check --ckpt-path; no checkpoint is downloaded".into(),
            Self::IsFolder { .. } => "name the .safetensors or .pt file inside it".into(),
            Self::NotACheckpoint { found, .. } => match found {
                Found::Empty => "download it again".into(),
                Found::Html => "the download saved an error or login page; use the file's direct link".into(),
                Found::LfsPointer => "fetch the real file: git lfs pull".into(),
                Found::LegacyPickle | Found::TorchScript => resave.into(),
                Found::Text | Found::OtherZip | Found::Unknown => {
                    "expected a .safetensors file, or a .pt, .pth or .bin file written by torch.save".into()
                }
            },
            Self::Truncated { .. } => "the download or copy was cut off; fetch it again".into(),
            Self::Corrupt { .. } => "fetch it again and compare its checksum with the publisher's".into(),
            Self::Unsupported { .. } => resave.into(),
            Self::NoTensors { .. } => {
                "the state dict may lie under another key than state_dict, model, module or model_state_dict".into()
            }
            Self::NotFinite { .. } => {
                "the training diverged or the conversion overflowed; no accuracy can come of it".into()
            }
            Self::Mismatch { looks_like, mismatch, .. } => match looks_like {
                Some(name) => format!("the checkpoint looks like {name}: try --model {name}"),
                None if mismatch.is_total() => {
                    "no key fits: is it a UTA checkpoint with keys visual.* and text.*?".into()
                }
                None => "uta-eval inspect shows what the checkpoint holds".into(),
            },
            Self::OutputExists { .. } => "remove it or choose another name; nothing is overwritten".into(),
            Self::OutOfRange { .. } => "choose --dtype bf16 or f32, which have the range".into(),
            Self::Unreadable { .. }
            | Self::NoSuchTensor { .. }
            | Self::NotFloating { .. }
            | Self::Unwritable { .. } => return None,
        })
    }
}

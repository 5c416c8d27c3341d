//! Folders as checkpoints: the one file in them that has the weights, or lists them.

use std::path::{Path, PathBuf};

use super::CheckpointError;
use super::hub::is_checkpoint;

/// What open_clip, transformers and huggingface_hub call a file of weights or the list of several, the
/// preferred one first.
pub const WEIGHTS: [&str; 6] = [
    "open_clip_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// How the name of a list of files ends.
pub const INDEX: &str = ".index.json";

/// The file with the weights where a path is that of a folder with one; otherwise the path.
pub fn within(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.into();
    }
    let named = WEIGHTS.into_iter().map(|name| path.join(name));
    let mut named = named.filter(|file| file.is_file());
    if let Some(file) = named.next() {
        return file;
    }
    let (lists, files): (Vec<_>, Vec<_>) = names(path)
        .into_iter()
        .filter(|name| name.ends_with(INDEX) || is_checkpoint(name))
        .partition(|name| name.ends_with(INDEX));
    match (&lists[..], &files[..]) {
        ([only], _) | ([], [only]) => path.join(only),
        _ => path.into(),
    }
}

/// Why a folder is no checkpoint.
pub(super) fn refusal(path: &Path) -> CheckpointError {
    if path.join(DISTRIBUTED).is_file() || names(path).iter().any(|name| is_piece(name)) {
        return CheckpointError::Distributed {
            folder: path.into(),
        };
    }
    let files = names(path).into_iter().filter(|name| is_checkpoint(name));
    CheckpointError::IsFolder {
        path: path.into(),
        files: files.collect(),
    }
}

/// The folder of a file that is a piece of a checkpoint of `torch.distributed.checkpoint`.
pub(super) fn distributed(file: &Path) -> Option<&Path> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent()?;
    (is_piece(name) || name == DISTRIBUTED && file.is_file()).then_some(folder)
}

/// What lists the tensors of such a checkpoint.
const DISTRIBUTED: &str = ".metadata";

fn is_piece(name: &str) -> bool {
    name.ends_with(".distcp")
}

/// The names of a folder's files, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

//! Writing a checkpoint as a flat safetensors file.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::View;

use super::values::{Stored, encode, is_floating, out_of_range};
use super::{Checkpoint, CheckpointError, dtype_name};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertSummary {
    /// How many tensors the new file has.
    pub tensors: usize,
    /// Size of the new file in bytes.
    pub bytes: u64,
}

/// A tensor to write, made of tensors of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub shape: Vec<usize>,
    /// One behind the other along the first axis.
    pub pieces: Vec<Piece>,
    /// Whether the rows of the pieces, which are one matrix, are columns of this one.
    pub transposed: bool,
}

/// A stored tensor, or a third of its first axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub key: String,
    pub third: Option<usize>,
}

impl Output {
    /// A stored tensor as it is.
    pub fn copy(key: &str, shape: &[usize]) -> Self {
        Self {
            name: key.into(),
            shape: shape.into(),
            pieces: vec![Piece {
                key: key.into(),
                third: None,
            }],
            transposed: false,
        }
    }
}

/// Writes all tensors to `out`, without nesting and prefixes; floating-point ones as `dtype` if
/// one is given. `out` appears whole or not at all and must not exist.
///
/// One tensor at a time is in memory.
///
/// # Errors
/// When `out` exists or cannot be written, `dtype` is no floating-point type, or a weight is not
/// finite or out of the range of `dtype`.
pub fn convert(
    checkpoint: &Checkpoint,
    out: &Path,
    dtype: Option<Dtype>,
) -> Result<ConvertSummary, CheckpointError> {
    let entries = checkpoint.entries();
    let outputs: Vec<_> = entries.map(|e| Output::copy(e.name, e.shape)).collect();
    write(checkpoint, &outputs, out, dtype)
}

/// As [`convert`], but writes other tensors, made of the checkpoint's.
///
/// # Errors
/// As [`convert`], or when the checkpoint lacks a tensor.
pub fn write(
    checkpoint: &Checkpoint,
    outputs: &[Output],
    out: &Path,
    dtype: Option<Dtype>,
) -> Result<ConvertSummary, CheckpointError> {
    if let Some(dtype) = dtype.filter(|dtype| !is_floating(*dtype)) {
        return Err(CheckpointError::NoTarget {
            dtype: dtype_name(dtype),
        });
    }
    let unwritable = |source| CheckpointError::Unwritable {
        path: out.into(),
        source,
    };
    if out.symlink_metadata().is_ok() {
        return Err(CheckpointError::OutputExists { path: out.into() });
    }
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uta-eval-");
    // Temporary files are private to their owner; a checkpoint is as readable as any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(unwritable)?;
    let permissions = temporary.as_file().metadata().map_err(unwritable)?;
    let permissions = permissions.permissions();

    let failure = RefCell::new(None);
    let mut views = Vec::new();
    for output in outputs {
        let mut pieces = Vec::new();
        for piece in &output.pieces {
            pieces.push((piece.key.as_str(), checkpoint.piece(piece)?));
        }
        let Some((_, first)) = pieces.first() else {
            continue;
        };
        let same = pieces.iter().all(|(_, piece)| piece.dtype == first.dtype);
        // Pieces of several types become the one that holds all of them.
        let own = if same { first.dtype } else { Dtype::F32 };
        let target = dtype.filter(|_| is_floating(own)).unwrap_or(own);
        let view = Converted {
            checkpoint,
            output,
            pieces,
            target,
            failure: &failure,
        };
        views.push((output.name.as_str(), view));
    }
    let tensors = views.len();
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let written = safetensors::serialize_to_file(views, Some(metadata), temporary.path());
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    written.map_err(|e| match e {
        safetensors::SafeTensorError::IoError(e) => unwritable(e),
        e => unwritable(std::io::Error::other(e.to_string())),
    })?;
    // Opened anew, since the writer puts a file of its own in the temporary one's place.
    let file = File::options()
        .append(true)
        .open(temporary.path())
        .map_err(unwritable)?;
    file.set_permissions(permissions).map_err(unwritable)?;
    file.sync_all().map_err(unwritable)?;
    let bytes = file.metadata().map_err(unwritable)?.len();
    temporary
        .persist_noclobber(out)
        .map_err(|e| match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => CheckpointError::OutputExists { path: out.into() },
            _ => unwritable(e.error),
        })?;
    Ok(ConvertSummary { tensors, bytes })
}

struct Converted<'a> {
    checkpoint: &'a Checkpoint,
    output: &'a Output,
    /// The keys of the pieces, and where they lie.
    pieces: Vec<(&'a str, Stored)>,
    target: Dtype,
    /// The writer cannot carry an error of ours, so the first is left here. What is written after
    /// it does not matter, since the file is discarded.
    failure: &'a RefCell<Option<CheckpointError>>,
}

impl Converted<'_> {
    fn bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = Vec::new();
        for (key, stored) in &self.pieces {
            bytes.append(&mut self.piece(key, stored)?);
        }
        Ok(
            match (self.output.transposed, self.output.shape.as_slice()) {
                (true, &[rows, columns]) => transpose(&bytes, rows, columns),
                _ => bytes,
            },
        )
    }

    fn piece(&self, key: &str, stored: &Stored) -> Result<Vec<u8>, CheckpointError> {
        let raw = || stored.bytes(&self.checkpoint.files);
        if !is_floating(stored.dtype) {
            return raw();
        }
        let unusable = |reason, wanted: &str| self.checkpoint.unusable(key, stored, reason, wanted);
        let values = stored.values(&self.checkpoint.files);
        let values = values.map_err(|reason| unusable(reason, "f32"))?;
        if self.target == stored.dtype {
            return raw();
        }
        match out_of_range(&values, self.target) {
            None => Ok(encode(&values, self.target)),
            Some(reason) => Err(unusable(reason, &dtype_name(self.target))),
        }
    }
}

/// A matrix [columns, rows] as [rows, columns].
fn transpose(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let size = bytes.len() / (rows * columns).max(1);
    let mut transposed = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        for column in 0..columns {
            let at = (column * rows + row) * size;
            transposed.extend_from_slice(&bytes[at..at + size]);
        }
    }
    transposed
}

impl View for Converted<'_> {
    fn dtype(&self) -> Dtype {
        self.target
    }

    fn shape(&self) -> &[usize] {
        &self.output.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.failure.borrow().is_some() {
            return Cow::default();
        }
        self.bytes().map_or_else(
            |error| {
                self.failure.replace(Some(error));
                Cow::default()
            },
            Cow::Owned,
        )
    }

    fn data_len(&self) -> usize {
        self.output.shape.iter().product::<usize>() * self.target.bitsize() / 8
    }
}

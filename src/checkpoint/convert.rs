//! Writing a checkpoint as a flat safetensors file.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use safetensors::Dtype;

use super::values::{Stored, encode, is_floating, out_of_range};
use super::{Checkpoint, CheckpointError, dtype_name};
use crate::util::safetensors_header::header;
use crate::util::temporary_file::TemporaryFile;

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
    let file = TemporaryFile::beside(out).map_err(unwritable)?;
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
        views.push(Converted {
            checkpoint,
            output,
            pieces,
            target,
        });
    }
    // The order of the Python package: the widest first, so that all are aligned.
    views.sort_by(|a, b| {
        let names = a.output.name.cmp(&b.output.name);
        b.target.bitsize().cmp(&a.target.bitsize()).then(names)
    });
    let tensors = views.len();
    let infos = views.iter().map(Converted::info);
    let header =
        header([("format", "pt".to_string())], infos, 0).map_err(|e| unwritable(e.into()))?;
    let mut bytes = header.len() as u64;
    let mut file = BufWriter::new(file);
    file.write_all(&header).map_err(unwritable)?;
    for view in &views {
        let data = view.bytes()?;
        file.write_all(&data).map_err(unwritable)?;
        bytes += data.len() as u64;
    }
    let file = file.into_inner().map_err(|e| unwritable(e.into_error()))?;
    file.create(out).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => CheckpointError::OutputExists { path: out.into() },
        _ => unwritable(e),
    })?;
    Ok(ConvertSummary { tensors, bytes })
}

struct Converted<'a> {
    checkpoint: &'a Checkpoint,
    output: &'a Output,
    /// The keys of the pieces, and where they lie.
    pieces: Vec<(&'a str, Stored)>,
    target: Dtype,
}

impl Converted<'_> {
    /// What the file's header says of it.
    fn info(&self) -> (&str, Dtype, &[usize]) {
        (&self.output.name, self.target, &self.output.shape)
    }

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

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
    for (name, stored) in &checkpoint.tensors {
        let target = dtype.filter(|_| is_floating(stored.dtype));
        let view = Converted {
            checkpoint,
            name,
            stored,
            target: target.unwrap_or(stored.dtype),
            failure: &failure,
        };
        views.push((name, view));
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
    name: &'a str,
    stored: &'a Stored,
    target: Dtype,
    /// The writer cannot carry an error of ours, so the first is left here. What is written after
    /// it does not matter, since the file is discarded.
    failure: &'a RefCell<Option<CheckpointError>>,
}

impl Converted<'_> {
    fn bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let raw = || self.stored.bytes(&self.checkpoint.source);
        if !is_floating(self.stored.dtype) {
            return raw();
        }
        let values = self.checkpoint.values(self.name)?;
        if self.target == self.stored.dtype {
            return raw();
        }
        match out_of_range(&values, self.target) {
            None => Ok(encode(&values, self.target)),
            Some(unusable) => {
                let target = dtype_name(self.target);
                Err(self
                    .checkpoint
                    .unusable(self.name, self.stored, unusable, &target))
            }
        }
    }
}

impl View for Converted<'_> {
    fn dtype(&self) -> Dtype {
        self.target
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
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
        self.stored.elements() * self.target.bitsize() / 8
    }
}

//! Writing a checkpoint as a flat safetensors file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::View;

use super::{Checkpoint, CheckpointError, Stored, dtype_name};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertSummary {
    pub tensors: usize,
    /// Size of the new file.
    pub bytes: u64,
}

/// Writes all tensors to `out`, without nesting and prefixes; floating-point ones as `dtype` if
/// one is given. `out` appears whole or not at all and must not exist.
///
/// One tensor at a time is in memory.
///
/// # Errors
/// When `out` exists or cannot be written, a value does not fit `dtype`, or a weight is not finite.
pub fn convert(
    checkpoint: &Checkpoint,
    out: &Path,
    dtype: Option<Dtype>,
) -> Result<ConvertSummary, CheckpointError> {
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
    let temporary = tempfile::Builder::new()
        .prefix(".uta-eval-")
        .tempfile_in(folder)
        .map_err(unwritable)?;

    let mut views = Vec::new();
    for (name, stored) in &checkpoint.tensors {
        let target = match dtype {
            Some(dtype) if is_floating(stored.dtype) => dtype,
            _ => stored.dtype,
        };
        let view = Converted {
            checkpoint,
            name,
            stored,
            target,
        };
        // The writer below cannot report a value out of range, so it is looked for before.
        if is_floating(stored.dtype) {
            view.check()?;
        }
        views.push((name, view));
    }
    let tensors = views.len();
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(views, Some(metadata), temporary.path()).map_err(
        |e| match e {
            safetensors::SafeTensorError::IoError(e) => unwritable(e),
            e => unwritable(std::io::Error::other(e.to_string())),
        },
    )?;
    let file = std::fs::File::open(temporary.path()).map_err(unwritable)?;
    file.sync_all().map_err(unwritable)?;
    let bytes = file.metadata().map_err(unwritable)?.len();
    make_readable(&file).map_err(unwritable)?;
    temporary
        .persist_noclobber(out)
        .map_err(|e| match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => CheckpointError::OutputExists { path: out.into() },
            _ => unwritable(e.error),
        })?;
    Ok(ConvertSummary { tensors, bytes })
}

/// Temporary files are private to their owner; a checkpoint is as readable as any other file.
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn is_floating(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

struct Converted<'a> {
    checkpoint: &'a Checkpoint,
    name: &'a str,
    stored: &'a Stored,
    target: Dtype,
}

impl Converted<'_> {
    /// Finds a value that the target dtype cannot hold.
    fn check(&self) -> Result<(), CheckpointError> {
        let values = self.checkpoint.values(self.name)?;
        let overflows = |value: &f32| match self.target {
            Dtype::F16 => half::f16::from_f32(*value).is_infinite(),
            Dtype::BF16 => half::bf16::from_f32(*value).is_infinite(),
            _ => false,
        };
        match values.iter().position(overflows) {
            None => Ok(()),
            Some(index) => Err(CheckpointError::OutOfRange {
                path: self.checkpoint.path.clone(),
                tensor: self.name.into(),
                dtype: dtype_name(self.target),
                index,
                value: f64::from(values[index]),
            }),
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
        let raw = self.checkpoint.bytes_of(self.stored);
        if self.target == self.stored.dtype {
            return raw;
        }
        // `check` has read these values before.
        let values = self.checkpoint.values(self.name).unwrap_or_default();
        let bytes: Vec<u8> = match self.target {
            Dtype::F16 => values
                .iter()
                .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
                .collect(),
            Dtype::BF16 => values
                .iter()
                .flat_map(|v| half::bf16::from_f32(*v).to_le_bytes())
                .collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.stored.shape.iter().product::<usize>() * self.target.bitsize() / 8
    }
}

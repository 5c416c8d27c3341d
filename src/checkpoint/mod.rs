//! Checkpoint files: opening, verifying, identifying and converting them.
//!
//! Two formats are read, told apart by content: safetensors, and the zip format of `torch.save`.
//! Opening reads headers only; the data stays in the mapped file until a tensor is asked for.
//! Nothing in a checkpoint is ever executed.

pub mod convert;
mod error;
pub mod identity;
mod mapping;
mod pickle;
mod safetensors_file;
mod torch_file;
pub mod verify;
mod weights;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use rayon::prelude::*;
pub use safetensors::Dtype;
use sha2::{Digest, Sha256};

pub use convert::{ConvertSummary, convert};
pub use error::{CheckpointError, Found};
pub use verify::{Mismatch, verify};
pub use weights::load_with;

/// An open checkpoint file.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    format: Format,
    /// Keys of the nested dictionaries that were entered, joined by dots.
    nested_under: Option<String>,
    stripped_prefix: Option<String>,
    /// Keys of the state dict that hold no tensor.
    without_tensor: Vec<String>,
    tensors: BTreeMap<String, Stored>,
    map: Mmap,
}

/// The file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Safetensors,
    PyTorch,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch zip",
        })
    }
}

/// Where a tensor lies in the file. Constructed only with bounds that were checked.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    /// First byte of the tensor's first element.
    offset: usize,
    /// Distance between neighbours along each axis, in elements; `None` when row-major and dense.
    strides: Option<Vec<usize>>,
}

/// Name, shape and dtype of a stored tensor.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub dtype: Dtype,
}

/// What a format's reader finds in a file.
struct Contents {
    tensors: Vec<(String, Stored)>,
    nested_under: Option<String>,
    without_tensor: Vec<String>,
}

/// Wrappers that training scripts put around a state dict.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

impl Checkpoint {
    /// Opens a checkpoint and reads its headers.
    ///
    /// # Errors
    /// When the file cannot be read, is no checkpoint, or is damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let unreadable = |source| CheckpointError::Unreadable {
            path: path.into(),
            source,
        };
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(CheckpointError::NotFound { path: path.into() });
            }
            Err(e) => return Err(unreadable(e)),
        };
        if metadata.is_dir() {
            return Err(CheckpointError::IsFolder { path: path.into() });
        }
        if metadata.len() == 0 {
            let path = path.into();
            return Err(CheckpointError::NotACheckpoint {
                path,
                found: Found::Empty,
            });
        }
        let file = File::open(path).map_err(unreadable)?;
        let map = mapping::map(&file).map_err(unreadable)?;
        let (format, contents) = match sniff(&map) {
            Ok(Format::Safetensors) => (Format::Safetensors, safetensors_file::read(path, &map)?),
            Ok(Format::PyTorch) => (Format::PyTorch, torch_file::read(path, &map)?),
            Err(found) => {
                return Err(CheckpointError::NotACheckpoint {
                    path: path.into(),
                    found,
                });
            }
        };
        if contents.tensors.is_empty() {
            return Err(CheckpointError::NoTensors { path: path.into() });
        }
        let mut tensors = BTreeMap::new();
        for (name, stored) in contents.tensors {
            if tensors.insert(name.clone(), stored).is_some() {
                let detail = format!("the key {name} occurs twice");
                return Err(CheckpointError::Corrupt {
                    path: path.into(),
                    detail,
                });
            }
        }
        let stripped_prefix = strip_prefixes(&mut tensors);
        Ok(Self {
            path: path.into(),
            format,
            nested_under: contents.nested_under,
            stripped_prefix,
            without_tensor: contents.without_tensor,
            tensors,
            map,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Size of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// The keys under which the state dict lies in the file, e.g. `state_dict`.
    pub fn nested_under(&self) -> Option<&str> {
        self.nested_under.as_deref()
    }

    /// The prefix that every key had, e.g. `module.`, and that the names here are without.
    pub fn stripped_prefix(&self) -> Option<&str> {
        self.stripped_prefix.as_deref()
    }

    /// Keys of the state dict whose value is no tensor.
    pub fn without_tensor(&self) -> &[String] {
        &self.without_tensor
    }

    /// All tensors, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.tensors.iter().map(|(name, stored)| Entry {
            name,
            shape: &stored.shape,
            dtype: stored.dtype,
        })
    }

    pub fn get(&self, name: &str) -> Option<Entry<'_>> {
        let (name, stored) = self.tensors.get_key_value(name)?;
        Some(Entry {
            name,
            shape: &stored.shape,
            dtype: stored.dtype,
        })
    }

    /// One line of name, shape and dtype for each tensor; tensors that differ only in the number of
    /// their block share a line.
    pub fn abridged_entries(&self) -> Vec<String> {
        let line = |e: Entry| {
            (
                e.name.to_string(),
                format!("{:?} {}", e.shape, dtype_name(e.dtype)),
            )
        };
        verify::abridge(&self.entries().map(line).collect::<Vec<_>>())
    }

    /// Reads one floating-point tensor as `dtype` onto `device`.
    ///
    /// # Errors
    /// When there is no such tensor, it is no floating-point tensor, or a value is not finite.
    pub fn tensor(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, CheckpointError> {
        let values = self.values(name)?;
        let shape = self.stored(name)?.shape.as_slice();
        Tensor::from_vec(values, shape, device)
            .and_then(|tensor| tensor.to_dtype(dtype))
            .map_err(|e| CheckpointError::Corrupt {
                path: self.path.clone(),
                detail: format!("tensor {name}: {e}"),
            })
    }

    /// SHA-256 of the whole file, in hexadecimal.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sha256(&self) -> Result<String, CheckpointError> {
        let unreadable = |source| CheckpointError::Unreadable {
            path: self.path.clone(),
            source,
        };
        // Reading, not the map: hashing then leaves the mapped pages, and so the memory that
        // this process is seen to use, alone.
        let mut file = File::open(&self.path).map_err(unreadable)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer).map_err(unreadable)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        Ok(hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// A hash of the names, shapes, dtypes and bytes of all tensors whose name begins with
    /// `prefix`, whatever else the file holds and in whichever format.
    ///
    /// Each tensor is hashed by itself (SHA-256), on all cores, and then the hashes in the order
    /// of the names: about a second for UTA's text tower in f32 on two cores.
    pub fn fingerprint(&self, prefix: &str) -> String {
        let tensors: Vec<(&String, &Stored)> = self
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .collect();
        let hashes: Vec<_> = tensors
            .par_iter()
            .map(|(name, stored)| {
                let mut hasher = Sha256::new();
                let Stored { dtype, shape, .. } = stored;
                hasher.update(format!("{name} {shape:?} {}\n", dtype_name(*dtype)));
                hasher.update(self.bytes_of(stored));
                hasher.finalize()
            })
            .collect();
        let mut hasher = Sha256::new();
        hashes.iter().for_each(|hash| hasher.update(hash));
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn stored(&self, name: &str) -> Result<&Stored, CheckpointError> {
        self.tensors
            .get(name)
            .ok_or_else(|| CheckpointError::NoSuchTensor {
                path: self.path.clone(),
                tensor: name.into(),
            })
    }

    /// The bytes of a tensor, row-major and dense.
    fn bytes_of(&self, stored: &Stored) -> std::borrow::Cow<'_, [u8]> {
        let size = stored.dtype.bitsize() / 8;
        let count: usize = stored.shape.iter().product();
        match &stored.strides {
            None => self.map[stored.offset..stored.offset + count * size].into(),
            Some(strides) => {
                let mut bytes = Vec::with_capacity(count * size);
                let mut index = vec![0; stored.shape.len()];
                for _ in 0..count {
                    let element: usize = index.iter().zip(strides).map(|(i, s)| i * s).sum();
                    let start = stored.offset + element * size;
                    bytes.extend_from_slice(&self.map[start..start + size]);
                    for axis in (0..index.len()).rev() {
                        index[axis] += 1;
                        if index[axis] < stored.shape[axis] {
                            break;
                        }
                        index[axis] = 0;
                    }
                }
                bytes.into()
            }
        }
    }

    /// The values of a floating-point tensor, all finite.
    fn values(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        use half::slice::HalfFloatSliceExt;
        let stored = self.stored(name)?;
        let bytes = self.bytes_of(stored);
        let pairs = || {
            bytes
                .chunks_exact(2)
                .map(|b| u16::from_le_bytes([b[0], b[1]]))
        };
        let values: Vec<f32> = match stored.dtype {
            Dtype::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => {
                let halves: Vec<half::f16> = pairs().map(half::f16::from_bits).collect();
                let mut values = vec![0f32; halves.len()];
                halves.convert_to_f32_slice(&mut values);
                values
            }
            Dtype::BF16 => pairs()
                .map(|bits| half::bf16::from_bits(bits).to_f32())
                .collect(),
            Dtype::F64 => bytes
                .chunks_exact(8)
                .map(|b| {
                    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
                })
                .collect(),
            other => {
                return Err(CheckpointError::NotFloating {
                    path: self.path.clone(),
                    tensor: name.into(),
                    dtype: dtype_name(other),
                });
            }
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        let index = values
            .iter()
            .position(|value| !value.is_finite())
            .unwrap_or(0);
        let count = values.iter().filter(|value| !value.is_finite()).count();
        Err(CheckpointError::NotFinite {
            path: self.path.clone(),
            tensor: name.into(),
            index,
            count,
        })
    }
}

/// A dtype as users write it: `f16`, `bf16`, `f32`.
pub fn dtype_name(dtype: Dtype) -> String {
    format!("{dtype:?}").to_ascii_lowercase()
}

/// Number of bytes from the first to behind the last element, in elements; `None` on overflow.
fn span(shape: &[usize], strides: Option<&[usize]>) -> Option<usize> {
    let count = shape
        .iter()
        .try_fold(1usize, |product, n| product.checked_mul(*n))?;
    match strides {
        None => Some(count),
        Some(_) if count == 0 => Some(0),
        Some(strides) => shape
            .iter()
            .zip(strides)
            .try_fold(0usize, |sum, (n, stride)| {
                sum.checked_add((n - 1).checked_mul(*stride)?)
            })?
            .checked_add(1),
    }
}

/// Tells the format from the first bytes, or what the file seems to be instead.
fn sniff(bytes: &[u8]) -> Result<Format, Found> {
    let start = &bytes[..bytes.len().min(512)];
    let text = String::from_utf8_lossy(start);
    let visible = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Ok(Format::PyTorch)
    } else if visible.starts_with("version https://git-lfs") {
        Err(Found::LfsPointer)
    } else if visible.starts_with('<') {
        Err(Found::Html)
    } else if start.get(8) == Some(&b'{') || looks_like_cut_safetensors(start) {
        Ok(Format::Safetensors)
    } else if start.first() == Some(&0x80) && start.get(1).is_some_and(|v| (2..=5).contains(v)) {
        Err(Found::LegacyPickle)
    } else if start
        .iter()
        .all(|b| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..))
    {
        Err(Found::Text)
    } else {
        Err(Found::Unknown)
    }
}

/// A safetensors file that ends inside or right behind the length of its header.
fn looks_like_cut_safetensors(start: &[u8]) -> bool {
    start.len() <= 8 && start.len() >= 4 && start.iter().skip(4).all(|b| *b == 0) && start[3] == 0
}

/// Removes wrappers' prefixes (`module.`, `model.` …) that every key has.
fn strip_prefixes(tensors: &mut BTreeMap<String, Stored>) -> Option<String> {
    let mut stripped = String::new();
    loop {
        let common = WRAPPERS
            .iter()
            .map(|wrapper| format!("{wrapper}."))
            .find(|prefix| tensors.keys().all(|name| name.starts_with(prefix)));
        let Some(prefix) = common else { break };
        *tensors = std::mem::take(tensors)
            .into_iter()
            .map(|(name, stored)| (name[prefix.len()..].to_string(), stored))
            .collect();
        stripped += &prefix;
    }
    (!stripped.is_empty()).then_some(stripped)
}

//! Checkpoint files: opening, verifying, identifying and converting them.
//!
//! Three formats are read, told apart by content: safetensors, and the two of `torch.save`, a zip archive
//! and, before PyTorch 1.6, pickles. A checkpoint may lie in several files with a list of them. Opening reads headers only; the data stays in the file until a tensor is asked for.
//! Nothing in a checkpoint is ever executed. Every byte is taken as hostile: sizes are checked before
//! they are used, keys are fit to be printed, and memory is bounded.
//!
//! | file | what |
//! |---|---|
//! | `contents` | what a file holds, by whichever reader |
//! | `source`, `inflated` | the open file, and what is compressed in it |
//! | `folder`, `shards` | folders with a checkpoint, and checkpoints in several files |
//! | `sniff` | which format a file has, or what was saved in its place |
//! | `names` | what wrappers put into tensors' names |
//! | `safetensors_file` | safetensors headers |
//! | `torch_file`, `torch_legacy`, `pickle`, `pickle_machine`, `pickle_value`, `rebuild`, `state_dict` | PyTorch: members, pickle, tensors, state dict |
//! | `values` | a tensor's place in the file, and its numbers |
//! | `verify` | comparison with the tensors that a model needs |
//! | `convert` | writing safetensors |
//! | `weights` | tensors for candle's layers |
//! | `error` | everything that can be wrong, and what to do |

mod contents;
pub mod convert;
mod error;
mod folder;
/// Checkpoints of the Hugging Face Hub, downloaded into its cache.
pub mod hub;
mod inflated;
mod names;
mod pickle;
mod pickle_machine;
mod pickle_value;
mod rebuild;
mod safetensors_file;
mod shards;
mod sniff;
mod source;
mod state_dict;
mod torch_file;
mod torch_legacy;
mod values;
pub mod verify;
mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::util::hex;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
pub use safetensors::Dtype;
use sha2::{Digest, Sha256};

pub use convert::{ConvertSummary, Output, Piece, convert, write};
pub use error::CheckpointError;
pub use folder::within;
pub use sniff::Found;
pub use verify::{Mismatch, TensorSpec, verify, verify_except};
pub use weights::{TensorSource, load_with};

use contents::{index_of, read};
use error::{is_sound_key, printable};
use names::Stripped;
use source::Source;
use values::{Stored, Unusable};

/// An open checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<Source>,
    format: Format,
    /// Keys of the nested dictionaries that were entered, joined by dots.
    nested_under: Option<String>,
    /// Keys under which other tensors of the same names lie.
    others: Vec<String>,
    stripped: Stripped,
    /// Keys of the state dict that hold no tensor.
    without_tensor: Vec<String>,
    tensors: BTreeMap<String, Stored>,
}

/// The file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Safetensors,
    PyTorch,
    PyTorchLegacy,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch zip",
            Self::PyTorchLegacy => "PyTorch before 1.6",
        })
    }
}

/// Name, shape and dtype of a stored tensor.
#[derive(Debug, Clone, Copy)]
pub struct TensorEntry<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub dtype: Dtype,
}

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 20;

impl Checkpoint {
    /// Refuses a path at which no checkpoint can be, without reading it.
    ///
    /// # Errors
    /// When nothing is there, or no regular file with something in it.
    pub fn check(path: &Path) -> Result<(), CheckpointError> {
        Source::open(&within(path)).map(drop)
    }

    /// Opens a checkpoint and reads its headers. A folder stands for the weights in it.
    ///
    /// # Errors
    /// When the file cannot be read, is no checkpoint, or is damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        Self::open_weights(path, None)
    }

    /// As [`open`](Self::open), but takes the tensors under the key `weights`, if one is given: a key of
    /// the file, several joined by dots, or what names begin with.
    ///
    /// # Errors
    /// As [`open`](Self::open), or when there are none.
    pub fn open_weights(path: &Path, weights: Option<&str>) -> Result<Self, CheckpointError> {
        if let Some(folder) = folder::distributed(path) {
            return Err(CheckpointError::Distributed {
                folder: folder.into(),
            });
        }
        let path = &within(path);
        let source = Source::open(path)?;
        let (format, mut contents) = match index_of(&source)? {
            Some(index) => index.contents(path, |source| read(source, None))?,
            None => read(source, weights)?,
        };
        if let Some(key) = weights.filter(|_| !contents.entered) {
            contents.keep_below(path, key)?;
        }
        if contents.tensors.is_empty() {
            return Err(CheckpointError::NoTensors { path: path.into() });
        }
        let names = contents.tensors.iter().map(|(name, _)| name);
        if let Some(key) = names
            .chain(&contents.without_tensor)
            .find(|key| !is_sound_key(key))
        {
            return Err(CheckpointError::Corrupt {
                path: path.into(),
                detail: format!("it has the impossible key \"{}\"", printable(key)),
            });
        }
        let stripped = names::wrapped(contents.tensors.iter().map(|(name, _)| name.as_str()));
        let mut tensors = BTreeMap::new();
        for (name, stored) in contents.tensors {
            let name = stripped.without(&name);
            if tensors.insert(name.clone(), stored).is_some() {
                return Err(CheckpointError::DuplicateKey {
                    path: path.into(),
                    tensor: name,
                });
            }
        }
        let without_tensor = contents.without_tensor.iter();
        Ok(Self {
            path: path.into(),
            files: contents.files,
            format,
            nested_under: contents.nested_under,
            others: contents.others,
            without_tensor: without_tensor.map(|name| stripped.without(name)).collect(),
            stripped,
            tensors,
        })
    }

    /// The path of its file, or of the list of its files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The format in words, and the number of files if there are several.
    pub fn described_format(&self) -> String {
        match self.own_files().count() {
            1 => self.format.to_string(),
            files => format!("{} in {files} files", self.format),
        }
    }

    /// Size of the file in bytes, or of all of them together.
    pub fn bytes(&self) -> usize {
        self.own_files().map(Source::size).sum()
    }

    fn own_files(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.is_file())
    }

    /// The keys under which the state dict lies in the file, e.g. `state_dict`.
    pub fn nested_under(&self) -> Option<&str> {
        self.nested_under.as_deref()
    }

    /// The prefix that every key had, e.g. `module.`, and that the names here are without.
    pub fn stripped_prefix(&self) -> Option<&str> {
        self.stripped.prefix.as_deref()
    }

    /// Wrappers within names, e.g. `_orig_mod.`, that the names here are without.
    pub fn stripped_within(&self) -> &[&'static str] {
        &self.stripped.within
    }

    /// Keys under which the file has other tensors of the same names, e.g. `model_ema`.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Keys of the state dict whose value is no tensor.
    pub fn without_tensor(&self) -> &[String] {
        &self.without_tensor
    }

    /// All tensors, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = TensorEntry<'_>> {
        self.tensors.iter().map(|(name, stored)| TensorEntry {
            name,
            shape: &stored.shape,
            dtype: stored.dtype,
        })
    }

    /// The tensor of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<TensorEntry<'_>> {
        let (name, stored) = self.tensors.get_key_value(name)?;
        Some(TensorEntry {
            name,
            shape: &stored.shape,
            dtype: stored.dtype,
        })
    }

    /// One line of name, shape and dtype for each tensor; tensors that differ only in the number of
    /// their block share a line.
    pub fn abridged_entries(&self) -> Vec<String> {
        let line = |e: TensorEntry| {
            (
                e.name.to_string(),
                format!("{:?} {}", e.shape, dtype_name(e.dtype)),
            )
        };
        verify::abridge(&self.entries().map(line).collect::<Vec<_>>())
    }

    /// Reads one floating-point tensor as `dtype`, a floating-point type too, onto `device`. Each
    /// value is rounded to nearest even.
    ///
    /// # Errors
    /// When there is no such tensor, it is no floating-point tensor, a value is not finite or too
    /// large for `dtype`, or the device has no room.
    pub fn tensor(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, CheckpointError> {
        self.read(name, self.stored(name)?, dtype, device)
    }

    /// As [`tensor`](Self::tensor), but one of three equal parts of the tensor's first axis.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor), or when there are no such parts.
    pub fn third(
        &self,
        name: &str,
        index: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, CheckpointError> {
        let third = self.piece(&Piece {
            key: name.into(),
            third: Some(index),
        })?;
        self.read(name, &third, dtype, device)
    }

    fn read(
        &self,
        name: &str,
        stored: &Stored,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, CheckpointError> {
        if !dtype.is_float() {
            return Err(CheckpointError::NoTarget {
                dtype: dtype.as_str().into(),
            });
        }
        let values = stored.values(&self.files);
        let values = values.map_err(|e| self.unusable(name, stored, e, "f32"))?;
        let range = match dtype {
            DType::F16 => values::out_of_range(&values, Dtype::F16),
            DType::BF16 => values::out_of_range(&values, Dtype::BF16),
            _ => None,
        };
        if let Some(unusable) = range {
            return Err(self.unusable(name, stored, unusable, dtype.as_str()));
        }
        Tensor::from_vec(values, stored.shape.as_slice(), device)
            .and_then(|tensor| tensor.to_dtype(dtype))
            .map_err(|source| CheckpointError::Device {
                path: self.path().into(),
                tensor: name.into(),
                source: source.into(),
            })
    }

    /// SHA-256 of the whole file, in hexadecimal. Of several files it is that of what `sha256sum` prints
    /// for them, in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn sha256(&self) -> Result<String, CheckpointError> {
        let mut hashes = self.own_files().map(|file| Ok((sha256_of(file)?, file)));
        let hashes: Vec<_> = hashes.by_ref().collect::<Result<_, CheckpointError>>()?;
        if let [(hash, _)] = &hashes[..] {
            return Ok(hash.clone());
        }
        let mut hasher = Sha256::new();
        for (hash, file) in hashes {
            let name = file.path().file_name().unwrap_or_default();
            hasher.update(format!("{hash}  "));
            hasher.update(name.as_encoded_bytes());
            hasher.update(b"\n");
        }
        Ok(hex::digest(hasher))
    }

    /// A hash of the names, shapes, dtypes and bytes of all tensors to which `rename` gives a name,
    /// whatever else the file holds and in whichever format.
    ///
    /// Each tensor is hashed by itself (SHA-256), on all cores, and then the hashes in the order
    /// of the names: about a second for UTA's text tower in f32 on two cores.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn fingerprint(
        &self,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<String, CheckpointError> {
        let tensors: Vec<(String, &Stored)> = self
            .tensors
            .iter()
            .filter_map(|(name, stored)| Some((rename(name)?, stored)))
            .collect();
        let hash = |(name, stored): &(String, &Stored)| {
            let mut hasher = Sha256::new();
            let Stored { dtype, shape, .. } = stored;
            hasher.update(format!("{name} {shape:?} {}\n", dtype_name(*dtype)));
            hasher.update(stored.bytes(&self.files)?);
            Ok::<_, CheckpointError>(hasher.finalize())
        };
        let hashes: Vec<_> = tensors.par_iter().map(hash).collect::<Result<_, _>>()?;
        let mut hasher = Sha256::new();
        hashes.iter().for_each(|hash| hasher.update(hash));
        Ok(hex::digest(hasher))
    }

    /// Where a stored tensor or a part of it lies.
    fn piece(&self, piece: &Piece) -> Result<Stored, CheckpointError> {
        let stored = self.stored(&piece.key)?;
        match piece.third {
            None => Ok(stored.clone()),
            Some(third) => stored
                .third(third)
                .ok_or_else(|| CheckpointError::NoSuchTensor {
                    path: self.path().into(),
                    tensor: format!("{} in three parts", piece.key),
                }),
        }
    }

    fn stored(&self, name: &str) -> Result<&Stored, CheckpointError> {
        self.tensors
            .get(name)
            .ok_or_else(|| CheckpointError::NoSuchTensor {
                path: self.path().into(),
                tensor: name.into(),
            })
    }

    /// The error for a tensor without usable values; `wanted` names the dtype they should have.
    fn unusable(
        &self,
        name: &str,
        stored: &Stored,
        unusable: Unusable,
        wanted: &str,
    ) -> CheckpointError {
        let (path, tensor) = (self.path().into(), name.to_string());
        match unusable {
            Unusable::Unread(error) => error,
            Unusable::NotFloating => CheckpointError::NotFloating {
                path,
                tensor,
                dtype: dtype_name(stored.dtype),
            },
            Unusable::NotFinite { first, count } => CheckpointError::NotFinite {
                path,
                tensor,
                index: stored.coordinates(first),
                count,
                total: stored.elements(),
            },
            Unusable::OutOfRange { index, value } => CheckpointError::OutOfRange {
                path,
                tensor,
                dtype: wanted.into(),
                index: stored.coordinates(index),
                value,
            },
        }
    }
}

/// A dtype as users write it: `f16`, `bf16`, `f32`.
pub fn dtype_name(dtype: Dtype) -> String {
    format!("{dtype:?}").to_ascii_lowercase()
}

/// SHA-256 of a file, in hexadecimal.
fn sha256_of(file: &Source) -> Result<String, CheckpointError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; PIECE];
    let size = file.size();
    for start in (0..size).step_by(PIECE) {
        let piece = &mut buffer[..PIECE.min(size - start)];
        file.fill(start, piece)?;
        hasher.update(piece);
    }
    Ok(hex::digest(hasher))
}

//! Classifiers as safetensors files, finished or not: a tensor, and the recipe as metadata.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::recipe::{Difference, Recipe};
use super::{Classifier, Partial};
use crate::util::escape::Shown;
use crate::util::hex;
use crate::util::regular_file;
use crate::util::safetensors_header::header;

/// Marks a file as ours, with the version of its form.
const FORMAT: (&str, &str) = ("uta_eval_classifier", "1");
/// [classes, embedding], f32, each row of unit length.
const CLASSIFIER: &str = "classifier";
/// [classes, embedding], f64: the sums of an unfinished build.
const SUMS: &str = "sums";
/// In an unfinished build, the first node that is not done.
const NEXT: &str = "next_node";
/// Digest of the tensor's bytes, which safetensors itself does not protect.
const DIGEST: &str = "sha256";

/// Larger files are no classifiers: a million classes of 1024 dimensions are within it.
const MAX_BYTES: u64 = 1 << 32;

/// Why a classifier file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierFileError {
    #[error("the classifier {} cannot be read", path.shown())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no classifier: {detail}", path.shown())]
    Foreign { path: PathBuf, detail: String },
    #[error("the classifier {} is damaged: {detail}", path.shown())]
    Damaged { path: PathBuf, detail: &'static str },
    #[error("the classifier {} does not fit: {difference}", path.shown())]
    Different {
        path: PathBuf,
        difference: Difference,
    },
}

impl ClassifierFileError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check --classifier".into(),
            Self::Foreign { .. } => "make one with uta-eval classifier --out FILE".into(),
            Self::Damaged { .. } | Self::Different { .. } => {
                "make a new one with uta-eval classifier --out FILE".into()
            }
        }
    }
}

/// A classifier file's bytes.
///
/// # Errors
/// Never.
pub fn to_bytes(classifier: &Classifier, recipe: &Recipe) -> Result<Vec<u8>, serde_json::Error> {
    let (classes, embedding) = (classifier.classes(), classifier.embedding());
    let columns = (0..classes).flat_map(|class| classifier.column(class));
    let data: Vec<u8> = columns.flat_map(|value| value.to_le_bytes()).collect();
    seal(
        CLASSIFIER,
        Dtype::F32,
        [classes, embedding],
        &data,
        recipe,
        [],
    )
}

/// Reads a classifier and its recipe.
///
/// # Errors
/// When the file cannot be read, is another kind of file, or is damaged.
pub fn read(path: &Path) -> Result<(Classifier, Recipe), ClassifierFileError> {
    let file = Sealed::open(path, CLASSIFIER, Dtype::F32)?;
    let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let columns: Vec<Vec<f32>> = file
        .data
        .chunks_exact(file.embedding * 4)
        .map(|column| column.chunks_exact(4).map(value).collect())
        .collect();
    if columns.iter().flatten().any(|value| !value.is_finite()) {
        let detail = "a value is not a number";
        return Err(ClassifierFileError::Damaged {
            path: path.into(),
            detail,
        });
    }
    Ok((Classifier::new(file.embedding, &columns), file.recipe))
}

/// The bytes of a file with an unfinished build.
///
/// # Errors
/// Never.
pub fn partial_to_bytes(partial: &Partial, recipe: &Recipe) -> Result<Vec<u8>, serde_json::Error> {
    let shape = [recipe.classes, partial.sums.len() / recipe.classes.max(1)];
    let data: Vec<u8> = partial
        .sums
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    seal(
        SUMS,
        Dtype::F64,
        shape,
        &data,
        recipe,
        [(NEXT, partial.next.to_string())],
    )
}

/// Reads an unfinished build and its recipe.
///
/// # Errors
/// When the file cannot be read, is another kind of file, or is damaged.
pub fn read_partial(path: &Path) -> Result<(Partial, Recipe), ClassifierFileError> {
    let file = Sealed::open(path, SUMS, Dtype::F64)?;
    let damaged = |detail| ClassifierFileError::Damaged {
        path: path.into(),
        detail,
    };
    let next = file.fields.get(NEXT).and_then(|next| next.parse().ok());
    let next = next.ok_or_else(|| damaged("it does not say how far it has come"))?;
    let value = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    let sums: Vec<f64> = file.data.chunks_exact(8).map(value).collect();
    if sums.iter().any(|value| !value.is_finite()) {
        return Err(damaged("a value is not a number"));
    }
    Ok((Partial { next, sums }, file.recipe))
}

/// One tensor with a recipe and a digest.
fn seal<const N: usize>(
    name: &str,
    dtype: Dtype,
    shape: [usize; 2],
    data: &[u8],
    recipe: &Recipe,
    more: [(&'static str, String); N],
) -> Result<Vec<u8>, serde_json::Error> {
    let own = [(FORMAT.0, FORMAT.1.to_string()), (DIGEST, digest(data))];
    let metadata = recipe.fields().into_iter().chain(own).chain(more);
    let mut bytes = header(metadata, [(name, dtype, &shape[..])], 0)?;
    bytes.extend(data);
    Ok(bytes)
}

/// What [`seal`] wrote.
struct Sealed {
    recipe: Recipe,
    fields: HashMap<String, String>,
    embedding: usize,
    /// [recipe.classes, embedding]
    data: Vec<u8>,
}

impl Sealed {
    fn open(path: &Path, name: &str, dtype: Dtype) -> Result<Self, ClassifierFileError> {
        let unreadable = |source| ClassifierFileError::Unreadable {
            path: path.into(),
            source,
        };
        let foreign = |detail: String| ClassifierFileError::Foreign {
            path: path.into(),
            detail,
        };
        let damaged = |detail| ClassifierFileError::Damaged {
            path: path.into(),
            detail,
        };

        let bytes = regular_file::read(path, MAX_BYTES).map_err(unreadable)?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| foreign(e.to_string()))?;
        let fields = metadata.metadata().clone().unwrap_or_default();
        if fields.get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
            return Err(foreign("it was not written by uta-eval classifier".into()));
        }
        let recipe = Recipe::from_fields(|name| fields.get(name).cloned())
            .ok_or_else(|| damaged("its recipe is incomplete"))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|_| damaged("it is truncated"))?;
        let tensor = tensors
            .tensor(name)
            .map_err(|_| damaged("it holds no columns"))?;
        let [classes, embedding] = *tensor.shape() else {
            return Err(damaged("its columns have no two axes"));
        };
        if tensor.dtype() != dtype || classes != recipe.classes || classes == 0 || embedding == 0 {
            return Err(damaged("its columns are not what its recipe says"));
        }
        if fields.get(DIGEST) != Some(&digest(tensor.data())) {
            return Err(damaged("its digest differs from its content"));
        }
        let data = tensor.data().to_vec();
        Ok(Self {
            recipe,
            fields,
            embedding,
            data,
        })
    }
}

fn digest(data: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(data);
    hex::digest(hasher)
}

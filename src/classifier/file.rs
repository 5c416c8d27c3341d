//! A finished classifier as a safetensors file: the columns, and the recipe as metadata.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::Classifier;
use super::recipe::{Difference, Recipe, hexadecimal};

/// Marks a file as ours, with the version of its form.
const FORMAT: (&str, &str) = ("uta_eval_classifier", "1");
/// [classes, embedding], each row of unit length.
const TENSOR: &str = "classifier";
/// Digest of the tensor's bytes, which safetensors itself does not protect.
const DIGEST: &str = "sha256";

/// Larger files are no classifiers: a million classes of 1024 dimensions are within it.
const MAX_BYTES: u64 = 1 << 32;

/// Why a classifier file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierFileError {
    #[error("the classifier {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no classifier: {detail}", path.display())]
    Foreign { path: PathBuf, detail: String },
    #[error("the classifier {} is damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: &'static str },
    #[error("the classifier {} does not fit: {difference}", path.display())]
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

/// The file's bytes.
///
/// # Errors
/// Never, for a classifier that has classes.
pub fn to_bytes(
    classifier: &Classifier,
    recipe: &Recipe,
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let (classes, embedding) = (classifier.classes(), classifier.embedding());
    let mut data = Vec::with_capacity(classes * embedding * 4);
    for class in 0..classes {
        data.extend(
            classifier
                .column(class)
                .iter()
                .flat_map(|value| value.to_le_bytes()),
        );
    }
    let mut metadata: HashMap<String, String> = recipe
        .fields()
        .into_iter()
        .map(|(name, value)| (name.to_string(), value))
        .collect();
    metadata.insert(FORMAT.0.into(), FORMAT.1.into());
    metadata.insert(DIGEST.into(), digest(&data));
    let view = TensorView::new(Dtype::F32, vec![classes, embedding], &data)?;
    safetensors::serialize([(TENSOR, view)], Some(metadata))
}

/// Reads a classifier and its recipe.
///
/// # Errors
/// When the file cannot be read, is another kind of file, or is damaged.
pub fn read(path: &Path) -> Result<(Classifier, Recipe), ClassifierFileError> {
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

    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| foreign(e.to_string()))?;
    let fields = metadata.metadata().clone().unwrap_or_default();
    if fields.get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
        return Err(foreign("it was not written by uta-eval classifier".into()));
    }
    let recipe = Recipe::from_fields(|name| fields.get(name).cloned())
        .ok_or_else(|| damaged("its recipe is incomplete"))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|_| damaged("it is truncated"))?;
    let tensor = tensors
        .tensor(TENSOR)
        .map_err(|_| damaged("it holds no columns"))?;
    let [classes, embedding] = *tensor.shape() else {
        return Err(damaged("its columns have no two axes"));
    };
    if tensor.dtype() != Dtype::F32 || classes != recipe.classes || embedding == 0 {
        return Err(damaged("its columns are not what its recipe says"));
    }
    if fields.get(DIGEST) != Some(&digest(tensor.data())) {
        return Err(damaged("its digest differs from its content"));
    }
    let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let columns: Vec<Vec<f32>> = tensor
        .data()
        .chunks_exact(embedding * 4)
        .map(|column| column.chunks_exact(4).map(value).collect())
        .collect();
    if columns.iter().flatten().any(|value| !value.is_finite()) {
        return Err(damaged("a value is not a number"));
    }
    Ok((Classifier::new(embedding, &columns), recipe))
}

fn digest(data: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(data);
    hexadecimal(hasher)
}

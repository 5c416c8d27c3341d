//! Writing features while they are computed.

use std::collections::HashMap;
use std::path::Path;

use crate::util::hex;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use super::{CLASSIFIER, DIGEST, FEATURES, FORMAT, LABELS, RECORD, Record};
use crate::classifier::Classifier;
use crate::util::output_file::{OutputError, OutputFile};

/// Bytes at the beginning of the file that are left for the header: several times what it takes.
const HEADER: usize = 4096;
/// Bytes of the header's length, in front of it.
const LENGTH: usize = 8;

/// A file of features that is being written.
#[derive(Debug)]
pub struct FeaturesFile {
    file: OutputFile,
    pictures: usize,
    hash: Sha256,
}

impl FeaturesFile {
    /// Opens the file.
    ///
    /// # Errors
    /// When nothing can be written there, or the path is no regular file.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let mut file = OutputFile::create_regular(path)?;
        file.write(&[b' '; HEADER])?;
        Ok(Self {
            file,
            pictures: 0,
            hash: Sha256::new(),
        })
    }

    /// Adds the features [embedding] of some pictures.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn add(&mut self, features: &[Vec<f32>]) -> Result<(), OutputError> {
        self.pictures += features.len();
        let values = features.iter().flatten();
        self.append(&values.flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Completes the file and puts it in place; `classifier` is that of all classes.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn finish(mut self, record: &Record, classifier: &Classifier) -> Result<(), OutputError> {
        let path = self.file.path().to_path_buf();
        let judgements = record.report.judgements.iter();
        let labels: Vec<u8> = judgements
            .flat_map(|judgement| i64::from(judgement.label).to_le_bytes())
            .collect();
        let columns = (0..classifier.classes()).flat_map(|class| classifier.column(class));
        let columns: Vec<u8> = columns.flat_map(|value| value.to_le_bytes()).collect();
        let unformed = |source: std::io::Error| OutputError {
            path: path.clone(),
            source,
        };
        let record = serde_json::to_vec(record).map_err(|e| unformed(e.into()))?;
        let (pictures, embedding) = (self.pictures, classifier.embedding());
        let mut end = 0;
        let mut tensor = |name: &str, dtype: Dtype, shape: &[usize], bytes: usize| {
            let data_offsets = (end, end + bytes);
            end += bytes;
            let shape = shape.to_vec();
            let info = TensorInfo {
                dtype,
                shape,
                data_offsets,
            };
            (name.to_string(), info)
        };
        let tensors = vec![
            tensor(
                FEATURES,
                Dtype::F32,
                &[pictures, embedding],
                pictures * embedding * size_of::<f32>(),
            ),
            tensor(LABELS, Dtype::I64, &[pictures], labels.len()),
            tensor(
                CLASSIFIER,
                Dtype::F32,
                &[classifier.classes(), embedding],
                columns.len(),
            ),
            tensor(RECORD, Dtype::U8, &[record.len()], record.len()),
        ];
        for bytes in [&labels, &columns, &record] {
            self.append(bytes)?;
        }
        let digest = hex::digest(self.hash.clone());
        let own = [(FORMAT.0, FORMAT.1.to_string()), (DIGEST, digest)];
        let own = own.map(|(name, value)| (name.to_string(), value));
        let metadata = Metadata::new(Some(HashMap::from(own)), tensors)
            .map_err(|e| unformed(std::io::Error::other(e)))?;
        let mut header = ((HEADER - LENGTH) as u64).to_le_bytes().to_vec();
        header.extend(serde_json::to_vec(&metadata).map_err(|e| unformed(e.into()))?);
        if header.len() > HEADER {
            let reason = format!("its header takes {} bytes", header.len());
            return Err(unformed(std::io::Error::other(reason)));
        }
        // Blanks behind the header belong to it.
        self.file.rewrite_beginning(&header)?;
        self.file.finish()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.hash.update(bytes);
        self.file.write(bytes)
    }
}

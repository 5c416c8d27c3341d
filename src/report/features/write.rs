//! Writing features while they are computed.

use std::path::Path;

use safetensors::Dtype;
use sha2::{Digest, Sha256};

use super::{CLASSIFIER, DIGEST, FEATURES, FORMAT, LABELS, RECORD, Record, VERSION};
use crate::classifier::Classifier;
use crate::util::hex;
use crate::util::output_file::{OutputError, OutputFile};
use crate::util::safetensors_header::header;

/// Bytes at the beginning of the file that are left for the header: several times what it takes.
const HEADER: usize = 4096;

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
        let labels = record.labels.iter();
        let labels: Vec<u8> = labels
            .flat_map(|label| (*label as u64).to_le_bytes())
            .collect();
        let columns = (0..classifier.classes()).flat_map(|class| classifier.column(class));
        let columns: Vec<u8> = columns.flat_map(|value| value.to_le_bytes()).collect();
        let unformed = |source: std::io::Error| OutputError {
            path: path.clone(),
            source,
        };
        let record = serde_json::to_vec(record).map_err(|e| unformed(e.into()))?;
        let (pictures, embedding) = (self.pictures, classifier.embedding());
        for bytes in [&labels, &columns, &record] {
            self.append(bytes)?;
        }
        let metadata = [
            (FORMAT, VERSION.to_string()),
            (DIGEST, hex::digest(self.hash.clone())),
        ];
        let tensors: [(&str, Dtype, &[usize]); 4] = [
            (FEATURES, Dtype::F32, &[pictures, embedding]),
            (LABELS, Dtype::I64, &[pictures]),
            (CLASSIFIER, Dtype::F32, &[classifier.classes(), embedding]),
            (RECORD, Dtype::U8, &[record.len()]),
        ];
        let header = header(metadata, tensors, HEADER).map_err(|e| unformed(e.into()))?;
        if header.len() > HEADER {
            let reason = format!("its header takes {} bytes", header.len());
            return Err(unformed(std::io::Error::other(reason)));
        }
        self.file.rewrite_beginning(&header)?;
        self.file.finish()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.hash.update(bytes);
        self.file.write(bytes)
    }
}

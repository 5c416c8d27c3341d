//! Reading features back.

use std::io::{self, BufReader, Read};
use std::path::Path;

use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use sha2::{Digest, Sha256};

use super::{CLASSIFIER, DIGEST, FEATURES, FORMAT, LABELS, RECORD, Record, VERSION};
use crate::classifier::Classifier;
use crate::util::escape::Shown;
use crate::util::hex;
use crate::util::regular_file;
use crate::util::usage::UsageError;

/// Longer headers are not ours.
const MOST_HEADER: u64 = 1 << 20;

/// Features and what they were made for.
#[derive(Debug)]
pub struct Features {
    embedding: usize,
    /// [pictures, embedding]
    values: Vec<f32>,
    pub record: Record,
    /// The classifier of the run that made them.
    pub classifier: Classifier,
}

impl Features {
    /// Reads a file that `--save-features` wrote.
    ///
    /// # Errors
    /// When it cannot be read, is another kind of file, or is damaged.
    pub fn read(path: &Path) -> Result<Self, UsageError> {
        read(path).map_err(|unusable| match unusable {
            Unusable::Unreadable(e) => UsageError::new(
                format!("the features {} cannot be read: {e}", path.shown()),
                "check --from-features",
            ),
            Unusable::Foreign(detail) => UsageError::new(
                format!("{} holds no features: {detail}", path.shown()),
                "make them with --save-features FILE",
            ),
            Unusable::Version(version) => UsageError::new(
                format!(
                    "the features {} have version {version} of their form, and this program reads version {VERSION}",
                    path.shown()
                ),
                "make them again with --save-features FILE",
            ),
            Unusable::Damaged(detail) => UsageError::new(
                format!("the features {} are damaged: {detail}", path.shown()),
                "make them again with --save-features FILE",
            ),
        })
    }

    /// Features [embedding] of each picture, in order.
    pub fn pictures(&self) -> impl IndexedParallelIterator<Item = &[f32]> {
        self.values.par_chunks_exact(self.embedding)
    }
}

enum Unusable {
    Unreadable(io::Error),
    Foreign(&'static str),
    /// They have this other version.
    Version(String),
    Damaged(String),
}

fn read(path: &Path) -> Result<Features, Unusable> {
    let (file, _) = regular_file::open(path).map_err(Unusable::Unreadable)?;
    let mut file = BufReader::new(file);
    let metadata = header(&mut file)?;
    let own = metadata.metadata().clone().unwrap_or_default();
    match own.get(FORMAT) {
        Some(version) if version == VERSION => {}
        Some(version) => return Err(Unusable::Version(version.clone())),
        None => return Err(Unusable::Foreign("it was not written by --save-features")),
    }
    let tensors = [FEATURES, LABELS, CLASSIFIER, RECORD];
    let infos = tensors.map(|name| metadata.info(name));
    let [Some(features), Some(labels), Some(classifier), Some(record)] = infos else {
        return Err(Unusable::Damaged("a tensor is missing".into()));
    };
    let dtypes = [features.dtype, labels.dtype, classifier.dtype];
    let dtypes = dtypes == [Dtype::F32, Dtype::I64, Dtype::F32];
    let (&[pictures, embedding], &[classes, columns], &[described]) = (
        features.shape.as_slice(),
        classifier.shape.as_slice(),
        labels.shape.as_slice(),
    ) else {
        return Err(Unusable::Damaged("a tensor has another shape".into()));
    };
    if !dtypes || embedding == 0 || columns != embedding || described != pictures {
        return Err(Unusable::Damaged("its tensors do not fit together".into()));
    }
    let bytes = |(start, end): (usize, usize)| end - start;
    let mut hashed = Hashed {
        file,
        hash: Sha256::new(),
    };
    let values = hashed.floats(bytes(features.data_offsets))?;
    let labels = hashed.bytes(bytes(labels.data_offsets))?;
    let columns = hashed.floats(bytes(classifier.data_offsets))?;
    let record = hashed.bytes(bytes(record.data_offsets))?;
    if hashed.goes_on()? {
        return Err(Unusable::Damaged("something follows its tensors".into()));
    }
    if own.get(DIGEST) != Some(&hashed.digest()) {
        return Err(Unusable::Damaged(
            "its digest differs from its content".into(),
        ));
    }
    let unfit = || Unusable::Damaged("its record does not fit its tensors".into());
    let mut record: Record = serde_json::from_slice(&record)
        .map_err(|e| Unusable::Damaged(format!("its record is not of version {VERSION}: {e}")))?;
    record.labels = labels
        .chunks_exact(size_of::<i64>())
        .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .map(|label| usize::try_from(label).map_err(|_| unfit()))
        .collect::<Result<_, _>>()?;
    if !record.fits(pictures, classes) {
        return Err(unfit());
    }
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    if !finite(&values) || !finite(&columns) {
        return Err(Unusable::Damaged("a value is not a number".into()));
    }
    let columns: Vec<Vec<f32>> = columns.chunks_exact(embedding).map(Vec::from).collect();
    Ok(Features {
        embedding,
        values,
        record,
        classifier: Classifier::new(embedding, &columns),
    })
}

/// The header of a safetensors file; what follows are the tensors.
fn header(file: &mut impl Read) -> Result<Metadata, Unusable> {
    let no_header = || Unusable::Foreign("it is no safetensors file");
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| no_header())?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER {
        return Err(no_header());
    }
    let mut header = Vec::new();
    let read = file.take(length).read_to_end(&mut header);
    read.map_err(Unusable::Unreadable)?;
    // Whether offsets, shapes and dtypes agree is checked by this as well.
    serde_json::from_slice(&header).map_err(|_| no_header())
}

/// Reads a file and hashes what it reads.
struct Hashed<R> {
    file: R,
    hash: Sha256,
}

impl<R: Read> Hashed<R> {
    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Unusable> {
        let mut bytes = Vec::new();
        // Memory grows with what is there, not with what a header declares.
        let read = self
            .file
            .by_ref()
            .take(count as u64)
            .read_to_end(&mut bytes);
        if read.map_err(Unusable::Unreadable)? != count {
            return Err(Unusable::Damaged("it is cut short".into()));
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    /// In parts, so that the bytes and the values are not in memory together.
    fn floats(&mut self, count: usize) -> Result<Vec<f32>, Unusable> {
        const PART: usize = 1 << 20;
        let mut values = Vec::new();
        for start in (0..count).step_by(PART) {
            let bytes = self.bytes(PART.min(count - start))?;
            let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            values.extend(bytes.chunks_exact(4).map(value));
        }
        Ok(values)
    }

    /// Whether there is more to read.
    fn goes_on(&mut self) -> Result<bool, Unusable> {
        let read = self.file.read(&mut [0]).map_err(Unusable::Unreadable)?;
        Ok(read > 0)
    }

    fn digest(self) -> String {
        hex::digest(self.hash)
    }
}

//! The model at work: crops of pictures in, ranked classes out.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use crate::classifier::Classifier;
use crate::data::Batch;
use crate::error::Error;
use crate::evaluation::Predictor;
use crate::metrics::Prediction;
use crate::model::VisionTower;
use crate::preprocessing::Preprocessing;

/// Encodes crops with the vision tower.
#[derive(Debug)]
pub struct ImageEncoder {
    tower: VisionTower,
    size: usize,
    /// [3, 1, 1]
    mean: Tensor,
    /// [3, 1, 1]
    std: Tensor,
    device: Device,
}

impl ImageEncoder {
    /// # Errors
    /// Only when the device cannot hold the mean and standard deviation.
    pub fn new(tower: VisionTower, preprocessing: &Preprocessing, device: &Device) -> Result<Self> {
        Ok(Self {
            tower,
            size: preprocessing.size,
            mean: Tensor::new(&preprocessing.mean, device)?.reshape((3, 1, 1))?,
            std: Tensor::new(&preprocessing.std, device)?.reshape((3, 1, 1))?,
            device: device.clone(),
        })
    }

    /// Bytes of one crop.
    pub fn crop_bytes(&self) -> usize {
        self.size * self.size * 3
    }

    /// Features [embedding] of each crop in `pixels` (size x size x 3 bytes each), in order.
    ///
    /// Every picture goes through the tower on its own, several at a time on different threads.
    /// So its features are the same bits in any batch, at any place in it, on any number of
    /// threads.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        pixels
            .par_chunks_exact(self.crop_bytes())
            .map(|crop| self.encode_one(crop))
            .collect()
    }

    fn encode_one(&self, crop: &[u8]) -> Result<Vec<f32>> {
        let picture = self.normalise(crop)?.unsqueeze(0)?; // [1, 3, size, size]
        self.tower.forward(&picture)?.squeeze(0)?.to_vec1()
    }

    /// [3, size, size], in the order of the reference: divide by 255, less the mean, divided by
    /// the standard deviation. The bytes are what travels to the device.
    fn normalise(&self, crop: &[u8]) -> Result<Tensor> {
        let pixels = Tensor::from_slice(crop, (self.size, self.size, 3), &self.device)?;
        let unit = (pixels
            .permute((2, 0, 1))?
            .contiguous()?
            .to_dtype(DType::F32)?
            / 255.0)?;
        unit.broadcast_sub(&self.mean)?.broadcast_div(&self.std)
    }
}

/// An image encoder and the classifier of the classes to choose among.
#[derive(Debug)]
pub struct ZeroShot {
    encoder: ImageEncoder,
    classifier: Classifier,
}

impl ZeroShot {
    pub fn new(encoder: ImageEncoder, classifier: Classifier) -> Self {
        Self {
            encoder,
            classifier,
        }
    }

    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Logits of each crop for all classes.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn logits(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let features = self.encoder.encode(pixels)?;
        Ok(features
            .iter()
            .map(|features| self.classifier.logits(features))
            .collect())
    }
}

impl Predictor for ZeroShot {
    fn predict(&self, batch: &Batch) -> std::result::Result<Vec<Prediction>, Error> {
        let logits = self.logits(&batch.pixels)?;
        for (logits, sample) in logits.iter().zip(&batch.samples) {
            if logits.iter().any(|logit| !logit.is_finite()) {
                return Err(Error::NotANumber {
                    path: sample.path.clone(),
                });
            }
        }
        Ok(logits
            .iter()
            .map(|logits| Prediction::from_logits(logits))
            .collect())
    }
}

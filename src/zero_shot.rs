//! The model at work: crops of pictures in, ranked classes out.

use candle_core::{DType, Device, Result, Tensor};

use crate::classifier::Classifier;
use crate::data::Batch;
use crate::error::Error;
use crate::evaluation::Predictor;
use crate::metrics::Prediction;
use crate::model::{Compute, VisionTower};
use crate::preprocessing::Preprocessing;

/// Tokens that go through the vision tower together: enough for large matrix products, few enough
/// that UTA-g's activations stay below 200 MB.
const TOKENS_AT_ONCE: usize = 4096;

/// Encodes crops with the vision tower.
#[derive(Debug)]
pub struct ImageEncoder {
    tower: VisionTower,
    /// Pictures that go through the tower together.
    at_once: usize,
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
    pub fn new(
        tower: VisionTower,
        preprocessing: &Preprocessing,
        compute: &Compute,
    ) -> Result<Self> {
        let device = &compute.device;
        let at_once = match compute.kernels {
            Some(_) => (TOKENS_AT_ONCE / tower.tokens()).max(1),
            None => 1,
        };
        Ok(Self {
            at_once,
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
    /// A picture's features are the same bits in any batch, at any place in it, on any number of
    /// threads: the kernels compute a row from nothing else, and candle's operations, which do
    /// not promise that, get one picture at a time.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let mut features = Vec::with_capacity(pixels.len() / self.crop_bytes());
        for crops in pixels.chunks(self.at_once * self.crop_bytes()) {
            features.extend(
                self.tower
                    .forward(&self.normalise(crops)?)?
                    .to_vec2::<f32>()?,
            );
        }
        Ok(features)
    }

    /// [pictures, 3, size, size], in the order of the reference: divide by 255, less the mean,
    /// divided by the standard deviation. The bytes are what travels to the device.
    fn normalise(&self, crops: &[u8]) -> Result<Tensor> {
        let pictures = crops.len() / self.crop_bytes();
        let shape = (pictures, self.size, self.size, 3);
        let pixels = Tensor::from_slice(crops, shape, &self.device)?;
        let unit = (pixels
            .permute((0, 3, 1, 2))?
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

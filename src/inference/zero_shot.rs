//! The model at work: crops of pictures in, ranked classes out.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use tracing::info_span;

use crate::classifier::ranker::Ranker;
use crate::classifier::{Classifier, LOGIT_SCALE};
use crate::data::{Batch, Sample};
use crate::evaluation::{EvaluationError, Predicted, Predictor};
use crate::metrics::{Prediction, TOP, millionths};
use crate::model::backend::{Backend, Rank, Ranking};
use crate::model::micro_batch::{MicroBatch, is_out_of_memory};
use crate::model::{Compute, VisionTower};
use crate::picture::preprocessing::Preprocessing;
use crate::util::interrupt;
use crate::util::warning::Warning;

/// Encodes crops with the vision tower.
#[derive(Debug)]
pub struct ImageEncoder {
    tower: VisionTower,
    /// Pictures that go through the tower together.
    micro_batch: Arc<MicroBatch>,
    size: usize,
    /// [3]
    mean: Tensor,
    /// [3]
    std: Tensor,
    device: Device,
    backend: Arc<dyn Backend>,
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
        let micro_batch = compute.backend.micro_batch(tower.tokens());
        Ok(Self {
            micro_batch: MicroBatch::new(micro_batch).into(),
            tower,
            size: preprocessing.size,
            mean: Tensor::new(&preprocessing.mean, device)?,
            std: Tensor::new(&preprocessing.std, device)?,
            device: device.clone(),
            backend: Arc::clone(&compute.backend),
        })
    }

    /// An encoder for each replica. Replicas of one device share its memory, and so how many pictures go
    /// through a tower together.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_replicas<'a>(
        towers: Vec<VisionTower>,
        preprocessing: &Preprocessing,
        replicas: impl Iterator<Item = &'a Compute>,
    ) -> Result<Vec<Self>> {
        let mut of_device: HashMap<String, Arc<MicroBatch>> = HashMap::new();
        let mut encoder = |(tower, compute): (VisionTower, &Compute)| {
            let mut encoder = Self::new(tower, preprocessing, compute)?;
            let first = of_device
                .entry(compute.device())
                .or_insert_with(|| Arc::clone(&encoder.micro_batch));
            encoder.micro_batch = Arc::clone(first);
            Ok(encoder)
        };
        towers.into_iter().zip(replicas).map(&mut encoder).collect()
    }

    /// Bytes of one crop.
    pub fn crop_bytes(&self) -> usize {
        self.size * self.size * 3
    }

    /// Bytes of the first crops of `pixels`, which go through the tower together.
    fn micro_batch_bytes(&self, pixels: &[u8]) -> usize {
        self.micro_batch.part(pixels.len() / self.crop_bytes()) * self.crop_bytes()
    }

    /// Features [embedding] of each crop in `pixels` (size x size x 3 bytes each), in order.
    ///
    /// A picture's features are the same bits in any batch, at any place in it, on any number of
    /// threads: the kernels compute a row from nothing else, and candle's operations, which do
    /// not promise that, get one picture at a time.
    ///
    /// A GPU's matrix products promise less: there, the last bits may differ with the batch.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        self.in_parts(pixels, |features| {
            self.backend.wait()?;
            features.to_vec2()
        })
    }

    /// How many pictures go through the tower together, if they have become fewer since this was asked
    /// last.
    pub fn reduced(&self) -> Option<usize> {
        self.micro_batch.reduced()
    }

    /// Gives the features of some consecutive crops after the other to `finish`, and joins what it
    /// returns, one result for each crop.
    fn in_parts<T>(
        &self,
        pixels: &[u8],
        mut finish: impl FnMut(&Tensor) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        self.micro_batch
            .in_parts(pixels, self.crop_bytes(), |crops| {
                let result = self.features(crops).and_then(|features| finish(&features));
                if result.as_ref().is_err_and(is_out_of_memory) {
                    // Memory is freed when its stream comes to that; then there may be more.
                    self.backend.wait()?;
                }
                result
            })
    }

    /// Features [pictures, embedding] of crops. Bytes are what travels to the device.
    fn features(&self, crops: &[u8]) -> Result<Tensor> {
        let pictures = crops.len() / self.crop_bytes();
        let _span = info_span!("vision tower", pictures).entered();
        let shape = (pictures, self.size, self.size, 3);
        let pixels = Tensor::from_slice(crops, shape, &self.device)?;
        self.tower.encode(&pixels, &self.mean, &self.std)
    }
}

/// An image encoder and the classifier of the classes to choose among.
#[derive(Debug)]
pub struct ZeroShot {
    /// Classifiers of several data sets may share it.
    encoder: Arc<ImageEncoder>,
    ranker: Ranker,
    on_device: Option<OnDevice>,
    /// Whether predictions come with the features that they are made from.
    keeps_features: bool,
}

/// The classifier where the features are, so that only the best classes come back.
#[derive(Debug)]
struct OnDevice {
    /// Distinct columns [columns, embedding].
    columns: Tensor,
    /// The column of each class.
    column_of: Tensor,
}

impl ZeroShot {
    /// Chooses among all classes of a classifier.
    ///
    /// # Errors
    /// Only when the device cannot hold the classifier.
    pub fn new(
        encoder: impl Into<Arc<ImageEncoder>>,
        classifier: impl Into<Arc<Classifier>>,
    ) -> Result<Self> {
        Self::with(encoder, Ranker::new(classifier.into(), None))
    }

    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(encoder: impl Into<Arc<ImageEncoder>>, ranker: Ranker) -> Result<Self> {
        let encoder = encoder.into();
        let on_device = match encoder.backend.ranker() {
            Some(_) => Some(OnDevice::new(ranker.classifier(), &encoder.device)?),
            None => None,
        };
        Ok(Self {
            encoder,
            ranker,
            on_device,
            keeps_features: false,
        })
    }

    /// Lets predictions come with the features that they are made from. Ranking then happens on the
    /// CPU, wherever the tower is, so that the same features give the same bits later.
    #[must_use]
    pub fn keeping_features(self) -> Self {
        Self {
            on_device: None,
            keeps_features: true,
            ..self
        }
    }

    pub fn ranker(&self) -> &Ranker {
        &self.ranker
    }

    /// Logits of each crop for all of the classifier's classes.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn logits(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let classifier = self.ranker.classifier();
        let features = self.encoder.encode(pixels)?;
        Ok(features
            .iter()
            .map(|features| classifier.logits(features))
            .collect())
    }

    /// A prediction for each crop; none where the logits are not all finite. The features are added
    /// to `kept` if they are to be kept.
    fn ranked(&self, pixels: &[u8], kept: &mut Vec<Vec<f32>>) -> Result<Vec<Option<Prediction>>> {
        if let (Some(on_device), Some(by)) = (&self.on_device, self.encoder.backend.ranker()) {
            let mut ranked = self
                .encoder
                .in_parts(pixels, |features| on_device.ranked(by, features))?;
            for prediction in ranked.iter_mut().flatten() {
                self.ranker.name(&mut prediction.classes);
            }
            return Ok(ranked);
        }
        let mut features = self.encoder.encode(pixels)?;
        let _span = info_span!("rank").entered();
        let ranked = features.iter().map(|f| self.ranker.rank(f)).collect();
        if self.keeps_features {
            kept.append(&mut features);
        }
        Ok(ranked)
    }
}

impl OnDevice {
    fn new(classifier: &Classifier, device: &Device) -> Result<Self> {
        let columns = ((), classifier.embedding());
        let column_of = classifier.column_of().iter();
        Ok(Self {
            columns: Tensor::from_slice(classifier.columns(), columns, device)?,
            column_of: Tensor::from_iter(column_of.map(|column| *column as u32), device)?,
        })
    }

    fn ranked(&self, by: &dyn Rank, features: &Tensor) -> Result<Vec<Option<Prediction>>> {
        let places = by.rank(features, &self.columns, &self.column_of, TOP, LOGIT_SCALE)?;
        let prediction = |place: Ranking| {
            place.finite.then_some(Prediction {
                classes: place.classes,
                logits: place.logits,
                confidence: millionths(place.confidence.into()),
            })
        };
        Ok(places.into_iter().map(prediction).collect())
    }
}

impl Predictor for ZeroShot {
    fn warning(&self) -> Option<Warning> {
        let pictures = self.encoder.reduced()?;
        Some(Warning::SmallerBatches { pictures })
    }

    fn predict(&self, batch: &Batch) -> std::result::Result<Predicted, EvaluationError> {
        let mut features = Vec::new();
        let mut predictions = Vec::with_capacity(batch.samples.len());
        let mut rest = batch.pixels.as_slice();
        while !rest.is_empty() {
            let (crops, behind) = rest.split_at(self.encoder.micro_batch_bytes(rest));
            rest = behind;
            if interrupt::requested() {
                return Err(EvaluationError::Interrupted);
            }
            predictions.extend(self.ranked(crops, &mut features)?);
        }
        let of_sample = |(prediction, sample): (Option<Prediction>, &Sample)| {
            prediction.ok_or_else(|| EvaluationError::NotANumber {
                picture: sample.name.clone(),
            })
        };
        let predictions = predictions.into_iter().zip(&batch.samples).map(of_sample);
        Ok(Predicted {
            predictions: predictions.collect::<std::result::Result<_, _>>()?,
            features,
        })
    }
}

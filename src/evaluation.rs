//! The evaluation loop. It sees batches and a predictor, nothing of models or files.

use crate::data::{Batch, Sample, Unreadable};
use crate::error::{Error, Warning};
use crate::lanes::in_order;
use crate::metrics::{Prediction, Tally};

/// Names the classes of a batch's pictures.
pub trait Predictor: Sync {
    /// One prediction for each sample of the batch, in order.
    ///
    /// # Errors
    /// When the computation fails.
    fn predict(&self, batch: &Batch) -> Result<Vec<Prediction>, Error>;

    /// Something that its user should know and was not told yet.
    fn news(&self) -> Option<Warning> {
        None
    }
}

/// Is told of every picture while the evaluation runs.
pub trait Observer {
    /// A picture was evaluated.
    ///
    /// # Errors
    /// When the prediction cannot be recorded.
    fn predicted(&mut self, sample: &Sample, prediction: &Prediction) -> Result<(), Error>;

    /// A picture could not be read.
    ///
    /// # Errors
    /// When the evaluation is to stop because of it.
    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), Error>;

    /// A predictor has news.
    fn warned(&mut self, warning: Warning);

    /// A batch is done.
    fn batch_done(&mut self, tally: &Tally, unreadable: usize);
}

/// What an evaluation counts.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub tally: Tally,
    pub unreadable: Vec<Unreadable>,
}

/// Evaluates all batches. Several predictors, which must predict the same, share the work; the
/// observer sees the batches in order all the same.
///
/// # Errors
/// When a predictor or the observer fails.
pub fn evaluate(
    batches: impl Iterator<Item = Batch>,
    predictors: &[&dyn Predictor],
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let workers: Vec<_> = predictors
        .iter()
        .map(|predictor| {
            move |batch: Batch| {
                let predictions = predictor.predict(&batch);
                (batch, predictions, predictor.news())
            }
        })
        .collect();
    in_order(batches, &workers, |(mut batch, predictions, news)| {
        if let Some(warning) = news {
            observer.warned(warning);
        }
        for picture in &batch.unreadable {
            observer.unreadable(picture)?;
        }
        for (sample, prediction) in batch.samples.iter().zip(predictions?) {
            outcome.tally.add(&prediction, sample.label);
            observer.predicted(sample, &prediction)?;
        }
        outcome.unreadable.append(&mut batch.unreadable);
        observer.batch_done(&outcome.tally, outcome.unreadable.len());
        Ok::<(), Error>(())
    })?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predicts that a picture shows the class that its only byte names.
    struct ByteReader;

    impl Predictor for ByteReader {
        fn predict(&self, batch: &Batch) -> Result<Vec<Prediction>, Error> {
            let logits = |byte: &u8| {
                (0..10)
                    .map(|c| -(f32::from(*byte) - c as f32).abs())
                    .collect()
            };
            let prediction = |byte: &u8| {
                let logits: Vec<f32> = logits(byte);
                Prediction::from_logits(&logits)
            };
            Ok(batch.pixels.iter().map(prediction).collect())
        }
    }

    #[derive(Default)]
    struct Recorder {
        seen: Vec<usize>,
        skipped: usize,
    }

    impl Observer for Recorder {
        fn predicted(&mut self, sample: &Sample, _: &Prediction) -> Result<(), Error> {
            self.seen.push(sample.label);
            Ok(())
        }
        fn unreadable(&mut self, _: &Unreadable) -> Result<(), Error> {
            self.skipped += 1;
            Ok(())
        }
        fn warned(&mut self, _: Warning) {}
        fn batch_done(&mut self, _: &Tally, _: usize) {}
    }

    #[test]
    fn counts_and_order_do_not_depend_on_how_pictures_are_batched() {
        let pictures: Vec<(u8, usize)> = vec![(0, 0), (1, 2), (5, 5), (9, 0), (3, 3), (7, 1)];
        for (size, lanes) in (1..=pictures.len()).flat_map(|size| [(size, 1), (size, 3)]) {
            let batches = pictures.chunks(size).map(|chunk| Batch {
                pixels: chunk.iter().map(|p| p.0).collect(),
                samples: chunk
                    .iter()
                    .map(|p| Sample {
                        path: "x".into(),
                        label: p.1,
                    })
                    .collect(),
                unreadable: vec![Unreadable {
                    path: "y".into(),
                    reason: "damaged".into(),
                }],
            });
            let mut recorder = Recorder::default();
            let outcome = evaluate(
                batches,
                &vec![&ByteReader as &dyn Predictor; lanes],
                &mut recorder,
            );
            let Ok(outcome) = outcome else {
                panic!("the evaluation failed")
            };
            assert_eq!(
                outcome.tally,
                Tally {
                    pictures: 6,
                    top1: 3,
                    top5: 4
                }
            );
            assert_eq!(recorder.seen, [0, 2, 5, 0, 3, 1]);
            assert_eq!(recorder.skipped, pictures.chunks(size).len());
            assert_eq!(outcome.unreadable.len(), recorder.skipped);
        }
    }
}

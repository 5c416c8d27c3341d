//! The evaluation loop. It sees batches and predictors, nothing of models or files.

mod again;
mod error;
mod finding;
/// What an evaluation found so far, for the run that goes on.
pub mod journal;
/// The part of a data set that one of several processes evaluates.
pub mod shard;

pub use again::try_again;
pub use error::EvaluationError;
pub use finding::Finding;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::info_span;

use finding::{findings, lasting};

use crate::data::{Batch, Fault, Sample, Unreadable};
use crate::metrics::Judgement;
use crate::metrics::{Prediction, Tally};
use crate::util::in_order::in_order;
use crate::util::interrupt;
use crate::util::warning::Warning;

/// Names the classes of a batch's pictures.
pub trait Predictor: Sync {
    /// Predicts for each sample of the batch, in order.
    ///
    /// # Errors
    /// When the computation fails.
    fn predict(&self, batch: &Batch) -> Result<Predicted, EvaluationError>;

    /// Something that the user should know and was not told yet.
    fn warning(&self) -> Option<Warning> {
        None
    }
}

/// What a predictor makes of a batch.
#[derive(Debug, Clone, Default)]
pub struct Predicted {
    /// One for each picture.
    pub predictions: Vec<Prediction>,
    /// Features [embedding] of each picture; none unless the predictor was asked to keep them.
    pub features: Vec<Vec<f32>>,
}

impl From<Vec<Prediction>> for Predicted {
    fn from(predictions: Vec<Prediction>) -> Self {
        Self {
            predictions,
            features: Vec::new(),
        }
    }
}

/// Is told of every picture while the evaluation results.
pub trait Observer {
    /// A batch is about to be counted: what was found in consecutive pictures, in file order, of
    /// which `first` is the first one's number.
    ///
    /// # Errors
    /// When it cannot be recorded; the batch is not counted then.
    fn found(&mut self, first: usize, findings: &[Finding]) -> Result<(), EvaluationError>;

    /// A batch is about to be counted of which the predictor kept the features [embedding], one
    /// for each picture that could be read.
    ///
    /// # Errors
    /// When they cannot be recorded.
    fn encoded(&mut self, _features: &[Vec<f32>]) -> Result<(), EvaluationError> {
        Ok(())
    }

    /// A picture was evaluated.
    ///
    /// # Errors
    /// When the prediction cannot be recorded.
    fn predicted(
        &mut self,
        sample: &Sample,
        prediction: &Prediction,
    ) -> Result<(), EvaluationError>;

    /// A picture could not be read.
    ///
    /// # Errors
    /// When the evaluation is to stop because of it.
    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), EvaluationError>;

    /// A predictor has something to tell.
    fn warned(&mut self, warning: Warning);

    /// A batch is done.
    fn batch_done(&mut self, tally: &Tally, unreadable: usize);
}

/// What an evaluation counts.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub tally: Tally,
    /// One for each evaluated picture, in order.
    pub judgements: Vec<Judgement>,
    pub unreadable: Vec<Unreadable>,
    /// Names of pictures whose files changed between listing and reading, in order.
    pub changed: Vec<Arc<str>>,
}

impl Outcome {
    /// Pictures that were looked at.
    pub fn pictures(&self) -> usize {
        self.tally.pictures as usize + self.unreadable.len()
    }
}

/// One of those that see the same batches.
pub struct Evaluator<'a> {
    /// One for each replica; they predict the same.
    predictors: Vec<&'a dyn Predictor>,
    observer: &'a mut dyn Observer,
    pub outcome: Outcome,
    /// What stopped this one; the others go on.
    pub failure: Option<EvaluationError>,
    /// This one's part of the time of the evaluation, in proportion to the work of its predictors.
    pub time: Duration,
    /// Pictures that were not found in a journal.
    pub computed: usize,
}

impl<'a> Evaluator<'a> {
    /// # Errors
    /// When the observer fails on what is known already.
    pub fn new(
        predictors: Vec<&'a dyn Predictor>,
        observer: &'a mut dyn Observer,
        samples: &[Sample],
        known: Vec<Finding>,
    ) -> Result<Self, EvaluationError> {
        let mut evaluator = Self {
            predictors,
            observer,
            outcome: Outcome::default(),
            failure: None,
            time: Duration::ZERO,
            computed: 0,
        };
        evaluator.count(samples, known)?;
        Ok(evaluator)
    }

    /// Counts those pictures of a batch that are not counted yet. `samples` are all of the
    /// batch's, readable or not, and `first` is the number of the first.
    fn enter(
        &mut self,
        first: usize,
        samples: &[Sample],
        predicted: Predicted,
        batch: &Batch,
    ) -> Result<(), EvaluationError> {
        let _span = info_span!("count", first).entered();
        let counted = self.outcome.pictures();
        let mut findings = findings(samples, predicted.predictions, &batch.unreadable);
        let findings = findings.split_off(counted - first);
        self.computed += findings.len();
        let samples = &samples[counted - first..];
        if batch.changed.is_empty() {
            self.observer.found(counted, &findings)?;
        } else {
            let lasting = lasting(samples, &findings, &batch.changed);
            self.observer.found(counted, &lasting)?;
            self.outcome.changed.extend(batch.changed.iter().cloned());
        }
        if !predicted.features.is_empty() {
            self.observer.encoded(&predicted.features)?;
        }
        self.count(samples, findings)?;
        self.observer
            .batch_done(&self.outcome.tally, self.outcome.unreadable.len());
        Ok(())
    }

    fn count_unreadable(&mut self, unreadable: Unreadable) -> Result<(), EvaluationError> {
        self.observer.unreadable(&unreadable)?;
        self.outcome.unreadable.push(unreadable);
        Ok(())
    }

    fn count(&mut self, samples: &[Sample], findings: Vec<Finding>) -> Result<(), EvaluationError> {
        for (sample, finding) in samples.iter().zip(findings) {
            match finding {
                Finding::Predicted(prediction) => {
                    self.outcome.tally.add(&prediction, sample.right());
                    let name = sample.name.in_set().to_string();
                    let judgement = Judgement::new(name, sample.label, sample.right(), &prediction);
                    self.outcome.judgements.push(judgement);
                    self.observer.predicted(sample, &prediction)?;
                }
                Finding::Unreadable(reason) => {
                    self.count_unreadable(Unreadable::of(sample, reason, Fault::Picture))?;
                }
                Finding::Unavailable(reason) => {
                    self.count_unreadable(Unreadable::of(sample, reason, Fault::System))?;
                }
            }
        }
        Ok(())
    }
}

/// Ends an evaluation that would take all further pictures for unreadable.
fn refuse_shortage(batch: &Batch) -> Result<(), EvaluationError> {
    let short = batch.unreadable.iter().find(|u| u.fault == Fault::Shortage);
    short.map_or(Ok(()), |u| Err(EvaluationError::Shortage(u.clone())))
}

/// The number of the first picture that some evaluator still needs.
pub fn first_needed(evaluators: &[Evaluator<'_>]) -> usize {
    let counted = evaluators
        .iter()
        .map(|evaluator| evaluator.outcome.pictures());
    counted.min().unwrap_or(0)
}

/// Lets each evaluator evaluate all batches, which begin with the picture that [`first_needed`]
/// names. Observers see them in order, however many replicas there are. Ends early when all evaluators
/// have failed or the user interrupts. Returns how many pictures came in the batches.
pub fn evaluate(
    samples: &[Sample],
    batches: impl Iterator<Item = Batch>,
    evaluators: &mut [Evaluator<'_>],
) -> usize {
    let clock = Instant::now();
    let mut came = 0;
    let mut next = first_needed(evaluators);
    let numbered = batches.map_while(|batch| {
        let first = next;
        next += batch.samples.len() + batch.unreadable.len();
        (!interrupt::requested()).then_some((first, batch))
    });
    let counts = evaluators
        .iter()
        .map(|evaluator| evaluator.predictors.len());
    let count = counts.min().unwrap_or(0);
    let replicas: Vec<Replicas<'_>> = evaluators.iter().map(Replicas::new).collect();
    let workers: Vec<_> = (0..count)
        .map(|replica| {
            let replicas = &replicas;
            move |(first, batch): (usize, Batch)| {
                let results: Vec<_> = replicas
                    .iter()
                    .map(|r| r.run(replica, first, &batch))
                    .collect();
                (first, batch, results)
            }
        })
        .collect();
    let stopped = in_order(numbered, &workers, |(first, batch, results)| {
        let behind = first + batch.samples.len() + batch.unreadable.len();
        came += behind - first;
        for ((evaluator, replicas), result) in evaluators.iter_mut().zip(&replicas).zip(results) {
            let Some(result) = result else { continue };
            if evaluator.failure.is_some() {
                continue;
            }
            evaluator.time += result.time;
            if let Some(warning) = result.warning {
                evaluator.observer.warned(warning);
            }
            let entered = refuse_shortage(&batch)
                .and(result.predicted)
                .and_then(|predicted| {
                    evaluator.enter(first, &samples[first..behind], predicted, &batch)
                });
            match entered {
                // The batch in flight is lost, as the user wished.
                Err(EvaluationError::Interrupted) => return Err(Stop),
                entered => evaluator.failure = entered.err(),
            }
            replicas
                .failed
                .store(evaluator.failure.is_some(), Ordering::Relaxed);
        }
        let all_failed = evaluators
            .iter()
            .all(|evaluator| evaluator.failure.is_some());
        if all_failed { Err(Stop) } else { Ok(()) }
    });
    // Why it ended is in the evaluators.
    drop(stopped);
    share_time(evaluators, clock.elapsed());
    came
}

/// Ends the evaluation early.
struct Stop;

/// What the replicas see of an evaluator.
struct Replicas<'a> {
    predictors: Vec<&'a dyn Predictor>,
    /// Pictures that a journal knew of.
    known: usize,
    failed: AtomicBool,
}

/// A predictor's work on a batch.
struct ReplicaResult {
    predicted: Result<Predicted, EvaluationError>,
    time: Duration,
    warning: Option<Warning>,
}

impl<'a> Replicas<'a> {
    fn new(evaluator: &Evaluator<'a>) -> Self {
        Self {
            predictors: evaluator.predictors.clone(),
            known: evaluator.outcome.pictures(),
            failed: AtomicBool::new(false),
        }
    }

    /// Predicts, unless there is no need to.
    fn run(&self, replica: usize, first: usize, batch: &Batch) -> Option<ReplicaResult> {
        let behind = first + batch.samples.len() + batch.unreadable.len();
        if self.known >= behind || self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let predictor = self.predictors[replica];
        let pictures = batch.samples.len();
        let _span = info_span!("predict", replica, first, pictures).entered();
        let clock = Instant::now();
        Some(ReplicaResult {
            predicted: predictor.predict(batch),
            time: clock.elapsed(),
            warning: predictor.warning(),
        })
    }
}

/// Divides the time of an evaluation among the evaluators.
fn share_time(evaluators: &mut [Evaluator<'_>], whole: Duration) {
    let work: Duration = evaluators.iter().map(|evaluator| evaluator.time).sum();
    let count = evaluators.len() as f64;
    for evaluator in evaluators {
        let share = if work.is_zero() {
            1.0 / count
        } else {
            evaluator.time.div_duration_f64(work)
        };
        evaluator.time = whole.mul_f64(share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predicts that a picture shows the class that its only byte names.
    struct ByteReader;

    impl Predictor for ByteReader {
        fn predict(&self, batch: &Batch) -> Result<Predicted, EvaluationError> {
            let logits = |byte: &u8| {
                (0..10)
                    .map(|c| -(f32::from(*byte) - c as f32).abs())
                    .collect()
            };
            let prediction = |byte: &u8| {
                let logits: Vec<f32> = logits(byte);
                Prediction::from_logits(&logits)
            };
            let predictions: Vec<_> = batch.pixels.iter().map(prediction).collect();
            Ok(predictions.into())
        }
    }

    /// Cannot predict anything.
    struct Broken;

    impl Predictor for Broken {
        fn predict(&self, batch: &Batch) -> Result<Predicted, EvaluationError> {
            let picture = batch.samples[0].name.clone();
            Err(EvaluationError::NotANumber { picture })
        }
    }

    #[derive(Default)]
    struct Recorder {
        found: Vec<Finding>,
        seen: Vec<usize>,
        skipped: usize,
    }

    impl Observer for Recorder {
        fn found(&mut self, first: usize, findings: &[Finding]) -> Result<(), EvaluationError> {
            assert_eq!(first, self.seen.len() + self.skipped);
            self.found.extend_from_slice(findings);
            Ok(())
        }
        fn predicted(&mut self, sample: &Sample, _: &Prediction) -> Result<(), EvaluationError> {
            self.seen.push(sample.label);
            Ok(())
        }
        fn unreadable(&mut self, _: &Unreadable) -> Result<(), EvaluationError> {
            self.skipped += 1;
            Ok(())
        }
        fn warned(&mut self, _: Warning) {}
        fn batch_done(&mut self, _: &Tally, _: usize) {}
    }

    fn evaluator<'a>(
        predictor: &'a dyn Predictor,
        replicas: usize,
        recorder: &'a mut Recorder,
        known: Vec<Finding>,
    ) -> Evaluator<'a> {
        Evaluator::new(vec![predictor; replicas], recorder, &samples(), known).unwrap()
    }

    /// What is in a picture (255: it cannot be read), and its label.
    const PICTURES: [(u8, usize); 8] = [
        (0, 0),
        (255, 4),
        (1, 2),
        (5, 5),
        (9, 0),
        (3, 3),
        (255, 7),
        (7, 1),
    ];

    fn samples() -> Vec<Sample> {
        let sample = |(number, picture): (usize, &(u8, usize))| {
            Sample::file(number.to_string().into(), picture.1)
        };
        PICTURES.iter().enumerate().map(sample).collect()
    }

    fn batches(first: usize, size: usize) -> impl Iterator<Item = Batch> {
        let numbers: Vec<usize> = (first..PICTURES.len()).collect();
        let batch = |numbers: &[usize]| {
            let mut batch = Batch::default();
            for (sample, byte) in numbers
                .iter()
                .map(|n| (samples()[*n].clone(), PICTURES[*n].0))
            {
                if byte == 255 {
                    let reason = "damaged".into();
                    batch
                        .unreadable
                        .push(Unreadable::of(&sample, reason, Fault::Picture));
                } else {
                    batch.pixels.push(byte);
                    batch.samples.push(sample);
                }
            }
            batch
        };
        let batches: Vec<Batch> = numbers.chunks(size).map(batch).collect();
        batches.into_iter()
    }

    const EXPECTED: Tally = Tally {
        pictures: 6,
        top1: 3,
        top5: 4,
    };

    #[test]
    fn counts_and_order_depend_neither_on_batches_nor_on_where_an_earlier_run_ended() {
        let mut all = Recorder::default();
        let mut evaluators = [evaluator(&ByteReader, 1, &mut all, vec![])];
        evaluate(&samples(), batches(0, 8), &mut evaluators);
        let findings = all.found;
        assert_eq!(findings.len(), PICTURES.len());
        for (size, replicas) in (1..=PICTURES.len()).flat_map(|size| [(size, 1), (size, 3)]) {
            for known in 0..=PICTURES.len() {
                let mut recorder = Recorder::default();
                let before = findings[..known].to_vec();
                let mut evaluators = [evaluator(&ByteReader, replicas, &mut recorder, before)];
                let first = first_needed(&evaluators);
                evaluate(&samples(), batches(first, size), &mut evaluators);
                assert_eq!(evaluators[0].outcome.tally, EXPECTED);
                let judgements = &evaluators[0].outcome.judgements;
                let ranks: Vec<_> = judgements.iter().map(|j| j.rank).collect();
                assert_eq!(ranks.iter().filter(|rank| rank.is_some()).count(), 4);
                assert_eq!(ranks[..2], [Some(0), Some(2)]);
                assert_eq!(evaluators[0].outcome.unreadable.len(), 2);
                assert_eq!(evaluators[0].computed, PICTURES.len() - known);
                assert_eq!(recorder.seen, [0, 2, 5, 0, 3, 1]);
                assert_eq!(recorder.found, findings[known..]);
            }
        }
    }

    #[test]
    fn entrants_that_are_ahead_or_fail_change_nothing_for_the_others() {
        let mut whole = Recorder::default();
        let mut one = [evaluator(&ByteReader, 1, &mut whole, vec![])];
        evaluate(&samples(), batches(0, 8), &mut one);
        let ahead = whole.found[..5].to_vec();
        for replicas in [1, 3] {
            let mut recorders: [Recorder; 3] = Default::default();
            let [a, b, c] = &mut recorders;
            let mut evaluators = [
                evaluator(&ByteReader, replicas, a, ahead.clone()),
                evaluator(&Broken, replicas, b, vec![]),
                evaluator(&ByteReader, replicas, c, vec![]),
            ];
            evaluate(&samples(), batches(0, 3), &mut evaluators);
            assert!(matches!(
                evaluators[1].failure,
                Some(EvaluationError::NotANumber { .. })
            ));
            for index in [0, 2] {
                assert!(evaluators[index].failure.is_none());
                assert_eq!(evaluators[index].outcome.tally, EXPECTED);
            }
        }
    }
}

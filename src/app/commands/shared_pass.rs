//! One pass over pictures: each is decoded once, and every prepared sees it.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::prepared::{Pictures, PreparedEvaluation, preprocessor_of};
use super::result_files::PictureRecords;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::data::{Loader, Sample, Unreadable};
use crate::evaluation::journal::Journal;
use crate::evaluation::{self, EvaluationError, Evaluator, Finding, Observer, Outcome, Predictor};
use crate::metrics::{Prediction, Tally};
use crate::report::{self, Report};
use crate::util::interrupt::{self, Listening};
use crate::util::warning::Warning;

/// What became of a prepared.
pub struct FinishedEvaluation {
    pub report: Report,
    pub tally: Tally,
}

/// Evaluates evaluations with the same preprocessing. One result for each, in order; with an
/// interrupt the reports are partial and say so.
///
/// # Errors
/// When the loader cannot be started.
pub fn run(
    evaluations: Vec<PreparedEvaluation<'_>>,
    records: Vec<&mut PictureRecords>,
    pictures: &Pictures,
    journal: Option<&RefCell<Journal>>,
    console: &mut Console,
) -> Result<Vec<Result<FinishedEvaluation, Error>>, Error> {
    let Some(first) = evaluations.first() else {
        return Ok(Vec::new());
    };
    let preprocessor = preprocessor_of(first.settings);
    let loader_settings = first.settings.run.loader;
    let samples = &pictures.samples;
    let listening = Listening::start();
    console.start_pictures(samples.len());
    let mut watchers: Vec<Watcher> = evaluations
        .iter()
        .zip(records)
        .enumerate()
        .map(|(index, (prepared, records))| Watcher {
            console,
            records,
            journal,
            name: &prepared.settings.name,
            strict: prepared.settings.run.strict,
            speaks: index == 0,
            start: prepared.start,
            first_batch: None,
            warnings: Vec::new(),
        })
        .collect();

    let mut evaluators = Vec::new();
    let mut failures: Vec<Option<EvaluationError>> = Vec::new();
    for (prepared, watcher) in evaluations.iter().zip(&mut watchers) {
        let known = prepared.known.clone();
        let predictors: Vec<&dyn Predictor> = prepared.zero_shots.iter().map(|z| z as _).collect();
        match Evaluator::new(predictors, watcher, samples, known) {
            Ok(evaluator) => {
                evaluators.push(evaluator);
                failures.push(None);
            }
            Err(e) => failures.push(Some(e)),
        }
    }
    let needed = evaluation::first_needed(&evaluators);
    if needed < samples.len() && !evaluators.is_empty() {
        let rest = samples.part(needed..samples.len());
        let loader = Loader::start(rest, preprocessor, loader_settings).map_err(|source| {
            Error::Threads {
                what: "the threads that read pictures",
                source,
            }
        })?;
        evaluation::evaluate(samples, loader, &mut evaluators);
    }
    // An interrupt that came after the last picture interrupted nothing.
    let interrupted = interrupt::requested();
    drop(listening);

    let mut ran = evaluators.into_iter();
    let results: Vec<Result<(Outcome, Duration, usize), EvaluationError>> = failures
        .into_iter()
        .map(|failure| match failure {
            Some(e) => Err(e),
            None => match ran.next() {
                Some(Evaluator {
                    failure: Some(e), ..
                }) => Err(e),
                Some(evaluator) => Ok((evaluator.outcome, evaluator.time, evaluator.computed)),
                None => Err(EvaluationError::Interrupted),
            },
        })
        .collect();
    let watched: Vec<_> = watchers
        .into_iter()
        .map(|watcher| (watcher.first_batch, watcher.warnings))
        .collect();
    console.clear();
    let mut warned = false;
    let ended = evaluations.into_iter().zip(results).zip(watched);
    Ok(ended
        .map(|((mut prepared, result), (first_batch, mut warnings))| {
            let (outcome, time, computed) = result?;
            prepared.warnings.append(&mut warnings);
            prepared.seconds.first_batch = first_batch.map(|time| time.as_secs_f64());
            prepared.seconds.evaluation = time.as_secs_f64();
            if let Some(warning) = report::unreadable_warning(&outcome.unreadable)
                && !std::mem::replace(&mut warned, true)
            {
                console.warn(&warning);
            }
            let tally = outcome.tally;
            let interrupted = interrupted && outcome.pictures() < samples.len();
            let report = prepared.report(pictures, outcome, computed, interrupted)?;
            Ok(FinishedEvaluation { report, tally })
        })
        .collect())
}

/// Shows progress, records predictions, and decides what an unreadable picture means.
struct Watcher<'a> {
    console: &'a Console,
    records: &'a mut PictureRecords,
    journal: Option<&'a RefCell<Journal>>,
    /// The run's name in the journal.
    name: &'a str,
    strict: bool,
    /// Whether it is the one that tells of unreadable pictures.
    speaks: bool,
    /// When the run started.
    start: Instant,
    /// From then to the end of the first batch.
    first_batch: Option<Duration>,
    warnings: Vec<Warning>,
}

impl Observer for Watcher<'_> {
    fn found(&mut self, first: usize, findings: &[Finding]) -> Result<(), EvaluationError> {
        if let Some(journal) = self.journal {
            journal.borrow_mut().append(self.name, first, findings)?;
        }
        Ok(())
    }

    fn encoded(&mut self, features: &[Vec<f32>]) -> Result<(), EvaluationError> {
        self.records.add_features(features);
        Ok(())
    }

    fn predicted(
        &mut self,
        sample: &Sample,
        prediction: &Prediction,
    ) -> Result<(), EvaluationError> {
        self.records.add_prediction(sample, prediction);
        Ok(())
    }

    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), EvaluationError> {
        if self.strict {
            return Err(EvaluationError::Unreadable(picture.clone()));
        }
        if self.speaks {
            let Unreadable { name, reason } = picture;
            self.console.say(&format!("unreadable: {name}: {reason}"));
        }
        Ok(())
    }

    fn warned(&mut self, warning: Warning) {
        self.console.warn(&warning);
        self.warnings.push(warning);
    }

    fn batch_done(&mut self, tally: &Tally, unreadable: usize) {
        self.first_batch.get_or_insert_with(|| self.start.elapsed());
        self.console.pictures_done(tally, unreadable);
    }
}

//! One pass over pictures: each is decoded once, and every prepared sees it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::prepared::{Pictures, PreparedEvaluation, preprocessor_of};
use super::result_files::PictureRecords;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::data::{Fault, Loader, Sample, Samples, Unreadable};
use crate::evaluation::journal::{Journal, JournalError};
use crate::evaluation::{self, EvaluationError, Evaluator, Finding, Observer, Outcome, Predictor};
use crate::metrics::{Prediction, Tally};
use crate::report::{self, Report};
use crate::util::interrupt::{self, Listening};
use crate::util::output_file::OutputError;
use crate::util::warning::Warning;

/// What became of a prepared.
pub struct FinishedEvaluation {
    pub report: Report,
    pub tally: Tally,
    /// What was found in each picture, in order, if the prepared keeps it.
    pub findings: Vec<Finding>,
}

/// What became of all of them.
#[derive(Default)]
pub struct Pass {
    /// One for each evaluation, in order.
    pub ended: Vec<Result<FinishedEvaluation, Error>>,
    /// Pictures that were read and decoded.
    pub decoded: usize,
}

/// Evaluates evaluations with the same preprocessing. With an interrupt the reports are partial and
/// say so.
///
/// # Errors
/// When the loader cannot be started.
pub fn run(
    mut evaluations: Vec<PreparedEvaluation<'_>>,
    records: Vec<&mut PictureRecords>,
    pictures: &Pictures,
    journal: Option<&RefCell<Journal>>,
    console: &mut Console,
) -> Result<Pass, Error> {
    let Some(first) = evaluations.first() else {
        return Ok(Pass::default());
    };
    let preprocessor = preprocessor_of(first.settings);
    let loader_settings = first.settings.run.loader;
    let samples = &pictures.samples;
    let listening = Listening::start();
    let load = |samples: Samples| {
        let states = pictures.states.clone();
        let loader = Loader::start(samples, states, preprocessor, loader_settings);
        loader.map_err(|source| Error::Threads {
            what: "the threads that read pictures",
            source,
        })
    };
    console.start_pictures(samples.len());
    let mut decoded = 0;
    let mut tried = Vec::new();
    for prepared in &mut evaluations {
        tried.push(try_again(prepared, samples, load, journal, &mut decoded)?);
    }
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
            unreadable: 0,
            warnings: Vec::new(),
            findings: prepared.keeps_findings.then(|| prepared.known.clone()),
        })
        .collect();

    let mut evaluators = Vec::new();
    let mut failures: Vec<Option<EvaluationError>> = Vec::new();
    let watched = evaluations.iter().zip(&mut watchers);
    for ((prepared, watcher), tried) in watched.zip(tried) {
        let changed = match tried {
            Ok(changed) => changed,
            Err(e) => {
                failures.push(Some(e));
                continue;
            }
        };
        let known = prepared.known.clone();
        let predictors: Vec<&dyn Predictor> = prepared.zero_shots.iter().map(|z| z as _).collect();
        match Evaluator::new(predictors, watcher, samples, known) {
            Ok(mut evaluator) => {
                evaluator.outcome.changed = changed;
                evaluators.push(evaluator);
                failures.push(None);
            }
            Err(e) => failures.push(Some(e)),
        }
    }
    let needed = evaluation::first_needed(&evaluators);
    if needed < samples.len() && !evaluators.is_empty() {
        let rest = samples.part(needed..samples.len());
        let came = evaluation::evaluate(samples, load(rest)?, &mut evaluators);
        decoded += came;
        if came < samples.len() - needed && !interrupt::requested() {
            let failed = evaluators.iter_mut().filter(|e| e.failure.is_none());
            failed.for_each(|evaluator| {
                evaluator.failure = Some(EvaluationError::Incomplete {
                    read: needed + came,
                    all: samples.len(),
                });
            });
        }
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
        .map(|watcher| (watcher.first_batch, watcher.warnings, watcher.findings))
        .collect();
    console.clear();
    let (mut warned, mut warned_of_change) = (false, false);
    let ended = evaluations.into_iter().zip(results).zip(watched);
    let ended = ended
        .map(
            |((mut prepared, result), (first_batch, mut warnings, findings))| {
                let (outcome, time, computed) = result?;
                prepared.warnings.append(&mut warnings);
                prepared.seconds.first_batch = first_batch.map(|time| time.as_secs_f64());
                prepared.seconds.evaluation = time.as_secs_f64();
                if let Some(warning) = report::unreadable_warning(&outcome.unreadable)
                    && !std::mem::replace(&mut warned, true)
                {
                    console.warn(&warning);
                    let passing = outcome
                        .unreadable
                        .iter()
                        .filter(|u| u.fault != Fault::Picture);
                    let count = passing.count();
                    if count > 0 {
                        let resumed = journal.is_some();
                        console.warn(&Warning::UnavailablePictures { count, resumed });
                    }
                }
                if let Some(warning) = report::changed_warning(&outcome.changed)
                    && !std::mem::replace(&mut warned_of_change, true)
                {
                    console.warn(&warning);
                }
                let tally = outcome.tally;
                let interrupted = interrupted && outcome.pictures() < samples.len();
                let report = prepared.report(pictures, outcome, computed, interrupted)?;
                let (top1, classes) = (&report.statistics.top1, report.data.classes);
                if let Some(warning) = report::chance_warning(top1, classes) {
                    console.warn(&warning);
                }
                Ok(FinishedEvaluation {
                    report,
                    tally,
                    findings: findings.unwrap_or_default(),
                })
            },
        )
        .collect();
    Ok(Pass { ended, decoded })
}

/// Counts what was found in pictures, one finding for each in order.
///
/// # Errors
/// When the pictures are others.
pub fn judge(findings: Vec<Finding>, pictures: &Pictures) -> Result<Outcome, EvaluationError> {
    if findings.len() != pictures.samples.len() {
        return Err(EvaluationError::Interrupted);
    }
    let mut silent = Silent;
    let evaluator = Evaluator::new(Vec::new(), &mut silent, &pictures.samples, findings)?;
    Ok(evaluator.outcome)
}

/// Wants to know nothing.
struct Silent;

impl Observer for Silent {
    fn found(&mut self, _: usize, _: &[Finding]) -> Result<(), EvaluationError> {
        Ok(())
    }
    fn predicted(&mut self, _: &Sample, _: &Prediction) -> Result<(), EvaluationError> {
        Ok(())
    }
    fn unreadable(&mut self, _: &Unreadable) -> Result<(), EvaluationError> {
        Ok(())
    }
    fn warned(&mut self, _: Warning) {}
    fn batch_done(&mut self, _: &Tally, _: usize) {}
}
/// What a new attempt came to: the names of changed pictures, or why it failed.
type Tried = Result<Vec<Arc<str>>, EvaluationError>;

/// Evaluates what an earlier run could not read by the system's fault. The outer error is for all.
fn try_again(
    prepared: &mut PreparedEvaluation<'_>,
    samples: &Samples,
    load: impl FnOnce(Samples) -> Result<Loader, Error>,
    journal: Option<&RefCell<Journal>>,
    decoded: &mut usize,
) -> Result<Tried, Error> {
    let missed = samples.iter().zip(&prepared.known);
    let missed = missed.filter(|(_, known)| known.is_passing());
    let missed: Samples = missed.map(|(sample, _)| sample.clone()).collect();
    let (false, Some(predictor)) = (missed.is_empty(), prepared.zero_shots.first()) else {
        return Ok(Ok(Vec::new()));
    };
    let record = |found: &[(usize, Finding)]| {
        if let Some(journal) = journal {
            journal.borrow_mut().amend(&prepared.settings.name, found)?;
        }
        Ok(())
    };
    let loader = load(missed)?;
    let tried = evaluation::try_again(samples, loader, predictor, &mut prepared.known, record);
    Ok(tried.map(|(tried, changed)| {
        *decoded += tried;
        changed
    }))
}

/// Unreadable pictures that are told of one by one; a warning at the end has their number.
pub const TOLD: usize = 10;

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
    /// Pictures that could not be read.
    unreadable: usize,
    warnings: Vec<Warning>,
    /// What was found, if that is kept.
    findings: Option<Vec<Finding>>,
}

impl Observer for Watcher<'_> {
    fn found(&mut self, first: usize, findings: &[Finding]) -> Result<(), EvaluationError> {
        if let Some(kept) = &mut self.findings {
            kept.extend_from_slice(findings);
        }
        let Some(journal) = self.journal else {
            return Ok(());
        };
        let appended = journal.borrow_mut().append(self.name, first, findings);
        match appended {
            // What is found is worth more than the note of it.
            Err(JournalError::Io { path, source }) => {
                self.warned(Warning::JournalEnded {
                    path: path.clone(),
                    reason: source.to_string(),
                });
                self.records.give_up(OutputError { path, source });
                Ok(())
            }
            appended => Ok(appended?),
        }
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
        self.unreadable += 1;
        if self.speaks && self.unreadable <= TOLD {
            let Unreadable { name, reason, .. } = picture;
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

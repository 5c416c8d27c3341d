//! One pass over pictures: each is decoded once, and every candidate sees it.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::candidate::{Candidate, Pictures, preprocessor_of};
use super::sinks::Records;
use crate::data::{Loader, Sample, Unreadable};
use crate::error::{Error, Warning};
use crate::evaluation::{self, Entrant, Finding, Observer, Outcome, Predictor};
use crate::interruption::{self, Listening};
use crate::journal::Journal;
use crate::metrics::{Prediction, Tally};
use crate::progress::Console;
use crate::report::{self, Report};

/// What became of a candidate.
pub struct Ended {
    pub report: Report,
    pub tally: Tally,
}

/// Evaluates candidates with the same preprocessing. One result for each, in order; with an
/// interrupt the reports are partial and say so.
///
/// # Errors
/// When the loader cannot be started.
pub fn run(
    candidates: Vec<Candidate<'_>>,
    records: Vec<&mut Records>,
    pictures: &Pictures,
    journal: Option<&RefCell<Journal>>,
    console: &mut Console,
) -> Result<Vec<Result<Ended, Error>>, Error> {
    let Some(first) = candidates.first() else {
        return Ok(Vec::new());
    };
    let preprocessor = preprocessor_of(first.settings);
    let loader_settings = first.settings.run.loader;
    let samples = &pictures.samples;
    let listening = Listening::start();
    console.start_pictures(samples.len());
    let mut watchers: Vec<Watcher> = candidates
        .iter()
        .zip(records)
        .enumerate()
        .map(|(index, (candidate, records))| Watcher {
            console,
            records,
            journal,
            name: &candidate.settings.name,
            strict: candidate.settings.run.strict,
            speaks: index == 0,
            start: candidate.start,
            first_batch: None,
            warnings: Vec::new(),
        })
        .collect();

    let mut entrants = Vec::new();
    let mut failures: Vec<Option<Error>> = Vec::new();
    for (candidate, watcher) in candidates.iter().zip(&mut watchers) {
        let known = candidate.known.clone();
        let predictors: Vec<&dyn Predictor> = candidate.zero_shots.iter().map(|z| z as _).collect();
        match Entrant::new(predictors, watcher, samples, known) {
            Ok(entrant) => {
                entrants.push(entrant);
                failures.push(None);
            }
            Err(e) => failures.push(Some(e)),
        }
    }
    let needed = evaluation::first_needed(&entrants);
    if needed < samples.len() && !entrants.is_empty() {
        let rest = samples.part(needed..samples.len());
        let loader =
            Loader::start(rest, preprocessor, loader_settings).map_err(|source| Error::System {
                what: "the loader's threads cannot be started",
                source,
            })?;
        evaluation::evaluate(samples, loader, &mut entrants);
    }
    // An interrupt that came after the last picture interrupted nothing.
    let interrupted = interruption::requested();
    drop(listening);

    let mut ran = entrants.into_iter();
    let results: Vec<Result<(Outcome, Duration, usize), Error>> = failures
        .into_iter()
        .map(|failure| match failure {
            Some(e) => Err(e),
            None => match ran.next() {
                Some(Entrant {
                    failure: Some(e), ..
                }) => Err(e),
                Some(entrant) => Ok((entrant.outcome, entrant.time, entrant.computed)),
                None => Err(Error::Interrupted),
            },
        })
        .collect();
    let watched: Vec<_> = watchers
        .into_iter()
        .map(|watcher| (watcher.first_batch, watcher.warnings))
        .collect();
    console.clear();
    let mut warned = false;
    let ended = candidates.into_iter().zip(results).zip(watched);
    Ok(ended
        .map(|((mut candidate, result), (first_batch, mut warnings))| {
            let (outcome, time, computed) = result?;
            candidate.warnings.append(&mut warnings);
            candidate.seconds.first_batch = first_batch.map(|time| time.as_secs_f64());
            candidate.seconds.evaluation = time.as_secs_f64();
            if let Some(warning) = report::unreadable_warning(&outcome.unreadable)
                && !std::mem::replace(&mut warned, true)
            {
                console.warn(&warning);
            }
            let tally = outcome.tally;
            let interrupted = interrupted && outcome.pictures() < samples.len();
            let report = candidate.report(pictures, outcome, computed, interrupted)?;
            Ok(Ended { report, tally })
        })
        .collect())
}

/// Shows progress, records predictions, and decides what an unreadable picture means.
struct Watcher<'a> {
    console: &'a Console,
    records: &'a mut Records,
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
    fn found(&mut self, first: usize, findings: &[Finding]) -> Result<(), Error> {
        if let Some(journal) = self.journal {
            journal.borrow_mut().append(self.name, first, findings)?;
        }
        Ok(())
    }

    fn encoded(&mut self, features: &[Vec<f32>]) -> Result<(), Error> {
        match &mut self.records.features {
            Some(file) => file.add(features),
            None => Ok(()),
        }
    }

    fn predicted(&mut self, sample: &Sample, prediction: &Prediction) -> Result<(), Error> {
        match &mut self.records.predictions {
            Some(file) => file.add(sample, prediction),
            None => Ok(()),
        }
    }

    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), Error> {
        if self.strict {
            return Err(Error::Picture(picture.clone()));
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

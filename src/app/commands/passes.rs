//! Several evaluations in as few passes over pictures as memory allows.
//!
//! Checkpoints that want the same crops and fit in memory together are loaded once, and see each
//! data set in one pass. Equal text towers share one classifier. Where ReaL labels judge pictures
//! that are evaluated anyway, what was found is judged again.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::loaded::LoadedModel;
use super::prepared::{Pictures, PreparedEvaluation};
use super::result_files::PictureRecords;
use super::shared_pass::{self, FinishedEvaluation};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::settings::Evaluate;
use crate::evaluation::journal::Journal;
use crate::evaluation::{EvaluationError, Finding};
use crate::inference::classifiers::SharedClassifiers;
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::report::Report;
use crate::util::interrupt;
use crate::util::memory;

/// Part of the free memory that loaded towers may take; the rest is for activations and for text
/// towers.
const SHARE_FOR_TOWERS: f64 = 0.6;

/// Bytes of towers that are loaded together where the free memory is not known.
const UNKNOWN_MEMORY: u64 = 4 << 30;

/// Hears what comes of evaluations, by their numbers.
pub trait Outcomes {
    /// The pictures of one are looked for, so that what is odd about them is told next.
    fn looking(&mut self, _number: usize, _console: &Console) {}

    /// One has ended, interrupted or not.
    fn ended(&mut self, number: usize, report: Report, console: &Console);

    /// What is found in pictures cannot be noted in the journal any more.
    fn unwritten(&mut self);

    /// One has failed.
    fn failed(&mut self, number: usize, error: &Error, console: &Console);

    /// All that a pass can tell has been told.
    fn passed(&mut self, console: &Console);
}

/// The evaluations, and what they share.
pub struct Passes<'a> {
    runs: &'a [Evaluate],
    journal: Option<RefCell<Journal>>,
    shared: SharedClassifiers,
    /// Pictures that went through a loader.
    pub decoded: usize,
}

/// Checkpoints that want the same crops.
struct Group {
    key: String,
    members: VecDeque<Member>,
}

/// A checkpoint, and the evaluations on it.
struct Member {
    key: String,
    weights: Arc<Weights>,
    /// Their numbers, and their pictures.
    runs: Vec<(usize, Arc<Pictures>)>,
}

/// An evaluation that is ready for its pass.
struct Ready<'a> {
    number: usize,
    pictures: Arc<Pictures>,
    prepared: PreparedEvaluation<'a>,
    /// The number of the evaluation whose findings are judged again.
    source: Option<usize>,
}

impl<'a> Passes<'a> {
    /// # Errors
    /// When the journal cannot be used.
    pub fn new(
        runs: &'a [Evaluate],
        journal: Option<&std::path::Path>,
        console: &Console,
    ) -> Result<Self, Error> {
        let journal = journal.map(Journal::open).transpose()?;
        if let Some(warning) = journal.as_ref().and_then(|j| j.warning.as_ref()) {
            console.warn(warning);
        }
        Ok(Self {
            runs,
            journal: journal.map(RefCell::new),
            shared: SharedClassifiers::default(),
            decoded: 0,
        })
    }

    /// Evaluates everything. Ends early when the user interrupts.
    ///
    /// # Errors
    /// When a loader cannot be started.
    pub fn run(&mut self, outcomes: &mut dyn Outcomes, console: &mut Console) -> Result<(), Error> {
        for mut group in self.groups(outcomes, console) {
            while !group.members.is_empty() && !interrupt::requested() {
                let ready = self.load(&mut group, outcomes, console);
                self.pass(ready, outcomes, console)?;
            }
        }
        Ok(())
    }

    /// Finds all that can be wrong in seconds, and what can share a pass.
    fn groups(&self, outcomes: &mut dyn Outcomes, console: &mut Console) -> Vec<Group> {
        let mut found: HashMap<String, Result<Arc<Pictures>, Rc<Error>>> = HashMap::new();
        let mut opened: HashMap<String, Result<Arc<Weights>, Rc<Error>>> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (number, run) in self.runs.iter().enumerate() {
            let model = run.model_key();
            let weights = opened.entry(model.clone()).or_insert_with(|| {
                let model = &run.model;
                let weights = loading::open_for(model.location(), &model.config, console);
                weights.map_err(|e| Rc::new(e.into()))
            });
            let pictures = weights.as_ref().map_err(Rc::clone).and_then(|weights| {
                let pictures = found.entry(run.stream()).or_insert_with(|| {
                    outcomes.looking(number, console);
                    Ok(Arc::new(Pictures::find(run, console)?))
                });
                let pictures = pictures.as_ref().map_err(Rc::clone)?;
                Ok((Arc::clone(weights), Arc::clone(pictures)))
            });
            let (weights, pictures) = match pictures {
                Ok(opened) => opened,
                Err(error) => {
                    outcomes.failed(number, &error, console);
                    continue;
                }
            };
            let crops = run.crops_key();
            let place = groups.iter().position(|group| group.key == crops);
            let place = place.unwrap_or_else(|| {
                groups.push(Group {
                    key: crops,
                    members: VecDeque::new(),
                });
                groups.len() - 1
            });
            let members = &mut groups[place].members;
            match members.iter_mut().find(|member| member.key == model) {
                Some(member) => member.runs.push((number, pictures)),
                None => members.push_back(Member {
                    key: model,
                    weights,
                    runs: vec![(number, pictures)],
                }),
            }
        }
        groups
    }

    /// Loads as many of a group as memory holds, and prepares all that is evaluated on them.
    fn load(
        &mut self,
        group: &mut Group,
        outcomes: &mut dyn Outcomes,
        console: &mut Console,
    ) -> Vec<Ready<'a>> {
        let budget = memory::available().map_or(UNKNOWN_MEMORY, |free| {
            (free as f64 * SHARE_FOR_TOWERS) as u64
        });
        let mut taken = 0;
        let mut ready = Vec::new();
        while let Some(first) = group.members.front().and_then(|m| m.runs.first()) {
            taken += self.runs[first.0].tower_bytes();
            if !ready.is_empty() && taken > budget {
                break;
            }
            let Some(member) = group.members.pop_front() else {
                break;
            };
            self.load_member(member, &mut ready, outcomes, console);
        }
        ready
    }

    fn load_member(
        &mut self,
        member: Member,
        ready: &mut Vec<Ready<'a>>,
        outcomes: &mut dyn Outcomes,
        console: &mut Console,
    ) {
        let runs = self.runs;
        let start = Instant::now();
        let Some((first, _)) = member.runs.first() else {
            return;
        };
        let model = match LoadedModel::load(&runs[*first], start, member.weights, console) {
            Ok(model) => Rc::new(model),
            Err(error) => {
                for (number, _) in &member.runs {
                    outcomes.failed(*number, &error, console);
                }
                return;
            }
        };
        for (number, pictures) in &member.runs {
            let run = &runs[*number];
            let mut others = member.runs.iter();
            let source = others
                .find(|(other, _)| run.judges_again(&runs[*other]))
                .map(|(other, _)| *other);
            let mut journal = self.journal.as_ref().map(RefCell::borrow_mut);
            // What is judged again is in the journal already.
            let journal = journal.as_deref_mut().filter(|_| source.is_none());
            let prepared = PreparedEvaluation::prepare(
                run,
                Instant::now(),
                &model,
                pictures,
                journal,
                &mut self.shared,
                console,
            );
            match prepared {
                Ok(prepared) => ready.push(Ready {
                    number: *number,
                    pictures: Arc::clone(pictures),
                    prepared,
                    source,
                }),
                Err(error) => outcomes.failed(*number, &error, console),
            }
        }
    }

    /// Evaluates what is ready, one data set after the other.
    fn pass(
        &mut self,
        ready: Vec<Ready<'a>>,
        outcomes: &mut dyn Outcomes,
        console: &mut Console,
    ) -> Result<(), Error> {
        let numbers: Vec<usize> = ready.iter().map(|ready| ready.number).collect();
        let has_source = |ready: &Ready<'_>| ready.source.is_some_and(|n| numbers.contains(&n));
        let (mut again, mut first): (Vec<_>, Vec<_>) = ready.into_iter().partition(has_source);
        while let Some(stream) = first.first().map(|ready| self.runs[ready.number].stream()) {
            if interrupt::requested() {
                break;
            }
            let of_stream = |ready: &Ready<'_>| self.runs[ready.number].stream() == stream;
            let (now, later) = first.into_iter().partition(of_stream);
            first = later;
            for (source, findings) in self.pass_over(now, &again, outcomes, console)? {
                let (judged, rest) = again.into_iter().partition(|r| r.source == Some(source));
                again = rest;
                for ready in judged {
                    match &findings {
                        Ok(findings) => judge_again(ready, findings, outcomes, console),
                        Err(error) => outcomes.failed(ready.number, error, console),
                    }
                }
            }
            outcomes.passed(console);
        }
        Ok(())
    }

    /// One pass over pictures. Returns what was found by evaluations that others judge again.
    fn pass_over(
        &mut self,
        ready: Vec<Ready<'a>>,
        again: &[Ready<'a>],
        outcomes: &mut dyn Outcomes,
        console: &mut Console,
    ) -> Result<Vec<(usize, Result<Findings, Error>)>, Error> {
        let Some(pictures) = ready.first().map(|ready| Arc::clone(&ready.pictures)) else {
            return Ok(Vec::new());
        };
        let mut numbers = Vec::new();
        let mut evaluations = Vec::new();
        for Ready {
            number,
            mut prepared,
            ..
        } in ready
        {
            prepared.begin();
            prepared.keeps_findings = again.iter().any(|ready| ready.source == Some(number));
            numbers.push(number);
            evaluations.push(prepared);
        }
        let mut records: Vec<_> = numbers.iter().map(|_| PictureRecords::default()).collect();
        let files = records.iter_mut().collect();
        let journal = self.journal.as_ref();
        let pass = shared_pass::run(evaluations, files, &pictures, journal, console)?;
        self.decoded += pass.decoded;
        let failures = records.into_iter().flat_map(PictureRecords::into_failures);
        if failures.count() > 0 {
            outcomes.unwritten();
        }
        let mut found = Vec::new();
        for (number, result) in numbers.into_iter().zip(pass.ended) {
            match result {
                Ok(FinishedEvaluation {
                    report, findings, ..
                }) => {
                    if !report.interrupted && !findings.is_empty() {
                        let names = pictures.samples.iter();
                        let names = names.map(|sample| sample.name.in_set().to_string());
                        found.push((number, Ok(names.zip(findings).collect())));
                    }
                    outcomes.ended(number, report, console);
                }
                Err(Error::Evaluation(EvaluationError::Interrupted)) => {}
                Err(error) => {
                    outcomes.failed(number, &error, console);
                    found.push((number, Err(error)));
                }
            }
        }
        Ok(found)
    }
}

/// What was found in pictures, by their names.
type Findings = HashMap<String, Finding>;

/// Judges what was found in some pictures by the labels of others' evaluation.
fn judge_again(ready: Ready<'_>, found: &Findings, outcomes: &mut dyn Outcomes, console: &Console) {
    let Ready {
        number,
        pictures,
        mut prepared,
        ..
    } = ready;
    prepared.begin();
    let samples = pictures.samples.iter();
    let findings = samples.filter_map(|sample| found.get(sample.name.in_set()).cloned());
    let outcome = shared_pass::judge(findings.collect(), &pictures);
    let report = outcome
        .map_err(Error::from)
        .and_then(|outcome| prepared.report(&pictures, outcome, 0, false));
    match report {
        Ok(report) => outcomes.ended(number, report, console),
        Err(error) => outcomes.failed(number, &error, console),
    }
}

//! The main job: a checkpoint's accuracy on a folder of pictures.

use std::cell::RefCell;
use std::time::Instant;

use super::candidate::{Candidate, Pictures};
use super::pass::{self, Ended};
use super::sinks::Sinks;
use crate::app::console::Console;
use crate::app::error::{Error, ExitCode};
use crate::app::settings::Evaluate;
use crate::data::Sample;
use crate::evaluation::journal::Journal;
use crate::inference::classifiers::{Obtained, Shelf};
use crate::inference::loading;
use crate::metrics::Judgement;
use crate::metrics::Tally;
use crate::metrics::expectation::Checked;
use crate::report::Report;
use crate::report::features::Record;

/// Evaluates and reports.
///
/// # Errors
/// Whatever stops the evaluation.
pub fn run(settings: &Evaluate) -> Result<ExitCode, Error> {
    evaluate_and_report(settings).map(|(_, exit_code)| exit_code)
}

/// As [`run`], and returns the counts.
///
/// # Errors
/// As [`run`].
pub fn evaluate_and_report(settings: &Evaluate) -> Result<(Tally, ExitCode), Error> {
    let start = Instant::now();
    let mut console = Console::default();

    if let Some(remark) = &settings.run.devices.remark {
        console.warn(remark);
    }
    // Everything that can be wrong with the inputs and outputs is found here, in seconds.
    let pictures = Pictures::find(settings, &mut console)?;
    let checkpoint = loading::open_for(&settings.model.checkpoint, &settings.model.config)?;
    let mut sinks = Sinks::open(&settings.outputs)?;
    let mut journal = settings.journal.as_deref().map(Journal::open).transpose()?;
    let candidate = Candidate::prepare(
        settings,
        start,
        checkpoint,
        &pictures,
        journal.as_mut(),
        &mut Shelf::default(),
        &mut console,
    )?;
    if !candidate.known.is_empty() {
        let (known, all) = (candidate.known.len(), pictures.samples.len());
        console.say(&format!("{known} of {all} pictures are in the journal"));
    }
    let obtained = candidate.obtained.clone();
    let journal = journal.map(RefCell::new);
    let mut ended = pass::run(
        vec![candidate],
        vec![&mut sinks.records],
        &pictures,
        journal.as_ref(),
        &mut console,
    )?;
    let Ended { report, tally } = ended.pop().unwrap_or(Err(Error::Interrupted))?;
    let exit_code = exit_code(&report);
    if report.interrupted {
        sinks.show_partial(&report)?;
    } else {
        let by_name = pictures.by_name();
        let find = |name: &str| by_name.get(name).copied();
        if let Some(file) = sinks.records.features.take() {
            file.finish(
                &record(settings, &report, &obtained, find),
                &obtained.classifier,
            )?;
        }
        sinks.finish(&report, |name| find(name).cloned())?;
        demand(report.expectations)?;
    }
    Ok((tally, exit_code))
}

/// What is kept beside the features.
fn record<'a>(
    settings: &Evaluate,
    report: &Report,
    obtained: &Obtained,
    find: impl Fn(&str) -> Option<&'a Sample>,
) -> Record {
    let right = |judgement: &Judgement| find(&judgement.name)?.right.clone();
    Record::new(
        report,
        report.judgements.iter().map(right).collect(),
        settings.prompts.classes.clone(),
        settings.protocol.choices.clone(),
        obtained.recipe.clone(),
    )
}

/// How a run with this result ends.
pub fn exit_code(report: &Report) -> ExitCode {
    if report.interrupted {
        ExitCode::Interrupted
    } else if report.unreadable.is_empty() {
        ExitCode::Success
    } else {
        ExitCode::SkippedPictures
    }
}

/// Ends in an error if an expectation is missed; called when the result is safely written.
///
/// # Errors
/// When that is so.
pub fn demand(expectations: Vec<Checked>) -> Result<(), Error> {
    if expectations.iter().all(|checked| checked.met) {
        Ok(())
    } else {
        Err(Error::Missed(expectations))
    }
}

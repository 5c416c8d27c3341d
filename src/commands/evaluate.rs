//! The main job: a checkpoint's accuracy on a folder of pictures.

use std::cell::RefCell;
use std::time::Instant;

use super::candidate::{Candidate, Pictures};
use super::page;
use super::pass::{self, Ended};
use crate::classifiers::Shelf;
use crate::error::{Error, ExitCode};
use crate::expectation::Checked;
use crate::journal::Journal;
use crate::loading;
use crate::metrics::Tally;
use crate::progress::Console;
use crate::report::Report;
use crate::report::json::{self, JsonOutput};
use crate::report::output::OutputFile;
use crate::report::predictions::PredictionsFile;
use crate::settings::{Evaluate, Outputs};

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
    let checkpoint = loading::open_for(&settings.model.checkpoint, &settings.model.variant)?;
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
    let journal = journal.map(RefCell::new);
    let mut ended = pass::run(
        vec![candidate],
        vec![sinks.predictions.as_mut()],
        &pictures,
        journal.as_ref(),
        &mut console,
    )?;
    let Ended { report, tally } = ended.pop().unwrap_or(Err(Error::Interrupted))?;
    let exit_code = exit_code(&report);
    if report.interrupted {
        sinks.show_partial(&report)?;
    } else {
        sinks.finish(&report, &pictures)?;
        demand(report.expectations)?;
    }
    Ok((tally, exit_code))
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
    match expectations.iter().all(|checked| checked.met) {
        true => Ok(()),
        false => Err(Error::Missed(expectations)),
    }
}

/// Where the results go, opened before the expensive part.
struct Sinks {
    json: Option<JsonOutput>,
    predictions: Option<PredictionsFile>,
    html: Option<OutputFile>,
}

impl Sinks {
    fn open(outputs: &Outputs) -> Result<Self, Error> {
        let json = outputs.json.as_ref().map(JsonOutput::open).transpose()?;
        let predictions = outputs
            .predictions
            .as_deref()
            .map(PredictionsFile::create)
            .transpose()?;
        let html = outputs.report.as_deref().map(OutputFile::create);
        Ok(Self {
            json,
            predictions,
            html: html.transpose()?,
        })
    }

    /// Completes the files and prints the report.
    fn finish(self, report: &Report, pictures: &Pictures) -> Result<(), Error> {
        if let Some(predictions) = self.predictions {
            predictions.finish()?;
        }
        if let Some(file) = self.html {
            let by_name = pictures.by_name();
            page::write(file, report, |name| by_name.get(name).map(|s| (*s).clone()))?;
        }
        json::write(self.json, report)
    }

    /// Prints a partial report, and leaves the files alone.
    fn show_partial(self, report: &Report) -> Result<(), Error> {
        let json = self.json.filter(|json| matches!(json, JsonOutput::Stdout));
        json::write(json, report)
    }
}

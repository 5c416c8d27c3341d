//! The main job: a checkpoint's accuracy on a folder of pictures.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::loaded::LoadedModel;
use super::prepared::{Pictures, PreparedEvaluation};
use super::result_files::{ResultFiles, tell_unwritten};
use super::shared_pass::{self, FinishedEvaluation};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Evaluate;
use crate::data::Sample;
use crate::evaluation::EvaluationError;
use crate::evaluation::journal::Journal;
use crate::inference::classifiers::{ResolvedClassifier, SharedClassifiers};
use crate::inference::loading;
use crate::metrics::Judgement;
use crate::metrics::Tally;
use crate::metrics::expectation::Checked;
use crate::report::Report;
use crate::report::features::Record;
use crate::util::count::{count, picks};

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
    // Everything that can be wrong with the inputs and outputs is found here, in seconds: what is quickly
    // looked at first, then the list of the pictures, and what has to be downloaded last.
    let mut result_files = ResultFiles::open(&settings.outputs)?;
    let (location, config) = (settings.model.location(), &settings.model.config);
    let local = if loading::is_local(location.path) {
        Some(loading::open_for(location, config, &mut console)?)
    } else {
        None
    };
    let pictures = Pictures::find(settings, &mut console)?;
    let weights = match local {
        Some(weights) => weights,
        None => loading::open_for(location, config, &mut console)?,
    };
    let mut journal = settings.journal.as_deref().map(Journal::open).transpose()?;
    if let Some(warning) = journal
        .as_ref()
        .and_then(|journal| journal.warning.as_ref())
    {
        console.warn(warning);
    }
    let model = LoadedModel::load(settings, start, weights, &mut console)?;
    let prepared = PreparedEvaluation::prepare(
        settings,
        start,
        &Rc::new(model),
        &pictures,
        journal.as_mut(),
        &mut SharedClassifiers::default(),
        &mut console,
    )?;
    if !prepared.known.is_empty() {
        let (known, all) = (prepared.known.len(), pictures.samples.len());
        let all = count(all, "picture");
        let are = picks(known, "is", "are");
        console.say(&format!("{known} of {all} {are} in the journal"));
        let passing = prepared.known.iter().filter(|known| known.is_passing());
        match passing.count() {
            0 => {}
            count => console.say(&format!(
                "{count} of them could not be read by the system's fault, and {} tried again",
                picks(count, "is", "are")
            )),
        }
    }
    let resolved = prepared.resolved.clone();
    let journal = journal.map(RefCell::new);
    let mut pass = shared_pass::run(
        vec![prepared],
        vec![&mut result_files.records],
        &pictures,
        journal.as_ref(),
        &mut console,
    )?;
    let FinishedEvaluation { report, tally, .. } = pass
        .ended
        .pop()
        .unwrap_or(Err(EvaluationError::Interrupted.into()))?;
    let mut exit_code = exit_code(&report);
    if report.interrupted {
        result_files.show_partial(&report)?;
    } else {
        let by_name = pictures.by_name();
        let find = |name: &str| by_name.get(name).copied();
        let kept = settings.outputs.features.as_ref().map(|_| {
            let record = record(settings, &report, &resolved, find);
            (record, &*resolved.classifier)
        });
        let unwritten = result_files.finish(&report, |name| find(name).cloned(), kept)?;
        exit_code = judge(&report.expectations, exit_code, &console);
        exit_code = tell_unwritten(unwritten, exit_code, &console);
    }
    Ok((tally, exit_code))
}

/// What is kept beside the features.
fn record<'a>(
    settings: &Evaluate,
    report: &Report,
    resolved: &ResolvedClassifier,
    find: impl Fn(&str) -> Option<&'a Sample>,
) -> Record {
    let right = |judgement: &Judgement| find(&judgement.name)?.right.clone();
    Record::new(
        report,
        report.judgements.iter().map(right).collect(),
        settings.prompts.classes.clone(),
        settings.protocol.choices.clone(),
        resolved.recipe.clone(),
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

/// Tells of the expectations that were missed, and how the program ends: as it would otherwise
/// if all were met. Called when the result is safely written.
pub fn judge(expectations: &[Checked], otherwise: ExitCode, console: &Console) -> ExitCode {
    let missed = expectations.iter().filter(|checked| !checked.met);
    let missed: Vec<String> = missed.map(ToString::to_string).collect();
    if missed.is_empty() {
        return otherwise;
    }
    console.error(&missed.join("; "), None);
    ExitCode::Unexpected
}

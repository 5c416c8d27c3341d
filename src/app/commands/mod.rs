//! What each subcommand does. The only modules that print.

pub mod classifier;
pub mod classify;
pub mod compare;
pub mod convert;
pub mod data_check;
pub mod demo;
pub mod evaluate;
pub mod features;
pub mod guide;
pub mod help;
mod html_report;
pub mod inspect;
mod loaded;
pub mod merge;
pub mod models;
mod passes;
pub mod prepared;
mod result_files;
pub mod schema;
pub mod shared_pass;
pub mod suite;
pub mod sweep;
mod sweep_names;

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Settings;
use crate::app::trace;

/// Does what the settings say.
///
/// # Errors
/// Whatever stops the command.
pub fn run(settings: Settings) -> Result<ExitCode, Error> {
    match &settings {
        Settings::Sweep(settings) => sweep::create_folder(settings)?,
        Settings::Suite(settings) => sweep::create_folder(&settings.sweep)?,
        _ => {}
    }
    if settings.computes() {
        start_threads()?;
    }
    if let Some(path) = settings.trace() {
        trace::start(path)?;
    }
    let result = command(settings);
    let finished = trace::finish();
    let exit_code = result?;
    finished?;
    Ok(exit_code)
}

/// Starts the threads that compute. Left alone, they would start when they are first needed, and
/// end the program if they cannot.
fn start_threads() -> Result<(), Error> {
    let started = rayon::ThreadPoolBuilder::new().build_global();
    let failed = started.err();
    let source = failed.as_ref().and_then(std::error::Error::source);
    match source {
        Some(source) => Err(Error::Threads {
            what: "the threads that compute",
            source: std::io::Error::other(source.to_string()),
        }),
        // Started, now or before.
        None => Ok(()),
    }
}

fn command(settings: Settings) -> Result<ExitCode, Error> {
    match settings {
        Settings::Evaluate(settings) => evaluate::run(&settings),
        Settings::EvaluateFeatures(settings) => features::run(&settings),
        Settings::Demo(settings) => demo::run(settings),
        Settings::Classifier(settings) => classifier::run(&settings),
        Settings::Classify(settings) => classify::run(&settings),
        Settings::Inspect(settings) => inspect::run(&settings),
        Settings::Convert(settings) => convert::run(&settings),
        Settings::Suite(settings) => suite::run(&settings),
        Settings::Sweep(settings) => sweep::run(&settings),
        Settings::Merge(settings) => merge::run(&settings),
        Settings::Compare(settings) => compare::run(&settings),
        Settings::Models(settings) => models::run(&settings),
        Settings::Schema(document) => schema::run(document),
        Settings::Completions(shell) => help::completions(shell),
        Settings::Man => help::man(),
        Settings::Guide(guide) => guide::run(guide),
        Settings::DataCheck(settings) => data_check::run(&settings),
    }
}

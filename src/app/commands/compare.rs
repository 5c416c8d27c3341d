//! `uta-eval compare`: two results on the same pictures.

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Compare;
use crate::report::Report;
use crate::report::compare::Comparison;
use crate::util::warning::Warning;

/// Compares and prints.
///
/// # Errors
/// When a result cannot be used or the two are not on the same pictures.
pub fn run(settings: &Compare) -> Result<ExitCode, Error> {
    let output = settings.json.as_ref().map(JsonOutput::open).transpose()?;
    let (a, b) = (Report::read(&settings.a)?, Report::read(&settings.b)?);
    let comparison = Comparison::new((&settings.a, &a), (&settings.b, &b), settings.common)?;
    if comparison.same_file {
        let path = settings.a.clone();
        Console::default().warn(&Warning::SameResult { path });
    }
    json_output::write(output, &comparison)?;
    Ok(ExitCode::Success)
}

//! `uta-eval models`: what is known by name.

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::ListModels;
use crate::report::models::Models;

/// Prints the list.
///
/// # Errors
/// When it cannot be written.
pub fn run(settings: &ListModels) -> Result<ExitCode, Error> {
    let output = settings.json.as_ref().map(JsonOutput::open).transpose()?;
    json_output::write(output, &Models::matching(&settings.filter))?;
    Ok(ExitCode::Success)
}

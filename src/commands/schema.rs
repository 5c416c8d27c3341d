//! `uta-eval schema`: the JSON schema of a result.

use crate::error::{Error, ExitCode};
use crate::report::output::print;
use crate::report::schema::SCHEMA;

/// Prints it.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run() -> Result<ExitCode, Error> {
    print(SCHEMA)?;
    Ok(ExitCode::Success)
}

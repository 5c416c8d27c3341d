//! `uta-eval schema`: the JSON schema of a result or a comparison.

use crate::error::{Error, ExitCode};
use crate::report::output::print;
use crate::report::schema;
use crate::settings::Document;

/// Prints it.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(document: Document) -> Result<ExitCode, Error> {
    print(match document {
        Document::Result => schema::RESULT,
        Document::Comparison => schema::COMPARISON,
    })?;
    Ok(ExitCode::Success)
}

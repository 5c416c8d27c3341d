//! `uta-eval schema`: the JSON schema of a result, a comparison or a suite.

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output;
use crate::app::settings::Document;
use crate::app::stdout::print;
use crate::report::schema;

/// Prints it.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(document: Document) -> Result<ExitCode, Error> {
    let schema = match document {
        Document::Result => schema::result(),
        Document::Comparison => schema::comparison(),
        Document::Suite => schema::suite(),
    };
    print(&json_output::document(&schema)?)?;
    Ok(ExitCode::Success)
}

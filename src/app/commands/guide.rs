//! `uta-eval guide`: the guides, or a list of them.

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::guide::{self, Guide};
use crate::app::stdout::print;

/// Prints a guide; without one, the topics with a line each.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(guide: Option<Guide>) -> Result<ExitCode, Error> {
    match guide {
        Some(guide) => print(guide.text)?,
        None => print(&list(&guide::all()))?,
    }
    Ok(ExitCode::Success)
}

fn list(guides: &[Guide]) -> String {
    let width = guides.iter().map(|guide| guide.topic.len()).max();
    let width = width.unwrap_or_default();
    let line = |guide: &Guide| format!("{:width$}  {}\n", guide.topic, guide.summary);
    guides.iter().map(line).collect::<String>() + "\nuta-eval guide TOPIC prints one of them.\n"
}

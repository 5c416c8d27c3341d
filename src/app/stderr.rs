//! Standard error, where everything goes that is no data.
//!
//! A log on a full disk or a reader that has gone is no reason to lose a result: what cannot be
//! written here is dropped.

use std::io::{self, Write};

use crate::util::brief;
use crate::util::escape::{one_line, visible, without_system_codes};

/// Writes a line: whatever names are in it, it stays one.
pub fn line(text: &str) {
    lines(&one_line(text));
}

/// Writes text whose line breaks are the program's own.
pub fn lines(text: &str) {
    let text = without_system_codes(text);
    let _ = writeln!(io::stderr().lock(), "{}", visible(&brief::lines(&text)));
}

/// Writes an error, and what to do next. Line breaks of the message are the program's own, as
/// [`Error::with_causes`](super::error::Error::with_causes) has them.
pub fn error(message: &str, hint: Option<&str>) {
    lines(&format!("error: {message}"));
    if let Some(hint) = hint {
        line(&format!("hint: {hint}"));
    }
}

//! Standard error, where everything goes that is no data.
//!
//! A log on a full disk or a reader that has gone is no reason to lose a result: what cannot be
//! written here is dropped.

use std::io::{self, Write};

use crate::util::escape::{visible, without_system_codes};

/// Writes a line.
pub fn line(text: &str) {
    let text = without_system_codes(text);
    let _ = writeln!(io::stderr().lock(), "{}", visible(&text));
}

/// Writes an error, and what to do next.
pub fn error(message: &str, hint: Option<&str>) {
    line(&format!("error: {message}"));
    if let Some(hint) = hint {
        line(&format!("hint: {hint}"));
    }
}

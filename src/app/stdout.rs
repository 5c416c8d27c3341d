//! Standard output, where data goes.

use std::io::{self, Write};

use crate::util::brief::lines;
use crate::util::escape::visible;
use crate::util::output_file::OutputError;

/// Writes to standard output. That its reader has gone (as `head` does) is no error.
///
/// # Errors
/// When it cannot be written to, for instance because a disk is full.
pub fn print(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(OutputError {
            path: "standard output".into(),
            source: e,
        }),
        _ => Ok(()),
    }
}

/// As [`print`], for text with names of files in it.
///
/// # Errors
/// As [`print`].
pub fn show(text: &str) -> Result<(), OutputError> {
    print(&visible(&lines(text)))
}

//! Standard output, where data goes.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};

use crate::util::brief;
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

/// As [`show`]; where a person sees it on a terminal, the beginnings of lines that `headline` gives are
/// bold: so many bytes of a line.
///
/// # Errors
/// As [`print`].
pub fn show_with_headlines(text: &str, headline: fn(&str) -> usize) -> Result<(), OutputError> {
    let text = brief::lines(text);
    let text = visible(&text);
    // Minds NO_COLOR and CLICOLOR_FORCE.
    if AutoStream::choice(&io::stdout()) == ColorChoice::Never {
        return print(&text);
    }
    let bold = |line: &str| match line.split_at(headline(line)) {
        ("", rest) => rest.to_string(),
        (first, rest) => format!("\x1b[1m{first}\x1b[0m{rest}"),
    };
    print(&text.split_inclusive('\n').map(bold).collect::<String>())
}

/// As [`print`], for text with names of files in it.
///
/// # Errors
/// As [`print`].
pub fn show(text: &str) -> Result<(), OutputError> {
    print(&visible(&brief::lines(text)))
}

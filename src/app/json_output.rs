//! Results as one JSON document.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::console::Talk;
use crate::app::error::Error;
use crate::app::stdout::{print, show_with_headlines};
use crate::report::{layout, text};
use crate::util::destination::Destination;
use crate::util::output_file::{OutputError, OutputFile};

/// Where a JSON document goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonTarget {
    /// Standard output, instead of the text.
    Stdout,
    File(PathBuf),
}

impl JsonTarget {
    /// `-` is standard output, and so is `/dev/stdout`: text beside it would spoil the document.
    pub fn new(path: PathBuf) -> Self {
        if path.as_os_str() == "-" || Destination::of(&path).ok() == Some(Destination::Stdout) {
            Self::Stdout
        } else {
            Self::File(path)
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }
}

/// An open target.
#[derive(Debug)]
pub enum JsonOutput {
    Stdout,
    File(OutputFile),
}

impl JsonOutput {
    /// Opens the target, so that a result that cannot be written is found before it is computed.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn open(target: &JsonTarget) -> Result<Self, Error> {
        Ok(match target {
            JsonTarget::Stdout => Self::Stdout,
            JsonTarget::File(path) => Self::File(OutputFile::create(path)?),
        })
    }
}

/// Writes a result: as text on standard output, and as JSON if there is an output for it, which may
/// take the place of the text.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    output: Option<JsonOutput>,
    result: &(impl Serialize + std::fmt::Display),
) -> Result<(), Error> {
    let file = match output {
        Some(JsonOutput::Stdout) => return Ok(print(&document(result)?)?),
        Some(JsonOutput::File(file)) => Some(file),
        None => None,
    };
    // The text first: no full disk takes it away.
    show_text(result)?;
    match file {
        Some(file) => write_file(file, result),
        None => Ok(()),
    }
}

/// Prints a result's text: with all of it, if the program is to be verbose.
///
/// # Errors
/// When it cannot be written.
pub fn show_text(result: &impl std::fmt::Display) -> Result<(), OutputError> {
    let text = match Talk::chosen() {
        Talk::Verbose => format!("{result:#}"),
        Talk::Normal | Talk::Quiet => result.to_string(),
    };
    show_with_headlines(&text, text::headline)
}

/// Writes a result into a file only.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(file: OutputFile, result: &impl Serialize) -> Result<(), Error> {
    Ok(write_text(file, &document(result)?)?)
}

/// Writes a document into a file.
///
/// # Errors
/// When it cannot be written.
pub fn write_text(mut file: OutputFile, document: &str) -> Result<(), OutputError> {
    file.write(document.as_bytes())?;
    file.finish()
}

/// A JSON document's text.
///
/// # Errors
/// When the value has no JSON form.
pub fn document(result: &impl Serialize) -> Result<String, Error> {
    layout::to_string(result).map_err(|e| Error::System {
        what: "the result cannot be formed",
        source: e.into(),
    })
}

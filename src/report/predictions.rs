//! One line for each picture: CSV or JSON Lines, by the file's ending.

use std::path::Path;

use serde::Serialize;

use crate::data::Sample;
use crate::metrics::{Prediction, TOP};
use crate::util::escape::Shown;
use crate::util::output_file::{OutputError, OutputFile};
use crate::util::usage::UsageError;

/// Writes predictions as they are made.
#[derive(Debug)]
pub struct PredictionsFile {
    file: OutputFile,
    format: Format,
}

/// The form of a file of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object on each line.
    JsonLines,
}

/// A line of the JSON Lines form.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    label: usize,
    /// The classes that are right, where they are others than the label alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<&'a [usize]>,
    top5: &'a [usize],
    logits: &'a [f32],
}

impl Format {
    /// The form that the ending of a file's name asks for: `.csv` or `.jsonl`.
    ///
    /// # Errors
    /// When the ending is another.
    pub fn of(path: &Path) -> Result<Self, UsageError> {
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            _ => Err(UsageError::new(
                format!("--predictions {} has neither form's ending", path.shown()),
                "end the name in .csv or .jsonl",
            )),
        }
    }
}

impl PredictionsFile {
    /// Opens the file.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path, format: Format) -> Result<Self, OutputError> {
        let mut predictions = Self {
            file: OutputFile::create(path)?,
            format,
        };
        if let Format::Csv = format {
            let numbered = |name: &'static str| (1..=TOP).map(move |i| format!("{name}{i}"));
            let header: Vec<String> = ["path".into(), "label".into()]
                .into_iter()
                .chain(numbered("class"))
                .chain(numbered("logit"))
                .collect();
            predictions.write_csv(&header)?;
        }
        Ok(predictions)
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn add(&mut self, sample: &Sample, prediction: &Prediction) -> Result<(), OutputError> {
        let path = sample.name.whole();
        match self.format {
            Format::Csv => {
                // Sets of fewer than five classes leave fields empty.
                let field = |values: Vec<String>| {
                    (0..TOP).map(move |i| values.get(i).cloned().unwrap_or_default())
                };
                let classes = prediction.classes.iter().map(ToString::to_string).collect();
                let logits = prediction.logits.iter().map(ToString::to_string).collect();
                let right: Vec<String> = sample.right().iter().map(ToString::to_string).collect();
                let record: Vec<String> = [path.to_string(), right.join(" ")]
                    .into_iter()
                    .chain(field(classes))
                    .chain(field(logits))
                    .collect();
                self.write_csv(&record)
            }
            Format::JsonLines => {
                let line = Line {
                    path,
                    label: sample.label,
                    right: sample.right.as_deref(),
                    top5: &prediction.classes,
                    logits: &prediction.logits,
                };
                let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
                bytes.push(b'\n');
                self.file.write(&bytes)
            }
        }
    }

    /// Completes the file and puts it in place.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn finish(self) -> Result<(), OutputError> {
        self.file.finish()
    }

    fn write_csv(&mut self, record: &[String]) -> Result<(), OutputError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let bytes = writer
            .write_record(record)
            .map_err(std::io::Error::from)
            .and_then(|()| writer.into_inner().map_err(csv::IntoInnerError::into_error))
            .map_err(|source| self.file.failed(source))?;
        self.file.write(&bytes)
    }
}

//! Where an evaluation's results go, opened before the expensive part.
//!
//! A disk that becomes full takes away no result: what can be written is, the summary first of all.

use std::path::Path;

use super::html_report;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Outputs;
use crate::classifier::Classifier;
use crate::data::Sample;
use crate::metrics::Prediction;
use crate::report::Report;
use crate::report::features::{FeaturesFile, Record};
use crate::report::predictions::PredictionsFile;
use crate::util::output_file::{OutputError, OutputFile};

/// All files of a result.
pub struct ResultFiles {
    json: Option<JsonOutput>,
    html: Option<OutputFile>,
    pub records: PictureRecords,
}

/// What is written picture by picture. A file that cannot be written any more is given up, and the
/// evaluation goes on.
#[derive(Debug, Default)]
pub struct PictureRecords {
    predictions: Option<PredictionsFile>,
    features: Option<FeaturesFile>,
    /// Why files were given up.
    failures: Vec<OutputError>,
}

impl PictureRecords {
    /// Remembers why something could not be written.
    pub fn give_up(&mut self, failure: OutputError) {
        self.failures.push(failure);
    }

    /// Why files could not be written.
    pub fn into_failures(self) -> Vec<OutputError> {
        self.failures
    }

    /// Adds a picture's prediction.
    pub fn add_prediction(&mut self, sample: &Sample, prediction: &Prediction) {
        let file = self.predictions.as_mut();
        if let Some(Err(failure)) = file.map(|file| file.add(sample, prediction)) {
            self.predictions = None;
            self.failures.push(failure);
        }
    }

    /// Adds the features [embedding] of some pictures.
    pub fn add_features(&mut self, features: &[Vec<f32>]) {
        let file = self.features.as_mut();
        if let Some(Err(failure)) = file.map(|file| file.add(features)) {
            self.features = None;
            self.failures.push(failure);
        }
    }
}

impl ResultFiles {
    /// # Errors
    /// When something cannot be written.
    pub fn open(outputs: &Outputs) -> Result<Self, Error> {
        let json = outputs.json.as_ref().map(JsonOutput::open).transpose()?;
        let html = outputs.report.as_deref().map(OutputFile::create);
        let predictions = outputs
            .predictions
            .as_ref()
            .map(|(path, format)| PredictionsFile::create(path, *format));
        let features = outputs.features.as_deref().map(FeaturesFile::create);
        Ok(Self {
            json,
            html: html.transpose()?,
            records: PictureRecords {
                predictions: predictions.transpose()?,
                features: features.transpose()?,
                failures: Vec::new(),
            },
        })
    }

    /// Prints the report, and completes the files. `find` gives pictures by their names; `record` is
    /// what is kept beside the features, with the classifier of all classes.
    ///
    /// # Errors
    /// When the report has no JSON form. What could not be written is in the list.
    pub fn finish(
        self,
        report: &Report,
        find: impl Fn(&str) -> Option<Sample>,
        record: Option<(Record, &Classifier)>,
    ) -> Result<Vec<OutputError>, Error> {
        let PictureRecords {
            predictions,
            features,
            mut failures,
        } = self.records;
        let mut keep = |written: Result<(), OutputError>| failures.extend(written.err());
        let json = json_output::document(report)?;
        match self.json {
            Some(JsonOutput::Stdout) => keep(crate::app::stdout::print(&json)),
            Some(JsonOutput::File(file)) => {
                keep(json_output::show_text(report));
                keep(json_output::write_text(file, &json));
            }
            None => keep(json_output::show_text(report)),
        }
        if let (Some(file), Some((record, classifier))) = (features, record) {
            keep(file.finish(&record, classifier));
        }
        if let Some(file) = predictions {
            keep(file.finish());
        }
        if let Some(file) = self.html {
            keep(html_report::write(file, report, find));
        }
        Ok(failures)
    }

    /// Prints a partial report, and leaves the files alone.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub fn show_partial(self, report: &Report) -> Result<(), Error> {
        let json = self.json.filter(|json| matches!(json, JsonOutput::Stdout));
        json_output::write(json, report)
    }
}

/// Tells what could not be written, and how the program ends: as it would otherwise if everything
/// was.
pub fn tell_unwritten(
    failures: Vec<OutputError>,
    otherwise: ExitCode,
    console: &Console,
) -> ExitCode {
    let mut exit_code = otherwise;
    for failure in failures {
        let error = Error::from(failure);
        console.error(&error.with_causes(), error.hint().as_deref());
        exit_code = error.exit_code();
    }
    exit_code
}

/// Writes whole files into a folder: each by its name and its text.
///
/// # Errors
/// When one cannot be written; those before it are.
pub fn write_into<'a>(
    folder: &Path,
    files: impl Iterator<Item = (&'a &'static str, String)>,
) -> Result<(), Error> {
    for (name, text) in files {
        let mut file = OutputFile::create(&folder.join(name))?;
        file.write(text.as_bytes())?;
        file.finish()?;
    }
    Ok(())
}

//! Where an evaluation's results go, opened before the expensive part.

use super::html_report;
use crate::app::error::Error;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Outputs;
use crate::data::Sample;
use crate::report::Report;
use crate::report::features::FeaturesFile;
use crate::report::predictions::PredictionsFile;
use crate::util::output_file::OutputFile;

pub struct ResultFiles {
    json: Option<JsonOutput>,
    html: Option<OutputFile>,
    pub records: PictureRecords,
}

/// What is written picture by picture.
#[derive(Debug, Default)]
pub struct PictureRecords {
    pub predictions: Option<PredictionsFile>,
    pub features: Option<FeaturesFile>,
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
            },
        })
    }

    /// Completes the files, but for that of the features, and prints the report. `find` gives
    /// pictures by their names.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn finish(
        self,
        report: &Report,
        find: impl Fn(&str) -> Option<Sample>,
    ) -> Result<(), Error> {
        if let Some(predictions) = self.records.predictions {
            predictions.finish()?;
        }
        if let Some(file) = self.html {
            html_report::write(file, report, find)?;
        }
        json_output::write(self.json, report)
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

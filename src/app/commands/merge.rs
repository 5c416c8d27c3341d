//! `uta-eval merge`: the results of all shards as one.

use super::evaluate::demand;
use super::page;
use crate::app::error::{Error, ExitCode};
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Merge;
use crate::report::Report;
use crate::report::merge::merge;
use crate::util::output_file::OutputFile;

/// Merges and reports.
///
/// # Errors
/// When the results do not belong together, or an expectation is missed.
pub fn run(settings: &Merge) -> Result<ExitCode, Error> {
    let outputs = &settings.outputs;
    let json = outputs.json.as_ref().map(JsonOutput::open).transpose()?;
    let html = outputs.report.as_deref().map(OutputFile::create);
    let html = html.transpose()?;
    let results = settings
        .results
        .iter()
        .map(|path| Ok((path.clone(), Report::read(path)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut merged = merge(results)?;
    let model = &merged.model.name;
    settings.expectations.check_published(model)?;
    let statistics = &merged.statistics;
    merged.expectations = settings
        .expectations
        .check(model, &statistics.top1, &statistics.top5);
    if let Some(file) = html {
        let pictures = page::pictures(&merged);
        page::write(file, &merged, |name| pictures.get(name).cloned())?;
    }
    json_output::write(json, &merged)?;
    demand(merged.expectations)?;
    Ok(if merged.unreadable.is_empty() {
        ExitCode::Success
    } else {
        ExitCode::SkippedPictures
    })
}

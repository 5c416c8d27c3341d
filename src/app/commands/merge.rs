//! `uta-eval merge`: the results of all shards as one.

use super::evaluate::{exit_code, judge};
use super::html_report;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Merge;
use crate::report::merge::merge;
use crate::report::{Report, chance_warning};
use crate::util::output_file::OutputFile;

/// Merges and reports.
///
/// # Errors
/// When the results do not belong together.
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
    let published = merged.model.published.as_ref();
    settings.expectations.check_published(published)?;
    let statistics = &merged.statistics;
    merged.expectations =
        settings
            .expectations
            .check(published, &statistics.top1, &statistics.top5);
    json_output::write(json, &merged)?;
    if let Some(file) = html {
        let pictures = html_report::pictures(&merged);
        html_report::write(file, &merged, |name| pictures.get(name).cloned())?;
    }
    let console = Console::default();
    if let Some(warning) = chance_warning(&merged.statistics.top1, merged.data.classes) {
        console.warn(&warning);
    }
    let exit_code = exit_code(&merged);
    Ok(judge(&merged.expectations, exit_code, &console))
}

//! `uta-eval merge`: the results of all shards as one.

use std::collections::HashMap;

use super::evaluate::demand;
use super::page;
use crate::data::{Place, Sample, Set, Source};
use crate::error::{Error, ExitCode};
use crate::report::json::{self, JsonOutput};
use crate::report::merge::merge;
use crate::report::output::OutputFile;
use crate::report::{Report, picture_name};
use crate::settings::Merge;
use crate::statistics::Judgement;

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
        let pictures = pictures(&merged);
        page::write(file, &merged, |name| pictures.get(name).cloned())?;
    }
    json::write(json, &merged)?;
    demand(merged.expectations)?;
    Ok(match merged.unreadable.is_empty() {
        true => ExitCode::Success,
        false => ExitCode::SkippedPictures,
    })
}

/// The pictures of a result by their names, as far as they are still at hand.
fn pictures(report: &Report) -> HashMap<String, Sample> {
    let data = &report.data;
    let file = |judgement: &Judgement| {
        let name = judgement.name.clone();
        let path = data.path.join(&name);
        (name, Sample::file(path, judgement.label as usize))
    };
    if matches!(data.source, Source::Folders | Source::Flat) {
        return report.judgements.iter().map(file).collect();
    }
    let place = Place {
        path: data.path.clone(),
        source: Some(data.source),
        labels: data.labels_file.clone(),
    };
    let set = data.dataset.as_deref().and_then(Set::by_name);
    let found = place.find(&set.unwrap_or_default().folders());
    let samples = found.map_or(Vec::new(), |found| found.samples);
    samples
        .into_iter()
        .map(|sample| (picture_name(&sample.path, &data.path), sample))
        .collect()
}

//! The HTML report, with pictures read once more.

use std::collections::HashMap;

use tracing::info_span;

use crate::data::loader::load;
use crate::data::{DataLocation, Sample, Samples, Set, Source, Truth};
use crate::metrics::Judgement;
use crate::picture::Preprocessor;
use crate::picture::preprocessing::Interpolation;
use crate::report::Report;
use crate::report::html::{Gallery, SIDE, page, thumbnail};
use crate::util::output_file::{OutputError, OutputFile};

/// Writes the report's page. Pictures that `find` does not know by name, or that cannot be read any
/// more, are shown without a thumbnail.
///
/// # Errors
/// When the disk is full or gone.
pub fn write(
    mut file: OutputFile,
    report: &Report,
    find: impl Fn(&str) -> Option<Sample>,
) -> Result<(), OutputError> {
    let _span = info_span!("write the page").entered();
    // What the model saw, in another size.
    let set = report.data.dataset.as_deref().and_then(Set::by_name);
    let border = set.map_or(0, Set::border);
    let preprocessor = Preprocessor::new(SIDE, Interpolation::Bicubic).without_border(border);
    let gallery = Gallery::new(&report.judgements, |name| {
        thumbnail(&load(&find(name)?, preprocessor).ok()?)
    });
    file.write(page(report, &gallery).as_bytes())?;
    file.finish()
}

/// The pictures of a result by their names, as far as they are still at hand.
pub fn pictures(report: &Report) -> HashMap<String, Sample> {
    let data = &report.data;
    let file = |judgement: &Judgement| {
        let sample = Sample::below(&data.path, &judgement.name, judgement.label as usize);
        (judgement.name.clone(), sample)
    };
    if matches!(data.source, Source::Folders | Source::Flat) {
        return report.judgements.iter().map(file).collect();
    }
    let location = DataLocation {
        path: data.path.to_path_buf(),
        source: Some(data.source),
        labels: data.labels_file.as_deref().map(Into::into),
        real: data.labels == Truth::Real.name(),
    };
    let set = data.dataset.as_deref().and_then(Set::by_name);
    let found = location.find(&set.unwrap_or_default().folders());
    let samples = found.map_or_else(|_| Samples::default(), |found| found.samples);
    let named = |sample: &Sample| (sample.name.in_set().to_string(), sample.clone());
    samples.iter().map(named).collect()
}

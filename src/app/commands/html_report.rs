//! The HTML report, with pictures read once more.

use std::collections::HashMap;

use tracing::info_span;

use crate::data::loader::load;
use crate::data::{
    ClassFolders, DataLocation, Protocol, Rules, Sample, Samples, Set, Source, Truth,
};
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
    let border = protocol(report).border;
    let preprocessor = Preprocessor::new(SIDE, Interpolation::Bicubic).without_border(border);
    let gallery = Gallery::new(report, |name| {
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
        numbers: None,
    };
    let folders = protocol(report)
        .folders()
        .unwrap_or_else(ClassFolders::imagenet);
    // Names are all that is asked; the labels are in the result.
    let found = location.find(&folders).or_else(|_| {
        let any = ClassFolders::numbered(usize::MAX);
        location.find(&any)
    });
    let samples = found.map_or_else(|_| Samples::default(), |found| found.samples);
    let named = |sample: &Sample| (sample.name.in_set().to_string(), sample.clone());
    samples.iter().map(named).collect()
}

/// How the pictures of a result were judged.
fn protocol(report: &Report) -> Protocol {
    let data = &report.data;
    let rules = Rules::by_name(&data.protocol).unwrap_or_default();
    let set = data.dataset.as_deref().and_then(Set::by_name);
    set.map_or_else(
        || Protocol::listed(rules, None),
        |set| Protocol::by(rules, set),
    )
}

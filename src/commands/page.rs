//! The HTML report, with pictures read once more.

use crate::data::Set;
use crate::data::loader::load_one;
use crate::error::Error;
use crate::picture::Preprocessor;
use crate::preprocessing::Interpolation;
use crate::report::Report;
use crate::report::html::{Gallery, SIDE, page, thumbnail};
use crate::report::output::OutputFile;

/// Writes the report's page. Pictures that are no longer at hand are shown without a thumbnail.
///
/// # Errors
/// When the disk is full or gone.
pub fn write(mut file: OutputFile, report: &Report) -> Result<(), Error> {
    // What the model saw, in another size.
    let named = |set: &Set| report.data.dataset.as_deref() == Some(set.name());
    let border = Set::ALL
        .iter()
        .find(|set| named(set))
        .map_or(0, |set| set.border());
    let preprocessor = Preprocessor::new(SIDE, Interpolation::Bicubic).without_border(border);
    let gallery = Gallery::new(&report.judgements, |name| {
        let path = report.data.path.join(name);
        thumbnail(&load_one(&path, preprocessor).ok()?)
    });
    file.write(page(report, &gallery).as_bytes())?;
    file.finish()
}

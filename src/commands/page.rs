//! The HTML report, with pictures read once more.

use crate::data::loader::load;
use crate::data::{Sample, Set};
use crate::error::Error;
use crate::picture::Preprocessor;
use crate::preprocessing::Interpolation;
use crate::report::Report;
use crate::report::html::{Gallery, SIDE, page, thumbnail};
use crate::report::output::OutputFile;

/// Writes the report's page. Pictures that `find` does not know by name, or that cannot be read any
/// more, are shown without a thumbnail.
///
/// # Errors
/// When the disk is full or gone.
pub fn write(
    mut file: OutputFile,
    report: &Report,
    find: impl Fn(&str) -> Option<Sample>,
) -> Result<(), Error> {
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

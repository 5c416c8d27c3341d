//! The order of the parts.

use super::{Gallery, charts, class_table, head, pictures, run, summary};
use crate::report::Report;

/// The whole page.
pub fn page(report: &Report, gallery: &Gallery) -> String {
    let mut page = head::head(report);
    page += "<body><header>";
    summary::title(&mut page, report);
    summary::provenance(&mut page, report);
    page += "</header>\n<main>";
    summary::banners(&mut page, report);
    summary::cards(&mut page, report);
    charts::charts(&mut page, report);
    pictures::confusions(&mut page, report, gallery);
    class_table::class_table(&mut page, report);
    pictures::groups(&mut page, report, gallery);
    run::run(&mut page, report);
    page += "</main>\n";
    page + &head::script() + "</body></html>\n"
}

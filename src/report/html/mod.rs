//! The report as one HTML file: no network, light and dark, whole without its script.
//!
//! | file | what |
//! |---|---|
//! | `page` | the order of the parts |
//! | `head` | title, style, script, and what the page may do |
//! | `summary` | provenance, banners, the numbers that matter |
//! | `charts` | the classes and the calibration as SVG |
//! | `class_table` | every class, to sort and search |
//! | `gallery`, `pictures` | which pictures are shown, and how |
//! | `run` | settings, hashes, unreadable pictures |

mod base64;
mod charts;
mod class_table;
mod gallery;
mod head;
mod page;
mod pictures;
mod run;
mod summary;
mod thumbnail;

pub use gallery::{Gallery, Group};
pub use page::page;
pub use thumbnail::{SIDE, thumbnail};

use std::borrow::Cow;

use crate::util::escape::one_line;

/// Text of others, to stand between tags: names of classes and files, messages.
fn text(of_others: &str) -> String {
    htmlize::escape_text(one_line(of_others)).into_owned()
}

/// Text of others, to stand in a quoted attribute.
fn attribute(of_others: &str) -> String {
    htmlize::escape_attribute(one_line(of_others)).into_owned()
}

/// A share in percent, with two digits behind the point.
fn percent(value: Option<f64>) -> Cow<'static, str> {
    value.map_or("–".into(), |value| format!("{value:.2} %").into())
}

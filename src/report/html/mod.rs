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
pub(in crate::report) mod escape;
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

use escape::{escape_attribute as attribute, escape_text as text};

/// A share in percent, with two digits behind the point.
fn percent(value: Option<f64>) -> Cow<'static, str> {
    value.map_or("–".into(), |value| format!("{value:.2} %").into())
}

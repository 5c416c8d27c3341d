//! The report as one HTML file: no network, no scripts, light and dark.

mod charts;
pub(in crate::report) mod escape;
mod gallery;
mod page;
mod thumbnail;

pub use gallery::{Gallery, Group};
pub use page::page;
pub use thumbnail::{SIDE, thumbnail};

//! What says which class a picture shows, other than its class folder.
//!
//! Label files, texts beside the pictures of a shard, the columns of a table, and the ReaL labels.
//! Where two of them contradict each other, or a number may count several things, the answer is an
//! error: labels are never guessed.

pub mod class_names;
pub mod devkit;
mod error;
mod file;
mod known_files;
mod lines;
mod names;
pub mod real;
pub mod table;
pub mod web_dataset;

pub use error::LabelError;
pub use file::{LabelFile, Labels};
pub use known_files::{KNOWN, beside, packed_devkit};
pub use names::Lookup;

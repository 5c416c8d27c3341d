//! Data sets on disk and the pipeline that turns them into batches of pixels.

pub mod archive;
pub mod check;
pub mod class_folders;
pub mod devkit;
pub mod error;
pub mod folder;
mod found;
pub mod identity;
mod label_lines;
mod label_names;
pub mod labels;
mod layout;
pub mod loader;
pub mod matlab;
pub mod protocol;
pub mod real;
mod row_labels;
pub mod sample;
pub mod sets;
pub mod shards;
pub mod source;
pub mod table;
pub mod web_dataset;

pub use class_folders::ClassFolders;
pub use error::DataError;
pub use folder::DataSet;
pub use loader::{Batch, Loader, LoaderSettings, Unreadable};
pub use protocol::{Protocol, Truth};
pub use sample::{Member, Sample, Storage};
pub use sets::Set;
pub use source::{Place, Remark, Source};

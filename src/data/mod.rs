//! Data sets on disk and the pipeline that turns them into batches of pixels.

pub mod check;
pub mod class_folders;
pub mod error;
pub mod folder;
pub mod identity;
pub mod loader;
pub mod protocol;
pub mod real;
pub mod sets;

pub use class_folders::ClassFolders;
pub use error::DataError;
pub use folder::{DataSet, Sample};
pub use loader::{Batch, Loader, LoaderSettings, Unreadable};
pub use protocol::{Protocol, Truth};
pub use sets::Set;

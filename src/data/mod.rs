//! Data sets on disk, and the pipeline that turns them into batches of pixels.
//!
//! From the bottom up; each room and file uses only those above it in this list, and no two files
//! use each other.
//!
//! | room or file | what it is |
//! |---|---|
//! | `name` | what results call a picture; lists of names in messages |
//! | `sample` | a picture: name, label, where its bytes are |
//! | `containers` | reading folders, tar archives, WebDataset shards and Parquet tables; knows no classes |
//! | `sets` | the six sets, their class folders, how their pictures are judged; reads no file |
//! | `labels` | label files, texts in shards, columns of tables, the devkit's ids, ReaL labels |
//! | `discover` | what a path holds, its pictures and their classes: from a [`DataLocation`] to a [`DataSet`] |
//! | `judge` | the classes that are right for each picture |
//! | [`identity`] | which pictures these are, for a journal |
//! | [`check`] | looking at pictures without evaluating them |
//! | [`loader`] | pictures, read and decoded ahead, as batches |
//!
//! Each room has an error type of its own; [`DataError`] is any of them.

pub mod check;
mod containers;
mod discover;
pub mod file_state;
pub mod identity;
mod judge;
mod labels;
pub mod loader;
mod name;
mod sample;
mod sets;
mod unreadable;

pub use containers::file_names::Ignored;
pub use containers::read::read;
pub use discover::{
    Beside, DataError, DataLocation, DataSet, LabelNumbers, Remark, Source, SuiteFolder,
    SuiteProblem,
};
pub use judge::judge;
pub use labels::KNOWN as LABEL_FILES;
pub use labels::devkit::wnids as devkit_wnids;
pub use loader::{Batch, Loader, LoaderSettings};
pub use name::Name;
pub use sample::{Sample, Samples, Storage};
pub use sets::{ClassFolders, Protocol, Rules, Set, SuiteSet, Truth};
pub use unreadable::{Fault, Unreadable};

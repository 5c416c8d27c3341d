//! The data sets that are evaluated, their class folders, and how their pictures are judged.
//!
//! A set is facts: names of folders, classes, numbers of pictures. Nothing here reads a file; a
//! class folder is only asked whether it is there.

mod class_folders;
mod objectnet;
mod protocol;
mod set;
mod suite_set;

pub use class_folders::{ClassFolders, ClassFoldersError, Naming, spelled};
pub use protocol::{Protocol, Rules, Truth};
pub use set::Set;
pub use suite_set::SuiteSet;

//! Finding the pictures of a data set and their classes.
//!
//! `detect` finds out what a path holds. `folders`, `labelling` (for flat pictures), `tar` and
//! `sharded` find the pictures of each source. Every picture gets a class, or the whole data set is
//! refused.

mod beside;
mod data_set;
mod detect;
mod error;
mod folders;
mod labelling;
mod layout;
mod location;
mod pattern;
mod remark;
mod series;
mod sharded;
mod shards;
mod source;
mod split;
mod suite;
mod tar;

pub use beside::Beside;
pub use data_set::DataSet;
pub use error::{DataError, LabellingError};
pub use location::{DataLocation, LabelNumbers};
pub use remark::Remark;
pub use source::Source;
pub use suite::{SuiteFolder, SuiteProblem};

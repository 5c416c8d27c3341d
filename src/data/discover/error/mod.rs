//! What is wrong with a data set, and what to do about it.

mod labelling;
mod layout;
mod shards;

pub use labelling::LabellingError;
pub use layout::{LayoutError, UnknownCause};
pub use shards::ShardsError;

use crate::data::containers::ContainerError;
use crate::data::labels::LabelError;
use crate::data::sets::ClassFoldersError;

/// Why a data set cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    ClassFolders(#[from] ClassFoldersError),
    #[error(transparent)]
    LabelFile(#[from] LabelError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Labelling(#[from] LabellingError),
    #[error(transparent)]
    Shards(#[from] ShardsError),
}

impl DataError {
    /// Whether its pictures are none that ReaL labels are known for.
    pub fn is_without_real_labels(&self) -> bool {
        use LabellingError::{NoRealLabels, NotOfTheValidationSet};
        matches!(
            self,
            Self::Labelling(NotOfTheValidationSet { .. } | NoRealLabels { .. })
        )
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Container(e) => e.hint(),
            Self::ClassFolders(e) => Some(e.hint()),
            Self::LabelFile(e) => Some(e.hint()),
            Self::Layout(e) => Some(e.hint()),
            Self::Labelling(e) => Some(e.hint()),
            Self::Shards(e) => Some(e.hint()),
        }
    }
}

//! From a checkpoint and class names to ranked classes.

/// The accuracy that is published for weights on a data set.
pub mod accuracy;
/// Which configuration a run has, and what decided it.
pub mod choice;
/// Getting a classifier: from a file, the cache, or by building it.
pub mod classifiers;
/// Which devices compute, in which precision.
pub mod devices;
mod error;
/// Which configuration a checkpoint looks like.
pub mod identity;
/// From a checkpoint to the towers.
pub mod loading;
/// What long work tells its user.
pub mod progress;
/// The weights of the paper's models, by the models' names.
pub mod published;
/// The tensors of one layout as those of another.
pub mod relayout;
/// A checkpoint's tensors, under the names that the towers use.
pub mod weights;
/// Crops of pictures in, ranked classes out.
pub mod zero_shot;

pub use error::InferenceError;
pub use progress::{Progress, Silent, Work};

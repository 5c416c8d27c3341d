//! From a checkpoint and class names to ranked classes.

/// Getting a classifier: from a file, the cache, or by building it.
pub mod classifiers;
/// Which devices compute, in which precision.
pub mod devices;
/// Which configuration a checkpoint looks like.
pub mod identity;
/// From a checkpoint to the towers.
pub mod loading;
/// A checkpoint's tensors, under the names that the towers use.
pub mod weights;
/// Crops of pictures in, ranked classes out.
pub mod zero_shot;

//! Features of pictures in a file, with all that evaluating them again takes.
//!
//! A safetensors file with the tensors
//!
//! | tensor | shape, dtype | what |
//! |---|---|---|
//! | `features` | [pictures, embedding] f32 | as the vision tower gives them, not of unit length |
//! | `labels` | [pictures] i64 | the class of each picture |
//! | `classifier` | [classes, embedding] f32 | one row for each class, of unit length |
//! | `record` | [bytes] u8 | a [`Record`] as JSON: the whole result, with the pictures' names |
//!
//! Features are written as they are computed, so that memory does not grow with the data set; the
//! header, which says how many there are, is put into the space left for it at the end.

mod read;
mod write;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use read::Features;
pub use write::FeaturesFile;

use crate::classifier::recipe::Recipe;
use crate::report::Report;
use crate::text::ClassNames;

/// Marks a file as ours, with the version of its form.
const FORMAT: (&str, &str) = ("uta_eval_features", "1");
/// Names the metadata with the SHA-256 of all tensors' bytes.
const DIGEST: &str = "sha256";

const FEATURES: &str = "features";
const LABELS: &str = "labels";
const CLASSIFIER: &str = "classifier";
const RECORD: &str = "record";

/// All but the numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The result of the run that made the features; its judgements name the pictures, in order.
    pub report: Report,
    /// For each picture the classes that are right, where they are others than the label alone.
    pub right: Vec<Option<Arc<[usize]>>>,
    /// The classes' names, and their folders if a file gave them.
    pub classes: ClassNames,
    /// The classes that pictures are ranked among, where they are not all.
    pub choices: Option<Arc<[usize]>>,
    /// What the classifier was made from.
    pub recipe: Recipe,
}

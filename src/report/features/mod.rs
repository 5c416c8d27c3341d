//! Features of pictures in a file, with all that evaluating them again takes.
//!
//! A safetensors file with the tensors
//!
//! | tensor | shape, dtype | what |
//! |---|---|---|
//! | `features` | [pictures, embedding] f32 | as the vision tower gives them, not of unit length |
//! | `labels` | [pictures] i64 | the class of each picture |
//! | `classifier` | [classes, embedding] f32 | one row for each class, of unit length |
//! | `record` | [bytes] u8 | a [`Record`] as JSON: the pictures' names, and what the run was |
//!
//! Features are written as they are computed, so that memory does not grow with the data set; the
//! header, which says how many there are, is put into the space left for it at the end.

mod read;
mod record;
mod write;

pub use read::Features;
pub use record::Record;
pub use write::FeaturesFile;

/// The name of the metadata that mark a file as ours, whose value is [`VERSION`].
const FORMAT: &str = "uta_eval_features";
/// Version of the form: of the tensors above, the metadata and the [`Record`]. It knows nothing of
/// the versions of results.
pub const VERSION: &str = "3";
/// Names the metadata with the SHA-256 of all tensors' bytes.
const DIGEST: &str = "sha256";

const FEATURES: &str = "features";
const LABELS: &str = "labels";
const CLASSIFIER: &str = "classifier";
const RECORD: &str = "record";

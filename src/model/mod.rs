//! The UTA models in candle. Knows nothing of paths, flags or pictures' formats.

mod forest_attention;
mod layers;
pub mod rope;
pub mod schema;
pub mod text;
pub mod variant;
pub mod vision;

pub use text::{Forest, Kept, TextTower};
pub use variant::Variant;
pub use vision::VisionTower;

//! CLIP's models: two towers, one transformer. Knows nothing of files, flags or pictures' formats.

pub mod backend;
pub mod compute;
pub mod config;
pub mod layouts;
pub mod micro_batch;
mod paths;
pub mod published;
pub mod rope;
pub mod schema;
pub mod size;
pub mod text;
mod transformer;
pub mod vision;

pub use compute::Compute;
pub use config::ModelConfig;
pub use layouts::Layout;
pub use text::{Forest, Kept, TextTower};
pub use vision::VisionTower;

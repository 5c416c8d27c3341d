//! The UTA models in candle. Knows nothing of files, flags or pictures' formats.

pub mod compute;
pub mod config;
mod layers;
pub mod layouts;
pub mod micro_batch;
pub mod mixed;
mod ops;
mod paths;
pub mod published;
pub mod rope;
pub mod schema;
pub mod text;
pub mod vision;

pub use compute::Compute;
pub use config::ModelConfig;
pub use layouts::Layout;
pub use text::{Forest, Kept, TextTower};
pub use vision::VisionTower;

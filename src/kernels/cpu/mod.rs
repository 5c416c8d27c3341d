//! The arithmetic for CPUs: linear layers, attention and LayerNorm for the instructions that the
//! machine has, over plain slices.
//!
//! Weights are packed once into panels of as many columns as a tile has. A tile multiplies a few
//! packed rows by a panel, its sums in registers; what follows a layer (bias, GELU, the gate of a
//! SwiGLU, the residual) happens while the tile is stored. Attention's scores stay in the cache.
//!
//! | file | what |
//! |---|---|
//! | `isa` | which instructions there are; running code compiled for them |
//! | `ahead` | memory that is read or written soon |
//! | `tile` | the innermost products by vectors |
//! | `amx` | the innermost products by tile units |
//! | `blocks` | packed rows times a panel of columns |
//! | `pack` | rows and columns in the order of the tiles; rounding to bfloat16 |
//! | `linear` | linear layers |
//! | `epilogue` | what is fused into them |
//! | `attention` | attention with rotation |
//! | `forest` | attention along the paths of a forest |
//! | `softmax` | softmax, for both |
//! | `norm` | LayerNorm |
//! | `tokens` | pictures as patches, patches as tokens |
//! | `transpose` | rows and columns of small blocks |
//! | `round` | rounding to bfloat16 |
//! | `value` | f32 and bfloat16, as activations are kept |
//! | `output` | results written by several threads |
//! | `math` | exponential, error function |
//! | `peak` | the machine's limit, and the instructions that are fastest |
//!
//! A result's bits depend on its own row and nothing else: not on the batch, its place in it, or
//! the number of threads. They may differ between instruction sets.
//!
//! `unsafe` is in `isa`, `tile`, `amx`, `ahead`, `round` and `transpose` (instructions), and where threads write parts
//! of one `output` (`linear`, `epilogue`, `attention`, `forest`, `norm`, `tokens`).

mod ahead;
mod amx;
mod attention;
mod blocks;
mod epilogue;
mod forest;
mod isa;
mod linear;
mod math;
mod norm;
mod output;
mod pack;
mod peak;
mod round;
mod softmax;
#[cfg(test)]
mod tests;
mod tile;
mod tokens;
mod transpose;
mod value;

pub use amx::detect::NoTiles;
pub use attention::Attention;
pub use epilogue::Epilogue;
pub use forest::ForestAttention;
pub use isa::Isa;
pub use linear::PackedLinear;
pub use norm::layer_norm;
pub use pack::Precision;
pub use peak::{Rate, bf16_rates, fastest, peak, unused_tiles};
pub use tokens::{Levels, embed, patches};
pub use value::Value;

//! What happens between two matrix products on a GPU, and how it is launched there.
//!
//! The kernels are written once, for CUDA and, in tests, for a CPU. Which of them a tower wants, on
//! which grid, is `model::backend::gpu`'s business.
//!
//! | file | what |
//! |---|---|
//! | `kernels.cu` | the kernels |
//! | `attention.h`, `forest.h`, `rows.h` | the larger ones: attention in either tower, the residual stream |
//! | `portable.h`, `sums.h` | what they need beyond C++, and in common |
//! | `build.rs` | compiling them, when the program is built with the feature `cuda` |
//! | `launch` | a launch as data; what runs it is an [`Engine`] |
//! | `cuda` | the engine for NVIDIA GPUs (with that feature) |

#[cfg(feature = "cuda")]
pub mod cuda;
mod launch;

pub use launch::{Argument, Engine, Launch};

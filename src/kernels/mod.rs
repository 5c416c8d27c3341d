//! The arithmetic of the towers. This is the only room with `unsafe` code: vector instructions and
//! threads that write parts of one buffer in `cpu`, calls of the driver in `gpu`, an option in C in
//! `allocator`.

mod allocator;
/// Linear layers, attention and LayerNorm for CPUs, over plain slices.
pub mod cpu;
/// Everything but matrix products for GPUs, over tensors.
pub mod gpu;

pub use allocator::keep_freed_memory;
pub use cpu::{
    Attention, Epilogue, ForestAttention, Isa, Levels, NoTiles, PackedLinear, Precision, Rate,
    Value, bf16_rates, embed, fastest, layer_norm, patches, peak, unused_tiles,
};

//! What a block of threads can hold: registers decide for which heads there is an attention kernel, shared
//! memory which models a GPU can run.

use candle_core::DType;

use super::{Backend, Gpu};
use crate::model::config::{Mlp, ModelConfig, TransformerConfig};

/// Threads of a block that works on one row.
pub const MOST_THREADS: usize = 256;
/// Shared memory that kernels have without asking.
const STATIC_SHARED: usize = 128;
/// As in `attention.h`: warps of a block, keys that are looked at together, numbers between rows.
pub const ATTENTION_WARPS: usize = 4;
const KEYS: usize = 64;
const GAP: usize = 8;
/// Rows and columns of a square that tensor cores multiply.
pub const TILE: usize = 16;
/// Tiles of a head that the attention kernel is compiled for, and squares of queries for each warp.
const HEADS: [(usize, usize); 5] = [(1, 2), (2, 2), (4, 2), (6, 1), (7, 1)];

/// Why a model cannot run on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} would take {bytes} bytes of a multiprocessor's shared memory; this GPU has {limit} for a block"
)]
pub struct TooLarge {
    what: &'static str,
    bytes: usize,
    limit: usize,
}

/// Whether a model's rows and heads fit into the device's shared memory.
pub fn check(gpu: &Gpu, config: &ModelConfig) -> Result<(), TooLarge> {
    let (vision, text) = (&config.vision, &config.text);
    // Only a LayerNorm needs a whole row.
    let hidden = |config: &TransformerConfig| match config.mlp {
        Mlp::SwiGlu => gpu.padded_hidden(config.mlp_hidden),
        Mlp::Gelu | Mlp::QuickGelu => 0,
    };
    let attention = match (gpu.dtype(), HeadTiles::of(vision.transformer.head_dim())) {
        (DType::F16 | DType::BF16, Some(kernel)) => kernel.shared(),
        _ => row_shared(vision.tokens().next_multiple_of(TILE)),
    };
    let needs = [
        (
            "the vision tower's width",
            row_shared(vision.transformer.width),
        ),
        (
            "the vision tower's MLP",
            row_shared(hidden(&vision.transformer)),
        ),
        ("the vision tower's attention", attention),
        ("the text tower's width", row_shared(text.transformer.width)),
        (
            "the text tower's MLP",
            row_shared(hidden(&text.transformer)),
        ),
        (
            "the text tower's attention",
            forest_shared(text.transformer.head_dim()),
        ),
    ];
    let limit = gpu.engine.shared_limit() - STATIC_SHARED;
    match needs.into_iter().find(|(_, bytes)| *bytes > limit) {
        Some((what, bytes)) => Err(TooLarge { what, bytes, limit }),
        None => Ok(()),
    }
}

/// An attention kernel: for which heads it is compiled.
#[derive(Debug, Clone, Copy)]
pub struct HeadTiles {
    /// Of channels.
    pub tiles: usize,
    /// Of queries, for each warp.
    squares: usize,
}

impl HeadTiles {
    /// The one for heads of so many channels; none when they are too large for the registers.
    pub fn of(head_dim: usize) -> Option<Self> {
        let fits = |(tiles, _): &&(usize, usize)| *tiles * TILE >= head_dim;
        HEADS
            .iter()
            .find(fits)
            .map(|&(tiles, squares)| Self { tiles, squares })
    }

    /// Queries of a block.
    pub fn queries(self) -> usize {
        ATTENTION_WARPS * self.squares * TILE
    }

    /// Bytes of shared memory: the queries, two tiles of keys and two of values.
    pub fn shared(self) -> usize {
        2 * (self.queries() + 4 * KEYS) * (self.tiles * TILE + GAP)
    }
}

/// Bytes of shared memory for a row of f32.
pub fn row_shared(width: usize) -> usize {
    4 * width
}

/// The same for each warp's query and sums in the text tower's attention.
pub fn forest_shared(head_dim: usize) -> usize {
    4 * 2 * head_dim * MOST_THREADS / 32
}

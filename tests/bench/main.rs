//! Benchmarks: `cargo bench` prints all tables, `cargo bench -- kernels` one of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// GPUs: whole evaluations without decoding, and where their time goes.
mod gpu;
/// Linear layers, attention and LayerNorm by named shape.
mod kernels;
/// PyTorch on the same work, in turns.
mod peer;
/// Decoding, resizing and cropping.
mod pictures;
/// Loading and computing at once, for one checkpoint and for several.
mod pipeline;
/// Loading from class folders, archives and Parquet files.
mod sources;
/// Timing.
mod timing;
/// The towers as a whole.
mod towers;

fn main() {
    uta_eval::kernels::keep_freed_memory();
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let tables: [(&str, fn()); 8] = [
        ("kernels", kernels::table),
        ("vision", towers::vision),
        ("text", towers::text),
        ("pictures", pictures::table),
        ("pipeline", pipeline::table),
        ("sweep", pipeline::sweep),
        ("sources", sources::table),
        ("gpu", gpu::table),
    ];
    for (name, table) in tables {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            table();
        }
    }
}

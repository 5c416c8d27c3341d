//! No GPU is needed: the kernels' own source, compiled as C++, runs on the CPU, launch by launch,
//! with the grids, shared memory and arguments that a GPU is given. What this cannot show is what
//! only a GPU does: its scheduling, its speed, its tensor cores' rounding, and the few lines that
//! hand a launch to the driver.

/// The emulated GPU.
mod emulator;

/// Each kernel against candle's operations or plain Rust.
mod kernels;

/// Both towers against the reference's numbers.
mod towers;

/// Every family's towers against the numbers of its own code.
mod families;

/// Choosing devices, and how they share the work.
mod devices;

/// Devices whose memory is short.
mod memory;

/// A real one, if there is one: `cargo test --release --features cuda -- --ignored`.
#[cfg(feature = "cuda")]
mod real;

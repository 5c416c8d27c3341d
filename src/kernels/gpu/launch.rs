//! A kernel launch as plain data, and what can carry it out.

use candle_core::{DType, Result, Shape, Tensor};

/// One launch of a kernel in `kernels.cu`.
#[derive(Debug)]
pub struct Launch<'a> {
    pub kernel: String,
    pub blocks: [u32; 3],
    /// Threads of a block, full warps.
    pub threads: u32,
    /// Bytes of shared memory that a block asks for.
    pub shared: usize,
    pub arguments: Vec<Argument<'a>>,
    /// Tensors that the kernel writes whole.
    pub outputs: Vec<(Shape, DType)>,
}

/// What a kernel is given, in the order of its parameters.
#[derive(Debug)]
pub enum Argument<'a> {
    /// A dense tensor.
    In(&'a Tensor),
    /// The next one of the outputs.
    Out,
    Int(i32),
    Float(f32),
}

/// Carries out launches.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// Runs a kernel and returns its outputs. May return before it has run.
    ///
    /// # Errors
    /// When the device fails, or an argument is not what the kernel takes.
    fn run(&self, launch: &Launch<'_>) -> Result<Vec<Tensor>>;

    /// Waits until all that was run so far is done, without taking a core meanwhile.
    ///
    /// # Errors
    /// When the device fails.
    fn wait(&self) -> Result<()>;

    /// The most shared memory that a block can have, in bytes.
    fn shared_limit(&self) -> usize;
}

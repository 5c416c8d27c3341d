//! How a tower computes: on which device, by whose kernels, in which precision.

use candle_core::{Device, DeviceLocation};

use super::mixed::Mixed;
use crate::kernels::{Isa, Precision};

/// How a tower computes. Decided once, when it is built.
#[derive(Debug, Clone)]
pub struct Compute {
    pub device: Device,
    pub arithmetic: Arithmetic,
}

/// By whose kernels.
#[derive(Debug, Clone)]
pub enum Arithmetic {
    /// candle's operations in f32.
    Candle,
    /// This crate's kernels for CPUs.
    Packed(Kernels),
    /// candle's matrix products and, between them, this crate's kernels for GPUs.
    Mixed(Mixed),
}

/// Settings of the CPU kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernels {
    pub isa: Isa,
    /// Of the linear layers. The residual stream, LayerNorm and softmax are always f32.
    pub precision: Precision,
}

impl Compute {
    /// The CPU with the fastest instructions that it has.
    pub fn cpu(precision: Precision) -> Self {
        let kernels = Kernels {
            isa: Isa::best(),
            precision,
        };
        Self {
            device: Device::Cpu,
            arithmetic: Arithmetic::Packed(kernels),
        }
    }

    /// candle's operations in f32.
    pub fn candle(device: Device) -> Self {
        Self {
            device,
            arithmetic: Arithmetic::Candle,
        }
    }

    /// The CPU kernels, where they are used.
    pub fn kernels(&self) -> Option<Kernels> {
        match self.arithmetic {
            Arithmetic::Packed(kernels) => Some(kernels),
            _ => None,
        }
    }

    /// Mixed precision, where it is used.
    pub fn mixed(&self) -> Option<&Mixed> {
        match &self.arithmetic {
            Arithmetic::Mixed(mixed) => Some(mixed),
            _ => None,
        }
    }

    /// The precision of the linear layers, as users write it.
    pub fn precision(&self) -> &'static str {
        match &self.arithmetic {
            Arithmetic::Candle => "f32",
            Arithmetic::Packed(kernels) => match kernels.precision {
                Precision::F32 => "f32",
                Precision::Bf16 => "bf16",
            },
            Arithmetic::Mixed(mixed) => mixed.factors.name(),
        }
    }

    /// What the products are computed with: a CPU's instructions, or the name of a library.
    pub fn instructions(&self) -> &'static str {
        match &self.arithmetic {
            Arithmetic::Candle => "candle's",
            Arithmetic::Packed(kernels) => kernels.isa.name(),
            Arithmetic::Mixed(_) => "cuBLAS's",
        }
    }

    /// The device, as users write it.
    pub fn device(&self) -> String {
        match self.device.location() {
            DeviceLocation::Cpu => "cpu".into(),
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        }
    }
}

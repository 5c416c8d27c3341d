//! How a tower computes: on which device, by whose kernels, in which precision.

use candle_core::Device;

use crate::kernels::{Isa, Precision};

/// How a tower computes. Decided once, when it is built.
#[derive(Debug, Clone)]
pub struct Compute {
    pub device: Device,
    /// The kernels of this crate; candle's operations where there are none.
    pub kernels: Option<Kernels>,
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
            kernels: Some(kernels),
        }
    }

    /// The precision of the linear layers, as users write it.
    pub fn precision(&self) -> &'static str {
        match self.kernels {
            Some(Kernels {
                precision: Precision::Bf16,
                ..
            }) => "bf16",
            _ => "f32",
        }
    }

    /// The device, as users write it.
    pub fn device(&self) -> &'static str {
        if self.device.is_cpu() { "cpu" } else { "cuda" }
    }

    /// candle's operations in f32.
    pub fn candle(device: Device) -> Self {
        Self {
            device,
            kernels: None,
        }
    }
}

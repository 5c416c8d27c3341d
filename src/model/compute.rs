//! How a tower computes: on which device, by which backend.

use std::sync::Arc;

use candle_core::{Device, DeviceLocation};

use super::backend::{Backend, Cpu, Gpu, Plain};
use crate::kernels::{Isa, Precision, fastest};

/// How a tower computes. Decided once, when it is built.
#[derive(Debug, Clone)]
pub struct Compute {
    pub device: Device,
    pub backend: Arc<dyn Backend>,
}

impl Compute {
    /// The CPU with the fastest instructions that it has.
    pub fn cpu(precision: Precision) -> Self {
        Self::cpu_with(fastest(precision), precision)
    }

    /// The CPU with these instructions.
    pub fn cpu_with(isa: Isa, precision: Precision) -> Self {
        Self {
            device: Device::Cpu,
            backend: Arc::new(Cpu { isa, precision }),
        }
    }

    /// A GPU; `device` is the one whose tensors its engine takes.
    pub fn gpu(device: Device, gpu: Gpu) -> Self {
        Self {
            device,
            backend: Arc::new(gpu),
        }
    }

    /// candle's operations in f32.
    pub fn plain(device: Device) -> Self {
        Self {
            device,
            backend: Arc::new(Plain),
        }
    }

    /// The precision of the linear layers, as users write it.
    pub fn precision(&self) -> &'static str {
        self.backend.precision()
    }

    /// What the products are computed with: a CPU's instructions, or the name of a library.
    pub fn instructions(&self) -> &'static str {
        self.backend.instructions()
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

//! Which devices compute, in which precision.
//!
//! A GPU is worked on by several replicas, each with its own thread, stream and towers: while one waits
//! for a result or sends pictures, the other computes.

use crate::kernels::{Precision, bf16_rates, unused_tiles};
use crate::model::Compute;
use crate::model::backend::GpuPrecision;
use crate::util::usage::UsageError;
use crate::util::warning::Warning;

/// Batches that a GPU has under way, each on a stream of its own.
const REPLICAS_ON_A_GPU: usize = 2;

/// Which devices a user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChoice {
    Auto,
    Cpu,
    /// Numbers of GPUs, at least one, all different.
    Cuda(Vec<usize>),
}

impl DeviceChoice {
    /// # Errors
    /// What is wrong with the value.
    pub fn parse(value: &str) -> Result<Self, String> {
        match value {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => return Ok(Self::Cuda(vec![0])),
            _ => {}
        }
        let numbers = value
            .strip_prefix("cuda:")
            .ok_or("expected auto, cpu, cuda, or cuda: and numbers of GPUs")?;
        let mut gpus = Vec::new();
        for number in numbers.split(',') {
            let gpu = number
                .parse()
                .map_err(|_| format!("\"{number}\" is not the number of a GPU"))?;
            if gpus.contains(&gpu) {
                return Err(format!("GPU {gpu} is named twice"));
            }
            gpus.push(gpu);
        }
        Ok(Self::Cuda(gpus))
    }
}

/// Which precision of the linear layers a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// f32 on a CPU, f16 on a GPU.
    Auto,
    F32,
    Bf16,
    F16,
    Tf32,
}

/// The devices of a run; at least one replica.
#[derive(Debug, Clone)]
pub struct Devices {
    first: Compute,
    others: Vec<Compute>,
    /// Why a GPU that would have been taken was not.
    pub remark: Option<Warning>,
}

impl Devices {
    /// The CPU.
    pub fn cpu(precision: Precision) -> Self {
        Self {
            first: Compute::cpu(precision),
            others: Vec::new(),
            remark: None,
        }
    }

    /// The device for what only one can do.
    pub fn first(&self) -> &Compute {
        &self.first
    }

    /// All replicas, in the order in which they begin.
    pub fn replicas(&self) -> impl Iterator<Item = &Compute> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The devices, as users write them: `cpu`, `cuda:0`, `cuda:0,1`.
    pub fn name(&self) -> String {
        let mut names: Vec<String> = self.replicas().map(Compute::device).collect();
        names.dedup();
        let Some(first) = names.first().cloned() else {
            return String::new();
        };
        names[1..]
            .iter()
            .filter(|name| **name != first)
            .fold(first.clone(), |all, name| {
                let number = name.rsplit(':').next().unwrap_or(name);
                format!("{all},{number}")
            })
    }

    /// By which instructions a CPU multiplies, and why: for those who want to know.
    pub fn details(&self) -> Vec<String> {
        let first = &self.first;
        if first.device() != "cpu" {
            return Vec::new();
        }
        let chosen = format!(
            "products in {} by {}",
            first.precision(),
            first.instructions()
        );
        if first.precision() != "bf16" {
            return vec![chosen];
        }
        let rates = bf16_rates().iter();
        let rates: Vec<String> = rates
            .map(|rate| format!("{:.0} by {}", rate.flops / 1e9, rate.isa.name()))
            .collect();
        let trial = format!(
            "{chosen}; GFLOP/s of one thread in a trial: {}",
            rates.join(", ")
        );
        std::iter::once(trial)
            .chain(unused_tiles().map(|reason| reason.to_string()))
            .collect()
    }

    /// A good number of pictures for a batch.
    pub fn batch_size(&self, tokens: usize) -> usize {
        self.first.backend.batch_size(tokens)
    }
}

/// Opens a replica on a GPU and tries whether it computes.
pub type Open<'a> = &'a dyn Fn(usize, GpuPrecision) -> Result<Compute, String>;

/// The devices that were asked for.
///
/// # Errors
/// When a GPU was asked for that does not work, or a precision that the device does not have.
pub fn select(device: &DeviceChoice, precision: PrecisionChoice) -> Result<Devices, UsageError> {
    select_with(device, precision, cfg!(feature = "cuda"), &gpu::open)
}

/// As [`select`], with another way to open GPUs; `compiled` says whether there can be any.
///
/// # Errors
/// As [`select`].
pub fn select_with(
    device: &DeviceChoice,
    precision: PrecisionChoice,
    compiled: bool,
    open: Open<'_>,
) -> Result<Devices, UsageError> {
    let on_gpu = match precision {
        PrecisionChoice::Auto | PrecisionChoice::F16 => GpuPrecision::F16,
        PrecisionChoice::Bf16 => GpuPrecision::Bf16,
        PrecisionChoice::F32 => GpuPrecision::F32,
        PrecisionChoice::Tf32 => GpuPrecision::Tf32,
    };
    match device {
        DeviceChoice::Cpu => cpu(precision, None),
        DeviceChoice::Auto if !compiled => cpu(precision, None),
        DeviceChoice::Auto => match open_all(&[0], on_gpu, open) {
            Ok(devices) => Ok(devices),
            Err((_, reason)) => cpu(precision, Some(reason)),
        },
        DeviceChoice::Cuda(numbers) => {
            open_all(numbers, on_gpu, open).map_err(|(number, reason)| {
                let hint = if compiled {
                    "`nvidia-smi` shows which GPUs the driver sees; --device auto takes the CPU where none works"
                } else {
                    "build it with `cargo build --release --features cuda`, or choose --device cpu"
                };
                UsageError::new(format!("GPU {number} cannot be used: {reason}"), hint)
            })
        }
    }
}

/// Replicas on the GPUs, one on each before the second on any; or which GPU failed, and why.
fn open_all(
    numbers: &[usize],
    precision: GpuPrecision,
    open: Open<'_>,
) -> Result<Devices, (usize, String)> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS_ON_A_GPU {
        for number in numbers {
            replicas.push(open(*number, precision).map_err(|reason| (*number, reason))?);
        }
    }
    let mut replicas = replicas.into_iter();
    match replicas.next() {
        Some(first) => Ok(Devices {
            first,
            others: replicas.collect(),
            remark: None,
        }),
        None => Err((0, "no GPU was named".into())),
    }
}

/// The CPU, because it was asked for or no GPU works.
fn cpu(precision: PrecisionChoice, no_gpu: Option<String>) -> Result<Devices, UsageError> {
    let name = match precision {
        PrecisionChoice::Auto | PrecisionChoice::F32 => {
            let remark = no_gpu.map(|reason| Warning::NoGpu { reason });
            return Ok(Devices {
                remark,
                ..Devices::cpu(Precision::F32)
            });
        }
        PrecisionChoice::Bf16 => {
            let remark = no_gpu.map(|reason| Warning::NoGpu { reason });
            return Ok(Devices {
                remark,
                ..Devices::cpu(Precision::Bf16)
            });
        }
        PrecisionChoice::F16 => "f16",
        PrecisionChoice::Tf32 => "tf32",
    };
    let why = match no_gpu {
        Some(reason) => format!("no GPU works ({reason})"),
        None => "this program computes on the CPU".into(),
    };
    Err(UsageError::new(
        format!("--precision {name} needs a GPU, and {why}"),
        "choose f32, or bf16 for speed",
    ))
}

#[cfg(feature = "cuda")]
mod gpu {
    use std::sync::Arc;

    use super::{Compute, GpuPrecision, brief};
    use crate::kernels::gpu::cuda;
    use crate::model::backend::Gpu;

    /// Opens a replica on a GPU and computes something on it.
    pub fn open(number: usize, precision: GpuPrecision) -> Result<Compute, String> {
        let count = cuda::count().map_err(|e| match brief(&e.to_string()) {
            none if none.contains("NO_DEVICE") => {
                format!("there is no driver, or it shows no GPU ({none})")
            }
            other => format!("the driver does not start ({other})"),
        })?;
        if number >= count {
            return Err(match count {
                0 => "the driver shows no GPU".into(),
                1 => "the driver shows one GPU, which is number 0".into(),
                _ => format!("the driver shows {count} GPUs, numbered from 0"),
            });
        }
        let engine = cuda::open(number, precision == GpuPrecision::Tf32)
            .map_err(|e| format!("it cannot be opened ({})", brief(&e.to_string())))?;
        let device = engine.device();
        let gpu = Gpu {
            engine: Arc::new(engine),
            precision,
        };
        gpu.trial(&device)
            .map_err(|e| format!("a computation on it failed ({})", brief(&e.to_string())))?;
        Ok(Compute::gpu(device, gpu))
    }
}

#[cfg(not(feature = "cuda"))]
mod gpu {
    use super::{Compute, GpuPrecision};

    /// There is none.
    pub fn open(_: usize, _: GpuPrecision) -> Result<Compute, String> {
        Err("this program was built without the feature `cuda`".into())
    }
}

/// An error of candle's in one line: what could not be loaded, or the driver's code, and never a
/// backtrace.
#[cfg(any(feature = "cuda", test))]
fn brief(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    for (code, library) in [("CUBLAS_", "cuBLAS"), ("CURAND_", "cuRAND")] {
        if let Some(at) = line.find(code) {
            let code = line[at..].split([',', ')']).next().unwrap_or(code);
            return format!(
                "{library} cannot be loaded or does not start ({code}); is the folder of the CUDA toolkit's libraries in LD_LIBRARY_PATH?"
            );
        }
    }
    let code = line
        .strip_prefix("DriverError(")
        .and_then(|rest| rest.split([',', ')']).next());
    code.unwrap_or(line).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_library_that_is_missing_or_the_drivers_code() {
        let text = "CublasError(CUBLAS_STATUS_NOT_INITIALIZED)\n   0: candle_core::error";
        let told = brief(text);
        assert!(told.starts_with(
            "cuBLAS cannot be loaded or does not start (CUBLAS_STATUS_NOT_INITIALIZED)"
        ));
        assert!(told.ends_with("LD_LIBRARY_PATH?"));
        let told = brief("CurandError(CURAND_STATUS_INITIALIZATION_FAILED)");
        assert!(told.starts_with("cuRAND"), "{told}");
        let text = "DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")\n 0:";
        assert_eq!(brief(text), "CUDA_ERROR_NO_DEVICE");
        assert_eq!(brief("the result is wrong: []"), "the result is wrong: []");
    }
}

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use candle_core::{DType, Device, Result, Tensor};
use half::{bf16, f16};
use uta_eval::kernels::gpu::{Argument, Engine, Launch};
use uta_eval::model::Compute;
use uta_eval::model::backend::{Gpu, GpuPrecision};

/// A GPU with as much shared memory as the smallest that has all the kernels need.
const SHARED_LIMIT: usize = 99 << 10;

/// The order in which threads take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Forward,
    Reversed,
    /// Some warps miss some turns.
    Uneven,
}

/// Runs launches on the CPU, in another process.
#[derive(Debug)]
pub struct Emulator {
    process: Mutex<Child>,
    order: Order,
}

/// The emulated GPU with this precision.
pub fn compute(precision: GpuPrecision) -> Compute {
    compute_on(precision, Order::Forward)
}

pub fn compute_on(precision: GpuPrecision, order: Order) -> Compute {
    Compute::gpu(Device::Cpu, gpu_on(precision, order))
}

pub fn gpu(precision: GpuPrecision) -> Gpu {
    gpu_on(precision, Order::Forward)
}

pub fn gpu_on(precision: GpuPrecision, order: Order) -> Gpu {
    let process = Command::new(program())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Gpu {
        engine: Arc::new(Emulator {
            process: Mutex::new(process),
            order,
        }),
        precision,
    }
}

/// The kernels as a program, compiled once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu/emulation");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = target.join(format!("emulated-gpu-{}", std::process::id()));
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let output = Command::new(&compiler)
            .args([
                "-std=c++17",
                "-O2",
                "-Wall",
                "-Werror",
                "-U_FORTIFY_SOURCE",
                "-I",
            ])
            .arg(&source)
            .arg(source.join("main.cpp"))
            .arg("-o")
            .arg(&program)
            .output()
            .unwrap_or_else(|e| panic!("these tests need a C++ compiler; {compiler}: {e}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        program
    })
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        drop(process.stdin.take()); // it ends when there are no more launches
        let _ = process.wait();
    }
}

impl Engine for Emulator {
    fn run(&self, launch: &Launch<'_>) -> Result<Vec<Tensor>> {
        assert!(launch.shared <= SHARED_LIMIT, "{launch:?}");
        let mut message = Vec::new();
        let number = |message: &mut Vec<u8>, n: usize| message.extend((n as i64).to_le_bytes());
        number(&mut message, launch.kernel.len());
        message.extend(launch.kernel.as_bytes());
        for n in launch.blocks {
            number(&mut message, n as usize);
        }
        number(&mut message, launch.threads as usize);
        number(&mut message, launch.shared);
        number(&mut message, self.order as usize);
        number(&mut message, launch.arguments.len());
        // Bytes of each buffer that comes back, and the output that it is.
        let mut buffers = Vec::new();
        let mut outputs = launch.outputs.iter();
        for argument in &launch.arguments {
            match argument {
                Argument::In(tensor) => {
                    let bytes = bytes(tensor)?;
                    buffers.push((bytes.len(), None));
                    message.push(b'b');
                    number(&mut message, bytes.len());
                    message.extend(bytes);
                }
                Argument::Out => {
                    let output = outputs.next().unwrap();
                    let count = output.0.elem_count() * output.1.size_in_bytes();
                    buffers.push((count, Some(output)));
                    message.push(b'b');
                    number(&mut message, count);
                    // What a kernel does not write stays a NaN, in every type.
                    message.extend(std::iter::repeat_n(0xff, count));
                }
                Argument::Int(n) => {
                    message.push(b'i');
                    message.extend(i64::from(*n).to_le_bytes());
                }
                Argument::Float(v) => {
                    message.push(b'f');
                    message.extend(v.to_le_bytes());
                }
            }
        }
        assert!(
            outputs.next().is_none(),
            "more outputs than arguments for them"
        );
        let mut process = self.process.lock().unwrap();
        let failed = format!("the emulated GPU failed in {launch:?}");
        let stdin = process.stdin.as_mut().unwrap();
        stdin.write_all(&message).expect(&failed);
        stdin.flush().unwrap();
        let stdout = process.stdout.as_mut().unwrap();
        let mut tensors = Vec::new();
        for (count, output) in buffers {
            let mut bytes = vec![0; count];
            stdout.read_exact(&mut bytes).expect(&failed);
            if let Some((shape, dtype)) = output {
                tensors.push(Tensor::from_raw_buffer(
                    &bytes,
                    *dtype,
                    shape.dims(),
                    &Device::Cpu,
                )?);
            }
        }
        Ok(tensors)
    }

    fn wait(&self) -> Result<()> {
        Ok(())
    }

    fn shared_limit(&self) -> usize {
        SHARED_LIMIT
    }
}

fn bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let tensor = tensor.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::U8 => tensor.to_vec1::<u8>()?,
        DType::U32 => tensor
            .to_vec1::<u32>()?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        DType::F32 => tensor
            .to_vec1::<f32>()?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        DType::F16 => tensor
            .to_vec1::<f16>()?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        DType::BF16 => tensor
            .to_vec1::<bf16>()?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        other => panic!("no kernel reads {other:?}"),
    })
}

//! The engine for NVIDIA GPUs: kernels compiled by nvcc when the program is built, and by the driver
//! when they are first used on a GPU that is newer than those it was built for.
//!
//! Each device of an engine has a stream of its own, so that what one thread asks for is done in
//! order, and transfers of one thread overlap with computations of another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaView, LaunchConfig,
    PushKernelArg, result, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;
use candle_core::cuda_backend::{CudaDevice, CudaStorage, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Result, Storage, Tensor, bail};
use half::{bf16, f16};

use super::{Argument, Engine, Launch};

/// Compiled from `kernels.cu`.
const KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// Shared memory that every GPU has for a block.
const USUAL_SHARED: usize = 48 << 10;

/// One stream of a GPU.
#[derive(Debug)]
pub struct Cuda {
    device: CudaDevice,
    module: Arc<CudaModule>,
    /// Those that were used, by name.
    functions: Mutex<HashMap<String, CudaFunction>>,
    /// What is waited for.
    done: CudaEvent,
    shared_limit: usize,
}

/// Number of GPUs that the driver shows.
///
/// # Errors
/// When there is no driver, or it fails.
pub fn count() -> Result<usize> {
    let count = candle_core::cuda_backend::cudarc::driver::result::init()
        .and_then(|()| CudaContext::device_count())
        .w()?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Opens a stream on a GPU. With `tf32`, all products of f32 in this process round their factors to
/// TF32.
///
/// # Errors
/// When there is no such GPU, or it fails.
pub fn open(ordinal: usize, tf32: bool) -> Result<Cuda> {
    wait_without_a_core(ordinal);
    let cuda = CudaDevice::new_with_stream(ordinal)?;
    let context = cuda.cuda_stream().context().clone();
    // SAFETY: all tensors of this device are made, used and freed on its one stream; each replica has a
    // device of its own, and none gives its tensors to another.
    #[allow(unsafe_code)]
    unsafe {
        cuda.disable_event_tracking();
    }
    let attribute = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    let shared_limit = context.attribute(attribute).w()?;
    if context.has_async_alloc() {
        keep_freed_memory(&context)?;
    }
    candle_core::cuda::set_gemm_reduced_precision_f32(tf32);
    let blocking = sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC;
    Ok(Cuda {
        device: cuda,
        module: context.load_module(Ptx::from_binary(KERNELS.into())).w()?,
        functions: Mutex::default(),
        done: context.new_event(Some(blocking)).w()?,
        shared_limit: usize::try_from(shared_limit).unwrap_or(USUAL_SHARED),
    })
}

/// Lets threads sleep while they wait for the GPU: the decoders have a use for their cores. A driver that
/// does not want to is no reason to do without the GPU.
#[allow(unsafe_code)]
fn wait_without_a_core(ordinal: usize) {
    let flags = sys::CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC as u32;
    let device = result::init().and_then(|()| result::device::get(ordinal as i32));
    if let Ok(device) = device {
        // SAFETY: the device is one that the driver just named.
        let _ = unsafe { sys::cuDevicePrimaryCtxSetFlags_v2(device, flags) }.result();
    }
}

/// Lets the driver keep freed memory for the next allocation; by default it goes back to the
/// system whenever a stream is waited for, which is once for each batch. And keeps replicas from waiting
/// for each other, which the driver would let them do so that one can have what another has freed.
#[allow(unsafe_code)]
fn keep_freed_memory(context: &CudaContext) -> Result<()> {
    let mut pool = std::ptr::null_mut();
    let mut threshold = u64::MAX;
    let mut wait_for_others = 0i32;
    let keep = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    let wait = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
    // SAFETY: the device is that of a living context, the pool is written before it is read, and
    // the first attribute's value is documented to be a 64-bit integer, the second's an `int`.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&mut pool, context.cu_device())
            .result()
            .w()?;
        sys::cuMemPoolSetAttribute(pool, keep, (&raw mut threshold).cast())
            .result()
            .w()?;
        sys::cuMemPoolSetAttribute(pool, wait, (&raw mut wait_for_others).cast())
            .result()
            .w()
    }
}

impl Cuda {
    /// The device whose tensors it works on.
    pub fn device(&self) -> Device {
        Device::Cuda(self.device.clone())
    }

    /// A kernel by its name, which may take all shared memory that there is.
    fn function(&self, name: &str) -> Result<CudaFunction> {
        let mut functions = self
            .functions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(name) {
            return Ok(function.clone());
        }
        let function = self.module.load_function(name).w()?;
        let attribute =
            sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let rest = self.shared_limit as i32 - function.shared_size_bytes().w()?;
        function.set_attribute(attribute, rest).w()?;
        functions.insert(name.into(), function.clone());
        Ok(function)
    }
}

/// An input, from where its tensor starts.
enum View<'a> {
    U8(CudaView<'a, u8>),
    U32(CudaView<'a, u32>),
    F32(CudaView<'a, f32>),
    F16(CudaView<'a, f16>),
    Bf16(CudaView<'a, bf16>),
}

/// An output.
enum Buffer {
    F32(CudaSlice<f32>),
    F16(CudaSlice<f16>),
    Bf16(CudaSlice<bf16>),
}

impl Engine for Cuda {
    #[allow(unsafe_code)]
    fn run(&self, launch: &Launch<'_>) -> Result<Vec<Tensor>> {
        let device = &self.device;
        let kernel = &launch.kernel;
        let function = self.function(kernel)?;
        let mut outputs = Vec::with_capacity(launch.outputs.len());
        for (shape, dtype) in &launch.outputs {
            let count = shape.elem_count();
            // SAFETY: a kernel writes its outputs whole before anything reads them; the tests
            // check that of the same source.
            outputs.push(unsafe {
                match dtype {
                    DType::F32 => Buffer::F32(device.alloc(count)?),
                    DType::F16 => Buffer::F16(device.alloc(count)?),
                    DType::BF16 => Buffer::Bf16(device.alloc(count)?),
                    other => bail!("{kernel} cannot write {other:?}"),
                }
            });
        }
        let inputs: Vec<_> = launch
            .arguments
            .iter()
            .filter_map(|argument| match argument {
                Argument::In(tensor) => Some(tensor.storage_and_layout()),
                _ => None,
            })
            .collect();
        let mut views = Vec::with_capacity(inputs.len());
        for (storage, layout) in &inputs {
            let Storage::Cuda(storage) = &**storage else {
                bail!("{kernel} got a tensor that is not on the GPU")
            };
            let from = layout.start_offset()..;
            views.push(match storage.dtype() {
                DType::U8 => View::U8(storage.as_cuda_slice::<u8>()?.slice(from)),
                DType::U32 => View::U32(storage.as_cuda_slice::<u32>()?.slice(from)),
                DType::F32 => View::F32(storage.as_cuda_slice::<f32>()?.slice(from)),
                DType::F16 => View::F16(storage.as_cuda_slice::<f16>()?.slice(from)),
                DType::BF16 => View::Bf16(storage.as_cuda_slice::<bf16>()?.slice(from)),
                other => bail!("{kernel} cannot read {other:?}"),
            });
        }

        if launch.blocks.contains(&0) {
            bail!("{kernel} has nothing to do: {:?}", launch.blocks)
        }
        let stream = device.cuda_stream();
        let mut builder = stream.launch_builder(&function);
        let (mut views, mut buffers) = (views.iter(), outputs.iter_mut());
        for argument in &launch.arguments {
            match argument {
                Argument::In(_) => match views.next() {
                    Some(View::U8(view)) => builder.arg(view),
                    Some(View::U32(view)) => builder.arg(view),
                    Some(View::F32(view)) => builder.arg(view),
                    Some(View::F16(view)) => builder.arg(view),
                    Some(View::Bf16(view)) => builder.arg(view),
                    None => bail!("{kernel} lacks an input"),
                },
                Argument::Out => match buffers.next() {
                    Some(Buffer::F32(buffer)) => builder.arg(buffer),
                    Some(Buffer::F16(buffer)) => builder.arg(buffer),
                    Some(Buffer::Bf16(buffer)) => builder.arg(buffer),
                    None => bail!("{kernel} lacks an output"),
                },
                Argument::Int(value) => builder.arg(value),
                Argument::Float(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: launch.blocks.into(),
            block_dim: (launch.threads, 1, 1),
            shared_mem_bytes: launch.shared as u32,
        };
        // SAFETY: the kernel is one of `kernels.cu` and the arguments are those of its parameters,
        // which the tests check against the same source.
        unsafe { builder.launch(config) }.w()?;
        drop(inputs);
        let tensor = |(buffer, (shape, _)): (Buffer, &(candle_core::Shape, DType))| {
            let storage = match buffer {
                Buffer::F32(slice) => CudaStorage::wrap_cuda_slice(slice, device.clone()),
                Buffer::F16(slice) => CudaStorage::wrap_cuda_slice(slice, device.clone()),
                Buffer::Bf16(slice) => CudaStorage::wrap_cuda_slice(slice, device.clone()),
            };
            Tensor::from_storage(
                Storage::Cuda(storage),
                shape.clone(),
                BackpropOp::none(),
                false,
            )
        };
        Ok(outputs
            .into_iter()
            .zip(&launch.outputs)
            .map(tensor)
            .collect())
    }

    fn wait(&self) -> Result<()> {
        let stream = self.device.cuda_stream();
        self.done
            .record(&stream)
            .and_then(|()| self.done.synchronize())
            .w()
    }

    fn shared_limit(&self) -> usize {
        self.shared_limit
    }
}

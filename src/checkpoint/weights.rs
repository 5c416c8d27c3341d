//! Checkpoint tensors for candle's `VarBuilder`.

use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use super::{Checkpoint, CheckpointError};

/// Something that has tensors by name.
pub trait TensorSource: Send + Sync + 'static {
    /// Reads one.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`].
    fn tensor(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Tensor, CheckpointError>;

    /// Whether there is one of that name.
    fn contains(&self, name: &str) -> bool;
}

impl TensorSource for Checkpoint {
    fn tensor(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Tensor, CheckpointError> {
        Self::tensor(self, name, dtype, device)
    }

    fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Builds something from weights, converted to f32.
///
/// # Errors
/// The checkpoint's own error when a tensor could not be read; otherwise candle's.
pub fn load_with<S: TensorSource, T, E>(
    source: &Arc<S>,
    device: &Device,
    build: impl FnOnce(VarBuilder) -> Result<T>,
) -> std::result::Result<T, E>
where
    E: From<CheckpointError> + From<candle_core::Error>,
{
    let failure = Arc::new(Mutex::new(None));
    let backend = Weights {
        source: Arc::clone(source),
        failure: Arc::clone(&failure),
    };
    let vb = VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone());
    build(vb).map_err(|error| {
        // candle can only carry its own error type, so ours is handed over beside it.
        let ours = failure.lock().ok().and_then(|mut failure| failure.take());
        ours.map_or_else(|| E::from(error), E::from)
    })
}

struct Weights<S> {
    source: Arc<S>,
    failure: Arc<Mutex<Option<CheckpointError>>>,
}

impl<S: TensorSource> SimpleBackend for Weights<S> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            candle_core::bail!("{name} has shape {:?}, expected {shape:?}", tensor.shape())
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.source.tensor(name, dtype, device).map_err(|error| {
            let message = error.to_string();
            if let Ok(mut failure) = self.failure.lock() {
                *failure = Some(error);
            }
            candle_core::Error::Msg(message)
        })
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.source.contains(name)
    }
}

//! A checkpoint whose tensors are found under the names that the towers use.

use candle_core::{DType, Device, Tensor};

use crate::checkpoint::{
    Checkpoint, CheckpointError, Mismatch, TensorSource, TensorSpec, verify_except,
};
use crate::model::{Layout, ModelConfig};

/// A checkpoint and its layout.
#[derive(Debug)]
pub struct Weights {
    pub checkpoint: Checkpoint,
    pub layout: Layout,
}

impl Weights {
    /// [`Checkpoint::fingerprint`] of the text tower. Layouts with the same names of a tower's tensors
    /// have the same one, whatever their prefix.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn text_fingerprint(&self) -> Result<String, CheckpointError> {
        self.checkpoint
            .fingerprint(|key| Some(format!("text.{}", self.layout.text_key(key)?)))
    }
}

/// The layout in which a checkpoint fits a configuration.
///
/// # Errors
/// All differences from the layout that the keys show or, where that has no place for the
/// configuration's tensors, from the configuration's own.
pub fn fit(checkpoint: &Checkpoint, config: &ModelConfig) -> Result<Layout, Box<Mismatch>> {
    let layout = layout_of(checkpoint)
        .filter(|layout| layout.holds(config))
        .or_else(|| Layout::of_config(config))
        .unwrap_or(Layout::EvaClip);
    let specs = specs(checkpoint, layout, config);
    verify_except(checkpoint, &specs, Layout::ignores).map(|()| layout)
}

/// The layout that a checkpoint's keys show.
pub fn layout_of(checkpoint: &Checkpoint) -> Option<Layout> {
    let keys: Vec<&str> = checkpoint.entries().map(|entry| entry.name).collect();
    Layout::recognise(keys.iter().copied())
}

/// What a configuration's file in a layout has; of several shapes, the one that the checkpoint has.
fn specs(checkpoint: &Checkpoint, layout: Layout, config: &ModelConfig) -> Vec<TensorSpec> {
    let tensors = layout.tensors(config).unwrap_or_default();
    let spec = |mut tensor: crate::model::layouts::FileTensor| {
        let found = checkpoint.get(&tensor.key).map(|entry| entry.shape);
        let of_file = tensor.shapes.iter().position(|s| Some(&**s) == found);
        TensorSpec {
            shape: tensor.shapes.swap_remove(of_file.unwrap_or(0)),
            name: tensor.key,
            required: tensor.required,
        }
    };
    tensors.into_iter().map(spec).collect()
}

impl TensorSource for Weights {
    fn tensor(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, CheckpointError> {
        let checkpoint = &self.checkpoint;
        let place = self
            .layout
            .locate(name)
            .ok_or_else(|| CheckpointError::NoSuchTensor {
                path: checkpoint.path().into(),
                tensor: name.into(),
            })?;
        let stored = match place.third {
            Some(third) => checkpoint.third(&place.key, third, dtype, device),
            None => checkpoint.tensor(&place.key, dtype, device),
        }?;
        let shaped = match (place.transposed, place.leading) {
            (true, _) => stored.t().and_then(|tensor| tensor.contiguous()),
            (false, 0) => return Ok(stored),
            (false, axes) => stored.reshape(&stored.dims()[axes.min(stored.rank())..]),
        };
        shaped.map_err(|source| CheckpointError::Device {
            path: checkpoint.path().into(),
            tensor: place.key,
            source: source.into(),
        })
    }

    fn contains(&self, name: &str) -> bool {
        let place = self.layout.locate(name);
        place.is_some_and(|place| self.checkpoint.get(&place.key).is_some())
    }
}

//! Which configuration a checkpoint looks like, judged by the shapes of a few tensors.

use std::fmt;

use super::weights::{fit, layout_of};
use crate::checkpoint::Checkpoint;
use crate::model::ModelConfig;

/// The dimensions that a checkpoint's shapes give away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimensions {
    /// Side of the picture, in pixels.
    pub image: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    pub width: usize,
    pub depth: usize,
    pub mlp_hidden: usize,
    pub embedding: usize,
    pub text_width: usize,
    pub text_depth: usize,
}

impl Dimensions {
    /// Reads the dimensions off a checkpoint; `None` when it is of no known family.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        let layout = layout_of(checkpoint)?;
        let shape = |name: &str| {
            let place = layout.locate(name)?;
            place.shape_in(checkpoint.get(&place.key)?.shape)
        };
        let depth = |tower: &str| {
            let has = |i: &usize| {
                let mut norms = ["norm1", "norm2"].into_iter();
                norms.any(|norm| shape(&format!("{tower}.blocks.{i}.{norm}.weight")).is_some())
            };
            (0..).take_while(has).count()
        };
        let [width, _, patch, _] = shape("visual.patch_embedding.weight")?.try_into().ok()?;
        let [tokens, _] = shape("visual.positional_embedding")?.try_into().ok()?;
        let mlp = shape("visual.blocks.0.mlp.gate.weight");
        let mlp = mlp.or_else(|| shape("visual.blocks.0.mlp.fc1.weight"))?;
        let [mlp_hidden, _] = mlp.try_into().ok()?;
        let [embedding, _] = shape("visual.projection.weight")?.try_into().ok()?;
        let [_, text_width] = shape("text.token_embedding")?.try_into().ok()?;
        Some(Self {
            image: tokens.checked_sub(1)?.isqrt().checked_mul(patch)?,
            patch,
            width,
            depth: depth("visual"),
            mlp_hidden,
            embedding,
            text_width,
            text_depth: depth("text"),
        })
    }

    fn of_config(config: &ModelConfig) -> Self {
        let (vision, text) = (&config.vision, &config.text);
        Self {
            image: vision.image,
            patch: vision.patch,
            width: vision.transformer.width,
            depth: vision.transformer.depth,
            mlp_hidden: vision.transformer.mlp_hidden,
            embedding: config.embedding,
            text_width: text.transformer.width,
            text_depth: text.transformer.depth,
        }
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "image {}, patch {}, width {}, depth {}, MLP {}, embedding {}; text width {}, depth {}",
            self.image,
            self.patch,
            self.width,
            self.depth,
            self.mlp_hidden,
            self.embedding,
            self.text_width,
            self.text_depth
        )
    }
}

/// The built-in configurations that the checkpoint fits. Several differ only in what no tensor shows.
pub fn fitting(checkpoint: &Checkpoint) -> Vec<&'static ModelConfig> {
    let Some(found) = Dimensions::of(checkpoint) else {
        return Vec::new();
    };
    let all = ModelConfig::built_in().iter();
    all.filter(|config| Dimensions::of_config(config) == found)
        .filter(|config| fit(checkpoint, config).is_ok())
        .collect()
}

/// The built-in configuration that the checkpoint has the dimensions of; of several, the first.
pub fn looks_like(checkpoint: &Checkpoint) -> Option<ModelConfig> {
    if let Some(found) = Dimensions::of(checkpoint) {
        let layout = layout_of(checkpoint)?;
        let mut all = ModelConfig::built_in().iter();
        return all
            .find(|config| Dimensions::of_config(config) == found && layout.holds(config))
            .cloned();
    }
    // A key that the dimensions are read from is missing: take the configuration that most keys fit. Where
    // more of its keys are missing than there, the checkpoint is something else with a few names in common.
    let fitting = |config: &ModelConfig| match fit(checkpoint, config) {
        Ok(_) => usize::MAX,
        Err(mismatch) if mismatch.misshaped.is_empty() => {
            let most = mismatch.fitting > mismatch.missing.len();
            if most { mismatch.fitting } else { 0 }
        }
        Err(_) => 0,
    };
    ModelConfig::built_in()
        .iter()
        .map(|config| (fitting(config), config))
        .filter(|(fitting, _)| *fitting > 0)
        .max_by_key(|(fitting, _)| *fitting)
        .map(|(_, config)| config.clone())
}

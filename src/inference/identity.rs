//! Which configuration a checkpoint looks like, judged by the shapes of a few tensors.

use super::weights::fit;
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
    /// Reads the dimensions off a checkpoint; `None` when it is not of this architecture.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        let shape = |name: &str| checkpoint.get(name).map(|entry| entry.shape.to_vec());
        let depth = |prefix: &str| {
            checkpoint
                .entries()
                .filter_map(|e| {
                    e.name
                        .strip_prefix(prefix)?
                        .split('.')
                        .next()?
                        .parse::<usize>()
                        .ok()
                })
                .max()
                .map_or(0, |last| last.saturating_add(1))
        };
        let [width, _, patch, _] = shape("visual.patch_embed.proj.weight")?.try_into().ok()?;
        let [_, tokens, _] = shape("visual.pos_embed")?.try_into().ok()?;
        let [mlp_hidden, _] = shape("visual.blocks.0.mlp.w1.weight")?.try_into().ok()?;
        let [embedding, _] = shape("visual.head.weight")?.try_into().ok()?;
        let [_, text_width] = shape("text.token_embedding.weight")?.try_into().ok()?;
        Some(Self {
            image: tokens.checked_sub(1)?.isqrt().checked_mul(patch)?,
            patch,
            width,
            depth: depth("visual.blocks."),
            mlp_hidden,
            embedding,
            text_width,
            text_depth: depth("text.transformer.resblocks."),
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

/// The built-in configuration that the checkpoint has the dimensions of.
pub fn looks_like(checkpoint: &Checkpoint) -> Option<ModelConfig> {
    if let Some(found) = Dimensions::of(checkpoint) {
        return ModelConfig::built_in()
            .into_iter()
            .find(|v| Dimensions::of_config(v) == found);
    }
    // A key that the dimensions are read from is missing: take the configuration that most keys fit.
    let fitting = |config: &ModelConfig| match fit(checkpoint, config) {
        Ok(_) => usize::MAX,
        Err(mismatch) if mismatch.misshaped.is_empty() => mismatch.fitting,
        Err(_) => 0,
    };
    ModelConfig::built_in()
        .into_iter()
        .map(|config| (fitting(&config), config))
        .filter(|(fitting, _)| *fitting > 0)
        .max_by_key(|(fitting, _)| *fitting)
        .map(|(_, config)| config)
}

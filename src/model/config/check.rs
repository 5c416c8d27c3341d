//! Whether a described model can exist.

use super::{CONTEXT, ModelConfig, VOCABULARY};
use crate::model::Layout;

impl ModelConfig {
    /// Refuses dimensions that do not fit together. The messages name the fields as this program's own
    /// description does.
    pub(super) fn check(&self) -> Result<(), String> {
        // Upper bounds keep every later product of dimensions far from overflow, and a typing
        // slip from asking for terabytes.
        let (vision, text) = (&self.vision, &self.text);
        let (blocks, text_blocks) = (&vision.transformer, &text.transformer);
        for (field, value, most) in [
            ("image_size", vision.image, 4096),
            ("patch_size", vision.patch, 1024),
            ("width", blocks.width, 16_384),
            ("depth", blocks.depth, 512),
            ("heads", blocks.heads, 1024),
            ("mlp_hidden", blocks.mlp_hidden, 131_072),
            ("embedding", self.embedding, 16_384),
            ("text.width", text_blocks.width, 16_384),
            ("text.depth", text_blocks.depth, 512),
            ("text.heads", text_blocks.heads, 1024),
            ("text.mlp_hidden", text_blocks.mlp_hidden, 131_072),
        ] {
            if value == 0 || value > most {
                return Err(format!(
                    "`{field}` is {value}, but must lie between 1 and {most}"
                ));
            }
        }
        if self.name.trim().is_empty() {
            return Err("`name` is empty".into());
        }
        if vision.image < vision.patch {
            return Err(format!(
                "`image_size` {} is smaller than `patch_size` {}",
                vision.image, vision.patch
            ));
        }
        if !vision.image.is_multiple_of(vision.patch) {
            return Err(format!(
                "`image_size` {} is not a multiple of `patch_size` {}",
                vision.image, vision.patch
            ));
        }
        for (field, transformer) in [("width", blocks), ("text.width", text_blocks)] {
            let (width, heads) = (transformer.width, transformer.heads);
            if !width.is_multiple_of(heads) {
                return Err(format!(
                    "`{field}` {width} does not divide into {heads} heads"
                ));
            }
        }
        for (field, eps) in [("norm_eps", blocks.eps), ("text.norm_eps", text_blocks.eps)] {
            if !(eps > 0.0 && eps < 1.0) {
                return Err(format!("`{field}` is {eps}, but must lie between 0 and 1"));
            }
        }
        if vision.rope && !blocks.head_dim().is_multiple_of(4) {
            return Err(format!(
                "the head dim, `width` / `heads` = {}, must be a multiple of 4: the rotary embedding \
                 rotates pairs of channels, half of them by row and half by column",
                blocks.head_dim()
            ));
        }
        if text.context != CONTEXT || text.vocabulary != VOCABULARY {
            return Err(format!(
                "`text.context` and `text.vocabulary` are {} and {}, but CLIP's tokenizer needs {CONTEXT} and {VOCABULARY}",
                text.context, text.vocabulary
            ));
        }
        let (mean, std) = (&self.preprocessing.mean, &self.preprocessing.std);
        if !mean.iter().all(|v| v.is_finite()) || !std.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err("`mean` must be finite and `std` finite and above zero".into());
        }
        if Layout::of_config(self).is_none() {
            return Err(
                "no known layout of checkpoints has names for all its tensors: no family of models \
                 has these biases, LayerNorms and MLPs together"
                    .into(),
            );
        }
        Ok(())
    }
}

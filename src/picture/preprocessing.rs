//! What a model configuration expects of its pictures, as plain data.
//!
//! The configuration owns these values, the picture code obeys them; neither knows the other.

use serde::Deserialize;

/// Pillow's antialiased resampling filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Cubic convolution with a = -0.5, four input pixels wide at scale 1.
    #[default]
    Bicubic,
    /// The triangle filter, two input pixels wide at scale 1.
    Bilinear,
}

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeMode {
    /// The short side is resized to the square's; what is too long is cut off at both ends.
    #[default]
    Shortest,
    /// Both sides are resized to the square's, whatever the shape (open_clip's `squash`).
    Squash,
}

/// OpenAI CLIP's channel means.
const CLIP_MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
/// OpenAI CLIP's channel standard deviations, with the digits of the source.
#[allow(clippy::excessive_precision)]
const CLIP_STD: [f32; 3] = [0.26862954, 0.26130258, 0.27577711];

/// How a picture becomes the model's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Side of the square crop, in pixels.
    pub size: usize,
    /// Mean of each channel (R, G, B), for values in 0..=1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, for values in 0..=1.
    pub std: [f32; 3],
    pub interpolation: Interpolation,
    pub resize: ResizeMode,
}

impl Preprocessing {
    /// That of OpenAI's CLIP, which most models have.
    pub fn clip(size: usize) -> Self {
        Self {
            size,
            mean: CLIP_MEAN,
            std: CLIP_STD,
            interpolation: Interpolation::Bicubic,
            resize: ResizeMode::Shortest,
        }
    }
}

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

/// How a picture becomes the model's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Side of the square crop, and length of the short side after resizing, in pixels.
    pub size: usize,
    /// Mean of each channel (R, G, B), for values in 0..=1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, for values in 0..=1.
    pub std: [f32; 3],
    pub interpolation: Interpolation,
}

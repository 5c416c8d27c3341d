//! Pictures as patches, and patches as tokens.

use rayon::prelude::*;

use super::value::Value;

/// How pixels become values: in the order of the reference divided by 255, less the mean, divided by
/// the standard deviation of their channel.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// Patches [pictures * grid * grid, 3 * patch * patch] of pixels [pictures, side, side, 3], row by row;
/// the grid is `side / patch` patches wide.
///
/// # Panics
/// When the pixels do not divide into pictures, or these into patches.
pub fn patches<V: Value>(pixels: &[u8], side: usize, patch: usize, levels: Levels) -> Vec<V> {
    assert!(side.is_multiple_of(patch) && pixels.len().is_multiple_of(3 * side * side));
    let values: [[V; 256]; 3] = std::array::from_fn(|channel| {
        let (mean, std) = (levels.mean[channel], levels.std[channel]);
        std::array::from_fn(|level| V::of((level as f32 / 255.0 - mean) / std))
    });
    let mut out = vec![V::default(); pixels.len()];
    let row = 3 * side;
    // A row of patches is as large as the rows of pixels that it covers.
    let bands = out.par_chunks_mut(patch * row);
    bands
        .zip(pixels.par_chunks(patch * row))
        .for_each(|(out, pixels)| {
            for (which, out) in out.chunks_exact_mut(3 * patch * patch).enumerate() {
                let channels = out.chunks_exact_mut(patch * patch).zip(&values);
                for (channel, (out, values)) in channels.enumerate() {
                    for (out, pixels) in out.chunks_exact_mut(patch).zip(pixels.chunks_exact(row)) {
                        let pixels = pixels[which * 3 * patch..].chunks_exact(3);
                        for (out, pixel) in out.iter_mut().zip(pixels) {
                            *out = values[usize::from(pixel[channel])];
                        }
                    }
                }
            }
        });
    out
}

/// Tokens [pictures * N, W]: each picture's class token [W] and its projected patches [pictures *
/// (N - 1), W], plus positions [N, W].
///
/// # Panics
/// When the lengths do not fit.
pub fn embed(patches: &[f32], class: &[f32], positions: &[f32]) -> Vec<f32> {
    let width = class.len();
    let tokens = positions.len() / width;
    let picture = (tokens - 1) * width;
    assert!(positions.len() == tokens * width && patches.len().is_multiple_of(picture));
    let mut out = vec![0f32; patches.len() / picture * tokens * width];
    let pictures = out.par_chunks_mut(tokens * width);
    pictures
        .zip(patches.par_chunks(picture))
        .for_each(|(out, patches)| {
            let values = class.iter().chain(patches).zip(positions);
            for (out, (value, position)) in out.iter_mut().zip(values) {
                *out = value + position;
            }
        });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_have_a_plane_for_each_channel() {
        // Two pictures of 4 x 4 pixels in patches of 2 x 2.
        let pixels: Vec<u8> = (0..2 * 4 * 4 * 3).map(|i| (i * 5 % 256) as u8).collect();
        let levels = Levels {
            mean: [0.5, 0.25, 0.0],
            std: [0.5, 2.0, 1.0],
        };
        let found: Vec<f32> = patches(&pixels, 4, 2, levels);
        let mut expected = Vec::new();
        for (picture, y, x) in (0..8).map(|i| (i / 4, i / 2 % 2, i % 2)) {
            for channel in 0..3 {
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let place = ((picture * 4 + 2 * y + dy) * 4 + 2 * x + dx) * 3 + channel;
                    let value = f32::from(pixels[place]) / 255.0;
                    expected.push((value - levels.mean[channel]) / levels.std[channel]);
                }
            }
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn the_class_token_is_in_front_of_each_picture() {
        let patches = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]; // two pictures of two patches of width 2
        let positions = [0.0, 0.0, 10.0, 20.0, 30.0, 40.0];
        let found = embed(&patches, &[-1.0, -2.0], &positions);
        assert_eq!(
            found,
            [
                -1.0, -2.0, 11.0, 22.0, 33.0, 44.0, -1.0, -2.0, 15.0, 26.0, 37.0, 48.0
            ]
        );
    }
}

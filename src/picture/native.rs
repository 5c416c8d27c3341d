//! Resizing before the conversion to RGB, as open_clip's and the reference's demos do it.
//!
//! Source: Pillow 11's `Image.resize`: bits and palettes take the nearest pixel, colours are multiplied
//! by their alpha and divided again, inks are resampled one by one.

use super::convert::multiply;
use super::pixels::{Kind, Pixels, to_rgb};
use super::resize::{self, Resize, Side};
use crate::picture::preprocessing::Interpolation;

/// Resizes and crops pixels of any kind, and converts what is left.
pub(super) fn crop(
    pixels: &mut Pixels,
    (width, height): (Side, Side),
    interpolation: Interpolation,
    scratch: &mut resize::Scratch,
    out: &mut [u8],
) {
    let input = pixels.width;
    let unchanged = width.input == width.output && height.input == height.output;
    let mut resample = |values: &[u8], out: &mut [u8]| {
        let (width, height) = (width.clone(), height.clone());
        Resize::new(width, height, interpolation, scratch).pixels(values, input, out);
    };
    match pixels.kind {
        _ if unchanged => {
            pixels.convert();
            resample(&pixels.colours, out);
        }
        Kind::Colours => resample(&pixels.colours, out),
        Kind::Steps => nearest(pixels, &width, &height, out),
        Kind::Alpha => {
            let colours = pixels.colours.as_chunks_mut::<3>().0;
            for (colour, alpha) in colours.iter_mut().zip(&pixels.fourth) {
                *colour = colour.map(|value| multiply(value, *alpha));
            }
            resample(&pixels.colours, out);
            let mut alphas = vec![0; out.len()];
            resample(&three_times(&pixels.fourth), &mut alphas);
            for (value, alpha) in out.iter_mut().zip(alphas) {
                if alpha != 0 {
                    *value = (255 * u32::from(*value) / u32::from(alpha)).min(255) as u8;
                }
            }
        }
        Kind::Inks => {
            resample(&pixels.colours, out);
            let mut blacks = vec![0; out.len()];
            resample(&three_times(&pixels.fourth), &mut blacks);
            let blacks: Vec<u8> = blacks.into_iter().step_by(3).collect();
            to_rgb(out, &blacks);
        }
    }
}

fn three_times(values: &[u8]) -> Vec<u8> {
    values.iter().flat_map(|value| [*value; 3]).collect()
}

/// The pixel that the middle of each output pixel falls on. Steps add up as Pillow's do.
fn nearest(pixels: &Pixels, width: &Side, height: &Side, out: &mut [u8]) {
    let places = |side: &Side| -> Vec<usize> {
        let step = side.input as f64 / side.output as f64;
        let at = std::iter::successors(Some(step * 0.5), |at| Some(at + step));
        let kept = at.skip(side.keep.start).take(side.keep.len());
        kept.map(|at| (at as usize).min(side.input - 1)).collect()
    };
    let (columns, rows) = (places(width), places(height));
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns.len() * 3)) {
        for (column, out) in columns.iter().zip(out.chunks_exact_mut(3)) {
            let at = (row * pixels.width + column) * 3;
            out.copy_from_slice(&pixels.colours[at..at + 3]);
        }
    }
}

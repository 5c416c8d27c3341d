//! Colours of frames whose units are higher than a strip: rare, so that it need not be fast.

use super::coefficients::Plane;
use super::colours::pixel;
use super::frame::{Component, Frame};
use super::idct::{Columns, Idct};
use super::upsampling::Upsampling;
use super::{Output, Space};
use crate::picture::strip::{LANES, Rows, Window};

/// The pixels of a frame whose units are higher than a strip: rare, so that it need not be fast.
pub(super) fn emit_slowly(
    frame: &Frame,
    planes: &[Plane],
    (space, output): (Space, Output),
    window: &Window,
    sink: &mut dyn Rows,
) {
    let idct = Idct::new();
    let samples: Vec<Vec<u8>> = frame
        .components
        .iter()
        .zip(planes)
        .map(|(component, plane)| {
            let stride = component.blocks_wide * 8;
            let table = component.quantisation.unwrap_or([0; 64]);
            let mut samples = vec![0; stride * component.blocks_high * 8];
            for by in 0..component.blocks_high {
                for bx in 0..component.blocks_wide {
                    let mut block = *plane.block(bx, by);
                    let put = |_, columns: Columns| {
                        for (x, column) in columns.iter().enumerate() {
                            for (y, value) in column.iter().enumerate() {
                                samples[(by * 8 + y) * stride + bx * 8 + x] = *value;
                            }
                        }
                    };
                    idct.transform(std::slice::from_mut(&mut block), |_| &table, put);
                }
            }
            samples
        })
        .collect();
    let channels = output.channels();
    let mut lanes = vec![[0; LANES]; window.columns.len() * channels];
    for first in (0..frame.height).step_by(LANES) {
        let count = LANES.min(frame.height - first);
        for lane in 0..count {
            for (x, lanes) in window.columns.clone().zip(lanes.chunks_exact_mut(channels)) {
                let values: Vec<u8> = frame
                    .components
                    .iter()
                    .zip(&samples)
                    .map(|(component, samples)| {
                        value(
                            component,
                            Upsampling::of(component, frame),
                            frame,
                            samples,
                            x,
                            first + lane,
                        )
                    })
                    .collect();
                let pixel = match (space, values.as_slice()) {
                    (Space::Gray, &[gray, ..]) => [gray, gray, gray, 0],
                    (Space::Rgb, &[red, green, blue, ..]) => [red, green, blue, 0],
                    (Space::YCbCr, &[y, cb, cr, ..]) => {
                        let [red, green, blue] = pixel(y, cb, cr);
                        [red, green, blue, 0]
                    }
                    (_, &[c, m, y, k]) => {
                        let inks = match space {
                            Space::Ycck => pixel(c, m, y).map(|value| 255 - value),
                            _ => [c, m, y],
                        };
                        match output {
                            Output::Inks => [255 - inks[0], 255 - inks[1], 255 - inks[2], 255 - k],
                            Output::Rgb => {
                                let [red, green, blue] = inks.map(|ink| {
                                    crate::picture::convert::ink_to_rgb(255 - ink, 255 - k)
                                });
                                [red, green, blue, 0]
                            }
                        }
                    }
                    _ => [0; 4], // never: each space has its number of components
                };
                for (lanes, value) in lanes.iter_mut().zip(pixel) {
                    lanes[lane] = value;
                }
            }
        }
        sink.take(first, count, &lanes);
    }
}

/// One pixel's value of a component.
fn value(
    component: &Component,
    upsampling: Upsampling,
    frame: &Frame,
    samples: &[u8],
    x: usize,
    y: usize,
) -> u8 {
    let at = |x: usize, y: usize| i32::from(samples[y * component.blocks_wide * 8 + x]);
    let nearer = |at: usize, end: usize| {
        let sample = at / 2;
        let side = if at.is_multiple_of(2) {
            sample.saturating_sub(1)
        } else {
            (sample + 1).min(end - 1)
        };
        (sample, side)
    };
    let (odd_x, odd_y) = (x as i32 & 1, y as i32 & 1);
    let (h, v) = (frame.max_h / component.h, frame.max_v / component.v);
    let value = match upsampling {
        Upsampling::None => at(x, y),
        Upsampling::Repeat(..) => at(x / h, y / v),
        Upsampling::Across => {
            let (near, far) = nearer(x, component.width);
            (3 * at(near, y) + at(far, y) + 1 + odd_x) >> 2
        }
        Upsampling::Down => {
            let (near, far) = nearer(y, component.height);
            (3 * at(x, near) + at(x, far) + 1 + odd_y) >> 2
        }
        Upsampling::Both => {
            let (near, far) = nearer(y, component.height);
            let sum = |x| 3 * at(x, near) + at(x, far);
            let (near, far) = nearer(x, component.width);
            (3 * sum(near) + sum(far) + 8 - odd_x) >> 4
        }
    };
    value as u8
}

//! A stored tensor's place in the file, and its values.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

/// Where a tensor lies in the file. Constructed only with bounds that were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// First byte of the tensor's first element.
    pub(super) offset: usize,
    /// Distance between neighbours along each axis, in elements; `None` when row-major and dense.
    pub(super) strides: Option<Vec<usize>>,
}

/// Why a tensor has no values that can be used. Positions count elements in row-major order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unusable {
    /// The dtype is no floating-point type.
    NotFloating,
    /// NaN or infinite: the first, and how many.
    NotFinite { first: usize, count: usize },
    /// Finite, but too large for the wanted type.
    OutOfRange { index: usize, value: f64 },
}

/// Elements converted at a time by one thread: enough to outweigh the hand-over, few enough to
/// stay in its cache.
const CHUNK: usize = 1 << 16;
/// Half-precision elements decoded at a time, on the stack.
const BLOCK: usize = 512;

impl Stored {
    /// Number of elements; 1 for a scalar.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Coordinates of the element at `position` in row-major order.
    pub(super) fn coordinates(&self, position: usize) -> Vec<usize> {
        let mut rest = position;
        let mut index = vec![0; self.shape.len()];
        for (coordinate, size) in index.iter_mut().zip(&self.shape).rev() {
            *coordinate = rest % (*size).max(1);
            rest /= (*size).max(1);
        }
        index
    }

    /// The tensor's bytes out of those of the whole file, row-major and dense. They are borrowed
    /// where they lie so in the file.
    pub(super) fn bytes<'a>(&self, file: &'a [u8]) -> Cow<'a, [u8]> {
        let size = self.dtype.bitsize() / 8;
        let count = self.elements();
        let Some(strides) = &self.strides else {
            return file[self.offset..self.offset + count * size].into();
        };
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        let mut element = 0;
        for _ in 0..count {
            let start = self.offset + element * size;
            bytes.extend_from_slice(&file[start..start + size]);
            // Steps like an odometer: the last axis fastest, carrying to the left.
            for (axis, i) in index.iter_mut().enumerate().rev() {
                *i += 1;
                element += strides[axis];
                if *i < self.shape[axis] {
                    break;
                }
                element -= strides[axis] * self.shape[axis];
                *i = 0;
            }
        }
        bytes.into()
    }

    /// The values of a floating-point tensor as f32, all finite, row-major. An f64 is rounded.
    pub(super) fn values(&self, file: &[u8]) -> Result<Vec<f32>, Unusable> {
        let decode: fn(&[u8], &mut [f32]) = match self.dtype {
            Dtype::F16 => decode_f16,
            Dtype::BF16 => decode_bf16,
            Dtype::F32 => decode_f32,
            Dtype::F64 => decode_f64,
            _ => return Err(Unusable::NotFloating),
        };
        let bytes = self.bytes(file);
        let size = self.dtype.bitsize() / 8;
        let mut values = vec![0f32; self.elements()];
        let bad: usize = values
            .par_chunks_mut(CHUNK)
            .zip(bytes.par_chunks(CHUNK * size))
            .map(|(values, bytes)| {
                decode(bytes, values);
                // Counted without an early exit, and while the values are in the cache.
                values.iter().filter(|value| !value.is_finite()).count()
            })
            .sum();
        if bad == 0 {
            return Ok(values);
        }
        let first = values.iter().position(|v| !v.is_finite()).unwrap_or(0);
        if self.dtype == Dtype::F64 {
            let value = bytes.chunks_exact(8).nth(first).map_or(f64::NAN, f64_of);
            if value.is_finite() {
                return Err(Unusable::OutOfRange {
                    index: first,
                    value,
                });
            }
        }
        Err(Unusable::NotFinite { first, count: bad })
    }
}

/// Whether weights can have this dtype.
pub(super) fn is_floating(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Distance from the first to behind the last element, in elements; `None` on overflow.
pub(super) fn span(shape: &[usize], strides: Option<&[usize]>) -> Option<usize> {
    let count = shape
        .iter()
        .try_fold(1usize, |product, n| product.checked_mul(*n))?;
    match strides {
        None => Some(count),
        Some(_) if count == 0 => Some(0),
        Some(strides) => shape
            .iter()
            .zip(strides)
            .try_fold(0usize, |sum, (n, stride)| {
                sum.checked_add((n - 1).checked_mul(*stride)?)
            })?
            .checked_add(1),
    }
}

/// The first value that `dtype` can only hold as an infinity.
pub(super) fn out_of_range(values: &[f32], dtype: Dtype) -> Option<Unusable> {
    let overflows: fn(&f32) -> bool = match dtype {
        Dtype::F16 => |value| f16::from_f32(*value).is_infinite(),
        Dtype::BF16 => |value| bf16::from_f32(*value).is_infinite(),
        _ => return None,
    };
    let index = values.par_iter().position_first(overflows)?;
    Some(Unusable::OutOfRange {
        index,
        value: f64::from(values[index]),
    })
}

/// The values as little-endian bytes of `dtype`, each rounded to nearest even.
pub(super) fn encode(values: &[f32], dtype: Dtype) -> Vec<u8> {
    let size = dtype.bitsize() / 8;
    let mut bytes = vec![0; values.len() * size];
    bytes
        .par_chunks_mut(CHUNK * size)
        .zip(values.par_chunks(CHUNK))
        .for_each(|(bytes, values)| {
            for (bytes, value) in bytes.chunks_exact_mut(size).zip(values) {
                match dtype {
                    Dtype::F16 => bytes.copy_from_slice(&f16::from_f32(*value).to_le_bytes()),
                    Dtype::BF16 => bytes.copy_from_slice(&bf16::from_f32(*value).to_le_bytes()),
                    Dtype::F64 => bytes.copy_from_slice(&f64::from(*value).to_le_bytes()),
                    _ => bytes.copy_from_slice(&value.to_le_bytes()),
                }
            }
        });
    bytes
}

fn decode_f16(bytes: &[u8], values: &mut [f32]) {
    // In blocks, since the processor's instruction converts several at once.
    let mut halves = [f16::ZERO; BLOCK];
    for (bytes, values) in bytes.chunks(2 * BLOCK).zip(values.chunks_mut(BLOCK)) {
        let halves = &mut halves[..values.len()];
        for (half, pair) in halves.iter_mut().zip(bytes.chunks_exact(2)) {
            *half = f16::from_le_bytes([pair[0], pair[1]]);
        }
        halves.convert_to_f32_slice(values);
    }
}

fn decode_bf16(bytes: &[u8], values: &mut [f32]) {
    for (value, pair) in values.iter_mut().zip(bytes.chunks_exact(2)) {
        *value = f32::from_bits(u32::from(u16::from_le_bytes([pair[0], pair[1]])) << 16);
    }
}

fn decode_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, b) in values.iter_mut().zip(bytes.chunks_exact(4)) {
        *value = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    }
}

fn decode_f64(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(8)) {
        *value = f64_of(bytes) as f32;
    }
}

fn f64_of(b: &[u8]) -> f64 {
    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
}

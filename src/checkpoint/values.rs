//! A stored tensor's place in the file, and its values.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use super::CheckpointError;
use super::source::Source;

/// Bytes of one of a checkpoint's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The file's number.
    pub(super) file: usize,
    /// The first byte.
    pub(super) start: usize,
    /// How many.
    pub(super) length: usize,
}

/// Where a tensor lies. Constructed only with bounds that were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The number of the file that holds it.
    pub(super) file: usize,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// First byte of the tensor's first element.
    pub(super) offset: usize,
    /// Distance between neighbours along each axis, in elements; `None` when row-major and dense.
    pub(super) strides: Option<Vec<usize>>,
}

/// Why a tensor has no values that can be used. Positions count elements in row-major order.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The file cannot be read.
    Unread(CheckpointError),
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
/// A tensor with strides is read with all between its elements, unless that is this many times as much.
const SPARSE: usize = 64;

impl From<CheckpointError> for Unusable {
    fn from(error: CheckpointError) -> Self {
        Self::Unread(error)
    }
}

impl Stored {
    /// Number of elements; 1 for a scalar.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// One of three equal parts of the first axis; `None` if that has no thirds.
    pub(super) fn third(&self, index: usize) -> Option<Self> {
        let (first, rest) = self.shape.split_first()?;
        if index > 2 || !first.is_multiple_of(3) {
            return None;
        }
        let rows = first / 3;
        let step = match &self.strides {
            Some(strides) => *strides.first()?,
            None => rest.iter().product(),
        };
        let mut shape = self.shape.clone();
        shape[0] = rows;
        Some(Self {
            shape,
            offset: self.offset + index * rows * step * (self.dtype.bitsize() / 8),
            ..self.clone()
        })
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

    /// The tensor's bytes, row-major and dense.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn bytes(&self, files: &[Source]) -> Result<Vec<u8>, CheckpointError> {
        let file = &files[self.file];
        let size = self.dtype.bitsize() / 8;
        let count = self.elements();
        let Some(strides) = &self.strides else {
            return file.bytes(self.offset..self.offset + count * size);
        };
        let mut bytes = vec![0; count * size];
        let elements = bytes.chunks_exact_mut(size).zip(self.places(strides));
        let span = span(&self.shape, Some(strides)).unwrap_or(usize::MAX);
        if span / SPARSE > count {
            for (bytes, place) in elements {
                file.fill(self.offset + place * size, bytes)?;
            }
        } else {
            let around = file.bytes(self.offset..self.offset + span * size)?;
            for (bytes, place) in elements {
                bytes.copy_from_slice(&around[place * size..][..size]);
            }
        }
        Ok(bytes)
    }

    /// Where the elements lie, in row-major order: how many elements behind the first.
    fn places(&self, strides: &[usize]) -> impl Iterator<Item = usize> {
        let mut index = vec![0; self.shape.len()];
        let mut element = 0;
        (0..self.elements()).map(move |_| {
            let place = element;
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
            place
        })
    }

    /// The values of a floating-point tensor as f32, all finite, row-major. An f64 is rounded.
    pub(super) fn values(&self, files: &[Source]) -> Result<Vec<f32>, Unusable> {
        let file = &files[self.file];
        let decode: fn(&[u8], &mut [f32]) = match self.dtype {
            Dtype::F16 => decode_f16,
            Dtype::BF16 => decode_bf16,
            Dtype::F32 => decode_f32,
            Dtype::F64 => decode_f64,
            _ => return Err(Unusable::NotFloating),
        };
        let size = self.dtype.bitsize() / 8;
        // A dense tensor is read by as many threads as convert it, in pieces that stay in a cache.
        let gathered = match self.strides {
            Some(_) => Some(self.bytes(files)?),
            None => None,
        };
        let read = |start: usize, buffer: &mut [u8]| match &gathered {
            Some(bytes) => {
                buffer.copy_from_slice(&bytes[start * size..][..buffer.len()]);
                Ok(())
            }
            None => file.fill(self.offset + start * size, buffer),
        };
        let mut values = vec![0f32; self.elements()];
        let bad = values
            .par_chunks_mut(CHUNK)
            .enumerate()
            .map_init(Vec::new, |buffer, (i, values)| {
                buffer.resize(values.len() * size, 0);
                read(i * CHUNK, buffer)?;
                decode(buffer, values);
                // Counted without an early exit, and while the values are in the cache.
                Ok(values.iter().filter(|value| !value.is_finite()).count())
            })
            .sum::<Result<usize, CheckpointError>>()?;
        if bad == 0 {
            return Ok(values);
        }
        let first = values.iter().position(|v| !v.is_finite()).unwrap_or(0);
        if self.dtype == Dtype::F64 {
            let mut bytes = [0; 8];
            read(first, &mut bytes)?;
            let value = f64::from_le_bytes(bytes);
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
        for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks().0) {
            *half = f16::from_le_bytes(*bytes);
        }
        halves.convert_to_f32_slice(values);
    }
}

fn decode_bf16(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
    }
}

fn decode_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

fn decode_f64(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f64::from_le_bytes(*bytes) as f32;
    }
}

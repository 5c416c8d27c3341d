//! The types in which activations are kept.

use half::bf16;

use super::math::Vectors;
use super::round::{rounded, to_bf16};

/// A value of an activation.
pub trait Value: Copy + Default + Send + Sync + 'static {
    /// Whether it keeps a sum as it is.
    const WHOLE: bool;

    /// A finite value, rounded to the nearest.
    fn of(x: f32) -> Self;

    /// Finite values, likewise.
    fn of_all<M: Vectors, const N: usize>(values: &[f32; N]) -> [Self; N];

    fn f32(self) -> f32;

    /// Values in f32.
    #[inline(always)]
    fn f32s<const N: usize>(values: &[Self; N]) -> [f32; N] {
        let mut out = [0f32; N];
        for i in 0..N {
            out[i] = values[i].f32();
        }
        out
    }

    /// Values in bfloat16.
    fn bf16s<M: Vectors, const N: usize>(values: &[Self; N]) -> [bf16; N];

    /// Two values in bfloat16, the first in the low half.
    fn pair(low: Self, high: Self) -> u32;

    /// Such pairs.
    #[inline(always)]
    fn pairs<M: Vectors, const N: usize>(low: &[Self; N], high: &[Self; N]) -> [u32; N] {
        let (low, high) = (Self::bf16s::<M, N>(low), Self::bf16s::<M, N>(high));
        let mut pairs = [0; N];
        for i in 0..N {
            pairs[i] = bf16::pair(low[i], high[i]);
        }
        pairs
    }
}

impl Value for f32 {
    const WHOLE: bool = true;

    #[inline(always)]
    fn of(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn of_all<M: Vectors, const N: usize>(values: &[f32; N]) -> [f32; N] {
        *values
    }

    #[inline(always)]
    fn f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn bf16s<M: Vectors, const N: usize>(values: &[f32; N]) -> [bf16; N] {
        M::bf16s(values)
    }

    #[inline(always)]
    fn pair(low: f32, high: f32) -> u32 {
        rounded(low) >> 16 | rounded(high)
    }
}

impl Value for bf16 {
    const WHOLE: bool = false;

    #[inline(always)]
    fn of(x: f32) -> Self {
        to_bf16(x)
    }

    #[inline(always)]
    fn of_all<M: Vectors, const N: usize>(values: &[f32; N]) -> [bf16; N] {
        M::bf16s(values)
    }

    #[inline(always)]
    fn f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn bf16s<M: Vectors, const N: usize>(values: &[bf16; N]) -> [bf16; N] {
        *values
    }

    #[inline(always)]
    fn pair(low: bf16, high: bf16) -> u32 {
        u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        for i in 0..100_000u32 {
            let x = f32::from_bits(0x3f80_0000 + i * 7);
            let expected = bf16::from_f32(x);
            assert_eq!(bf16::of(x), expected);
            assert_eq!(bf16::of(x).f32(), expected.to_f32());
            let both = u32::from(expected.to_bits()) | u32::from(bf16::of(-2.5).to_bits()) << 16;
            assert_eq!(f32::pair(x, -2.5), both);
            assert_eq!(bf16::pair(expected, bf16::of(-2.5)), both);
        }
    }
}

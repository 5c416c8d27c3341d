//! The types in which activations are kept.

use half::bf16;

/// A value of an activation.
pub trait Value: Copy + Default + Send + Sync + 'static {
    /// Whether it keeps a sum as it is.
    const WHOLE: bool;

    /// A finite value, rounded to the nearest.
    fn of(x: f32) -> Self;

    fn f32(self) -> f32;

    /// Two values in bfloat16, the first in the low half.
    fn pair(low: Self, high: Self) -> u32;
}

impl Value for f32 {
    const WHOLE: bool = true;

    #[inline(always)]
    fn of(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn f32(self) -> f32 {
        self
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
        Self::from_bits((rounded(x) >> 16) as u16)
    }

    #[inline(always)]
    fn f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn pair(low: bf16, high: bf16) -> u32 {
        u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16
    }
}

/// The bits of a finite value rounded to bfloat16, nearest even, in the upper half.
#[inline(always)]
pub(super) fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000
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

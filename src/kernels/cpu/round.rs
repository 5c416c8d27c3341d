//! Rounding to bfloat16, nearest even.
#![allow(unsafe_code)] // The compiler does not find the instructions for it.

use half::bf16;

/// The bits of a finite value rounded to bfloat16, in the upper half.
#[inline(always)]
pub(super) fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000
}

/// A finite value.
#[inline(always)]
pub(super) fn to_bf16(x: f32) -> bf16 {
    bf16::from_bits((rounded(x) >> 16) as u16)
}

/// Finite values, in plain code.
#[inline(always)]
pub(super) fn plainly<const N: usize>(values: &[f32; N]) -> [bf16; N] {
    let mut out = [bf16::ZERO; N];
    for i in 0..N {
        out[i] = to_bf16(values[i]);
    }
    out
}

/// Finite values, by AVX-512's instructions for bfloat16, which the processor has: only code that is
/// compiled for them may ask for it. They take values that are too small for a full mantissa for zeros.
#[inline(always)]
pub(super) fn by_avx512_bf16<const N: usize>(values: &[f32; N]) -> [bf16; N] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `Isa::run` runs such code only where the instructions were detected.
    unsafe {
        avx512_bf16(values)
    }
    #[cfg(not(target_arch = "x86_64"))]
    plainly(values)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512bf16,avx512f,avx512bw")]
fn avx512_bf16<const N: usize>(values: &[f32; N]) -> [bf16; N] {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_storeu_si256, _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh,
        _mm512_loadu_ps, _mm512_storeu_si512,
    };

    let mut out = [bf16::ZERO; N];
    let (twos, left) = values.as_chunks::<32>();
    let (out_twos, out_left) = out.as_chunks_mut::<32>();
    for (out, values) in out_twos.iter_mut().zip(twos) {
        // SAFETY: there are 32 values and as much room.
        unsafe {
            let low = _mm512_loadu_ps(values.as_ptr());
            let high = _mm512_loadu_ps(values[16..].as_ptr());
            let all: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(out.as_mut_ptr().cast(), all);
        }
    }
    let (ones, left) = left.as_chunks::<16>();
    let (out_ones, out_left) = out_left.as_chunks_mut::<16>();
    for (out, values) in out_ones.iter_mut().zip(ones) {
        // SAFETY: there are 16 values and as much room.
        unsafe {
            let all: __m256i =
                std::mem::transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(values.as_ptr())));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
        }
    }
    for (out, value) in out_left.iter_mut().zip(left) {
        *out = to_bf16(*value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::cpu::isa::{Isa, Work};
    use crate::kernels::cpu::math::Vectors;

    struct Round<const N: usize>([f32; N]);

    impl<const N: usize> Work for Round<N> {
        type Output = [bf16; N];
        const BY_BF16: bool = true;

        #[inline(always)]
        fn run<M: Vectors>(self) -> [bf16; N] {
            M::bf16s(&self.0)
        }
    }

    fn check<const N: usize>() {
        for isa in Isa::available() {
            for first in (0..100_000u32).step_by(N) {
                let sign = (first % 2) << 31;
                let values: [f32; N] = std::array::from_fn(|i| {
                    f32::from_bits((0x3f80_0000 + (first + i as u32) * 7) | sign)
                });
                let expected = values.map(bf16::from_f32);
                assert_eq!(isa.run(Round(values)), expected, "{}", isa.name());
            }
        }
    }

    /// Of values halfway between two of bfloat16, and next to that, too.
    #[test]
    fn any_number_of_values_is_rounded_to_nearest_even_by_all_instructions() {
        check::<57>();
        check::<32>();
        check::<8>();
        let halves = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f81_7fff].map(f32::from_bits);
        let expected = [0x3f80, 0x3f82, 0x3f81, 0x3f81].map(bf16::from_bits);
        for isa in Isa::available() {
            assert_eq!(isa.run(Round(halves)), expected);
            let many: [f32; 32] = std::array::from_fn(|i| halves[i % 4]);
            assert_eq!(
                isa.run(Round(many)),
                std::array::from_fn(|i| expected[i % 4])
            );
        }
    }
}

//! Rows and columns of small blocks, exchanged.
#![allow(unsafe_code)] // The compiler does not find the instructions for it.

/// Rows and columns of a block.
pub const SIDE: usize = 8;

/// In plain code.
#[inline(always)]
pub(super) fn plainly(block: &mut [[f32; SIDE]; SIDE]) {
    let rows = *block;
    for (column, out) in block.iter_mut().enumerate() {
        for (out, row) in out.iter_mut().zip(&rows) {
            *out = row[column];
        }
    }
}

/// By AVX2's instructions, which the processor has: only code that is compiled for them may ask for it.
#[inline(always)]
pub(super) fn by_avx2(block: &mut [[f32; SIDE]; SIDE]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `Isa::run` runs such code only where the instructions were detected.
    unsafe {
        avx2(block);
    }
    #[cfg(not(target_arch = "x86_64"))]
    plainly(block);
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn avx2(block: &mut [[f32; SIDE]; SIDE]) {
    use std::arch::x86_64::*;

    // SAFETY: a row has 8 elements.
    let row = |r: usize| unsafe { _mm256_loadu_ps(block[r].as_ptr()) };
    let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
    let (r4, r5, r6, r7) = (row(4), row(5), row(6), row(7));
    // Pairs of two rows.
    let (a0, a1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
    let (a2, a3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
    let (a4, a5) = (_mm256_unpacklo_ps(r4, r5), _mm256_unpackhi_ps(r4, r5));
    let (a6, a7) = (_mm256_unpacklo_ps(r6, r7), _mm256_unpackhi_ps(r6, r7));
    // Halves of two columns each: of rows 0 to 3, and of rows 4 to 7.
    const LOW: i32 = 0x44;
    const HIGH: i32 = 0xee;
    let (b0, b1) = (
        _mm256_shuffle_ps::<LOW>(a0, a2),
        _mm256_shuffle_ps::<HIGH>(a0, a2),
    );
    let (b2, b3) = (
        _mm256_shuffle_ps::<LOW>(a1, a3),
        _mm256_shuffle_ps::<HIGH>(a1, a3),
    );
    let (b4, b5) = (
        _mm256_shuffle_ps::<LOW>(a4, a6),
        _mm256_shuffle_ps::<HIGH>(a4, a6),
    );
    let (b6, b7) = (
        _mm256_shuffle_ps::<LOW>(a5, a7),
        _mm256_shuffle_ps::<HIGH>(a5, a7),
    );
    let first = [(b0, b4), (b1, b5), (b2, b6), (b3, b7)];
    let (upper, lower) = block.split_at_mut(SIDE / 2);
    for ((a, b), (upper, lower)) in first.into_iter().zip(upper.iter_mut().zip(lower)) {
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(upper.as_mut_ptr(), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(lower.as_mut_ptr(), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::cpu::isa::{Isa, Work};
    use crate::kernels::cpu::math::Vectors;

    struct Transpose([[f32; SIDE]; SIDE]);

    impl Work for Transpose {
        type Output = [[f32; SIDE]; SIDE];

        #[inline(always)]
        fn run<M: Vectors>(mut self) -> Self::Output {
            M::transpose(&mut self.0);
            self.0
        }
    }

    #[test]
    fn rows_become_columns_by_all_instructions() {
        let block = std::array::from_fn(|row| std::array::from_fn(|c| (10 * row + c) as f32));
        let turned = std::array::from_fn(|row| std::array::from_fn(|c| (10 * c + row) as f32));
        for isa in Isa::available() {
            assert_eq!(isa.run(Transpose(block)), turned, "{}", isa.name());
        }
    }
}

//! The innermost products: a few rows of x times a panel of columns of the weights.
//!
//! A tile sums over k in order, one product after the other, in one accumulator for each output, and
//! goes on from what it finds there, so that a long sum can be taken in parts that suit the cache.
//! An output's bits depend on its row and column alone, not on what else is computed with it.
#![allow(unsafe_code)] // Vector registers held across the whole sum need intrinsics.

use super::amx;
use super::isa::{Isa, Set};

/// Adds a[depth, rows] transposed, times b[depth, columns], to out[rows, columns].
pub(super) type Tile<T> = fn(rows: usize, a: &[T], b: &[T], out: &mut [f32]);

/// How tiles are formed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    /// Most rows in a tile.
    pub rows: usize,
    /// Tiles have multiples of so many rows, of which the last ones may be padding.
    pub step: usize,
    /// Columns in a panel.
    pub columns: usize,
    /// Most elements of depth for which a panel stays in the first cache from one tile to the next.
    pub depth: usize,
    /// Most rows that meet a panel while it is in the caches.
    pub most_rows: usize,
    /// Most bytes of such rows.
    pub most_bytes: usize,
}

/// Bytes.
pub(super) const CACHE_LINE: usize = 64;

/// The widest panel of any instruction set.
pub(super) const MOST_COLUMNS: usize = 32;

impl Tiles {
    /// Those of vectors.
    pub fn of_vectors(isa: Isa) -> Self {
        let (rows, columns, depth) = match isa.set() {
            #[cfg(target_arch = "x86_64")]
            Set::Amx | Set::Avx512Bf16 | Set::Avx512 => (14, 32, usize::MAX),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => (6, 16, 256),
            _ => (4, 8, 512),
        };
        Self {
            rows,
            step: 1,
            columns,
            depth,
            most_rows: 112,
            most_bytes: 384 << 10,
        }
    }

    /// Those of a tile unit. It is so fast that a panel, which comes from afar, has to meet more rows. 384
    /// values of a panel's columns take 24 KB.
    pub fn of_unit() -> Self {
        Self {
            rows: amx::ROWS,
            step: amx::SIDE,
            columns: amx::COLUMNS,
            depth: 384 / amx::VALUES,
            most_rows: 256,
            most_bytes: 1 << 20,
        }
    }

    /// Rows with their padding.
    pub fn padded(&self, rows: usize) -> usize {
        rows.next_multiple_of(self.step)
    }
}

/// Products of f32.
pub(super) fn of_f32(isa: Isa) -> Tile<f32> {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Amx | Set::Avx512Bf16 | Set::Avx512 => x86::avx512_f32,
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => x86::avx2_f32,
        _ => portable_f32::<8>,
    }
}

/// Products of bfloat16, where vectors have them; an element is two consecutive k of one row or column.
pub(super) fn of_bf16(isa: Isa) -> Option<Tile<u32>> {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512Bf16 => Some(x86::avx512_bf16),
        _ => None,
    }
}

/// An expression with the number of rows as a constant.
macro_rules! with_rows {
    ($rows:expr, $r:ident => $body:expr, $($count:literal)*) => {
        match $rows {
            $($count => {
                const $r: usize = $count;
                $body
            })*
            rows => unreachable!("{rows} rows together"),
        }
    };
}
pub(super) use with_rows;

fn portable_f32<const C: usize>(rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    fn tile<const R: usize, const C: usize>(a: &[f32], b: &[f32], out: &mut [f32]) {
        let mut sums = [[0f32; C]; R];
        sums.as_flattened_mut().copy_from_slice(&out[..R * C]);
        for (a, b) in a.chunks_exact(R).zip(b.chunks_exact(C)) {
            for (sums, a) in sums.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }
        out[..R * C].copy_from_slice(sums.as_flattened());
    }
    with_rows!(rows, R => tile::<R, C>(a, b, out), 1 2 3 4);
}

/// Asks for memory that is read soon. The processor itself only notices that when it is late.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub(super) fn prefetch<T>(part: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in part.chunks(CACHE_LINE / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Callable only through `of_f32`, for an `Isa` that was detected.
    pub fn avx512_f32(rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
        // SAFETY: the instructions were detected before `Isa` was made.
        unsafe {
            with_rows!(rows, R => avx512_f32_tile::<R>(a, b, out), 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        }
    }

    /// Callable only through `of_bf16`, for an `Isa` that was detected.
    pub fn avx512_bf16(rows: usize, a: &[u32], b: &[u32], out: &mut [f32]) {
        // SAFETY: the instructions were detected before `Isa` was made.
        unsafe {
            with_rows!(rows, R => avx512_bf16_tile::<R>(a, b, out), 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        }
    }

    /// Callable only through `of_f32`, for an `Isa` that was detected.
    pub fn avx2_f32(rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
        // SAFETY: the instructions were detected before `Isa` was made.
        unsafe { with_rows!(rows, R => avx2_f32_tile::<R>(a, b, out), 1 2 3 4 5 6) }
    }

    /// 14 x 32 outputs in 28 of the 32 registers.
    #[target_feature(enable = "avx512f")]
    fn avx512_f32_tile<const R: usize>(a: &[f32], b: &[f32], out: &mut [f32]) {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        for (sums, out) in sums.iter_mut().zip(out[..R * 32].chunks_exact(32)) {
            // SAFETY: `out` has 32 elements.
            *sums = unsafe {
                [
                    _mm512_loadu_ps(out.as_ptr()),
                    _mm512_loadu_ps(out[16..].as_ptr()),
                ]
            };
        }
        for (a, b) in a.chunks_exact(R).zip(b.chunks_exact(32)) {
            // SAFETY: `b` has 32 elements.
            let (b0, b1) = unsafe {
                (
                    _mm512_loadu_ps(b.as_ptr()),
                    _mm512_loadu_ps(b[16..].as_ptr()),
                )
            };
            for r in 0..R {
                let x = _mm512_set1_ps(a[r]);
                sums[r][0] = _mm512_fmadd_ps(x, b0, sums[r][0]);
                sums[r][1] = _mm512_fmadd_ps(x, b1, sums[r][1]);
            }
        }
        for (sums, out) in sums.iter().zip(out[..R * 32].chunks_exact_mut(32)) {
            // SAFETY: `out` has 32 elements.
            unsafe {
                _mm512_storeu_ps(out.as_mut_ptr(), sums[0]);
                _mm512_storeu_ps(out[16..].as_mut_ptr(), sums[1]);
            }
        }
    }

    /// As above, two k at a time.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn avx512_bf16_tile<const R: usize>(a: &[u32], b: &[u32], out: &mut [f32]) {
        // SAFETY: both types are 64 bytes without invalid values.
        let pairs = |v: __m512i| -> __m512bh { unsafe { std::mem::transmute(v) } };
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        for (sums, out) in sums.iter_mut().zip(out[..R * 32].chunks_exact(32)) {
            // SAFETY: `out` has 32 elements.
            *sums = unsafe {
                [
                    _mm512_loadu_ps(out.as_ptr()),
                    _mm512_loadu_ps(out[16..].as_ptr()),
                ]
            };
        }
        for (a, b) in a.chunks_exact(R).zip(b.chunks_exact(32)) {
            // SAFETY: `b` has 32 elements.
            let (b0, b1) = unsafe {
                (
                    _mm512_loadu_si512(b.as_ptr().cast()),
                    _mm512_loadu_si512(b[16..].as_ptr().cast()),
                )
            };
            for r in 0..R {
                let x = pairs(_mm512_set1_epi32(a[r] as i32));
                sums[r][0] = _mm512_dpbf16_ps(sums[r][0], x, pairs(b0));
                sums[r][1] = _mm512_dpbf16_ps(sums[r][1], x, pairs(b1));
            }
        }
        for (sums, out) in sums.iter().zip(out[..R * 32].chunks_exact_mut(32)) {
            // SAFETY: `out` has 32 elements.
            unsafe {
                _mm512_storeu_ps(out.as_mut_ptr(), sums[0]);
                _mm512_storeu_ps(out[16..].as_mut_ptr(), sums[1]);
            }
        }
    }

    /// Steps of k in a turn of the loop. On a core shared with another thread instructions are what
    /// is short, and the loop's own are a sixth.
    const STEPS: usize = 4;

    /// 6 x 16 outputs in 12 of the 16 registers.
    #[target_feature(enable = "avx2,fma")]
    fn avx2_f32_tile<const R: usize>(a: &[f32], b: &[f32], out: &mut [f32]) {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for (sums, out) in sums.iter_mut().zip(out[..R * 16].chunks_exact(16)) {
            // SAFETY: `out` has 16 elements.
            *sums = unsafe {
                [
                    _mm256_loadu_ps(out.as_ptr()),
                    _mm256_loadu_ps(out[8..].as_ptr()),
                ]
            };
        }
        let (a, b) = (a.chunks_exact(R * STEPS), b.chunks_exact(16 * STEPS));
        let last = (a.remainder(), b.remainder());
        for (a, b) in a.zip(b) {
            for k in 0..STEPS {
                sums = avx2_f32_step(&a[k * R..], &b[k * 16..], sums);
            }
        }
        for (a, b) in last.0.chunks_exact(R).zip(last.1.chunks_exact(16)) {
            sums = avx2_f32_step(a, b, sums);
        }
        for (sums, out) in sums.iter().zip(out[..R * 16].chunks_exact_mut(16)) {
            // SAFETY: `out` has 16 elements.
            unsafe {
                _mm256_storeu_ps(out.as_mut_ptr(), sums[0]);
                _mm256_storeu_ps(out[8..].as_mut_ptr(), sums[1]);
            }
        }
    }

    /// Adds one k.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn avx2_f32_step<const R: usize>(
        a: &[f32],
        b: &[f32],
        mut sums: [[__m256; 2]; R],
    ) -> [[__m256; 2]; R] {
        let b = &b[..16];
        // SAFETY: `b` has 16 elements.
        let (b0, b1) = unsafe {
            (
                _mm256_loadu_ps(b.as_ptr()),
                _mm256_loadu_ps(b[8..].as_ptr()),
            )
        };
        for r in 0..R {
            let x = _mm256_set1_ps(a[r]);
            sums[r][0] = _mm256_fmadd_ps(x, b0, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(x, b1, sums[r][1]);
        }
        sums
    }
}

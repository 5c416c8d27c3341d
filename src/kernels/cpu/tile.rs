//! The innermost products: a few rows of x times a panel of columns of the weights.
//!
//! A tile sums over k in order, one product after the other, in one accumulator for each output, and
//! goes on from what it finds there, so that a long sum can be taken in parts that suit the cache.
//! An output's bits depend on its row and column alone, not on what else is computed with it.
#![allow(unsafe_code)] // Vector registers held across the whole sum need intrinsics.

use super::ahead::Ahead;
use super::amx;
use super::isa::{Isa, Set};

/// Steps of k in a turn of a tile's loop. On a core shared with another thread instructions are what
/// is short, and the loop's own are a sixth.
pub(super) const STEPS: usize = 4;

/// What a tile multiplies: a[depth, rows] transposed, times b[depth, columns].
#[derive(Clone, Copy)]
pub(super) struct Operands<'a, T> {
    pub rows: usize,
    pub a: &'a [T],
    pub b: &'a [T],
    /// Whether sums begin with zero; otherwise with what is there.
    pub anew: bool,
}

impl<T> Operands<'_, T> {
    /// Whether there are more columns than that.
    #[inline(always)]
    fn wider_than(&self, columns: usize) -> bool {
        self.b.len() * self.rows > columns * self.a.len()
    }
}

/// Sums up the products in out[rows, columns], and fetches what is ahead meanwhile.
pub(super) type Tile<T> = fn(operands: Operands<'_, T>, ahead: &mut Ahead<'_>, out: &mut [f32]);

/// How tiles are formed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    /// Most rows in a tile.
    pub rows: usize,
    /// Tiles have multiples of so many rows, of which the last ones may be padding.
    pub step: usize,
    /// Columns in a panel.
    pub columns: usize,
    /// Columns in a panel of few.
    pub few_columns: usize,
    /// Most elements of depth for which a panel stays in the first cache from one tile to the next.
    pub depth: usize,
    /// Most rows that meet a panel while it is in the caches.
    pub most_rows: usize,
    /// Most bytes of such rows.
    pub most_bytes: usize,
}

impl Tiles {
    /// Those of vectors.
    pub fn of_vectors(isa: Isa) -> Self {
        let (rows, columns, few_columns, depth) = match isa.set() {
            #[cfg(target_arch = "x86_64")]
            Set::Amx | Set::Avx512Bf16 | Set::Avx512 => (14, 32, 16, usize::MAX),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => (6, 16, 8, 256),
            _ => (4, 8, 8, 512),
        };
        Self {
            rows,
            step: 1,
            columns,
            few_columns,
            depth,
            most_rows: 112,
            most_bytes: 384 << 10,
        }
    }

    /// Those of a tile unit. It is so fast that a panel, which comes from afar, has to meet more rows. 640
    /// values of a panel's columns take 40 KB: rows pass the first cache by.
    pub fn of_unit() -> Self {
        Self {
            rows: amx::ROWS,
            step: amx::SIDE,
            columns: amx::COLUMNS,
            few_columns: amx::COLUMNS,
            depth: 640 / amx::VALUES,
            most_rows: 256,
            most_bytes: 1 << 20,
        }
    }

    /// Rows with their padding.
    pub fn padded(&self, rows: usize) -> usize {
        rows.next_multiple_of(self.step)
    }

    /// Columns of the panel in which so many, and whatever follows them, begin.
    pub fn width(&self, columns: usize) -> usize {
        if columns <= self.few_columns {
            self.few_columns
        } else {
            self.columns
        }
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

fn portable_f32<const C: usize>(operands: Operands<'_, f32>, _: &mut Ahead<'_>, out: &mut [f32]) {
    fn tile<const R: usize, const C: usize>(operands: Operands<'_, f32>, out: &mut [f32]) {
        let mut sums = [[0f32; C]; R];
        if !operands.anew {
            sums.as_flattened_mut().copy_from_slice(&out[..R * C]);
        }
        let (a, b) = (operands.a.chunks_exact(R), operands.b.chunks_exact(C));
        for (a, b) in a.zip(b) {
            for (sums, a) in sums.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }
        out[..R * C].copy_from_slice(sums.as_flattened());
    }
    with_rows!(operands.rows, R => tile::<R, C>(operands, out), 1 2 3 4);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Ahead, Operands, STEPS};

    /// A tile function: of as many rows as there are, and of N vectors of columns.
    macro_rules! tile {
        ($tile:ident, $operands:ident, $ahead:ident, $out:ident, $lanes:literal, $($count:literal)*) => {
            // SAFETY: the instructions were detected before `Isa` was made.
            unsafe {
                if $operands.wider_than($lanes) {
                    with_rows!($operands.rows, R => $tile::<R, 2>($operands, $ahead, $out), $($count)*)
                } else {
                    with_rows!($operands.rows, R => $tile::<R, 1>($operands, $ahead, $out), $($count)*)
                }
            }
        };
    }

    /// Callable only through `of_f32`, for an `Isa` that was detected.
    pub fn avx512_f32(operands: Operands<'_, f32>, ahead: &mut Ahead<'_>, out: &mut [f32]) {
        tile!(avx512_f32_tile, operands, ahead, out, 16, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    /// Callable only through `of_bf16`, for an `Isa` that was detected.
    pub fn avx512_bf16(operands: Operands<'_, u32>, ahead: &mut Ahead<'_>, out: &mut [f32]) {
        tile!(avx512_bf16_tile, operands, ahead, out, 16, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    /// Callable only through `of_f32`, for an `Isa` that was detected.
    pub fn avx2_f32(operands: Operands<'_, f32>, ahead: &mut Ahead<'_>, out: &mut [f32]) {
        tile!(avx2_f32_tile, operands, ahead, out, 8, 1 2 3 4 5 6)
    }

    /// The loop of a tile over k, which calls `step` once for each.
    macro_rules! steps {
        ($operands:ident, $ahead:ident, $sums:ident, $step:ident, $columns:expr) => {
            let a = $operands.a.chunks_exact(R * STEPS);
            let b = $operands.b.chunks_exact($columns * STEPS);
            let last = (a.remainder(), b.remainder());
            for (a, b) in a.zip(b) {
                $ahead.fetch();
                for k in 0..STEPS {
                    $sums = $step(&a[k * R..], &b[k * $columns..], $sums);
                }
            }
            for (a, b) in last.0.chunks_exact(R).zip(last.1.chunks_exact($columns)) {
                $sums = $step(a, b, $sums);
            }
        };
    }

    /// 14 x 32 outputs in 28 of the 32 registers.
    #[target_feature(enable = "avx512f")]
    fn avx512_f32_tile<const R: usize, const N: usize>(
        operands: Operands<'_, f32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        let mut sums = avx512_sums::<R, N>(operands.anew, out);
        steps!(operands, ahead, sums, avx512_f32_step, N * 16);
        avx512_store(sums, out);
    }

    /// Adds one k.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn avx512_f32_step<const R: usize, const N: usize>(
        a: &[f32],
        b: &[f32],
        mut sums: [[__m512; N]; R],
    ) -> [[__m512; N]; R] {
        let (a, b) = (&a[..R], b.as_chunks::<16>().0);
        let mut columns = [_mm512_setzero_ps(); N];
        for (columns, b) in columns.iter_mut().zip(b) {
            // SAFETY: `b` has 16 elements.
            *columns = unsafe { _mm512_loadu_ps(b.as_ptr()) };
        }
        for r in 0..R {
            let x = _mm512_set1_ps(a[r]);
            for n in 0..N {
                sums[r][n] = _mm512_fmadd_ps(x, columns[n], sums[r][n]);
            }
        }
        sums
    }

    /// As above, two k at a time.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn avx512_bf16_tile<const R: usize, const N: usize>(
        operands: Operands<'_, u32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        let mut sums = avx512_sums::<R, N>(operands.anew, out);
        steps!(operands, ahead, sums, avx512_bf16_step, N * 16);
        avx512_store(sums, out);
    }

    /// Adds two k.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn avx512_bf16_step<const R: usize, const N: usize>(
        a: &[u32],
        b: &[u32],
        mut sums: [[__m512; N]; R],
    ) -> [[__m512; N]; R] {
        // SAFETY: both types are 64 bytes without invalid values.
        let pairs = |v: __m512i| -> __m512bh { unsafe { std::mem::transmute(v) } };
        let (a, b) = (&a[..R], b.as_chunks::<16>().0);
        let mut columns = [_mm512_setzero_si512(); N];
        for (columns, b) in columns.iter_mut().zip(b) {
            // SAFETY: `b` has 16 elements.
            *columns = unsafe { _mm512_loadu_si512(b.as_ptr().cast()) };
        }
        for r in 0..R {
            let x = pairs(_mm512_set1_epi32(a[r] as i32));
            for n in 0..N {
                sums[r][n] = _mm512_dpbf16_ps(sums[r][n], x, pairs(columns[n]));
            }
        }
        sums
    }

    /// What a tile's sums begin with.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn avx512_sums<const R: usize, const N: usize>(anew: bool, out: &[f32]) -> [[__m512; N]; R] {
        let mut sums = [[_mm512_setzero_ps(); N]; R];
        if !anew {
            let out = out[..R * N * 16].as_chunks::<16>().0;
            for (sum, out) in sums.as_flattened_mut().iter_mut().zip(out) {
                // SAFETY: `out` has 16 elements.
                *sum = unsafe { _mm512_loadu_ps(out.as_ptr()) };
            }
        }
        sums
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn avx512_store<const R: usize, const N: usize>(sums: [[__m512; N]; R], out: &mut [f32]) {
        let out = out[..R * N * 16].as_chunks_mut::<16>().0;
        for (sum, out) in sums.as_flattened().iter().zip(out) {
            // SAFETY: `out` has 16 elements.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *sum) };
        }
    }

    /// 6 x 16 outputs in 12 of the 16 registers.
    #[target_feature(enable = "avx2,fma")]
    fn avx2_f32_tile<const R: usize, const N: usize>(
        operands: Operands<'_, f32>,
        ahead: &mut Ahead<'_>,
        out: &mut [f32],
    ) {
        let mut sums = [[_mm256_setzero_ps(); N]; R];
        let out = out[..R * N * 8].as_chunks_mut::<8>().0;
        if !operands.anew {
            for (sum, out) in sums.as_flattened_mut().iter_mut().zip(&*out) {
                // SAFETY: `out` has 8 elements.
                *sum = unsafe { _mm256_loadu_ps(out.as_ptr()) };
            }
        }
        steps!(operands, ahead, sums, avx2_f32_step, N * 8);
        for (sum, out) in sums.as_flattened().iter().zip(out) {
            // SAFETY: `out` has 8 elements.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
        }
    }

    /// Adds one k.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn avx2_f32_step<const R: usize, const N: usize>(
        a: &[f32],
        b: &[f32],
        mut sums: [[__m256; N]; R],
    ) -> [[__m256; N]; R] {
        let (a, b) = (&a[..R], b.as_chunks::<8>().0);
        let mut columns = [_mm256_setzero_ps(); N];
        for (columns, b) in columns.iter_mut().zip(b) {
            // SAFETY: `b` has 8 elements.
            *columns = unsafe { _mm256_loadu_ps(b.as_ptr()) };
        }
        for r in 0..R {
            let x = _mm256_set1_ps(a[r]);
            for n in 0..N {
                sums[r][n] = _mm256_fmadd_ps(x, columns[n], sums[r][n]);
            }
        }
        sums
    }
}

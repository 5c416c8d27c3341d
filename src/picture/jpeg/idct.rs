//! The inverse cosine transform: libjpeg-turbo's vector code, to the bit.
//!
//! Source: the accurate integer method of Loeffler, Ligtenberg and Moschytz with 13 fractional bits,
//! as libjpeg-turbo computes it with SSE2 and AVX2 on x86-64, which is what Pillow's packages have.
//! On the absurd coefficients of damaged files it differs from plain C: products with the
//! quantisation table and sums of coefficients wrap at 16 bits, and each pass saturates there.

use super::Block;
use super::tables::Quantisation;

const CONST_BITS: u32 = 13;
const PASS1_BITS: u32 = 2;

// Multiples of 2^13: cosines, and their sums and differences as pairs of products take them.
const F_0_541: i16 = 4433;
const EVEN_2: i16 = 4433 - 15137;
const EVEN_3: i16 = 4433 + 6270;
const F_1_175: i16 = 9633;
const Z3: i16 = 9633 - 16069;
const Z4: i16 = 9633 - 3196;
const ODD_0: i16 = 2446 - 7373;
const M_0_899: i16 = -7373;
const ODD_1: i16 = 16819 - 20995;
const M_2_562: i16 = -20995;
const ODD_2: i16 = 25172 - 20995;
const ODD_3: i16 = 12299 - 7373;

/// Eight columns of eight samples, or a part of them.
pub(super) type Columns = [[u8; 8]; 8];

/// A transform with the best instructions of this processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idct {
    #[cfg(target_arch = "x86_64")]
    v3: Option<pulp::x86::V3>,
}

impl Idct {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            v3: pulp::x86::V3::try_new(),
        }
    }

    /// What all samples of a block are that has a first coefficient alone.
    #[inline(always)]
    pub(super) fn flat(first: i16, table: &Quantisation) -> u8 {
        // What both passes make of it.
        let scaled = first.wrapping_mul(table[0] as i16) << PASS1_BITS;
        let sample = (i32::from(scaled) + 16) >> 5;
        (sample.clamp(-128, 127) + 128) as u8
    }

    /// Turns the coefficients of some blocks into samples, column by column, and hands them on with the
    /// block's number. The coefficients are left as zeros.
    pub(super) fn transform<'a>(
        self,
        blocks: &mut [Block],
        table: impl Fn(usize) -> &'a Quantisation,
        mut put: impl FnMut(usize, Columns),
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.v3 {
            v3.vectorize(vector::Transform {
                v3,
                blocks,
                table,
                put,
            });
            return;
        }
        for (at, block) in blocks.iter_mut().enumerate() {
            put(at, portable(block, table(at)));
            *block = [0; 64];
        }
    }
}

/// Both passes with the instructions of any processor.
fn portable(block: &Block, table: &Quantisation) -> Columns {
    let mut rows = [[0i16; 8]; 8];
    let scaled = block.iter().zip(table);
    for (value, (coefficient, factor)) in rows.as_flattened_mut().iter_mut().zip(scaled) {
        *value = coefficient.wrapping_mul(*factor as i16);
    }
    if block[8..] == [0; 56] {
        // libjpeg-turbo's short cut, which wraps where the pass would saturate.
        rows = [rows[0].map(|value| value << PASS1_BITS); 8];
    } else {
        rows = pass(&rows, CONST_BITS - PASS1_BITS);
    }
    let columns = std::array::from_fn(|x| std::array::from_fn(|y| rows[y][x]));
    let columns = pass(&columns, CONST_BITS + PASS1_BITS + 3);
    columns.map(|column| column.map(|value| (value.clamp(-128, 127) + 128) as u8))
}

/// One pass over eight vectors of eight lanes.
fn pass(input: &[[i16; 8]; 8], shift: u32) -> [[i16; 8]; 8] {
    let mut output = [[0; 8]; 8];
    let pair = |a: i16, fa: i16, b: i16, fb: i16| {
        (i32::from(a) * i32::from(fa)).wrapping_add(i32::from(b) * i32::from(fb))
    };
    for lane in 0..8 {
        let at = |row: usize| input[row][lane];
        let even_2 = pair(at(2), F_0_541, at(6), EVEN_2);
        let even_3 = pair(at(2), EVEN_3, at(6), F_0_541);
        let even_0 = i32::from(at(0).wrapping_add(at(4))) << CONST_BITS;
        let even_1 = i32::from(at(0).wrapping_sub(at(4))) << CONST_BITS;
        let (z3, z4) = (at(7).wrapping_add(at(3)), at(5).wrapping_add(at(1)));
        let odd_3 = pair(z3, Z3, z4, F_1_175);
        let odd_4 = pair(z3, F_1_175, z4, Z4);
        let odd = [
            pair(at(7), ODD_0, at(1), M_0_899).wrapping_add(odd_3),
            pair(at(5), ODD_1, at(3), M_2_562).wrapping_add(odd_4),
            pair(at(5), M_2_562, at(3), ODD_2).wrapping_add(odd_3),
            pair(at(7), M_0_899, at(1), ODD_3).wrapping_add(odd_4),
        ];
        let even = [
            even_0.wrapping_add(even_3),
            even_1.wrapping_add(even_2),
            even_1.wrapping_sub(even_2),
            even_0.wrapping_sub(even_3),
        ];
        for i in 0..4 {
            let round = |sum: i32| {
                let rounded = sum.wrapping_add(1 << (shift - 1)) >> shift;
                rounded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
            };
            output[i][lane] = round(even[i].wrapping_add(odd[3 - i]));
            output[7 - i][lane] = round(even[i].wrapping_sub(odd[3 - i]));
        }
    }
    output
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::*;

    /// Both passes over some blocks.
    pub(super) struct Transform<'a, T, P> {
        pub(super) v3: V3,
        pub(super) blocks: &'a mut [Block],
        pub(super) table: T,
        pub(super) put: P,
    }

    impl<'a, T, P> NullaryFnOnce for Transform<'_, T, P>
    where
        T: Fn(usize) -> &'a Quantisation,
        P: FnMut(usize, Columns),
    {
        type Output = ();

        #[inline(always)]
        fn call(mut self) {
            for at in (0..self.blocks.len()).step_by(2) {
                // The last one of an odd number goes with itself.
                let other = (at + 1).min(self.blocks.len() - 1);
                let blocks = [&self.blocks[at], &self.blocks[other]];
                let tables = [(self.table)(at), (self.table)(other)];
                let [first, second] = pair(self.v3, blocks, tables);
                self.blocks[at..=other].fill([0; 64]);
                (self.put)(at, first);
                if other > at {
                    (self.put)(other, second);
                }
            }
        }
    }

    /// Both passes over two blocks, each in a half of the registers.
    #[inline(always)]
    fn pair(v3: V3, blocks: [&Block; 2], tables: [&Quantisation; 2]) -> [Columns; 2] {
        let (avx2, sse2) = (v3.avx2, v3.sse2);
        let blocks = blocks.map(|block| block.as_chunks::<8>().0);
        let tables = tables.map(|table| table.as_chunks::<8>().0);
        let coefficients: [__m256i; 8] =
            std::array::from_fn(|i| cast([blocks[0][i], blocks[1][i]]));
        let scaled: [__m256i; 8] = std::array::from_fn(|i| {
            avx2._mm256_mullo_epi16(coefficients[i], cast([tables[0][i], tables[1][i]]))
        });
        let mut rows = pass::<{ (CONST_BITS - PASS1_BITS) as i32 }>(v3, scaled);
        let others = coefficients[2..]
            .iter()
            .fold(coefficients[1], |all, row| avx2._mm256_or_si256(all, *row));
        let others: [[u64; 2]; 2] = cast(others);
        for half in 0..2 {
            if others[half] == [0; 2] {
                // libjpeg-turbo's short cut, which wraps where the pass would saturate.
                let first: [__m128i; 2] = cast(scaled[0]);
                let first = sse2._mm_slli_epi16::<{ PASS1_BITS as i32 }>(first[half]);
                for row in &mut rows {
                    let mut halves: [__m128i; 2] = cast(*row);
                    halves[half] = first;
                    *row = cast(halves);
                }
            }
        }
        let columns = transpose(v3, rows);
        let columns = pass::<{ (CONST_BITS + PASS1_BITS + 3) as i32 }>(v3, columns);
        let centre: __m256i = cast([-128i8; 32]);
        let mut samples = [[[0; 8]; 8]; 2];
        for (i, pair) in columns.chunks_exact(2).enumerate() {
            let packed = avx2._mm256_packs_epi16(pair[0], pair[1]);
            let packed: [[[u8; 8]; 2]; 2] = cast(avx2._mm256_add_epi8(packed, centre));
            for half in 0..2 {
                samples[half][2 * i] = packed[half][0];
                samples[half][2 * i + 1] = packed[half][1];
            }
        }
        samples
    }

    /// A sum of two products for each of eight lanes and both blocks, in two halves.
    type Wide = [__m256i; 2];

    #[inline(always)]
    fn interleave(v3: V3, a: __m256i, b: __m256i) -> Wide {
        [
            v3.avx2._mm256_unpacklo_epi16(a, b),
            v3.avx2._mm256_unpackhi_epi16(a, b),
        ]
    }

    #[inline(always)]
    fn products(v3: V3, [low, high]: Wide, a: i16, b: i16) -> Wide {
        let factors = cast([[a, b]; 8]);
        [
            v3.avx2._mm256_madd_epi16(low, factors),
            v3.avx2._mm256_madd_epi16(high, factors),
        ]
    }

    #[inline(always)]
    fn add(v3: V3, a: Wide, b: Wide) -> Wide {
        [
            v3.avx2._mm256_add_epi32(a[0], b[0]),
            v3.avx2._mm256_add_epi32(a[1], b[1]),
        ]
    }

    #[inline(always)]
    fn subtract(v3: V3, a: Wide, b: Wide) -> Wide {
        [
            v3.avx2._mm256_sub_epi32(a[0], b[0]),
            v3.avx2._mm256_sub_epi32(a[1], b[1]),
        ]
    }

    /// Of 16 bits to 32, multiplied as the cosines are.
    #[inline(always)]
    fn shifted(v3: V3, a: __m256i) -> Wide {
        let [low, high] = interleave(v3, v3.avx._mm256_setzero_si256(), a);
        [
            v3.avx2._mm256_srai_epi32::<{ 16 - CONST_BITS as i32 }>(low),
            v3.avx2
                ._mm256_srai_epi32::<{ 16 - CONST_BITS as i32 }>(high),
        ]
    }

    /// Shifts sums to which a half has been added.
    #[inline(always)]
    fn shift<const SHIFT: i32>(v3: V3, [low, high]: Wide) -> __m256i {
        let low = v3.avx2._mm256_srai_epi32::<SHIFT>(low);
        let high = v3.avx2._mm256_srai_epi32::<SHIFT>(high);
        v3.avx2._mm256_packs_epi32(low, high)
    }

    #[inline(always)]
    fn pass<const SHIFT: i32>(v3: V3, x: [__m256i; 8]) -> [__m256i; 8] {
        let avx2 = v3.avx2;
        let x26 = interleave(v3, x[2], x[6]);
        let even_2 = products(v3, x26, F_0_541, EVEN_2);
        let even_3 = products(v3, x26, EVEN_3, F_0_541);
        let even_0 = shifted(v3, avx2._mm256_add_epi16(x[0], x[4]));
        let even_1 = shifted(v3, avx2._mm256_sub_epi16(x[0], x[4]));
        let z3 = avx2._mm256_add_epi16(x[7], x[3]);
        let z4 = avx2._mm256_add_epi16(x[5], x[1]);
        let z = interleave(v3, z3, z4);
        let odd_3 = products(v3, z, Z3, F_1_175);
        let odd_4 = products(v3, z, F_1_175, Z4);
        let (x71, x53) = (interleave(v3, x[7], x[1]), interleave(v3, x[5], x[3]));
        let odd = [
            add(v3, products(v3, x71, ODD_0, M_0_899), odd_3),
            add(v3, products(v3, x53, ODD_1, M_2_562), odd_4),
            add(v3, products(v3, x53, M_2_562, ODD_2), odd_3),
            add(v3, products(v3, x71, M_0_899, ODD_3), odd_4),
        ];
        let even = [
            add(v3, even_0, even_3),
            add(v3, even_1, even_2),
            subtract(v3, even_1, even_2),
            subtract(v3, even_0, even_3),
        ];
        let mut y = [v3.avx._mm256_setzero_si256(); 8];
        for i in 0..4 {
            let even = add(v3, even[i], [cast([1i32 << (SHIFT - 1); 8]); 2]);
            y[i] = shift::<SHIFT>(v3, add(v3, even, odd[3 - i]));
            y[7 - i] = shift::<SHIFT>(v3, subtract(v3, even, odd[3 - i]));
        }
        y
    }

    #[inline(always)]
    fn transpose(v3: V3, x: [__m256i; 8]) -> [__m256i; 8] {
        let avx2 = v3.avx2;
        let [a0, b0] = interleave(v3, x[0], x[1]);
        let [a1, b1] = interleave(v3, x[2], x[3]);
        let [a2, b2] = interleave(v3, x[4], x[5]);
        let [a3, b3] = interleave(v3, x[6], x[7]);
        let mut columns = [v3.avx._mm256_setzero_si256(); 8];
        for (four, [a0, a1, a2, a3]) in columns
            .chunks_exact_mut(4)
            .zip([[a0, a1, a2, a3], [b0, b1, b2, b3]])
        {
            let (top, bottom) = (
                avx2._mm256_unpacklo_epi32(a0, a1),
                avx2._mm256_unpacklo_epi32(a2, a3),
            );
            four[0] = avx2._mm256_unpacklo_epi64(top, bottom);
            four[1] = avx2._mm256_unpackhi_epi64(top, bottom);
            let (top, bottom) = (
                avx2._mm256_unpackhi_epi32(a0, a1),
                avx2._mm256_unpackhi_epi32(a2, a3),
            );
            four[2] = avx2._mm256_unpacklo_epi64(top, bottom);
            four[3] = avx2._mm256_unpackhi_epi64(top, bottom);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_gives_the_same_samples() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut last = ([0; 64], [1; 64]);
        for round in 0..20_000 {
            let (mut block, mut table) = ([0; 64], [0; 64]);
            let bits = 1 + round % 16;
            for (coefficient, factor) in block.iter_mut().zip(&mut table) {
                if random() % 64 < round / 300 {
                    *coefficient = (random() as i16) >> (16 - bits);
                }
                *factor = 1 + (random() % (1 << bits)) as u16;
            }
            block[0] = random() as i16 >> (16 - bits);
            if round % 5 == 0 {
                block[8..].fill(0);
            }
            if round % 15 == 0 {
                block[1..].fill(0);
                let flat = Idct::flat(block[0], &table);
                assert_eq!([[flat; 8]; 8], portable(&block, &table), "round {round}");
            }
            let (blocks, tables) = ([block, last.0, block], [table, last.1, last.1]);
            let (mut rest, mut transformed) = (blocks, 0);
            Idct::new().transform(
                &mut rest,
                |at| &tables[at],
                |at, samples| {
                    transformed += 1;
                    assert_eq!(samples, portable(&blocks[at], &tables[at]), "round {round}");
                },
            );
            assert_eq!((rest, transformed), ([[0; 64]; 3], 3));
            last = (block, table);
        }
    }
}

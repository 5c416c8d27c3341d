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

    /// Turns coefficients into samples, column by column.
    #[inline]
    pub(super) fn transform(self, block: &Block, table: &Quantisation) -> Columns {
        let (rows, _) = block.as_chunks::<8>();
        if rows[1..].iter().flatten().fold(0, |all, c| all | c) == 0 && rows[0][1..] == [0; 7] {
            // What both passes make of a first coefficient alone.
            let scaled = block[0].wrapping_mul(table[0] as i16) << PASS1_BITS;
            let sample = (i32::from(scaled) + 16) >> 5;
            return [[(sample.clamp(-128, 127) + 128) as u8; 8]; 8];
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.v3 {
            return v3.vectorize(vector::Transform { v3, block, table });
        }
        portable(block, table)
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
    use std::arch::x86_64::__m128i;

    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::*;

    /// Both passes with AVX2's form of the 128-bit instructions.
    pub(super) struct Transform<'a> {
        pub(super) v3: V3,
        pub(super) block: &'a Block,
        pub(super) table: &'a Quantisation,
    }

    impl NullaryFnOnce for Transform<'_> {
        type Output = Columns;

        #[inline(always)]
        fn call(self) -> Columns {
            let Self { v3, block, table } = self;
            let sse2 = v3.sse2;
            let (coefficients, _) = block.as_chunks::<8>();
            let (factors, _) = table.as_chunks::<8>();
            let mut rows: [__m128i; 8] = std::array::from_fn(|i| {
                sse2._mm_mullo_epi16(cast(coefficients[i]), cast(factors[i]))
            });
            let others = coefficients[1..].iter().flatten();
            if others.fold(0, |all, value| all | value) == 0 {
                rows = [sse2._mm_slli_epi16::<{ PASS1_BITS as i32 }>(rows[0]); 8];
            } else {
                rows = pass::<{ (CONST_BITS - PASS1_BITS) as i32 }>(v3, rows);
            }
            let columns = transpose(v3, rows);
            let columns = pass::<{ (CONST_BITS + PASS1_BITS + 3) as i32 }>(v3, columns);
            let centre = sse2._mm_set1_epi8(-128);
            let mut samples = [[0; 8]; 8];
            for (two, pair) in samples.chunks_exact_mut(2).zip(columns.chunks_exact(2)) {
                let packed = sse2._mm_packs_epi16(pair[0], pair[1]);
                let packed: [[u8; 8]; 2] = cast(sse2._mm_add_epi8(packed, centre));
                two.copy_from_slice(&packed);
            }
            samples
        }
    }

    /// A sum of two products for each of eight lanes, in two halves.
    type Wide = [__m128i; 2];

    #[inline(always)]
    fn pass<const SHIFT: i32>(v3: V3, x: [__m128i; 8]) -> [__m128i; 8] {
        let sse2 = v3.sse2;
        let interleave = |a, b| [sse2._mm_unpacklo_epi16(a, b), sse2._mm_unpackhi_epi16(a, b)];
        let products = |pairs: Wide, a: i16, b: i16| {
            let factors = cast([[a, b]; 4]);
            pairs.map(|pair| sse2._mm_madd_epi16(pair, factors))
        };
        let add = |a: Wide, b: Wide| [0, 1].map(|i| sse2._mm_add_epi32(a[i], b[i]));
        let subtract = |a: Wide, b: Wide| [0, 1].map(|i| sse2._mm_sub_epi32(a[i], b[i]));
        let shifted = |a| {
            let zero = sse2._mm_setzero_si128();
            interleave(zero, a).map(|a| sse2._mm_srai_epi32::<{ 16 - CONST_BITS as i32 }>(a))
        };
        let x26 = interleave(x[2], x[6]);
        let even_2 = products(x26, F_0_541, EVEN_2);
        let even_3 = products(x26, EVEN_3, F_0_541);
        let even_0 = shifted(sse2._mm_add_epi16(x[0], x[4]));
        let even_1 = shifted(sse2._mm_sub_epi16(x[0], x[4]));
        let z = interleave(
            sse2._mm_add_epi16(x[7], x[3]),
            sse2._mm_add_epi16(x[5], x[1]),
        );
        let (odd_3, odd_4) = (products(z, Z3, F_1_175), products(z, F_1_175, Z4));
        let (x71, x53) = (interleave(x[7], x[1]), interleave(x[5], x[3]));
        let odd = [
            add(products(x71, ODD_0, M_0_899), odd_3),
            add(products(x53, ODD_1, M_2_562), odd_4),
            add(products(x53, M_2_562, ODD_2), odd_3),
            add(products(x71, M_0_899, ODD_3), odd_4),
        ];
        let even = [
            add(even_0, even_3),
            add(even_1, even_2),
            subtract(even_1, even_2),
            subtract(even_0, even_3),
        ];
        let half = cast([1i32 << (SHIFT - 1); 4]);
        let round = |sum: Wide| {
            let [low, high] =
                sum.map(|s| sse2._mm_srai_epi32::<SHIFT>(sse2._mm_add_epi32(s, half)));
            sse2._mm_packs_epi32(low, high)
        };
        let mut y = [sse2._mm_setzero_si128(); 8];
        for i in 0..4 {
            y[i] = round(add(even[i], odd[3 - i]));
            y[7 - i] = round(subtract(even[i], odd[3 - i]));
        }
        y
    }

    #[inline(always)]
    fn transpose(v3: V3, x: [__m128i; 8]) -> [__m128i; 8] {
        let sse2 = v3.sse2;
        let (low16, high16) = (
            |a: usize, b: usize| sse2._mm_unpacklo_epi16(x[a], x[b]),
            |a: usize, b: usize| sse2._mm_unpackhi_epi16(x[a], x[b]),
        );
        let a = [low16(0, 1), low16(2, 3), low16(4, 5), low16(6, 7)];
        let b = [high16(0, 1), high16(2, 3), high16(4, 5), high16(6, 7)];
        let quads = |x: [__m128i; 4]| {
            let halves = [
                [
                    sse2._mm_unpacklo_epi32(x[0], x[1]),
                    sse2._mm_unpacklo_epi32(x[2], x[3]),
                ],
                [
                    sse2._mm_unpackhi_epi32(x[0], x[1]),
                    sse2._mm_unpackhi_epi32(x[2], x[3]),
                ],
            ];
            halves.map(|[top, bottom]| {
                [
                    sse2._mm_unpacklo_epi64(top, bottom),
                    sse2._mm_unpackhi_epi64(top, bottom),
                ]
            })
        };
        let ([[c0, c1], [c2, c3]], [[c4, c5], [c6, c7]]) = (quads(a), quads(b));
        [c0, c1, c2, c3, c4, c5, c6, c7]
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
            assert_eq!(
                Idct::new().transform(&block, &table),
                portable(&block, &table),
                "round {round}"
            );
        }
    }
}

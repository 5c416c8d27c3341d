//! Elementary functions that the compiler can vectorise: no branches, no calls.

use half::bf16;

use super::round;
use super::transpose::{self, SIDE};

/// What instructions do for work that is otherwise left to the compiler.
pub trait Vectors {
    /// a times b plus c.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;

    /// Makes rows of columns.
    fn transpose(block: &mut [[f32; SIDE]; SIDE]);

    /// Rounds finite values to bfloat16.
    #[inline(always)]
    fn bf16s<const N: usize>(values: &[f32; N]) -> [bf16; N] {
        round::plainly(values)
    }
}

/// By AVX2, in one instruction and rounded once. Only for code that is compiled for it: elsewhere products
/// would be slow calls, and nothing else is there.
#[derive(Debug)]
pub struct Fused;

/// The same, and bfloat16 by AVX-512's instructions for it. Only for code that is compiled for them.
#[derive(Debug)]
pub struct FusedBf16;

/// In two instructions.
#[derive(Debug)]
pub struct Separate;

impl Vectors for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn transpose(block: &mut [[f32; SIDE]; SIDE]) {
        transpose::by_avx2(block);
    }
}

impl Vectors for FusedBf16 {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        Fused::mul_add(a, b, c)
    }

    #[inline(always)]
    fn transpose(block: &mut [[f32; SIDE]; SIDE]) {
        Fused::transpose(block);
    }

    #[inline(always)]
    fn bf16s<const N: usize>(values: &[f32; N]) -> [bf16; N] {
        round::by_avx512_bf16(values)
    }
}

impl Vectors for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }

    #[inline(always)]
    fn transpose(block: &mut [[f32; SIDE]; SIDE]) {
        transpose::plainly(block);
    }
}

/// A polynomial, the highest coefficient first.
#[inline(always)]
fn polynomial<M: Vectors, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut p = coefficients[0];
    for coefficient in &coefficients[1..] {
        p = M::mul_add(p, x, *coefficient);
    }
    p
}

/// The exponential of -87.3 to 88.
#[inline(always)]
fn exp_inside<M: Vectors>(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, so that n times the first is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding it leaves no bits for a fraction.
    const ROUND: f32 = 12_582_912.0;
    // Taylor's series does on |r| <= ln 2 / 2: the first term left out is below 2e-8.
    const SERIES: [f32; 8] = [
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let shifted = M::mul_add(x, LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = M::mul_add(n, -LN_2_LOW, M::mul_add(n, -LN_2_HIGH, x));
    let p = polynomial::<M, 8>(r, SERIES);
    // The low bits of `shifted` are n; a conversion of n would not be vectorised.
    let exponent = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

/// Two to the power of x, within 2 units in the last place, for x below 128; of all below -125 that of
/// -125, which is next to nothing.
///
/// Source of the coefficients: a Remez fit; its largest relative error is 3e-9.
#[inline(always)]
pub fn exp2<M: Vectors>(x: f32) -> f32 {
    /// Adding it leaves no bits for a fraction, and in the lowest ones what an exponent is kept as.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    const SERIES: [f32; 7] = [
        1.559_467_8e-4,
        1.340_664_4e-3,
        9.617_693e-3,
        5.550_310_6e-2,
        0.240_226_53,
        std::f32::consts::LN_2,
        1.0,
    ];
    // What is not a number stays so.
    let x = if x < -125.0 { -125.0 } else { x };
    let shifted = x + ROUND;
    let p = polynomial::<M, 7>(x - (shifted - ROUND), SERIES);
    p * f32::from_bits(shifted.to_bits() << 23)
}

/// x times the logistic function of x.
#[inline(always)]
pub fn silu<M: Vectors>(x: f32) -> f32 {
    x / (1.0 + exp_inside::<M>((-x).clamp(-87.3, 88.0)))
}

/// GELU in OpenAI's form: x times the logistic function of 1.702 x.
#[inline(always)]
pub fn quick_gelu<M: Vectors>(x: f32) -> f32 {
    x / (1.0 + exp_inside::<M>((-1.702 * x).clamp(-87.3, 88.0)))
}

/// The error function, within 4e-7 relative, as the quotient of two polynomials in x * x.
///
/// Source of the coefficients: the Remez fit used by Eigen (`generic_fast_erf_float`).
#[inline(always)]
pub fn erf<M: Vectors>(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let s = x * x;
    let p = polynomial::<M, 7>(
        s,
        [
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_5e-5,
            -7.349_906e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let q = polynomial::<M, 5>(
        s,
        [
            -1.456_607_2e-5,
            -2.133_740_6e-4,
            -1.682_827e-3,
            -7.373_329e-3,
            -1.426_473_9e-2,
        ],
    );
    x * p / q
}

/// GELU in its exact form, by the error function.
#[inline(always)]
pub fn gelu<M: Vectors>(x: f32) -> f32 {
    0.5 * x * (1.0 + erf::<M>(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its series, good to 1e-12 on this range.
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn range() -> impl Iterator<Item = f32> {
        (-40_000..=40_000).map(|i| i as f32 * 1e-4)
    }

    #[test]
    fn exp2_is_exact_to_two_parts_in_ten_million() {
        check_exp2::<Separate>();
        check_exp2::<Fused>();
    }

    fn check_exp2<M: Vectors>() {
        let exp2 = exp2::<M>;
        for x in range().map(|x| x * 31.0) {
            let exact = f64::from(x).exp2();
            assert!(
                (f64::from(exp2(x)) - exact).abs() <= 2e-7 * exact,
                "exp2({x})"
            );
        }
        let least = 2f32.powi(-125);
        let far = [-125.0, -200.0, f32::MIN, f32::NEG_INFINITY].map(exp2);
        assert_eq!(far, [least; 4]);
        assert_eq!((exp2(0.0), exp2(127.0)), (1.0, 2f32.powi(127)));
        // Of any kind.
        for bits in [0x7fc0_0000, 0x7fff_ffff, 0xffc0_0001] {
            assert!(exp2(f32::from_bits(bits)).is_nan());
        }
    }

    #[test]
    fn erf_both_gelus_and_silu_are_exact_to_a_few_parts_in_ten_million() {
        check_others::<Separate>();
        check_others::<Fused>();
    }

    fn check_others<M: Vectors>() {
        let (erf, gelu, silu) = (erf::<M>, gelu::<M>, silu::<M>);
        let quick_gelu = quick_gelu::<M>;
        for x in range() {
            let wide = f64::from(x);
            assert!(
                (f64::from(erf(x)) - exact_erf(wide)).abs()
                    <= 4e-7 * exact_erf(wide).abs().max(1e-3),
                "erf({x})"
            );
            let exact = 0.5 * wide * (1.0 + exact_erf(wide / std::f64::consts::SQRT_2));
            assert!(
                (f64::from(gelu(x)) - exact).abs() <= 4e-7 * wide.abs().max(1e-3),
                "gelu({x})"
            );
            let exact = wide / (1.0 + (-wide).exp());
            assert!(
                (f64::from(silu(x)) - exact).abs() <= 4e-7 * exact.abs().max(1e-6),
                "silu({x})"
            );
            // The product 1.702 x is rounded too, which a steep exponential magnifies.
            let exact = wide / (1.0 + (-1.702 * wide).exp());
            assert!(
                (f64::from(quick_gelu(x)) - exact).abs() <= 9e-7 * exact.abs().max(1e-6),
                "quick_gelu({x})"
            );
        }
        assert!((gelu(30.0) - 30.0).abs() < 1e-5);
        assert!(gelu(-30.0).abs() < 1e-5);
        assert!((quick_gelu(300.0) - 300.0).abs() < 1e-4);
        assert!(quick_gelu(-300.0).abs() < 1e-5);
    }
}

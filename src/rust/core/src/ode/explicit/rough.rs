//! Logarithm and power of two to four digits, reciprocal to six, for errors and step sizes: a quarter of the work of full
//! accuracy.

use crate::ir::vmath::double::{horner, madd, ROUND};

const ONE: u64 = 1.0f64.to_bits();
const MANTISSA: u64 = (1 << 52) - 1;

/// Polynomials through the Chebyshev nodes of `[1, 2]` and `[-1/2, 1/2]`, the highest power first.
const LOG2: [f64; 5] = [
    -0.07844067620912697,
    0.6260321821638135,
    -2.0783351682514524,
    4.029211391071221,
    -2.498353148814073,
];
const EXP2: [f64; 4] = [
    0.05583828294621966,
    0.24263947854625847,
    0.6931367338836215,
    0.9999245569508708,
];

/// `log2(x)` of a positive normal number, within 1.2e-4.
#[inline(always)]
pub fn log2<const FMA: bool>(x: f64) -> f64 {
    let bits = x.to_bits();
    // The exponent as the last bits of 2^52 plus it.
    let exponent =
        f64::from_bits((bits >> 52) | 2f64.powi(52).to_bits()) - (2f64.powi(52) + 1023.0);
    exponent + horner::<FMA, 5>(f64::from_bits((bits & MANTISSA) | ONE), &LOG2)
}

/// `2^x` for `|x| < 1000`, within 1e-4 of its size.
#[inline(always)]
pub fn exp2<const FMA: bool>(x: f64) -> f64 {
    let shifted = x + ROUND;
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(ONE));
    power * horner::<FMA, 4>(madd::<FMA>(-1.0, shifted - ROUND, x), &EXP2)
}

/// `1 / x` of a positive normal number, within 3e-6 of its size; not finite where `x` is not. A division takes as long as
/// eight of these operations.
#[inline(always)]
pub fn reciprocal<const FMA: bool>(x: f64) -> f64 {
    // The negative exponent, and a mantissa that is 12 % wrong at most.
    let guess = f64::from_bits(0x7fde_6238_22fc_16e6u64.wrapping_sub(x.to_bits()));
    let error = madd::<FMA>(-x, guess, 1.0);
    let closer = madd::<FMA>(guess, madd::<FMA>(error, error, error), guess);
    madd::<FMA>(closer, madd::<FMA>(-x, closer, 1.0), closer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_right() {
        for i in -4000..4000 {
            let x = f64::from(i) * 0.0101;
            let power = x.exp2();
            for (log, exp) in [
                (log2::<false>(power), exp2::<false>(x)),
                (log2::<true>(power), exp2::<true>(x)),
            ] {
                assert!((log - x).abs() < 1.2e-4, "{x} {log}");
                assert!((exp / power - 1.0).abs() < 1e-4, "{x} {exp}");
            }
            for one in [reciprocal::<false>(power), reciprocal::<true>(power)] {
                assert!((one * power - 1.0).abs() < 3e-6, "{x} {one}");
            }
        }
    }

    #[test]
    fn no_number_has_no_reciprocal() {
        for x in [f64::NAN, f64::INFINITY] {
            assert!(!reciprocal::<false>(x).is_finite() && !reciprocal::<true>(x).is_finite());
        }
    }
}

//! Evaluate the exponential and the exponential minus one.
//!
//! `e^x = 2^n (1 + t)` with `n = round(x / ln 2)`, `r = x - n ln 2` and `t = r + r^2 P(r)`, `|r| <= ln(2) / 2`.

use super::double::{fast_two_sum, horner, madd, select, two_sum, Double, ROUND};
use std::f64::consts::LOG2_E;

/// The upper 32 bits of ln 2: times an integer below 2^21 it is exact.
pub(super) const LN2_HI: f64 = 6.931_471_803_691_238e-1;
/// What `LN2_HI` lacks of ln 2.
pub(super) const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// 2^-54: below it `e^x - 1`, `tanh x` and the like round to their first term.
pub(super) const TINY: f64 = f64::EPSILON / 4.0;

/// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`.
const P: [f64; 11] = [
    2.0914696114722443e-09,
    2.510522981321569e-08,
    2.755727362113095e-07,
    2.7557255369427714e-06,
    2.4801587325565073e-05,
    0.00019841269874844894,
    0.0013888888888883744,
    0.008333333333326129,
    0.04166666666666667,
    0.1666666666666667,
    0.5,
];

/// `(e^r - 1 - r - r^2 / 2) / r^3` for `|r| <= ln(2) / 2`.
const Q: [f64; 10] = [
    2.0911244944344376e-09,
    2.5100397137931663e-08,
    2.755728295206861e-07,
    2.755726843551756e-06,
    2.480158731715575e-05,
    0.00019841269863069374,
    0.001388888888888655,
    0.008333333333330058,
    0.041666666666666664,
    0.16666666666666669,
];

/// `e^x` as `2^n (1 + t)`; `n` is an integer and `|t| < 0.42`.
#[derive(Clone, Copy)]
pub(super) struct PowerOfTwo {
    pub n: f64,
    pub t: f64,
}

/// `2^n` for an integer `-1023 < n < 1024`.
#[inline(always)]
pub(super) fn power_of_two(n: f64) -> f64 {
    f64::from_bits(((n + ROUND).to_bits() << 52).wrapping_add(1.0f64.to_bits()))
}

/// `2^n y` for an integer `|n| < 2000`, rounded once even where the result is subnormal.
#[inline(always)]
pub(super) fn scale(y: f64, n: f64) -> f64 {
    let half = (n * 0.5 + ROUND) - ROUND;
    y * power_of_two(half) * power_of_two(n - half)
}

/// `x` moved into `[low, high]`; NaN stays.
#[inline(always)]
pub(super) fn clamp(x: f64, low: f64, high: f64) -> f64 {
    let x = select(x < low, low, x);
    select(x > high, high, x)
}

/// Split `e^(x.hi + x.lo)` for `|x.hi| < 1e5`; `t` is good to a quarter of an ulp of `1 + t`.
#[inline(always)]
pub(super) fn split<const FMA: bool>(x: Double) -> PowerOfTwo {
    let n = madd::<FMA>(x.hi, LOG2_E, ROUND) - ROUND;
    let upper = madd::<FMA>(-n, LN2_HI, x.hi);
    let lower = madd::<FMA>(-n, LN2_LO, x.lo);
    let r = fast_two_sum(upper, lower);
    let tail = madd::<FMA>(r.lo, r.hi, r.lo);
    let t = r.hi + madd::<FMA>(r.hi * r.hi, horner::<FMA, 11>(r.hi, &P), tail);
    PowerOfTwo { n, t }
}

/// `e^x` within 1 ulp.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f64) -> f64 {
    let x = clamp(x, -746.0, 710.0);
    let n = madd::<FMA>(x, LOG2_E, ROUND) - ROUND;
    let r = madd::<FMA>(-n, LN2_LO, madd::<FMA>(-n, LN2_HI, x));
    let t = madd::<FMA>(r * r, horner::<FMA, 11>(r, &P), r);
    scale(1.0 + t, n)
}

/// `(e^x - 1) / 2` for `-40 <= x <= 710`, to about 2^-60 relative.
#[inline(always)]
pub(super) fn half_expm1<const FMA: bool>(x: f64) -> Double {
    let n = madd::<FMA>(x, LOG2_E, ROUND) - ROUND;
    let r = fast_two_sum(madd::<FMA>(-n, LN2_HI, x), -n * LN2_LO);
    let square = r.hi * r.hi;
    let cubic = square * r.hi * horner::<FMA, 10>(r.hi, &Q);
    let lower = madd::<FMA>(square, 0.5, cubic + madd::<FMA>(r.lo, r.hi, r.lo));
    let t = fast_two_sum(r.hi, lower);
    let half_power = power_of_two(n - 1.0);
    let head = two_sum(half_power, -0.5);
    let sum = two_sum(head.hi, half_power * t.hi);
    fast_two_sum(sum.hi, sum.lo + madd::<FMA>(half_power, t.lo, head.lo))
}

/// `e^x - 1` within 1 ulp; keeps the sign of zero.
#[inline(always)]
pub fn expm1<const FMA: bool>(x: f64) -> f64 {
    let half = half_expm1::<FMA>(clamp(x, -40.0, 710.0));
    select(x.abs() < TINY, x, 2.0 * half.value())
}

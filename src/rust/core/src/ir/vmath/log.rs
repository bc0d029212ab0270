//! Evaluate logarithms.
//!
//! `x = 2^k m` with `sqrt(1/2) <= m < sqrt(2)`, `s = (m - 1) / (m + 1)`, `ln x = k ln 2 + 2 atanh(s)`.

use super::double::{fast_two_sum, horner, madd, select, two_prod, two_sum, Double, ROUND};
use super::exp::{LN2_HI, LN2_LO};

/// `(2 atanh(s) - 2 s) / s^3` in `s^2` for `s <= 0.1716` (FreeBSD msun, e_log.c).
const LOG: [f64; 7] = [
    0.14798198605116586,
    0.15313837699209373,
    0.1818357216161805,
    0.22222198432149784,
    0.2857142874366239,
    0.3999999999940942,
    0.6666666666666735,
];

/// `(2 atanh(s) - 2 s - 2 s^3 / 3) / s^5` in `s^2` for `s <= 0.1716`.
const ATANH: [f64; 8] = [
    0.11723178623876518,
    0.11706236339491206,
    0.1333480469384731,
    0.1538459496251843,
    0.18181818335392802,
    0.22222222221655885,
    0.28571428571429364,
    0.4,
];
const TWO_THIRDS: Double = Double {
    hi: 0.6666666666666666,
    lo: 3.700743415417188e-17,
};
const INV_LN2: Double = Double {
    hi: std::f64::consts::LOG2_E,
    lo: 2.0355273740931033e-17,
};
const INV_LN10: Double = Double {
    hi: std::f64::consts::LOG10_E,
    lo: 1.098319650216765e-17,
};

/// Bits of sqrt(1/2), cut to the upper word.
const SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
/// 2^52: its low bits hold an integer.
const TWO_52: u64 = 0x4330_0000_0000_0000;
const TWO_54: f64 = 18_014_398_509_481_984.0;

/// `x = 2^k m` with `sqrt(1/2) <= m < sqrt(2)` for positive finite `x`.
struct Binade {
    k: f64,
    m: f64,
}

#[inline(always)]
fn parts(x: f64) -> Binade {
    let subnormal = x < f64::MIN_POSITIVE;
    let bits = (select(subnormal, x * TWO_54, x))
        .to_bits()
        .wrapping_add(ONE - SQRT_HALF);
    // 2^52 + 1023, and 54 more where x was scaled.
    let bias = select(subnormal, 4503599627371573.0, 4503599627371519.0);
    Binade {
        k: f64::from_bits((bits >> 52) | TWO_52) - bias,
        m: f64::from_bits((bits & MANTISSA).wrapping_add(SQRT_HALF)),
    }
}

/// `k ln 2 + ln(1 + f)` for `sqrt(1/2) <= 1 + f < sqrt(2)`.
#[inline(always)]
fn assemble<const FMA: bool>(k: f64, f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let half_square = 0.5 * f * f;
    let tail = z * horner::<FMA, 7>(z, &LOG);
    let small = madd::<FMA>(s, half_square + tail, k * LN2_LO);
    madd::<FMA>(k, LN2_HI, f - (half_square - small))
}

/// The right value of a logarithm at `x` outside `(0, Inf)`, else `result`.
#[inline(always)]
fn guard(x: f64, result: f64) -> f64 {
    let finite = select(x < f64::INFINITY, result, x);
    let positive = select(x < 0.0, f64::NAN, finite);
    select(x == 0.0, f64::NEG_INFINITY, positive)
}

/// The natural logarithm within 1 ulp; `-Inf` at zero, NaN below.
#[inline(always)]
pub fn ln<const FMA: bool>(x: f64) -> f64 {
    let Binade { k, m } = parts(x);
    guard(x, assemble::<FMA>(k, m - 1.0))
}

/// The natural logarithm within 1 ulp of a positive normal number, not guarded: the fastest logarithm.
#[inline(always)]
pub fn ln_normal<const FMA: bool>(x: f64) -> f64 {
    let bits = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((bits >> 52) | TWO_52) - 4503599627371519.0;
    let m = f64::from_bits((bits & MANTISSA).wrapping_add(SQRT_HALF));
    assemble::<FMA>(k, m - 1.0)
}

/// `2^-k` for an integer `-1023 < k < 1023`.
#[inline(always)]
fn inverse_power(k: f64) -> f64 {
    f64::from_bits(ONE.wrapping_sub((k + ROUND).to_bits() << 52))
}

/// `ln(1 + x.hi + x.lo)`, not guarded.
#[inline(always)]
pub(super) fn log1p_double<const FMA: bool>(x: Double) -> f64 {
    let u = two_sum(1.0, x.hi);
    let Binade { k, m } = parts(u.hi);
    let lost = (u.lo + x.lo) * inverse_power(k);
    guard(
        u.hi,
        assemble::<FMA>(k, (m - 1.0) + select(k > 60.0, 0.0, lost)),
    )
}

/// `ln(1 + x)` within 2 ulp; keeps the sign of zero.
#[inline(always)]
pub fn log1p<const FMA: bool>(x: f64) -> f64 {
    let result = log1p_double::<FMA>(Double::from(x));
    select((x == 0.0) | (x == f64::INFINITY), x, result)
}

/// `ln(x.hi + x.lo)` to about 2^-65 relative for positive finite `x`.
#[inline(always)]
pub(super) fn ln_double<const FMA: bool>(x: Double) -> Double {
    let Binade { k, m } = parts(x.hi);
    // A power beyond 2^1000 could overflow; the second part is then below the last digit that matters.
    let lost = x.lo * inverse_power(k);
    let lost = select(k.abs() > 1000.0, 0.0, lost);
    let f = two_sum(m - 1.0, lost);
    let below = two_sum(2.0, f.hi);
    let s = f.over::<FMA>(Double {
        hi: below.hi,
        lo: below.lo + f.lo,
    });
    let square = two_prod::<FMA>(s.hi, s.hi);
    let z = Double {
        hi: square.hi,
        lo: madd::<FMA>(2.0 * s.hi, s.lo, square.lo),
    };
    let tail = madd::<FMA>(z.hi, horner::<FMA, 8>(z.hi, &ATANH), TWO_THIRDS.lo);
    let series = fast_two_sum(TWO_THIRDS.hi, tail);
    let cubic = s.times::<FMA>(z.times::<FMA>(series));
    let log_m = fast_two_sum(2.0 * s.hi, cubic.hi);
    let lo = log_m.lo + madd::<FMA>(2.0, s.lo, cubic.lo);
    let sum = fast_two_sum(k * LN2_HI, log_m.hi);
    fast_two_sum(sum.hi, sum.lo + madd::<FMA>(k, LN2_LO, lo))
}

/// The binary logarithm within 1 ulp; exact at powers of two.
#[inline(always)]
pub fn log2<const FMA: bool>(x: f64) -> f64 {
    let Binade { k, m } = parts(x);
    let fraction = ln_double::<FMA>(Double::from(m)).times::<FMA>(INV_LN2);
    let sum = fast_two_sum(k, fraction.hi);
    guard(x, sum.hi + (sum.lo + fraction.lo))
}

/// The decimal logarithm within 1 ulp.
#[inline(always)]
pub fn log10<const FMA: bool>(x: f64) -> f64 {
    guard(
        x,
        ln_double::<FMA>(Double::from(x))
            .times::<FMA>(INV_LN10)
            .value(),
    )
}

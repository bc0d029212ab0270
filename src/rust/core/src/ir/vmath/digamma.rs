//! Evaluate the first three derivatives of the logarithm of the gamma function.
//!
//! For `x >= 2` from `ln x` and the tail of the asymptotic series; on `[1, 2)` from a polynomial; below from
//! `psi(x) = psi(1 + x) - 1/x` and, for negative `x`, `psi(x) = psi(1 - x) - pi cot(pi x)`.

use super::double::{fast_two_sum, horner, madd, select, two_sum, Double};
use super::lgamma::is_pole;
use super::log::ln_double;
use super::trig::{cos_pi, sin_pi};

/// The positive root of `psi`, minus 1.
const ROOT: Double = Double {
    hi: 0.46163214496836236,
    lo: -1.5522348162858677e-17,
};
/// `psi(x) / (x - root)` at `x = 3/2`.
const PSI_SLOPE: Double = Double {
    hi: 0.9510558760318328,
    lo: 4.330743078649653e-17,
};
/// `(psi(x) / (x - root) - PSI_SLOPE) / (x - 3/2)` in `x - 3/2` on `[1, 2]`.
const PSI: [f64; 23] = [
    -7.920812295637539e-05,
    0.00011881232908510335,
    -6.43571781358027e-05,
    9.653646261410062e-05,
    -0.00021596998164923466,
    0.00032395945401345196,
    -0.00046059837823654224,
    0.0006909255761282986,
    -0.001042129326960033,
    0.0015633696313653504,
    -0.0023446677414755575,
    0.003518106563802472,
    -0.005280016306837215,
    0.007927021796868154,
    -0.011908215253480087,
    0.017907248317313294,
    -0.02697579684175504,
    0.040760833940846085,
    -0.061922133271697315,
    0.09498872445289039,
    -0.14840492305391736,
    0.24054248424078697,
    -0.42362742128146047,
];
/// `x^2 (ln x - 1/(2x) - psi(x))` in `1 / x^2` for `x >= 2`.
const PSI_TAIL: [f64; 18] = [
    -4591.938846782404,
    10847.141982752735,
    -11879.665696300202,
    8025.2668059909365,
    -3758.4014455627503,
    1303.3202157768428,
    -350.6596772999366,
    76.38818202819134,
    -14.175672334916992,
    2.4086326657401416,
    -0.41543190760742665,
    0.08240354891856491,
    -0.021070054649552764,
    0.0075753767455309946,
    -0.004166662685238446,
    0.003968253945839088,
    -0.008333333333282403,
    0.08333333333333331,
];
/// `(psi'(x) - psi'(3/2)) / (x - 3/2)` in `x - 3/2` on `[1, 2]`.
const PSI1: [f64; 24] = [
    0.0014013494735016804,
    -0.0020225715556743875,
    0.0008126553197995038,
    -0.0011593980593327233,
    0.003029177979030683,
    -0.004331508544530822,
    0.0056588714465495155,
    -0.008040318942244863,
    0.011512970970834521,
    -0.016255026466779662,
    0.022842098778727907,
    -0.03198496291673483,
    0.04456662377203228,
    -0.0617404572989626,
    0.08496879078684691,
    -0.11604072202106154,
    0.15705320189868086,
    -0.21030987313635566,
    0.2780808133296029,
    -0.36214936502368467,
    0.4630645251014845,
    -0.5790416377778788,
    0.7045455170012186,
    -0.82879664423432,
];
/// `psi'(3/2)`.
const PSI1_MIDDLE: Double = Double {
    hi: 0.9348022005446793,
    lo: -1.9802131950561375e-17,
};
/// `x^3 (psi'(x) - 1/x - 1/(2x^2))` in `1 / x^2` for `x >= 2`.
const PSI1_TAIL: [f64; 20] = [
    -2231506.0428222944,
    5786650.895673011,
    -6991861.699852713,
    5234047.889030076,
    -2724338.0259388406,
    1049925.4940204811,
    -312011.2393742386,
    73736.00417707507,
    -14259.844162355095,
    2333.7466739816914,
    -338.8834254002886,
    46.873283476097484,
    -6.811184987400125,
    1.1591223437457556,
    -0.25296506229691085,
    0.07575557025106736,
    -0.03333331638634407,
    0.023809523732278678,
    -0.03333333333319111,
    0.16666666666666663,
];
const PI: Double = Double {
    hi: std::f64::consts::PI,
    lo: 1.2246467991473532e-16,
};

/// `psi(x)` for `x >= 1`, `psi(1 + x)` for `0 <= x < 1`.
#[inline(always)]
fn psi_right<const FMA: bool>(x: f64, inverse: f64) -> Double {
    let offset = select(x >= 1.0, x - 1.0, x);
    let gap = two_sum(offset, -ROOT.hi);
    let t = offset - 0.5;
    let curve = madd::<FMA>(t, horner::<FMA, 23>(t, &PSI), PSI_SLOPE.lo);
    let slope = fast_two_sum(PSI_SLOPE.hi, curve);
    let gap = Double {
        hi: gap.hi,
        lo: gap.lo - ROOT.lo,
    };
    let near = gap.times::<FMA>(slope);
    let log = ln_double::<FMA>(Double::from(select(x >= 2.0, x, 2.0)));
    let square = inverse * inverse;
    let series = square * horner::<FMA, 18>(square, &PSI_TAIL);
    let far = two_sum(log.hi, -0.5 * inverse);
    let far = fast_two_sum(far.hi, far.lo + (log.lo - series));
    Double::select(x >= 2.0, far, near)
}

/// The digamma function: within 2 ulp for `x > 0`, for `x < 0` within 2 ulp of the larger of the result and
/// `1 + ln(1 - x)`; NaN at the poles, as in R.
#[inline(always)]
pub fn digamma<const FMA: bool>(x: f64) -> f64 {
    let y = x.abs();
    let inverse = Double::from(1.0).over::<FMA>(Double::from(y));
    let regular = psi_right::<FMA>(y, inverse.hi);
    let nothing = Double::from(0.0);
    let right = regular.plus(Double::select(y < 1.0, inverse.negative(), nothing));
    let cotangent = cos_pi::<FMA>(y)
        .over::<FMA>(sin_pi::<FMA>(y))
        .times::<FMA>(PI);
    let left = regular
        .plus(Double::select(y < 1.0, nothing, inverse))
        .plus(cotangent);
    let result = Double::select(x < 0.0, left, right).value();
    let result = select(y < 1e-300, -1.0 / x, result);
    let result = select(x == f64::INFINITY, x, result);
    select(is_pole(x), f64::NAN, result)
}

/// `psi'(x)` for `x >= 1`, `psi'(1 + x)` for `0 <= x < 1`.
#[inline(always)]
fn psi1_right<const FMA: bool>(x: f64, inverse: Double) -> Double {
    let offset = (select(x >= 1.0, x - 1.0, x)) - 0.5;
    let curve = madd::<FMA>(offset, horner::<FMA, 24>(offset, &PSI1), PSI1_MIDDLE.lo);
    let near = fast_two_sum(PSI1_MIDDLE.hi, curve);
    let square = inverse.hi * inverse.hi;
    let series = madd::<FMA>(inverse.hi, horner::<FMA, 20>(square, &PSI1_TAIL), 0.5);
    let far = fast_two_sum(inverse.hi, madd::<FMA>(square, series, inverse.lo));
    Double::select(x >= 2.0, far, near)
}

/// The trigamma function within 2 ulp; `Inf` at the poles.
#[inline(always)]
pub fn trigamma<const FMA: bool>(x: f64) -> f64 {
    let y = x.abs();
    // Beyond these bounds the result is 1/x^2 = Inf or 1/x.
    let inside = super::exp::clamp(y, 1e-160, 1e300);
    let inverse = Double::from(1.0).over::<FMA>(Double::from(inside));
    let regular = psi1_right::<FMA>(inside, inverse);
    let square = inverse.times::<FMA>(inverse);
    let nothing = Double::from(0.0);
    let right = regular
        .plus(Double::select(y < 1.0, square, nothing))
        .value();
    let cosecant = PI.over::<FMA>(sin_pi::<FMA>(inside));
    let beyond = Double::select(y < 1.0, nothing, square).plus(regular.negative());
    let left = cosecant.times::<FMA>(cosecant).plus(beyond).value();
    let result = select(x < 0.0, left, right);
    let result = select(x > 1e300, 1.0 / x, result);
    select(is_pole(x) | (y < 1e-155), f64::INFINITY, result)
}

/// Terms `B_2k` of the asymptotic series of `psi''`: `-(1/x^2 + 1/x^3 + sum_k B_2k (2k + 1) / x^(2k + 2))`, `k = 1..9`.
const PSI2_TAIL: [f64; 9] = [
    1044.452380952381,
    -120.56666666666666,
    17.5,
    -3.2904761904761903,
    0.8333333333333334,
    -0.3,
    0.16666666666666666,
    -0.16666666666666666,
    0.5,
];

/// The second derivative of [`digamma`] within 1e-14 of its value for `x > 0`; NaN elsewhere. It is needed as a slope
/// only. `psi''(x) = psi''(x + 1) - 2 / x^3` leads to arguments of at least 12, where the series holds.
#[inline(always)]
pub fn tetragamma<const FMA: bool>(x: f64) -> f64 {
    let lift = x < 12.0;
    let mut below = 0.0;
    for k in 0..12 {
        let inverse = 1.0 / (x + f64::from(k));
        below += 2.0 * inverse * inverse * inverse;
    }
    let inverse = 1.0 / select(lift, x + 12.0, x);
    let square = inverse * inverse;
    let series = square * horner::<FMA, 9>(square, &PSI2_TAIL);
    let result = -square * (1.0 + inverse + series) - select(lift, below, 0.0);
    select(x > 0.0, result, f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_derivative_of_digamma_is_that_of_the_series() {
        // psi''(1) = -2 zeta(3), psi''(1/2) = -14 zeta(3), psi''(x + 1) = psi''(x) + 2 / x^3.
        let zeta3 = 1.202_056_903_159_594_3;
        let mut integer = -2.0 * zeta3;
        let mut half = -14.0 * zeta3;
        for k in 0..60 {
            let x = f64::from(k);
            for (at, expected) in [(x + 1.0, integer), (x + 0.5, half)] {
                let value = tetragamma::<false>(at);
                let error = (value / expected - 1.0).abs();
                // The reference loses digits as its terms are subtracted.
                assert!(error < 2e-12, "{at}: {value} {expected} {error:.1e}");
            }
            integer += 2.0 / (x + 1.0).powi(3);
            half += 2.0 / (x + 0.5).powi(3);
        }
        assert!((tetragamma::<false>(1e-3) / -2e9 - 1.0).abs() < 1e-8);
        assert!(tetragamma::<false>(-0.5).is_nan());
    }
}

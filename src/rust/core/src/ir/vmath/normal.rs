//! Evaluate the standard normal density, distribution function and quantile.
//!
//! `Phi(-t) = e^(-t^2/2) E(t)` for `t >= 0`, with `(1 + 2t) E(t)` a polynomial in `(t - 4) / (t + 4)`. The quantile is
//! odd in `q = p - 1/2` near the middle, and `sqrt(-2 ln p)` minus a polynomial in the tails.

use super::double::{fast_two_sum, horner, madd, select, two_prod, two_sum, Double};
use super::exp::{clamp, scale, split};
use super::log::ln_double;

/// `((1 + 2t) E(t) - value at t = 4) / v` in `v = (t - 4) / (t + 4)`.
const TAIL: [f64; 28] = [
    -4.2343319284448015e-11,
    -8.817647689892198e-11,
    3.389852486500982e-10,
    1.0153623710896474e-09,
    -8.99427870466321e-10,
    -5.949745105361817e-09,
    -2.3651878258797867e-09,
    2.3328945433051387e-08,
    3.674298112842279e-08,
    -6.285940995822604e-08,
    -2.3500605082843563e-07,
    6.484846902609593e-08,
    1.2017626469312262e-06,
    5.979580319335741e-07,
    -5.889420435796155e-06,
    -6.0331061459725595e-06,
    3.155807631736311e-05,
    3.786806067293035e-05,
    -0.00020435489738672365,
    -0.00014330553250870915,
    0.001576978505861201,
    -0.0012100600562729472,
    -0.010512319259443558,
    0.044364290441982625,
    -0.09526047896238939,
    0.1289081354448236,
    -0.09637998589041431,
    -0.023009233104596065,
];
/// `9 E(4)`.
const TAIL_MIDDLE: Double = Double {
    hi: 0.8496957717177205,
    lo: -5.270248820184956e-17,
};
/// `((Phi(x) - 1/2) / x - Phi'(0)) / x^2` in `x^2` for `|x| <= 1`.
const CENTER: [f64; 12] = [
    6.57604540096126e-15,
    -2.0823869265437796e-13,
    5.10660671109732e-12,
    -1.1300620371254847e-10,
    2.2735263669949296e-09,
    -4.1226672698967343e-08,
    6.659693512309929e-07,
    -9.444656259433348e-06,
    0.00011543468761614801,
    -0.001187328215480454,
    0.009973557010035817,
    -0.06649038006690544,
];
const INV_SQRT_2PI: Double = Double {
    hi: 0.3989422804014327,
    lo: -2.49232720227773e-17,
};
const SQRT_2PI: Double = Double {
    hi: 2.5066282746310007,
    lo: -1.8328579980459167e-16,
};
/// `(quantile / q - sqrt(2 pi)) / q^2` in `q^2`, `q = p - 1/2`, for `|q| <= 3/8`.
const QUANTILE_CENTER: [f64; 24] = [
    3.7459144971857096e+16,
    -5.355681041170933e+16,
    3.6200447515419416e+16,
    -1.5309367829111834e+16,
    4530430444463358.0,
    -994767575300375.9,
    167822682346882.22,
    -22228705436031.883,
    2343713996544.282,
    -198149609466.81686,
    13507796403.443907,
    -735983544.0822502,
    33489320.53263267,
    -870141.4592799114,
    105618.6269729598,
    20074.016757254874,
    5884.930543326283,
    1689.734510647867,
    496.2747003416111,
    149.82979066176134,
    47.03578750237123,
    15.667608963243957,
    5.772533538611765,
    2.6249349909537365,
];
/// `s + quantile` at `s = 6`, where `s = sqrt(-2 ln p)`.
const QUANTILE_MIDDLE: Double = Double {
    hi: 0.4612278333919276,
    lo: 1.0800365641681605e-17,
};
/// `(s + quantile - QUANTILE_MIDDLE) / v` in `v = (s - 6) / (s + 6)` for `p <= 1/8`.
const QUANTILE_TAIL: [f64; 33] = [
    -0.32521887202106586,
    0.9519703095139683,
    -0.5011567696201574,
    -1.115956850444978,
    1.2793977254701676,
    0.43498851571193736,
    -1.1250806120077916,
    0.11778686786977084,
    0.49209470335352956,
    -0.12419552052116307,
    -0.17760583994351745,
    0.09307488957831059,
    0.0013123453729432114,
    0.01213428731858533,
    -0.03575968982993158,
    0.036448628645954724,
    -0.035840742897581324,
    0.03773330591189511,
    -0.04173688348393406,
    0.04432780732628136,
    -0.049139806577836315,
    0.05269896079969754,
    -0.05949199063390268,
    0.06467591094026082,
    -0.07483418330779301,
    0.08312456086739853,
    -0.10017938471381549,
    0.11556578645653456,
    -0.1485901823033911,
    0.18003762582941576,
    -0.2537620506490115,
    0.3229929063432978,
    -0.611425755090639,
];

/// `-t^2 / 2`.
#[inline(always)]
fn minus_half_square<const FMA: bool>(t: f64) -> Double {
    let square = two_prod::<FMA>(t, t);
    Double {
        hi: -0.5 * square.hi,
        lo: -0.5 * square.lo,
    }
}

/// `E(t) = Phi(-t) e^(t^2/2)` for `t >= 0`.
#[inline(always)]
fn tail<const FMA: bool>(t: f64) -> Double {
    let v = (t - 4.0) / (t + 4.0);
    let curve = madd::<FMA>(v, horner::<FMA, 28>(v, &TAIL), TAIL_MIDDLE.lo);
    fast_two_sum(TAIL_MIDDLE.hi, curve).over::<FMA>(two_sum(2.0 * t, 1.0))
}

/// `factor e^exponent`, rounded once.
#[inline(always)]
fn times_exp<const FMA: bool>(factor: Double, exponent: Double) -> f64 {
    let parts = split::<FMA>(exponent);
    scale(
        factor.hi + madd::<FMA>(factor.hi, parts.t, factor.lo),
        parts.n,
    )
}

/// `Phi(-t)` for `t >= 0`.
#[inline(always)]
fn upper<const FMA: bool>(t: f64) -> f64 {
    let t = clamp(t, 0.0, 39.0);
    times_exp::<FMA>(tail::<FMA>(t), minus_half_square::<FMA>(t))
}

/// The standard normal density within 2 ulp.
#[inline(always)]
pub fn dnorm<const FMA: bool>(x: f64) -> f64 {
    times_exp::<FMA>(
        INV_SQRT_2PI,
        minus_half_square::<FMA>(clamp(x, -39.0, 39.0)),
    )
}

/// `Phi(x)` for `|x| <= 1`.
#[inline(always)]
fn center<const FMA: bool>(x: f64) -> Double {
    let square = x * x;
    let linear = two_prod::<FMA>(x, INV_SQRT_2PI.hi);
    let curve = madd::<FMA>(square, horner::<FMA, 12>(square, &CENTER), INV_SQRT_2PI.lo);
    let sum = fast_two_sum(0.5, linear.hi);
    fast_two_sum(sum.hi, sum.lo + madd::<FMA>(x, curve, linear.lo))
}

/// The standard normal distribution function within 2 ulp, also in the lower tail.
#[inline(always)]
pub fn pnorm<const FMA: bool>(x: f64) -> f64 {
    let far = upper::<FMA>(x.abs());
    let far = select(x > 0.0, 1.0 - far, far);
    let near = center::<FMA>(clamp(x, -1.0, 1.0)).value();
    select(x.abs() < 1.0, near, far)
}

/// The logarithm of the standard normal distribution function within 2 ulp.
#[inline(always)]
pub fn log_pnorm<const FMA: bool>(x: f64) -> f64 {
    let t = clamp(x.abs(), 0.0, 1e150);
    let upward = two_sum(1.0, -upper::<FMA>(t));
    let far = Double::select(x > 0.0, upward, tail::<FMA>(t));
    let near = center::<FMA>(clamp(x, -1.0, 1.0));
    let middle = t < 1.0;
    let log = ln_double::<FMA>(Double::select(middle, near, far));
    let lower = log.plus(minus_half_square::<FMA>(t));
    let result = Double::select((x > 0.0) | middle, log, lower).value();
    select(x < -1e150, -0.5 * x * x, result)
}

/// The derivative `Phi'(x) / Phi(x)` of [`log_pnorm`] within 4 ulp; in the lower tail, where both vanish, about `-x`.
#[inline(always)]
pub fn mills<const FMA: bool>(x: f64) -> f64 {
    let t = clamp(-x, 0.0, 1e150);
    // The factors exp(-x^2/2) of density and tail cancel before they are computed.
    let lower = INV_SQRT_2PI.over::<FMA>(tail::<FMA>(t)).value();
    let result = select(x < 0.0, lower, dnorm::<FMA>(x) / pnorm::<FMA>(x));
    select(x < -1e150, -x, result)
}

/// The quantile of `p <= 1/8`, without its sign.
#[inline(always)]
fn quantile_tail<const FMA: bool>(p: f64) -> f64 {
    let log = ln_double::<FMA>(Double::from(p));
    let square = -2.0 * log.hi;
    let s = square.sqrt();
    let root = two_prod::<FMA>(s, s);
    let lost = 0.5 * (((square - root.hi) - root.lo) - 2.0 * log.lo) / s;
    let v = two_sum(s, -6.0).over::<FMA>(two_sum(s, 6.0));
    let curve = v.hi * horner::<FMA, 33>(v.hi, &QUANTILE_TAIL);
    let sum = two_sum(s, -QUANTILE_MIDDLE.hi);
    let main = two_sum(sum.hi, -curve);
    // The slope of the polynomial is about -0.9 where the second part of v matters.
    main.hi + (main.lo + (sum.lo + lost + madd::<FMA>(0.9, v.lo, -QUANTILE_MIDDLE.lo)))
}

/// The standard normal quantile within 2 ulp; infinite at 0 and 1, NaN outside.
#[inline(always)]
pub fn qnorm<const FMA: bool>(p: f64) -> f64 {
    let q = two_sum(p, -0.5);
    let square = q.hi * q.hi;
    let linear = two_prod::<FMA>(q.hi, SQRT_2PI.hi);
    let curve = madd::<FMA>(
        square,
        horner::<FMA, 24>(square, &QUANTILE_CENTER),
        SQRT_2PI.lo,
    );
    // p - 1/2 is inexact only for p < 1/4, where the derivative of the quantile is about 4.
    let near = linear.hi + madd::<FMA>(q.hi, curve, madd::<FMA>(4.0, q.lo, linear.lo));
    let smaller = select(p < 0.5, p, 1.0 - p);
    let far = quantile_tail::<FMA>(smaller);
    let far = select(p < 0.5, -far, far);
    let result = select(q.hi.abs() <= 0.375, near, far);
    let result = select(p == 0.0, f64::NEG_INFINITY, result);
    let result = select(p == 1.0, f64::INFINITY, result);
    let result = select(p >= 0.0, result, f64::NAN);
    select(p <= 1.0, result, f64::NAN)
}

//! Evaluate circular functions and the arc tangent.
//!
//! `x = n pi/2 + r` with `|r| <= pi/4` and `pi/2` cut into pieces of 26 bits, so that `n` times a piece is exact for
//! `n < 2^27` (Cody & Waite 1980); then `sin r = r + r^3 S(r^2)`, `cos r = 1 - r^2/2 + r^4 C(r^2)`.

use super::double::{fast_two_sum, horner, madd, select, two_prod, two_sum, Double, ROUND};
use super::exp::clamp;
use std::f64::consts::FRAC_2_PI;

/// `pi/2` in pieces: 26, 26, 26, 26 and 53 bits.
const HALF_PI: [f64; 5] = [
    1.5707963109016418,
    1.5893254712295857e-08,
    6.123233932053594e-17,
    6.368317055225283e-25,
    1.082856673921914e-32,
];
/// `(sin r - r) / r^3` in `r^2` for `|r| <= pi/4`.
const SIN: [f64; 6] = [
    1.5917848524808262e-10,
    -2.5051127944014188e-08,
    2.755731608381636e-06,
    -0.00019841269836722418,
    0.008333333333330925,
    -0.16666666666666666,
];
/// `(cos r - 1 + r^2/2) / r^4` in `r^2` for `|r| <= pi/4`.
const COS: [f64; 6] = [
    -1.1382456778061306e-11,
    2.0876143827993133e-09,
    -2.7557317260008837e-07,
    2.480158729874307e-05,
    -0.0013888888888887382,
    0.041666666666666664,
];
/// `(sin(pi r) - pi r + pi^3 r^3 / 6) / r^5` in `r^2` for `|r| <= 1/2`.
const SIN_PI: [f64; 9] = [
    5.275553953765967e-10,
    -2.2942956759862945e-08,
    7.952040187399891e-07,
    -2.1915353244441974e-05,
    0.00046630280575001563,
    -0.007370430945713495,
    0.0821458866111282,
    -0.5992645293207921,
    2.5501640398773455,
];
/// `-pi^3 / 6`
const SIN_PI_CUBIC: Double = Double {
    hi: -5.16771278004997,
    lo: 2.2665622825789447e-16,
};
const PI: Double = Double {
    hi: std::f64::consts::PI,
    lo: 1.2246467991473532e-16,
};
/// `(atan(t) - t) / t^3` in `t^2` for `|t| <= tan(pi/8)`.
const ATAN: [f64; 12] = [
    0.016284375050043393,
    -0.03456931506332609,
    0.045515447340221615,
    -0.05230443640686948,
    0.05878927554473807,
    -0.0666642476020052,
    0.07692296368042296,
    -0.09090908753259112,
    0.11111111105150588,
    -0.14285714285659779,
    0.19999999999999804,
    -0.3333333333333333,
];
const QUARTER_PI: Double = Double {
    hi: std::f64::consts::FRAC_PI_4,
    lo: 3.061616997868383e-17,
};
/// `tan(pi/8)` and `tan(3 pi/8)`.
const ATAN_CUTS: [f64; 2] = [0.414_213_562_373_095_1, 2.414_213_562_373_095];
/// 2^52: adding it to a smaller positive number rounds that to an integer.
const TWO_52: f64 = 4_503_599_627_370_496.0;
/// 2^50: beyond, two neighboring arguments are more than an eighth of a turn apart after rounding.
const LIMIT: f64 = 1_125_899_906_842_624.0;

/// `x = n pi/2 + r`; the last two bits of `quadrant` are those of `n`.
struct Reduced {
    r: Double,
    quadrant: u64,
}

#[inline(always)]
fn reduce<const FMA: bool>(x: f64) -> Reduced {
    let x = select(x.abs() <= LIMIT, x, f64::NAN);
    let rounded = madd::<FMA>(x, FRAC_2_PI, ROUND);
    let n = rounded - ROUND;
    let first = madd::<FMA>(-n, HALF_PI[0], x);
    let second = two_sum(first, -n * HALF_PI[1]);
    let third = two_sum(second.hi, -n * HALF_PI[2]);
    let fourth = two_sum(third.hi, -n * HALF_PI[3]);
    let lost = (second.lo + third.lo) + madd::<FMA>(-n, HALF_PI[4], fourth.lo);
    Reduced {
        r: fast_two_sum(fourth.hi, lost),
        quadrant: rounded.to_bits(),
    }
}

/// `sin r` for `|r| <= pi/4`.
#[inline(always)]
fn sin_kernel<const FMA: bool>(r: Double) -> Double {
    let square = r.hi * r.hi;
    let tail = madd::<FMA>(-0.5 * square, r.lo, r.lo);
    let curve = madd::<FMA>(square * r.hi, horner::<FMA, 6>(square, &SIN), tail);
    Double {
        hi: r.hi,
        lo: curve,
    }
}

/// `cos r` for `|r| <= pi/4`.
#[inline(always)]
fn cos_kernel<const FMA: bool>(r: Double) -> Double {
    let square = two_prod::<FMA>(r.hi, r.hi);
    let head = fast_two_sum(1.0, -0.5 * square.hi);
    let quartic = square.hi * square.hi * horner::<FMA, 6>(square.hi, &COS);
    let tail = madd::<FMA>(-r.hi, r.lo, -0.5 * square.lo);
    Double {
        hi: head.hi,
        lo: head.lo + (quartic + tail),
    }
}

/// The sine within 1 ulp for `|x| <= 1e8`; beyond, within 2 ulp of the sine of a number 1 ulp from `x`; NaN beyond 2^50.
#[inline(always)]
pub fn sin<const FMA: bool>(x: f64) -> f64 {
    let Reduced { r, quadrant } = reduce::<FMA>(x);
    let swap = quadrant & 1 == 1;
    let size = Double::select(swap, cos_kernel::<FMA>(r), sin_kernel::<FMA>(r)).value();
    let result = select(quadrant & 2 == 2, -size, size);
    select(x == 0.0, x, result)
}

/// The cosine; accuracy as for [`sin`].
#[inline(always)]
pub fn cos<const FMA: bool>(x: f64) -> f64 {
    let Reduced { r, quadrant } = reduce::<FMA>(x);
    let swap = quadrant & 1 == 1;
    let size = Double::select(swap, sin_kernel::<FMA>(r), cos_kernel::<FMA>(r)).value();
    select(quadrant.wrapping_add(1) & 2 == 2, -size, size)
}

/// The tangent; accuracy as for [`sin`].
#[inline(always)]
pub fn tan<const FMA: bool>(x: f64) -> f64 {
    let Reduced { r, quadrant } = reduce::<FMA>(x);
    let swap = quadrant & 1 == 1;
    let sine = sin_kernel::<FMA>(r).normal();
    let cosine = cos_kernel::<FMA>(r).normal();
    let above = Double::select(swap, cosine.negative(), sine);
    let result = above
        .over::<FMA>(Double::select(swap, sine, cosine))
        .value();
    select(x == 0.0, x, result)
}

/// The integer nearest to `y >= 0`, the even one of two.
#[inline(always)]
pub(super) fn nearest(y: f64) -> f64 {
    select(y < TWO_52, (y + TWO_52) - TWO_52, y)
}

/// `sin(pi r)` for `|r| <= 1/2`.
#[inline(always)]
fn sin_pi_kernel<const FMA: bool>(r: f64) -> Double {
    let square = two_prod::<FMA>(r, r);
    let tail = square.hi * horner::<FMA, 9>(square.hi, &SIN_PI);
    let series = fast_two_sum(SIN_PI_CUBIC.hi, SIN_PI_CUBIC.lo + tail);
    let slope = square.times::<FMA>(series).plus(PI);
    Double::from(r).times::<FMA>(slope)
}

/// `(-1)^n` for an integer `0 <= n`.
#[inline(always)]
fn parity_sign(n: f64) -> f64 {
    select(nearest(0.5 * n) == 0.5 * n, 1.0, -1.0)
}

/// `sin(pi y)` for `y >= 0`, relative error below 2^-53.
#[inline(always)]
pub(super) fn sin_pi<const FMA: bool>(y: f64) -> Double {
    let n = nearest(y);
    sin_pi_kernel::<FMA>((y - n) * parity_sign(n))
}

/// `cos(pi y)` for `y >= 0`, absolute error below 2^-53.
#[inline(always)]
pub(super) fn cos_pi<const FMA: bool>(y: f64) -> Double {
    let n = nearest(y);
    let size = sin_pi_kernel::<FMA>(0.5 - (y - n).abs());
    Double::select(parity_sign(n) > 0.0, size, size.negative())
}

/// `sin(2 pi u)` and `cos(2 pi u)` for `|u| <= 1`, absolute error below 2^-52.
#[inline(always)]
pub fn sin_cos_turn<const FMA: bool>(u: f64) -> (f64, f64) {
    let rounded = madd::<FMA>(4.0, u, ROUND);
    let r = 2.0 * PI.hi * madd::<FMA>(-0.25, rounded - ROUND, u);
    let square = r * r;
    let sine = madd::<FMA>(square * r, horner::<FMA, 6>(square, &SIN), r);
    let quartic = square * square * horner::<FMA, 6>(square, &COS);
    let cosine = 1.0 - madd::<FMA>(0.5, square, -quartic);
    let quadrant = rounded.to_bits();
    let swap = quadrant & 1 == 1;
    let (sine, cosine) = (select(swap, cosine, sine), select(swap, sine, cosine));
    let sign = (quadrant & 2) << 62;
    let cosine_sign = (quadrant.wrapping_add(1) & 2) << 62;
    (
        f64::from_bits(sine.to_bits() ^ sign),
        f64::from_bits(cosine.to_bits() ^ cosine_sign),
    )
}

/// The arc tangent within 1 ulp; keeps the sign of zero.
#[inline(always)]
pub fn atan<const FMA: bool>(x: f64) -> f64 {
    let size = clamp(x.abs(), 0.0, 1e300);
    let one = Double::from(1.0);
    let middle = size > ATAN_CUTS[0];
    let large = size > ATAN_CUTS[1];
    let above = Double::select(middle, two_sum(size, -1.0), Double::from(size));
    let above = Double::select(large, one.negative(), above);
    let below = Double::select(middle, two_sum(size, 1.0), one);
    let below = Double::select(large, Double::from(size), below);
    let t = above.over::<FMA>(below);
    let turns = (select(middle, 1.0, 0.0)) + (select(large, 1.0, 0.0));
    let square = t.hi * t.hi;
    let curve = madd::<FMA>(square * t.hi, horner::<FMA, 12>(square, &ATAN), t.lo);
    let sum = fast_two_sum(turns * QUARTER_PI.hi, t.hi);
    let result = sum.hi + (sum.lo + madd::<FMA>(turns, QUARTER_PI.lo, curve));
    select(x.abs() < f64::MIN_POSITIVE, x, result.copysign(x))
}

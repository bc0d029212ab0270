//! Evaluate the gamma function and its relatives with about 30 digits.
//!
//! The recurrence moves the argument beyond 18, where Stirling's series is used; Taylor's series beside the roots;
//! reflection for negative arguments.

use super::super::double::Double;
use super::reference::{exp, ln, log1p, sin_cos_small, w, wide, Exact, Wide, PI};

/// Stirling's series is used from here.
const FAR: f64 = 18.0;
/// `B_2k / (2k (2k - 1))`, `B_2k / 2k` and `B_2k` for `k = 1, 2, ...`: Stirling's series and its derivatives.
const STIRLING: [[f64; 2]; 12] = [
    [0.08333333333333333, 4.625929269271485e-18],
    [-0.002777777777777778, 1.0601087908747154e-19],
    [0.0007936507936507937, 6.883823317368282e-22],
    [-0.0005952380952380953, 5.36938218754726e-20],
    [0.0008417508417508417, 3.6870174889237694e-20],
    [-0.0019175269175269176, 1.0675702776872475e-19],
    [0.00641025641025641, 2.2240044563805217e-19],
    [-0.029550653594771242, 4.861760957508855e-19],
    [0.17964437236883057, -6.401600482710946e-19],
    [-1.3924322169059011, 1.5837056989230303e-17],
    [13.402864044168393, -6.154114101993966e-16],
    [-156.84828462600203, 9.391823141715389e-15],
];
const STIRLING_SLOPE: [[f64; 2]; 12] = [
    [0.08333333333333333, 4.625929269271485e-18],
    [-0.008333333333333333, -1.1564823173178714e-19],
    [0.003968253968253968, 2.20282346155785e-19],
    [-0.004166666666666667, -5.782411586589357e-20],
    [0.007575757575757576, -2.1026951223961299e-19],
    [-0.021092796092796094, 1.3911677399530732e-18],
    [0.08333333333333333, 4.625929269271485e-18],
    [-0.4432598039215686, -2.0462934179365632e-17],
    [3.0539543302701198, -1.0882720820608607e-17],
    [-26.456212121212122, 7.449932926454383e-16],
    [281.46014492753625, -1.647635329298783e-14],
    [-3607.5105463980462, -1.5347029033579816e-13],
];
const BERNOULLI: [[f64; 2]; 12] = [
    [0.16666666666666666, 9.25185853854297e-18],
    [-0.03333333333333333, -4.625929269271486e-19],
    [0.023809523809523808, 1.32169407693471e-18],
    [-0.03333333333333333, -4.625929269271486e-19],
    [0.07575757575757576, -2.10269512239613e-18],
    [-0.2531135531135531, -1.1061562736192037e-17],
    [1.1666666666666667, -7.401486830834377e-17],
    [-7.092156862745098, -3.274069468698501e-16],
    [54.971177944862156, -1.9588897477095493e-16],
    [-529.1242424242424, 6.890111377067638e-16],
    [6192.123188405797, 9.226757844073186e-14],
    [-86580.25311355312, 3.5926706461242705e-12],
];
/// `(-1)^k (zeta(k) - 1) / k` for `k = 2, 3, ...`.
const ZETA: [[f64; 2]; 12] = [
    [0.3224670334241132, 1.520336175199238e-17],
    [-0.0673523010531981, 6.87667631175899e-18],
    [0.020580808427784546, 1.4629392512775695e-18],
    [-0.007385551028673986, 4.1051370891788617e-19],
    [0.0028905103307415234, -7.357950161901912e-20],
    [-0.001192753911703261, 4.1747852352514e-20],
    [0.0005096695247430425, -2.780354175057013e-20],
    [-0.00022315475845357939, 6.032078299350848e-21],
    [9.945751278180853e-05, 2.734261130690314e-21],
    [-4.492623673813314e-05, 3.4577848248512954e-22],
    [2.050721277567069e-05, 4.864174577619616e-22],
    [-9.439488275268397e-06, 8.111985879973243e-22],
];
const PSI_TWO: [f64; 2] = [0.42278433509846713, 4.942915152430645e-18];
const HALF_LN_2PI: [f64; 2] = [0.9189385332046728, -3.8782941580672414e-17];
/// The positive root of `psi`, in three parts.
const ROOT: [f64; 3] = [
    1.4616321449683622,
    9.549995429965697e-17,
    2.89392992820415e-33,
];
/// `psi^(k)(root) / k!` for `k = 1, 2, ...`.
const PSI_AT_ROOT: [[f64; 2]; 9] = [
    [0.9676722454476212, -3.387874303038943e-17],
    [-0.4427631689835921, -2.4685968258808798e-17],
    [0.258499760955651, -1.50046082237735e-17],
    [-0.16394270544240652, -5.2948981225636345e-18],
    [0.10782405069126237, -5.647016933496416e-18],
    [-0.07219956125645471, 3.0827459843108324e-18],
    [0.04880428816414311, -2.82635913171961e-18],
    [-0.03316112647484736, 2.6301239066061398e-18],
    [0.022597648232218104, 8.453631579784668e-19],
];

/// The polynomial with these coefficients, the constant first.
#[inline(always)]
fn polynomial<const FMA: bool>(x: Wide<FMA>, coefficients: &[[f64; 2]]) -> Wide<FMA> {
    coefficients
        .iter()
        .rev()
        .fold(w(0.0), |sum, &c| sum * x + wide(c))
}

/// `ln G(x)` for `x > 0`.
#[inline(always)]
pub fn lgamma_right<const FMA: bool>(x: f64) -> Wide<FMA> {
    let (near_one, near_two) = (w::<FMA>(x) - w(1.0), w::<FMA>(x) - w(2.0));
    if near_one.0.hi.abs() < 0.01 {
        return taylor(near_one) - log1p(near_one);
    }
    if near_two.0.hi.abs() < 0.01 {
        return taylor(near_two);
    }
    let mut product = w::<FMA>(1.0);
    let mut y = w::<FMA>(x);
    while y.0.hi < FAR {
        product = product * y;
        y = y + w(1.0);
    }
    let inverse = w(1.0) / y;
    let tail = polynomial(inverse * inverse, &STIRLING) * inverse;
    (y - w(0.5)) * (ln(y) - w(1.0)) + (wide(HALF_LN_2PI) - w(0.5)) + tail - ln(product)
}

/// `ln G(2 + e)` for small `e`.
#[inline(always)]
fn taylor<const FMA: bool>(e: Wide<FMA>) -> Wide<FMA> {
    (polynomial(e, &ZETA) * e + wide(PSI_TWO)) * e
}

/// `sin(pi y)` and `cos(pi y)`.
#[inline(always)]
fn sin_cos_pi<const FMA: bool>(y: f64) -> (Wide<FMA>, Wide<FMA>) {
    let n = (2.0 * y).round();
    let (sine, cosine) = sin_cos_small(wide::<FMA>(PI) * w(y - 0.5 * n));
    match n.rem_euclid(4.0) as u8 {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// The size of a number.
#[inline(always)]
fn abs<const FMA: bool>(x: Wide<FMA>) -> Wide<FMA> {
    Wide(Double::select(x.0.hi < 0.0, x.0.negative(), x.0))
}

/// `ln |G(x)|`.
#[inline(always)]
pub fn lgamma<const FMA: bool>(x: f64) -> Wide<FMA> {
    if x > 0.0 {
        return lgamma_right(x);
    }
    let sine = abs(sin_cos_pi::<FMA>(x).0);
    ln(wide(PI)) - ln(w(-x)) - ln(sine) - lgamma_right(-x)
}

/// The gamma function.
#[inline(always)]
pub fn gamma<const FMA: bool>(x: f64) -> Exact {
    let size = exp(lgamma::<FMA>(x));
    if x < 0.0 && x.floor().rem_euclid(2.0) == 1.0 {
        return Exact {
            number: size.number.negative(),
            ..size
        };
    }
    size
}

/// The digamma function for `x > 0`.
#[inline(always)]
fn digamma_right<const FMA: bool>(x: f64) -> Wide<FMA> {
    let e = (w::<FMA>(x) - w(ROOT[0])) - w(ROOT[1]) - w(ROOT[2]);
    if e.0.hi.abs() < 1e-3 {
        return polynomial(e, &PSI_AT_ROOT) * e;
    }
    let (mut product, mut slope) = (w::<FMA>(1.0), w::<FMA>(0.0));
    let mut y = w::<FMA>(x);
    while y.0.hi < FAR {
        slope = slope * y + product;
        product = product * y;
        y = y + w(1.0);
    }
    let inverse = w(1.0) / y;
    let square = inverse * inverse;
    ln(y) - inverse * w(0.5) - polynomial(square, &STIRLING_SLOPE) * square - slope / product
}

/// The digamma function.
#[inline(always)]
pub fn digamma<const FMA: bool>(x: f64) -> Wide<FMA> {
    if x > 0.0 {
        return digamma_right(x);
    }
    let (sine, cosine) = sin_cos_pi::<FMA>(-x);
    digamma_right(-x) + w(1.0) / w(-x) + wide(PI) * cosine / sine
}

/// The trigamma function for `x > 0`.
#[inline(always)]
fn trigamma_right<const FMA: bool>(x: f64) -> Wide<FMA> {
    let mut sum = w::<FMA>(0.0);
    let mut y = w::<FMA>(x);
    while y.0.hi < FAR {
        let inverse = w(1.0) / y;
        sum = sum + inverse * inverse;
        y = y + w(1.0);
    }
    let inverse = w(1.0) / y;
    let square = inverse * inverse;
    let tail = (polynomial(square, &BERNOULLI) * inverse + w(0.5)) * square;
    sum + (inverse + tail)
}

/// The trigamma function.
#[inline(always)]
pub fn trigamma<const FMA: bool>(x: f64) -> Wide<FMA> {
    if x > 0.0 {
        return trigamma_right(x);
    }
    let cosecant = wide(PI) / sin_cos_pi::<FMA>(-x).0;
    let inverse = w(1.0) / w(x);
    cosecant * cosecant - trigamma_right(-x) + inverse * inverse
}

//! Evaluate the gamma function and its logarithm.
//!
//! For `x < 2.5`, `ln G(x) = ln G(2 + z) - ln A` with `|z| <= 1/2` and `A` one of `1`, `x`, `x (x + 1)`; above,
//! `ln G(x) = (x - 1/2)(ln x - 1) + (ln(2 pi) - 1) / 2 + S(1 / x^2) / x`; below `-1/2`,
//! `ln |G(x)| = ln pi - ln |x sin(pi x)| - ln G(-x)`.

use super::double::{fast_two_sum, horner, madd, select, two_prod, two_sum, Double};
use super::log::ln_double;
use super::power::exp_double;
use super::trig::{nearest, sin_pi};

/// `(ln G(2 + z) - z psi(2) - z^2 psi'(2) / 2) / z^3` for `|z| <= 1/2`.
const NEAR_TWO: [f64; 20] = [
    1.453079460653837e-08,
    -3.0412068327913675e-08,
    4.5626981818024775e-08,
    -9.611311217528077e-08,
    2.1269742330955668e-07,
    -4.505513901600013e-07,
    9.550282875898862e-07,
    -2.038980289606216e-06,
    4.3748793352154525e-06,
    -9.439514433031234e-06,
    2.0507211930044754e-05,
    -4.49262349749866e-05,
    9.945751281447515e-05,
    -0.00022315475852168894,
    0.0005096695247424027,
    -0.001192753911701927,
    0.002890510330741528,
    -0.007385551028673995,
    0.020580808427784546,
    -0.0673523010531981,
];
/// `psi(2)`, the slope of `ln G` at 2.
const PSI_TWO: Double = Double {
    hi: 0.42278433509846713,
    lo: 4.942915152430645e-18,
};
/// `psi'(2) / 2`.
const HALF_PSI1_TWO: Double = Double {
    hi: 0.3224670334241132,
    lo: 1.520336175199238e-17,
};
/// The tail of Stirling's series times `x`, in `1 / x^2`, for `x >= 2.5`.
const STIRLING: [f64; 15] = [
    39.07641432580786,
    -51.90311324524183,
    32.06930639067006,
    -12.382761138229544,
    3.4210517544623658,
    -0.7478830722228177,
    0.14410607131380507,
    -0.027988399477413713,
    0.0063584087800279574,
    -0.0019162943051835774,
    0.0008417311238132655,
    -0.0005952379009487816,
    0.0007936507926301219,
    -0.0027777777777756286,
    0.08333333333333333,
];
/// `(ln(2 pi) - 1) / 2`.
const STIRLING_CONSTANT: Double = Double {
    hi: 0.4189385332046727,
    lo: 1.6728209650585413e-17,
};
/// From here `ln G(x)` exceeds the largest double.
const OVERFLOW: f64 = 2.556_348_163_871_691e305;
const LN_PI: Double = Double {
    hi: 1.1447298858494002,
    lo: 1.0265951162707826e-17,
};

/// `ln |G(x)|` for `x > -1/2`, relative error below 2^-54 also beside the roots 1 and 2.
#[inline(always)]
fn right<const FMA: bool>(x: f64) -> Double {
    let two = x >= 1.5;
    let one = x >= 0.5;
    let large = x >= 2.5;
    let square = two_prod::<FMA>(x, x);
    let both = fast_two_sum(x, square.hi);
    let product = Double {
        hi: both.hi,
        lo: both.lo + square.lo,
    };
    let product = Double::select(x < 0.0, product.negative(), product);
    let factor = Double::select(one, Double::from(x), product);
    let factor = Double::select(two & !large, Double::from(1.0), factor);
    let log = ln_double::<FMA>(factor);
    let near_one = select(one, x - 1.0, x);
    let near = near_two::<FMA>(select(two, x - 2.0, near_one)).plus(log.negative());
    Double::select(large, stirling::<FMA>(x, log), near)
}

/// `ln G(2 + z)` for `|z| <= 1/2`.
#[inline(always)]
fn near_two<const FMA: bool>(z: f64) -> Double {
    let tail = madd::<FMA>(z, horner::<FMA, 20>(z, &NEAR_TWO), HALF_PSI1_TWO.lo);
    let curve = Double::from(z).times::<FMA>(fast_two_sum(HALF_PSI1_TWO.hi, tail));
    let slope = fast_two_sum(PSI_TWO.hi, curve.hi);
    Double::from(z).times::<FMA>(Double {
        hi: slope.hi,
        lo: slope.lo + (curve.lo + PSI_TWO.lo),
    })
}

/// `ln G(x)` for `x >= 2.5` from `ln x`.
#[inline(always)]
fn stirling<const FMA: bool>(x: f64, log: Double) -> Double {
    let inverse = 1.0 / x;
    let tail = inverse * horner::<FMA, 15>(inverse * inverse, &STIRLING);
    let main = two_sum(x, -0.5).times::<FMA>(log.plus(Double::from(-1.0)));
    let sum = main.plus(STIRLING_CONSTANT);
    Double {
        hi: sum.hi,
        lo: sum.lo + tail,
    }
}

/// `ln |G(x)|` and `sin(pi |x|)`; poles not yet marked.
#[inline(always)]
fn log_abs<const FMA: bool>(x: f64) -> (Double, Double) {
    let reflect = x <= -0.5;
    let y = select(reflect, -x, x);
    let direct = right::<FMA>(y);
    let sine = sin_pi::<FMA>(y);
    let size = Double::select(sine.hi < 0.0, sine.negative(), sine);
    let product = Double::from(y).times::<FMA>(size);
    let mirrored = LN_PI
        .plus(ln_double::<FMA>(product).negative())
        .plus(direct.negative());
    (Double::select(reflect, mirrored, direct), sine)
}

/// Is `x` one of `0, -1, -2, ...`?
#[inline(always)]
pub(super) fn is_pole(x: f64) -> bool {
    (x <= 0.0) & (nearest(x.abs()) == x.abs())
}

/// `ln |G(x)|` within 1 ulp for `x > 0`; for `x < 0` within 1 ulp of the larger of 1 and the result; `Inf` at the poles.
#[inline(always)]
pub fn lgamma<const FMA: bool>(x: f64) -> f64 {
    let log = log_abs::<FMA>(x).0;
    let finite = (x < OVERFLOW) & (x > f64::NEG_INFINITY);
    let value = select(finite, log.value(), f64::INFINITY);
    let value = select(is_pole(x), f64::INFINITY, value);
    select(x.is_nan(), x, value)
}

/// The gamma function within 1 ulp; NaN at the poles, as in R.
#[inline(always)]
pub fn gamma<const FMA: bool>(x: f64) -> f64 {
    let (log, sine) = log_abs::<FMA>(x);
    let size = select(x > 200.0, f64::INFINITY, exp_double::<FMA>(log));
    let below = select((x > -0.5) | (sine.hi > 0.0), -size, size);
    let result = select(x < 0.0, below, size);
    select(is_pole(x), f64::NAN, result)
}

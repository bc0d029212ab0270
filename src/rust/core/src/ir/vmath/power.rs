//! Evaluate powers and roots, with R's conventions.
//!
//! `x^y = e^(y ln |x|)` with the logarithm and the product carried in two numbers; then the sign and the special cases
//! of `?Arithmetic` in R: `1^y = x^0 = 1` even for NaN, `x^2 = x x`, `0^y` is `0` or `Inf` without a sign, a negative base needs a
//! finite integer exponent.

use super::double::{madd, select, two_prod, Double};
use super::exp::{scale, split};
use super::log::ln_double;

/// 2^52: every larger number is an integer.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// Is `y >= 0` an integer (infinity counts as one)?
#[inline(always)]
fn is_integer(y: f64) -> bool {
    (y >= TWO_52) | ((y + TWO_52) - TWO_52 == y)
}

/// The square root, correctly rounded.
#[inline(always)]
pub fn sqrt<const FMA: bool>(x: f64) -> f64 {
    x.sqrt()
}

/// `e^(x.hi + x.lo)` within 1 ulp, whatever the magnitude of `x`.
#[inline(always)]
pub(super) fn exp_double<const FMA: bool>(x: Double) -> f64 {
    let high = Double::select(x.hi > 720.0, Double::from(720.0), x);
    let inside = Double::select(x.hi < -750.0, Double::from(-750.0), high);
    let parts = split::<FMA>(inside);
    scale(1.0 + parts.t, parts.n)
}

/// `x^y` within 1 ulp, with R's special cases.
#[inline(always)]
pub fn pow<const FMA: bool>(x: f64, y: f64) -> f64 {
    let (base, exponent) = (x.abs(), y.abs());
    let log = ln_double::<FMA>(Double::from(base));
    let product = two_prod::<FMA>(y, log.hi);
    let size = exp_double::<FMA>(Double {
        hi: product.hi,
        lo: madd::<FMA>(y, log.lo, product.lo),
    });
    let toward_zero = select(y < 0.0, f64::INFINITY, 0.0);
    let toward_infinity = select(y < 0.0, 0.0, f64::INFINITY);
    let size = select(base == 0.0, toward_zero, size);
    let size = select(base == f64::INFINITY, toward_infinity, size);
    let whole = is_integer(exponent) & (exponent < f64::INFINITY);
    let odd = whole & !is_integer(0.5 * exponent);
    let signed = select(odd, -size, size);
    let below_zero = select(whole, signed, f64::NAN);
    let result = select(x < 0.0, below_zero, size);
    let result = select(y == 2.0, x * x, result);
    let result = select(x.is_nan() | y.is_nan(), f64::NAN, result);
    select((x == 1.0) | (y == 0.0), 1.0, result)
}

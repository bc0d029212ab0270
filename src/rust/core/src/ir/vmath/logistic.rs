//! Evaluate the logistic distribution function, its inverse and its integral.
//!
//! `plogis(x) = 1 / (1 + e^-x)`, `qlogis(p) = ln(p / (1 - p))`, `log1pexp(x) = ln(1 + e^x)`.

use super::double::{fast_two_sum, select, two_sum, Double};
use super::exp::{clamp, power_of_two, scale, split};
use super::log::{ln_double, log1p_double};

/// `e^-|x|`.
#[inline(always)]
fn decay<const FMA: bool>(x: f64) -> Double {
    let parts = split::<FMA>(Double::from(-clamp(x.abs(), 0.0, 746.0)));
    let value = fast_two_sum(1.0, parts.t);
    Double {
        hi: scale(value.hi, parts.n),
        // Below 2^-960 the second part is never needed, and 2^n could underflow.
        lo: select(parts.n < -960.0, 0.0, value.lo * power_of_two(parts.n)),
    }
}

/// The logistic distribution function within 1 ulp.
#[inline(always)]
pub fn plogis<const FMA: bool>(x: f64) -> f64 {
    let e = decay::<FMA>(x);
    let below = two_sum(1.0, e.hi);
    let above = Double::select(x < 0.0, e, Double::from(1.0));
    above
        .over::<FMA>(Double {
            hi: below.hi,
            lo: below.lo + e.lo,
        })
        .value()
}

/// The logit within 1 ulp; infinite at 0 and 1, NaN outside.
#[inline(always)]
pub fn qlogis<const FMA: bool>(p: f64) -> f64 {
    let odds = Double::from(p).over::<FMA>(two_sum(1.0, -p));
    let result = ln_double::<FMA>(odds).value();
    let result = select(p == 0.0, f64::NEG_INFINITY, result);
    let result = select(p == 1.0, f64::INFINITY, result);
    let result = select(p >= 0.0, result, f64::NAN);
    select(p <= 1.0, result, f64::NAN)
}

/// `ln(1 + e^x)` within 2 ulp.
#[inline(always)]
pub fn log1pexp<const FMA: bool>(x: f64) -> f64 {
    let rest = log1p_double::<FMA>(decay::<FMA>(x));
    select(x > 0.0, x + rest, rest)
}

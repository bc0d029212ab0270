//! Evaluate the hyperbolic tangent.
//!
//! `tanh x = h / (h + 1)` with `h = (e^(2x) - 1) / 2`.

use super::double::{select, two_sum, Double};
use super::exp::{clamp, half_expm1, TINY};

/// The hyperbolic tangent within 1 ulp; keeps the sign of zero.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f64) -> f64 {
    let h = half_expm1::<FMA>(2.0 * clamp(x.abs(), 0.0, 22.0));
    let below = two_sum(h.hi, 1.0);
    let quotient = h.over::<FMA>(Double {
        hi: below.hi,
        lo: below.lo + h.lo,
    });
    select(x.abs() < TINY, x, quotient.value().copysign(x))
}

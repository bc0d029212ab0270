//! Measure the error of a result in units of the last place.

use super::reference::{two_to, Exact};

/// The spacing of doubles at `x`.
fn ulp(x: f64) -> f64 {
    let x = x.abs().min(f64::MAX);
    f64::from_bits(x.to_bits() | 1) - f64::from_bits(x.to_bits() & !1)
}

/// `x * 2^n` for any `n`.
fn scaled(x: f64, n: i32) -> f64 {
    let third = n / 3;
    x * two_to(third) * two_to(third) * two_to(n - 2 * third)
}

/// The distance of `y` from the exact value in units of `ulp(exact)`, or of `ulp(floor)` if that is larger.
pub fn distance(y: f64, exact: Exact, floor: f64) -> f64 {
    let nearest = scaled(exact.number.hi, exact.exponent);
    if nearest.is_infinite() {
        return if y == nearest || y.abs() == f64::MAX {
            0.0
        } else {
            f64::INFINITY
        };
    }
    let unit = ulp(nearest).max(ulp(floor) * f64::from(u8::from(floor > 0.0)));
    // Both terms are brought to the scale of the unit, where a subnormal has all its digits.
    let shift = -exact.exponent;
    let (y, unit) = (scaled(y, shift), scaled(unit, shift));
    let gap = ((y - exact.number.hi) - exact.number.lo).abs() / unit;
    if gap.is_nan() {
        f64::INFINITY
    } else {
        gap
    }
}

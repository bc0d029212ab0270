//! Evaluate the normal distribution with about 25 digits.
//!
//! Beside zero the series `Phi(x) - 1/2 = phi(x) (x + x^3/3 + x^5/15 + ...)`; in the tail the continued fraction of
//! Mills' ratio `Phi(-t) / phi(t) = 1/(t + 1/(t + 2/(t + ...)))`.

use super::reference::{exp, ln, log1p, two_to, w, wide, Exact, Wide};

const HALF_LN_2PI: [f64; 2] = [0.9189385332046728, -3.8782941580672414e-17];
/// The continued fraction is used from here.
const FAR: f64 = 3.0;

/// `ln phi(x)`.
#[inline(always)]
fn log_density<const FMA: bool>(x: f64) -> Wide<FMA> {
    -(w(x) * w(x) * w(0.5)) - wide(HALF_LN_2PI)
}

/// The density.
#[inline(always)]
pub fn dnorm<const FMA: bool>(x: f64) -> Exact {
    exp(log_density::<FMA>(x))
}

/// `(Phi(x) - 1/2) / phi(x)` for `|x| <= 3`.
#[inline(always)]
fn middle_ratio<const FMA: bool>(x: f64) -> Wide<FMA> {
    let square = w::<FMA>(x) * w(x);
    let mut sum = w(1.0);
    let terms = (10.0 + 14.0 * x.abs()) as usize;
    for k in (1..terms).rev() {
        sum = sum * square / w(2.0 * k as f64 + 1.0) + w(1.0);
    }
    sum * w(x)
}

/// Mills' ratio `Phi(-t) / phi(t)` for `t >= 3`.
#[inline(always)]
fn mills<const FMA: bool>(t: f64) -> Wide<FMA> {
    let terms = (20.0 + 600.0 / (t * t)) as usize;
    let mut below = w::<FMA>(t);
    for k in (1..terms).rev() {
        below = w(t) + w(k as f64) / below;
    }
    w(1.0) / below
}

/// A result whose scale is small enough to be applied.
#[inline(always)]
fn unscaled<const FMA: bool>(x: Exact) -> Wide<FMA> {
    Wide(x.number) * w(two_to(x.exponent.max(-900)))
}

/// `Phi(x)`.
#[inline(always)]
pub fn pnorm<const FMA: bool>(x: f64) -> Exact {
    let density = dnorm::<FMA>(x);
    if x.abs() <= FAR {
        return (middle_ratio::<FMA>(x) * unscaled(density) + w(0.5)).exact();
    }
    let tail = Exact {
        number: (mills::<FMA>(x.abs()) * Wide(density.number)).0,
        exponent: density.exponent,
    };
    if x < 0.0 {
        tail
    } else {
        (w::<FMA>(1.0) - unscaled(tail)).exact()
    }
}

/// `ln Phi(x)`.
#[inline(always)]
pub fn log_pnorm<const FMA: bool>(x: f64) -> Exact {
    if x < -FAR {
        return (ln(mills::<FMA>(-x)) + log_density(x)).exact();
    }
    if x < 0.0 {
        return ln(unscaled::<FMA>(pnorm::<FMA>(x))).exact();
    }
    let opposite = pnorm::<FMA>(-x);
    if opposite.exponent < -200 {
        return Exact {
            number: opposite.number.negative(),
            ..opposite
        };
    }
    log1p(-unscaled::<FMA>(opposite)).exact()
}

/// The quantile of `p`, one Newton step from `start`.
#[inline(always)]
pub fn qnorm<const FMA: bool>(p: f64, start: f64) -> Wide<FMA> {
    let t = start.abs();
    if t <= FAR {
        let gap = middle_ratio::<FMA>(start) - (w(p) - w(0.5)) / unscaled(dnorm::<FMA>(start));
        return w(start) - gap;
    }
    let size = if start < 0.0 {
        w::<FMA>(p)
    } else {
        w(1.0) - w(p)
    };
    let ratio = mills::<FMA>(t);
    let gap = (ln(ratio) + log_density(t) - ln(size)) * ratio;
    if start < 0.0 {
        w(start) - gap
    } else {
        w(start) + gap
    }
}

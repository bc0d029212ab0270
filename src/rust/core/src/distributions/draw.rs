//! Draw values of the families, one at a time.

use super::transformed;
use rand::Rng;
use rand_distr::{
    Beta, Binomial, Distribution, Exp1, Gamma, Open01, Poisson, StandardNormal, StudentT,
};

/// Draws after which a scale is taken to have no values there.
const MOST: usize = 1000;

/// Draw one outcome of a family. `arguments` are the values of `Density::arguments`. NaN where an argument is outside its
/// domain, and for a family that cannot be drawn from (`custom`).
///
/// An event is 1 with the probability `1 - e^-H` that one happens between the previous row and this one.
pub fn draw(family: &str, arguments: &[f64], rng: &mut (impl Rng + ?Sized)) -> f64 {
    match (family, arguments) {
        ("categorical", probs) => category(probs, uniform(rng)),
        ("ordered", [eta, cutpoints @ ..]) => {
            let latent = eta + logistic(rng);
            1.0 + cutpoints.iter().filter(|cut| **cut < latent).count() as f64
        }
        ("event", [cumulative]) => indicator(uniform(rng) < -(-cumulative).exp_m1()),
        ("bernoulli", [prob]) => indicator(uniform(rng) < *prob),
        ("poisson", [rate]) => poisson(*rate, rng),
        ("binomial", [size, prob]) => binomial(*size, *prob, rng),
        ("neg_binomial", [mean, size]) => poisson(gamma(*size, mean / size, rng), rng),
        _ => continuous(family, arguments, rng),
    }
}

/// Draw a value of a continuous family. Of one that is normal on a scale without the value that was drawn there, draw
/// again.
pub(super) fn continuous(family: &str, arguments: &[f64], rng: &mut (impl Rng + ?Sized)) -> f64 {
    match (family, arguments) {
        ("normal", [mean, sd]) => mean + sd * normal(rng),
        ("lognormal", [mean, sd]) => (mean + sd * normal(rng)).exp(),
        ("student_t", [df, mean, sd]) => {
            StudentT::new(*df).map_or(f64::NAN, |t| mean + sd * t.sample(rng))
        }
        ("laplace", [location, scale]) => {
            let sign = if uniform(rng) < 0.5 { -1.0 } else { 1.0 };
            location + sign * scale * exponential(rng)
        }
        ("logistic", [location, scale]) => location + scale * logistic(rng),
        ("gamma", [shape, scale]) => gamma(*shape, *scale, rng),
        ("beta", [a, b]) => Beta::new(*a, *b).map_or(f64::NAN, |x| x.sample(rng)),
        ("exponential", [scale]) => scale * exponential(rng),
        ("weibull", [shape, scale]) => scale * exponential(rng).powf(1.0 / shape),
        (_, [center, sd, more @ ..]) if transformed::FAMILIES.contains(&family) => {
            let mut draws = (0..MOST).map(|_| center + sd * normal(rng));
            let value = draws.find_map(|v| transformed::inverse(family, v, more));
            value.unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

fn uniform(rng: &mut (impl Rng + ?Sized)) -> f64 {
    Open01.sample(rng)
}

fn normal(rng: &mut (impl Rng + ?Sized)) -> f64 {
    StandardNormal.sample(rng)
}

fn exponential(rng: &mut (impl Rng + ?Sized)) -> f64 {
    Exp1.sample(rng)
}

fn logistic(rng: &mut (impl Rng + ?Sized)) -> f64 {
    let u = uniform(rng);
    u.ln() - (-u).ln_1p()
}

fn gamma(shape: f64, scale: f64, rng: &mut (impl Rng + ?Sized)) -> f64 {
    Gamma::new(shape, scale).map_or(f64::NAN, |x| x.sample(rng))
}

fn poisson(rate: f64, rng: &mut (impl Rng + ?Sized)) -> f64 {
    if rate == 0.0 {
        return 0.0;
    }
    Poisson::new(rate).map_or(f64::NAN, |x| x.sample(rng))
}

fn binomial(size: f64, prob: f64, rng: &mut (impl Rng + ?Sized)) -> f64 {
    // Above 2^53 whole numbers are not told apart.
    if !(0.0..=9_007_199_254_740_992.0).contains(&size) || size.fract() != 0.0 {
        return f64::NAN;
    }
    Binomial::new(size as u64, prob).map_or(f64::NAN, |x| x.sample(rng) as f64)
}

/// The category, from one, whose cumulative share of the sum first exceeds `u`.
fn category(probs: &[f64], u: f64) -> f64 {
    let total: f64 = probs.iter().sum();
    if !total.is_finite() || total <= 0.0 || probs.iter().any(|p| *p < 0.0) {
        return f64::NAN;
    }
    let mut rest = u * total;
    for (k, prob) in probs.iter().enumerate() {
        rest -= prob;
        if rest < 0.0 {
            return k as f64 + 1.0;
        }
    }
    probs.len() as f64
}

fn indicator(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

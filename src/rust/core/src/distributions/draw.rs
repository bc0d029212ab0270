//! Draw the numbers that draws of several families are made of.

use rand::Rng;
use rand_distr::{Distribution, Exp1, Open01, StandardNormal};

pub fn uniform(rng: &mut dyn Rng) -> f64 {
    Open01.sample(rng)
}

pub fn normal(rng: &mut dyn Rng) -> f64 {
    StandardNormal.sample(rng)
}

pub fn exponential(rng: &mut dyn Rng) -> f64 {
    Exp1.sample(rng)
}

pub fn logistic(rng: &mut dyn Rng) -> f64 {
    let u = uniform(rng);
    u.ln() - (-u).ln_1p()
}

pub fn indicator(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

//! Random effects that are not Gaussian: each is a function of a coordinate `phi` of the individual vector.
//!
//! | family | effect | log density of `phi` |
//! |---|---|---|
//! | `exponential(scale)` | `e^phi` | `w - e^w`, `w = phi - ln(scale)` |
//! | `gamma(shape, scale)` | `e^phi` | `shape w - e^w - lnGamma(shape)` |
//! | `beta(a, b)` | `plogis(phi)` | `a ln(x) + b ln(1 - x) - lnB(a, b)`, `x = plogis(phi)` |
//! | `student_t(df, mean, sd)` | `phi` | that of [`student_t`] |
//! | `normal(mean, sd)` | `phi` | that of [`normal`]: only where the SD differs between levels |
//! | `lognormal(mean, sd)` | `e^phi` | the same, its SD being that of `phi` |
//!
//! The Jacobian of the transform is part of the density. The information is expected, as in the module above: about
//! `phi` and the arguments together.

use rand::Rng;

use super::{beta, draw, gamma, normal, student_t, Spread};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::ir::vmath::{digamma, trigamma};

/// The distribution of one effect.
#[derive(Debug, Clone)]
pub struct EffectDensity {
    /// Of `phi`.
    pub log_density: Node,
    /// Expected information about `phi` and the arguments: argument and weight.
    pub information: Vec<(Node, Node)>,
    /// Standard deviation of the effect on its natural scale.
    pub sd: Node,
    /// Mean of the effect on its natural scale.
    pub mean: Node,
}

/// Names of the arguments of a family; empty for one that is Gaussian on some scale.
pub fn arguments(family: &str) -> &'static [&'static str] {
    match family {
        "exponential" | "gamma" | "beta" | "student_t" => super::scalar_arguments(family),
        _ => &[],
    }
}

/// `None` for a family that is not one of these, or for another number of arguments.
pub fn density(g: &mut Graph, family: &str, phi: Node, args: &[Node]) -> Option<EffectDensity> {
    Some(match (family, args) {
        ("exponential", [scale]) => exponential_effect(g, phi, *scale),
        ("gamma", [shape, scale]) => gamma_effect(g, phi, *shape, *scale),
        ("beta", [a, b]) => beta_effect(g, phi, *a, *b),
        ("student_t", [df, mean, sd]) => {
            let outcome = student_t::density(g, phi, [*df, *mean, *sd]);
            let residual = g.sub(phi, *mean);
            let mut information = student_t::information(g, [*df, *mean, *sd]);
            // Only the difference of effect and mean matters.
            information[0].0 = residual;
            EffectDensity {
                log_density: outcome.log_density,
                information,
                sd: student_t::standard_deviation(g, *df, *sd),
                mean: *mean,
            }
        }
        ("normal" | "lognormal", [mean, sd]) => normal_effect(g, phi, *mean, *sd),
        _ => return None,
    })
}

/// Information: that of the residual, and 2 about `ln(sd)`.
fn normal_effect(g: &mut Graph, phi: Node, mean: Node, sd: Node) -> EffectDensity {
    let residual = g.sub(phi, mean);
    let outcome = normal::density(g, phi, mean, Spread::Sd(sd));
    let mut information = outcome.information.unwrap_or_default();
    information[0].0 = residual;
    EffectDensity {
        log_density: outcome.log_density,
        information,
        sd,
        mean,
    }
}

/// Information: 1 about `w`.
fn exponential_effect(g: &mut Graph, phi: Node, scale: Node) -> EffectDensity {
    let log_scale = g.ln(scale);
    let w = g.sub(phi, log_scale);
    let (decay, one) = (g.exp(w), g.constant(1.0));
    EffectDensity {
        log_density: g.sub(w, decay),
        information: vec![(w, one)],
        sd: scale,
        mean: scale,
    }
}

/// Information: `shape` about `w - ln(shape)`, `psi'(shape) - 1/shape` about the shape.
fn gamma_effect(g: &mut Graph, phi: Node, shape: Node, scale: Node) -> EffectDensity {
    let (log_scale, log_shape) = (g.ln(scale), g.ln(shape));
    let w = g.sub(phi, log_scale);
    let centered = g.sub(w, log_shape);
    let (linear, decay) = (g.mul(shape, w), g.exp(w));
    let kernel = g.sub(linear, decay);
    let norm = g.unary(Unary::LGamma, shape);
    let root = g.unary(Unary::Sqrt, shape);
    EffectDensity {
        log_density: g.sub(kernel, norm),
        information: vec![(centered, shape), (shape, gamma::about_shape(g, shape))],
        sd: g.mul(root, scale),
        mean: g.mul(shape, scale),
    }
}

/// Information: `a b/(a + b + 1)` about `phi`, that of the beta family about `a` and `b`, and the products
/// `-2 b/(a + b)` with `a` and `2 a/(a + b)` with `b`, each written as `2 x y = (x + y)^2 - x^2 - y^2`.
fn beta_effect(g: &mut Graph, phi: Node, a: Node, b: Node) -> EffectDensity {
    let minus = g.neg(phi);
    let (first, second) = (
        g.unary(Unary::Log1pExp, minus),
        g.unary(Unary::Log1pExp, phi),
    );
    let (first, second) = (g.mul(a, first), g.mul(b, second));
    let total = g.add(first, second);
    let norm = beta::log_beta(g, a, b);
    let total = g.add(total, norm);
    let mean = beta::mean(g, a, b);
    let rest = beta::mean(g, b, a);
    let (sum, one) = (g.add(a, b), g.constant(1.0));
    let next = g.add(sum, one);
    let product = g.mul(a, b);
    let own = g.div(product, next);
    let (with_a, with_b) = (g.add(phi, a), g.add(phi, b));
    let (less_rest, less_mean) = (g.neg(rest), g.neg(mean));
    let about_phi = g.add(own, rest);
    let about_phi = g.sub(about_phi, mean);
    let mut information = vec![
        (phi, about_phi),
        (with_a, less_rest),
        (a, rest),
        (with_b, mean),
        (b, less_mean),
    ];
    information.extend(beta::information(g, a, b));
    EffectDensity {
        log_density: g.neg(total),
        information,
        sd: beta::standard_deviation(g, a, b),
        mean,
    }
}

/// Mean and standard deviation of `phi` at given arguments; NaN for another family.
///
/// A t distribution whose variance is infinite, or nearly so, gets that of three degrees of freedom.
pub fn reference(family: &str, args: &[f64]) -> (f64, f64) {
    let (psi, psi1) = (digamma::<false>, trigamma::<false>);
    match (family, args) {
        ("exponential", [scale]) => (scale.ln() + psi(1.0), psi1(1.0).sqrt()),
        ("gamma", [shape, scale]) => (scale.ln() + psi(*shape), psi1(*shape).sqrt()),
        ("beta", [a, b]) => (psi(*a) - psi(*b), (psi1(*a) + psi1(*b)).sqrt()),
        ("student_t", [df, mean, sd]) => {
            let df = df.max(3.0);
            (*mean, sd * (df / (df - 2.0)).sqrt())
        }
        ("normal" | "lognormal", [mean, sd]) => (*mean, *sd),
        _ => (f64::NAN, f64::NAN),
    }
}

/// Draw one effect on its natural scale; NaN where an argument is outside its domain, or for another family.
pub fn draw(family: &str, args: &[f64], rng: &mut (impl Rng + ?Sized)) -> f64 {
    let gaussian = matches!(family, "normal" | "lognormal");
    if !gaussian && arguments(family).is_empty() {
        return f64::NAN;
    }
    draw::continuous(family, args, rng)
}

//! Write log densities into the program, one file a family.
//!
//! Each family gives its log density, its prediction, and the expected information about its arguments:
//! pairs `(argument, weight)` such that the information about any coordinate x is
//! `sum weight * (d argument / d x)^2`.

pub mod bernoulli;
pub mod beta;
pub mod binomial;
pub mod categorical;
pub mod censoring;
pub mod chain;
pub mod draw;
pub mod effects;
pub mod event;
pub mod exponential;
pub mod gamma;
mod hazard;
pub mod hmm;
pub mod joint;
pub mod laplace;
mod log_space;
pub mod logistic;
pub mod lognormal;
pub mod mixture;
pub mod neg_binomial;
pub mod normal;
pub mod ordered;
pub mod poisson;
pub mod serial;
pub mod student_t;
pub mod transformed;
pub mod transition;
pub mod weibull;

use crate::ir::graph::{Graph, Node};

/// `ln(sqrt(2 pi))`
pub const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// What an outcome's family contributes to the program.
#[derive(Debug, Clone)]
pub struct Density {
    pub log_density: Node,
    /// What is predicted: mean, median, probability or rate.
    pub prediction: Option<Node>,
    /// Residual standard deviation on the scale of `prediction`, or of its logarithm.
    pub sd: Option<Node>,
    /// Expected information: argument and weight. `None` when the family has no known one.
    pub information: Option<Vec<(Node, Node)>>,
    /// Arguments of the family in the order of its definition, as [`draw::draw`] takes them.
    pub arguments: Vec<Node>,
}

/// The density of a family whose arguments are scalars, in the order of [`scalar_arguments`]; `None` for other families.
pub fn scalar(g: &mut Graph, family: &str, y: Node, arguments: &[Node]) -> Option<Density> {
    Some(match (family, arguments) {
        ("bernoulli", [prob]) => bernoulli::density(g, y, *prob),
        ("poisson", [rate]) => poisson::density(g, y, *rate),
        ("exponential", [scale]) => exponential::density(g, y, *scale),
        ("laplace", [a, b]) => laplace::density(g, y, [*a, *b]),
        ("logistic", [a, b]) => logistic::density(g, y, [*a, *b]),
        ("gamma", [a, b]) => gamma::density(g, y, [*a, *b]),
        ("beta", [a, b]) => beta::density(g, y, [*a, *b]),
        ("weibull", [a, b]) => weibull::density(g, y, [*a, *b]),
        ("binomial", [a, b]) => binomial::density(g, y, [*a, *b]),
        ("neg_binomial", [a, b]) => neg_binomial::density(g, y, [*a, *b]),
        ("student_t", [a, b, c]) => student_t::density(g, y, [*a, *b, *c]),
        _ => return None,
    })
}

/// Names of the arguments of such a family, those of R's `d*` function where there is one.
pub fn scalar_arguments(family: &str) -> &'static [&'static str] {
    match family {
        "bernoulli" => &["prob"],
        "poisson" => &["rate"],
        "exponential" => &["scale"],
        "laplace" | "logistic" => &["location", "scale"],
        "gamma" | "weibull" => &["shape", "scale"],
        "beta" => &["a", "b"],
        "binomial" => &["size", "prob"],
        "neg_binomial" => &["mean", "size"],
        "student_t" => &["df", "mean", "sd"],
        _ => &[],
    }
}

/// The spread of a Gaussian family.
#[derive(Debug, Clone, Copy)]
pub enum Spread {
    Sd(Node),
    Variance(Node),
}

impl Spread {
    /// Gaussian log density of `residual`, and `(1/variance, ln variance)`.
    fn log_density(self, g: &mut Graph, residual: Node) -> (Node, Node, Node) {
        use crate::ir::op::Unary::{Ln, Recip};
        match self {
            Self::Sd(sd) => {
                let inverse = g.unary(Recip, sd);
                let z = g.mul(residual, inverse);
                let z2 = g.square(z);
                let half = g.scale(-0.5, z2);
                let log_sd = g.unary(Ln, sd);
                let constant = g.constant(LN_SQRT_2PI);
                let norm = g.add(log_sd, constant);
                let precision = g.square(inverse);
                let log_variance = g.scale(2.0, log_sd);
                (g.sub(half, norm), precision, log_variance)
            }
            Self::Variance(variance) => {
                let r2 = g.square(residual);
                let ratio = g.div(r2, variance);
                let log_variance = g.unary(Ln, variance);
                let total = g.add(ratio, log_variance);
                let half = g.scale(-0.5, total);
                let constant = g.constant(LN_SQRT_2PI);
                let precision = g.unary(Recip, variance);
                (g.sub(half, constant), precision, log_variance)
            }
        }
    }

    fn sd(self, g: &mut Graph) -> Node {
        match self {
            Self::Sd(sd) => sd,
            Self::Variance(variance) => g.unary(crate::ir::op::Unary::Sqrt, variance),
        }
    }
}

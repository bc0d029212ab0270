//! Write log densities into the program, one file a family.
//!
//! Each family is a constant ([`Family`]) that tells all there is to know of it, in the list [`FAMILIES`]. It gives its log
//! density, its prediction, and the expected information about its arguments: pairs `(argument, weight)` such that the
//! information about any coordinate x is
//! `sum weight * (d argument / d x)^2`.

mod bernoulli;
mod beta;
mod binomial;
pub mod categorical;
pub mod censoring;
pub mod chain;
mod draw;
pub mod effects;
pub mod event;
mod exponential;
mod family;
mod gamma;
mod hazard;
pub mod hmm;
pub mod joint;
mod laplace;
mod log_space;
mod logistic;
pub mod lognormal;
pub mod mixture;
mod neg_binomial;
pub mod normal;
mod ordered;
mod poisson;
pub mod serial;
mod student_t;
pub mod transformed;
pub mod transition;
mod weibull;

pub use family::{Family, FamilyForm, On, Support};

use crate::ir::graph::{Graph, Node};

/// `ln(sqrt(2 pi))`
pub const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// What an outcome's family contributes to the program.
#[derive(Debug, Clone)]
pub struct OutcomeDensity {
    pub log_density: Node,
    /// What is predicted: mean, median, probability or rate.
    pub prediction: Option<Node>,
    /// Residual standard deviation on the scale of `prediction`, or of its logarithm.
    pub sd: Option<Node>,
    /// Expected information: argument and weight. `None` when the family has no known one.
    pub information: Option<Vec<(Node, Node)>>,
    /// Arguments of the family in the order of its definition, as [`Family::draw`] takes them.
    pub arguments: Vec<Node>,
}

/// Every family of outcomes, in the order in which lists show them.
pub static FAMILIES: [&Family; 29] = [
    &normal::FAMILY,
    &lognormal::FAMILY,
    &transformed::BOX_COX,
    &transformed::YEO_JOHNSON,
    &transformed::LOGIT_NORMAL,
    &transformed::PROBIT_NORMAL,
    &student_t::FAMILY,
    &laplace::FAMILY,
    &logistic::FAMILY,
    &gamma::FAMILY,
    &beta::FAMILY,
    &exponential::FAMILY,
    &weibull::FAMILY,
    &bernoulli::FAMILY,
    &binomial::FAMILY,
    &poisson::FAMILY,
    &neg_binomial::FAMILY,
    &categorical::FAMILY,
    &ordered::FAMILY,
    &event::FAMILY,
    &CUSTOM,
    &censoring::CENSORED,
    &hmm::HMM,
    &hmm::CONTINUOUS_TIME_HMM,
    &hmm::MARKOV,
    &hmm::CONTINUOUS_TIME_MARKOV,
    &serial::AR1,
    &serial::EXCHANGEABLE,
    &joint::MVNORMAL,
];

const CUSTOM: Family = Family {
    name: "custom",
    arguments: &["log_density"],
    ..Family::BLANK
};

/// The family of this name.
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.into_iter().find(|family| family.name == name)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The spread of a Gaussian family.
#[derive(Debug, Clone, Copy)]
pub enum GaussianSpread {
    Sd(Node),
    Variance(Node),
}

impl GaussianSpread {
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

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn constants_have_the_likelihoods_of_their_families() {
        // sum(dnorm(c(1, 2, 4), 7/3, sqrt(14/9), TRUE)), sum(dbinom(c(1, 1, 0), 1, 2/3, TRUE)),
        // sum(dpois(c(0, 3, 2), 5/3, TRUE)) by R 4.2.
        let highest = |name: &str, values: &[f64]| {
            let constant = family(name).and_then(|family| family.constant);
            constant.map_or(f64::NAN, |constant| constant(values))
        };
        assert!((highest("normal", &[1.0, 2.0, 4.0]) + 4.919_564_728_032_58).abs() < 1e-9);
        assert!((highest("bernoulli", &[1.0, 1.0, 0.0]) + 1.909_542_504_884_44).abs() < 1e-9);
        assert!((highest("poisson", &[0.0, 3.0, 2.0]) + 4.930_778_530_984_53).abs() < 1e-9);
        assert!(highest("normal", &[2.0, 2.0]).is_infinite());
    }
}

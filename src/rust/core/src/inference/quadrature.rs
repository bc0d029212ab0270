//! Integrate out the random effects by adaptive Gauss-Hermite quadrature.
//!
//! `log p(y_i) = log int p(y_i | phi) N(phi; m_i, Omega) d phi`, by a product rule of `nodes` points a dimension around
//! the conditional mode, scaled by the curvature there; exact for Gaussian integrands. One node is Laplace's
//! approximation. With five nodes or more the rule is moved once to the conditional mean and covariance that a smaller
//! one finds, which serves skewed posteriors better than the mode. What the two rules differ by is the error that is
//! told. Sources: Pinheiro & Bates (1995); Naylor & Smith (1982).

use super::gauss_hermite::rule;
use super::modes::{ModeOptions, Modes};
use super::product_rule::{Integrand, Places};
use crate::error::{Error, ErrorClass, Result};
use crate::parallel::Workers;
use crate::problem::{Prior, Problem};

/// The log-likelihood and how it was computed.
#[derive(Debug, Clone)]
pub struct Quadrature {
    pub log_lik: f64,
    /// One term a subject.
    pub subjects: Vec<f64>,
    /// What the term of each subject was last moved by; not a number where there was nothing to compare it with.
    pub errors: Vec<f64>,
    /// Nodes a dimension, the most that a subject has.
    pub nodes: usize,
    /// Whether the conditional mode of each subject was found.
    pub converged: Vec<bool>,
}

impl Quadrature {
    /// That of the sum, if all differences are of the same sign.
    pub fn error(&self) -> f64 {
        self.errors.iter().sum()
    }
}

/// Most nodes a dimension; more gain nothing.
const MAX_NODES: usize = 101;

/// Most points of a product rule that are evaluated for a subject.
const MAX_POINTS: usize = 2_000_000;

/// Points of the rule that is proposed in place of one with too many.
const PROPOSED_POINTS: usize = 250;

/// Nodes a dimension from which the rule is moved to the conditional mean and covariance.
pub const RECENTER_FROM: usize = 5;

/// The log-likelihood at `theta`, on one thread; see [`quadrature_by`].
///
/// # Errors
/// A singular `Omega`, or a rule with too many points.
pub fn quadrature(problem: &Problem, theta: &[f64], nodes: usize) -> Result<Quadrature> {
    quadrature_by(&Workers::single(), problem, theta, nodes, None)
}

/// The log-likelihood at `theta`, in parallel over blocks. `start`: where to look for the conditional modes first
/// (`n_subjects x d`, row-major), else at the means.
///
/// # Errors
/// A singular `Omega`, or a rule with too many points.
pub fn quadrature_by(
    workers: &Workers,
    problem: &Problem,
    theta: &[f64],
    nodes: usize,
    start: Option<&[f64]>,
) -> Result<Quadrature> {
    check_points(problem, nodes)?;
    let prior = Prior::new(problem, theta)?;
    let integrand = Integrand {
        workers,
        problem,
        theta,
        prior: &prior,
    };
    let (mut places, converged) = around_modes(&integrand, start);
    let all: Vec<usize> = (0..problem.n_subjects()).collect();
    let moves = nodes >= RECENTER_FROM;
    let smaller = nodes
        .saturating_sub(2)
        .max(if moves { RECENTER_FROM } else { 1 });
    let mut before = vec![f64::NAN; all.len()];
    if nodes > 1 {
        let sums = integrand.sums(&places, &all, &rule(smaller)?, moves);
        for (i, sum) in sums.iter().enumerate() {
            before[i] = places.value(i, sum);
            if moves {
                places.shift(i, sum);
            }
        }
    }
    let sums = integrand.sums(&places, &all, &rule(nodes)?, false);
    let each = sums.iter().enumerate();
    let subjects: Vec<f64> = each.map(|(i, sum)| places.value(i, sum)).collect();
    let errors = subjects.iter().zip(before).map(|(a, b)| (a - b).abs());
    Ok(Quadrature {
        log_lik: subjects.iter().sum(),
        errors: errors.collect(),
        subjects,
        nodes,
        converged,
    })
}

/// Rules around the conditional modes with Laplace's scale, and whether each mode was found.
pub fn around_modes(integrand: &Integrand, start: Option<&[f64]>) -> (Places, Vec<bool>) {
    let problem = integrand.problem;
    let (layout, d) = (problem.layout(1), problem.n_phi());
    let target = integrand.target(&layout);
    let start = start.map(|phi| target.columns(phi));
    let options = ModeOptions::exact();
    let modes = Modes::find(&target, start.as_deref(), options, integrand.workers);
    let (centers, converged) = modes.by_subject(&layout);
    let size = d * (d + 1) / 2;
    let mut factors = vec![f64::NAN; problem.n_subjects() * size];
    for (block, columns) in layout.blocks.iter().zip(&modes.factor) {
        for (l, lane) in block.lanes.iter().enumerate() {
            let own = &mut factors[lane.subject as usize * size..][..size];
            own.iter_mut()
                .zip(columns)
                .for_each(|(x, column)| *x = column.0[l]);
        }
    }
    let places = Places {
        dim: d,
        centers,
        factors,
    };
    (places, converged)
}

/// # Errors
/// No points, or too many.
fn check_points(problem: &Problem, nodes: usize) -> Result<()> {
    let d = problem.n_phi();
    let power = u32::try_from(d).unwrap_or(u32::MAX);
    let fits = |nodes: usize, most: usize| nodes.checked_pow(power).is_some_and(|n| n <= most);
    if (1..=MAX_NODES).contains(&nodes) && fits(nodes, MAX_POINTS) {
        return Ok(());
    }
    let fewer = (1..=MAX_NODES).rev().step_by(2);
    let proposed = fewer.into_iter().find(|n| fits(*n, PROPOSED_POINTS));
    Err(Error::new(
        ErrorClass::Option,
        "too_many_nodes",
        format!("{nodes} nodes in each of {d} dimensions are too many points."),
    )
    .hint(format!(
        "Use fewer nodes, for example nodes = {}, or leave `nodes` out.",
        proposed.unwrap_or(1).min(25)
    )))
}

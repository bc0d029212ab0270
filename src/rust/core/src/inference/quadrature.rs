//! Integrate out the random effects by adaptive Gauss-Hermite quadrature.
//!
//! `log p(y_i) = log int p(y_i | phi) N(phi; m_i, Omega) d phi`. With the conditional mode `phi_i` and the Cholesky
//! factor `L` of the posterior precision, `phi = phi_i + sqrt(2) L'^-1 x` turns the integrand into a smooth function
//! times `exp(-|x|^2)`, which a product rule of `nodes` points a dimension integrates; exact for Gaussian integrands.
//! One node is Laplace's approximation. Source: Pinheiro & Bates (1995).

use gauss_quad::hermite::GaussHermite;

use super::modes::{ModeOptions, Modes};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, solve_upper};
use crate::ir::vmath::Isa;
use crate::problem::{Means, Prior, Problem, Values};

/// The log-likelihood and how it was computed.
#[derive(Debug, Clone)]
pub struct Quadrature {
    pub log_lik: f64,
    /// One term a subject.
    pub subjects: Vec<f64>,
    pub nodes: usize,
    /// Whether the conditional mode of each subject was found.
    pub converged: Vec<bool>,
}

/// Nodes a dimension that give about three digits after the point at a moderate cost.
pub fn default_nodes(dim: usize) -> usize {
    match dim {
        0..=1 => 21,
        2 => 13,
        3 => 9,
        4 => 7,
        5 => 5,
        6..=7 => 3,
        _ => 1,
    }
}

/// Most points of a product rule that are evaluated for a subject.
const MAX_POINTS: usize = 2_000_000;

/// The log-likelihood at `theta`.
///
/// # Errors
/// A singular `Omega`, or a rule with too many points.
pub fn quadrature(problem: &Problem, theta: &[f64], nodes: usize) -> Result<Quadrature> {
    let d = problem.n_phi();
    let points = nodes.checked_pow(u32::try_from(d).unwrap_or(u32::MAX));
    let n_points = points
        .filter(|n| *n <= MAX_POINTS && *n > 0)
        .ok_or_else(|| {
            Error::new(
                ErrorClass::Option,
                "too_many_nodes",
                format!("{nodes} nodes in each of {d} dimensions are too many points."),
            )
            .hint(format!(
                "Use fewer nodes, for example nodes = {}.",
                default_nodes(d)
            ))
        })?;
    let copies = (LANES / problem.n_subjects().max(1)).clamp(1, n_points);
    let layout = problem.layout(copies);
    let prior = Prior::new(problem, theta)?;
    let modes = Modes::find(problem, &layout, theta, &prior, None, ModeOptions::exact());
    let rule = rule(nodes)?;
    let mut values = Values::new(problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let means = Means::new(problem, &layout, theta);
    let mut sums = vec![LogSum::default(); problem.n_subjects() * copies];
    let mut work = Vec::new();
    for b in 0..layout.blocks.len() {
        let block = Integrand {
            values: &values,
            prior: &prior,
            mean: means.columns(&layout, b),
            mode: &modes.phi[b],
            factor: &modes.factor[b],
            b,
        };
        for first in (0..n_points).step_by(copies) {
            block.add(&layout, &rule, first, n_points, &mut sums, &mut work);
        }
    }
    Ok(collect(&layout, &modes, sums, nodes, d))
}

fn collect(
    layout: &Layout,
    modes: &Modes,
    sums: Vec<LogSum>,
    nodes: usize,
    d: usize,
) -> Quadrature {
    let mut subjects = vec![0.0; layout.n_subjects];
    let mut converged = vec![true; layout.n_subjects];
    for (b, block) in layout.blocks.iter().enumerate() {
        for (l, lane) in block
            .lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| lane.copy == 0)
        {
            let i = lane.subject as usize;
            let mut total = LogSum::default();
            for copy in 0..layout.copies {
                total.merge(&sums[i * layout.copies + copy]);
            }
            let log_det: f64 = (0..d).map(|k| modes.factor[b][at(k, k)].0[l].ln()).sum();
            subjects[i] = total.value() + 0.5 * d as f64 * std::f64::consts::LN_2 - log_det;
            converged[i] = modes.converged[b].0[l] != 0.0;
        }
    }
    Quadrature {
        log_lik: subjects.iter().sum(),
        subjects,
        nodes,
        converged,
    }
}

/// Nodes and `ln(weight) + node^2` of the one-dimensional rule.
fn rule(nodes: usize) -> Result<Vec<(f64, f64)>> {
    if nodes == 1 {
        return Ok(vec![(0.0, 0.5 * std::f64::consts::PI.ln())]);
    }
    let degree = nodes.try_into().map_err(|_| {
        Error::new(
            ErrorClass::Option,
            "nodes",
            "The number of quadrature nodes is not positive.",
        )
    })?;
    let rule = GaussHermite::new(degree);
    Ok(rule
        .as_node_weight_pairs()
        .iter()
        .map(|(x, w)| (*x, w.ln() + x * x))
        .collect())
}

struct Integrand<'a> {
    values: &'a Values<'a>,
    prior: &'a Prior,
    mean: Vec<Column>,
    mode: &'a [Column],
    factor: &'a [Column],
    b: usize,
}

impl Integrand<'_> {
    /// Evaluate point `first + copy` in every lane and add it to the lane's sum.
    fn add(
        &self,
        layout: &Layout,
        rule: &[(f64, f64)],
        first: usize,
        n_points: usize,
        sums: &mut [LogSum],
        work: &mut Vec<Column>,
    ) {
        let lanes = &layout.blocks[self.b].lanes;
        let d = self.mode.len();
        let mut offset = vec![Column::ZERO; d];
        let mut log_weight = [f64::NEG_INFINITY; LANES];
        for (l, lane) in lanes.iter().enumerate() {
            let mut point = first + lane.copy as usize;
            if point >= n_points {
                continue;
            }
            log_weight[l] = 0.0;
            for column in &mut offset {
                let (node, weight) = rule[point % rule.len()];
                column.0[l] = std::f64::consts::SQRT_2 * node;
                log_weight[l] += weight;
                point /= rule.len();
            }
        }
        solve_upper(Isa::detect(), self.factor, &mut offset);
        for (column, mode) in offset.iter_mut().zip(self.mode) {
            for l in 0..LANES {
                column.0[l] += mode.0[l];
            }
        }
        let log_lik = self.values.log_lik(self.b, &offset, work);
        let prior = self.prior.log_density(Isa::detect(), &offset, &self.mean);
        for (l, lane) in lanes.iter().enumerate() {
            let term = log_weight[l] + log_lik.0[l] + prior.0[l];
            sums[lane.subject as usize * layout.copies + lane.copy as usize].add(term);
        }
    }
}

/// `log sum exp` of terms that arrive one by one.
#[derive(Debug, Clone, Copy)]
struct LogSum {
    largest: f64,
    /// Sum of `exp(term - largest)`.
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self {
            largest: f64::NEG_INFINITY,
            sum: 0.0,
        }
    }
}

impl LogSum {
    fn add(&mut self, term: f64) {
        if term.is_nan() || term == f64::NEG_INFINITY {
            return;
        }
        if term > self.largest {
            self.sum = self.sum * (self.largest - term).exp() + 1.0;
            self.largest = term;
        } else {
            self.sum += (term - self.largest).exp();
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.sum > 0.0 {
            let larger = self.largest.max(other.largest);
            self.sum = self.sum * (self.largest - larger).exp()
                + other.sum * (other.largest - larger).exp();
            self.largest = larger;
        }
    }

    fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}

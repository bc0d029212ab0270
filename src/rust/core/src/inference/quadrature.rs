//! Integrate out the random effects by adaptive Gauss-Hermite quadrature.
//!
//! `log p(y_i) = log int p(y_i | phi) N(phi; m_i, Omega) d phi`. With the conditional mode `phi_i` and the Cholesky
//! factor `L` of the posterior precision, `phi = phi_i + sqrt(2) L'^-1 x` turns the integrand into a smooth function
//! times `exp(-|x|^2)`, which a product rule of `nodes` points a dimension integrates; exact for Gaussian integrands.
//! One node is Laplace's approximation. With five nodes or more the rule is moved once to the conditional mean and
//! covariance that it finds itself, which serves skewed posteriors better than the mode. Sources: Pinheiro & Bates
//! (1995); Naylor & Smith (1982).

use gauss_quad::hermite::GaussHermite;
use nalgebra::DMatrix;

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

/// Nodes a dimension: two to three digits of -2 log L after the point where that is affordable, fewer for many random
/// effects or subjects.
pub fn default_nodes(dim: usize, n_subjects: usize) -> usize {
    let most = match dim {
        0..=1 => 21,
        2 => 15,
        3 => 11,
        4 => 7,
        5 => 5,
        6..=7 => 3,
        _ => 1,
    };
    let points = |nodes: usize| nodes.pow(u32::try_from(dim).unwrap_or(0)) * n_subjects;
    let affordable = (1..=most).rev().filter(|nodes| nodes % 2 == 1);
    affordable
        .into_iter()
        .find(|nodes| points(*nodes) <= MAX_DEFAULT_POINTS)
        .unwrap_or(1)
}

/// Most evaluations of a subject that the default number of nodes asks for.
const MAX_DEFAULT_POINTS: usize = 10_000_000;

/// Most nodes a dimension; more gain nothing.
const MAX_NODES: usize = 101;

/// Most points of a product rule that are evaluated for a subject.
const MAX_POINTS: usize = 2_000_000;

/// The log-likelihood at `theta`.
///
/// # Errors
/// A singular `Omega`, or a rule with too many points.
pub fn quadrature(problem: &Problem, theta: &[f64], nodes: usize) -> Result<Quadrature> {
    quadrature_from(problem, theta, nodes, None)
}

/// The same; `start`: where to look for the conditional modes first (`n_subjects x d`, row-major), else at the means.
///
/// # Errors
/// As [`quadrature`].
pub fn quadrature_from(
    problem: &Problem,
    theta: &[f64],
    nodes: usize,
    start: Option<&[f64]>,
) -> Result<Quadrature> {
    let d = problem.n_phi();
    let points = nodes.checked_pow(u32::try_from(d).unwrap_or(u32::MAX));
    let n_points = points
        .filter(|n| *n <= MAX_POINTS && (1..=MAX_NODES).contains(&nodes))
        .ok_or_else(|| {
            Error::new(
                ErrorClass::Option,
                "too_many_nodes",
                format!("{nodes} nodes in each of {d} dimensions are too many points."),
            )
            .hint(format!(
                "Use fewer nodes, for example nodes = {}.",
                default_nodes(d, problem.n_subjects())
            ))
        })?;
    let copies = (LANES / problem.n_subjects().max(1)).clamp(1, n_points);
    let layout = problem.layout(copies);
    let prior = Prior::new(problem, theta)?;
    let start: Option<Vec<Vec<Column>>> = start.map(|phi| {
        let blocks = 0..layout.blocks.len();
        blocks.map(|b| layout.columns(b, phi, d)).collect()
    });
    let modes = Modes::find(
        problem,
        &layout,
        theta,
        &prior,
        start.as_deref(),
        ModeOptions::exact(),
    );
    let rule = Rule {
        points: rule(nodes)?,
        n_points,
    };
    let mut values = Values::new(problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let means = Means::new(problem, &layout, theta);
    let (mut center, mut factor) = (modes.phi.clone(), modes.factor.clone());
    let pass = Pass {
        layout: &layout,
        values: &values,
        prior: &prior,
        means: &means,
        rule: &rule,
    };
    if nodes >= RECENTER_FROM {
        let sums = pass.run(&center, &factor, true);
        recenter(&layout, sums, &mut center, &mut factor);
    }
    let sums = pass.run(&center, &factor, false);
    let mut result = Quadrature {
        log_lik: 0.0,
        subjects: vec![0.0; layout.n_subjects],
        nodes,
        converged: modes.by_subject(&layout).1,
    };
    let merged = merge(&layout, sums);
    for (b, block) in layout.blocks.iter().enumerate() {
        for (l, lane) in block
            .lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| lane.copy == 0)
        {
            let i = lane.subject as usize;
            let log_det: f64 = (0..d).map(|k| factor[b][at(k, k)].0[l].ln()).sum();
            let scale = 0.5 * d as f64 * std::f64::consts::LN_2 - log_det;
            result.subjects[i] = merged[i].value() + scale;
        }
    }
    result.log_lik = result.subjects.iter().sum();
    Ok(result)
}

/// Nodes a dimension from which the rule is moved to the conditional mean and covariance.
const RECENTER_FROM: usize = 5;

/// Move center and factor of every lane to the moments found by a first pass, where these are sound.
fn recenter(
    layout: &Layout,
    sums: Vec<LogSum>,
    center: &mut [Vec<Column>],
    factor: &mut [Vec<Column>],
) {
    let merged = merge(layout, sums);
    for (b, block) in layout.blocks.iter().enumerate() {
        for (l, lane) in block.lanes.iter().enumerate() {
            let Some((mean, precision)) = merged[lane.subject as usize].moments() else {
                continue;
            };
            for (column, value) in center[b].iter_mut().zip(mean) {
                column.0[l] += value;
            }
            for i in 0..precision.nrows() {
                for j in 0..=i {
                    factor[b][at(i, j)].0[l] = precision[(i, j)];
                }
            }
        }
    }
}

/// One sum a subject, its copies added in their order.
fn merge(layout: &Layout, sums: Vec<LogSum>) -> Vec<LogSum> {
    let mut merged = Vec::with_capacity(layout.n_subjects);
    for copies in sums.chunks(layout.copies) {
        let mut total = LogSum::default();
        for sum in copies {
            total.merge(sum);
        }
        merged.push(total);
    }
    merged
}

/// A product rule: its one-dimensional points and their number in all.
struct Rule {
    points: Vec<(f64, f64)>,
    n_points: usize,
}

/// What a pass over all blocks and points reads.
struct Pass<'a> {
    layout: &'a Layout,
    values: &'a Values<'a>,
    prior: &'a Prior,
    means: &'a Means,
    rule: &'a Rule,
}

impl Pass<'_> {
    /// One sum for each copy of each subject; with `moments`, also those of `phi`.
    fn run(&self, center: &[Vec<Column>], factor: &[Vec<Column>], moments: bool) -> Vec<LogSum> {
        let mut sums = vec![LogSum::default(); self.layout.n_subjects * self.layout.copies];
        let mut work = Vec::new();
        for b in 0..self.layout.blocks.len() {
            let mean = self.means.columns(self.layout, b);
            for first in (0..self.rule.n_points).step_by(self.layout.copies) {
                let (phi, weight) = self.points(b, first, &center[b], &factor[b]);
                let log_lik = self.values.log_lik(b, &phi, &mut work);
                let prior = self.prior.log_density(Isa::detect(), &phi, &mean);
                for (l, lane) in self.layout.blocks[b].lanes.iter().enumerate() {
                    let term = weight[l] + log_lik.0[l] + prior.0[l];
                    let copy = lane.subject as usize * self.layout.copies + lane.copy as usize;
                    let phi = phi.iter().zip(&center[b]).map(|(x, c)| x.0[l] - c.0[l]);
                    sums[copy].add(term, phi.take(if moments { usize::MAX } else { 0 }));
                }
            }
        }
        sums
    }

    /// Point `first + copy` of the rule in every lane, and its log weight.
    fn points(
        &self,
        b: usize,
        first: usize,
        center: &[Column],
        factor: &[Column],
    ) -> (Vec<Column>, [f64; LANES]) {
        let mut phi = vec![Column::ZERO; center.len()];
        let mut log_weight = [f64::NEG_INFINITY; LANES];
        for (l, lane) in self.layout.blocks[b].lanes.iter().enumerate() {
            let mut point = first + lane.copy as usize;
            if point >= self.rule.n_points {
                continue;
            }
            log_weight[l] = 0.0;
            for column in &mut phi {
                let (node, weight) = self.rule.points[point % self.rule.points.len()];
                column.0[l] = std::f64::consts::SQRT_2 * node;
                log_weight[l] += weight;
                point /= self.rule.points.len();
            }
        }
        solve_upper(Isa::detect(), factor, &mut phi);
        for (column, center) in phi.iter_mut().zip(center) {
            for l in 0..LANES {
                column.0[l] += center.0[l];
            }
        }
        (phi, log_weight)
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
    let pairs = rule.as_node_weight_pairs().iter();
    Ok(pairs.map(|(x, _)| (*x, log_weight(*x, nodes))).collect())
}

/// `ln(weight) + x^2` at a node: minus the logarithm of the sum of squares of the orthonormal Hermite functions, which
/// keeps its digits where the weight itself is lost in rounding.
fn log_weight(x: f64, nodes: usize) -> f64 {
    let (mut before, mut here) = (0.0, std::f64::consts::PI.powf(-0.25) * (-0.5 * x * x).exp());
    let mut sum = 0.0;
    for k in 0..nodes {
        sum += here * here;
        let next = k as f64 + 1.0;
        let after = x * (2.0 / next).sqrt() * here - (k as f64 / next).sqrt() * before;
        (before, here) = (here, after);
    }
    -sum.ln()
}

/// `log sum exp` of terms that arrive one by one, and the moments of what they belong to.
#[derive(Debug, Clone)]
struct LogSum {
    largest: f64,
    /// Sum of `exp(term - largest)`.
    sum: f64,
    /// Sums of `exp(term - largest) * phi`, then of its products (lower triangle by rows).
    weighted: Vec<f64>,
    dim: usize,
}

impl Default for LogSum {
    fn default() -> Self {
        Self {
            largest: f64::NEG_INFINITY,
            sum: 0.0,
            weighted: Vec::new(),
            dim: 0,
        }
    }
}

impl LogSum {
    fn add(&mut self, term: f64, phi: impl Iterator<Item = f64>) {
        if term.is_nan() || term == f64::NEG_INFINITY {
            return;
        }
        let phi: Vec<f64> = phi.collect();
        self.dim = phi.len();
        let products = (0..phi.len()).flat_map(|i| (0..=i).map(move |j| (i, j)));
        let values = phi
            .iter()
            .copied()
            .chain(products.map(|(i, j)| phi[i] * phi[j]));
        let weighted = values.collect();
        self.merge(&Self {
            largest: term,
            sum: 1.0,
            weighted,
            dim: phi.len(),
        });
    }

    fn merge(&mut self, other: &Self) {
        if other.sum > 0.0 {
            let larger = self.largest.max(other.largest);
            let (ours, theirs) = (
                (self.largest - larger).exp(),
                (other.largest - larger).exp(),
            );
            self.sum = self.sum * ours + other.sum * theirs;
            self.weighted.resize(other.weighted.len(), 0.0);
            for (x, y) in self.weighted.iter_mut().zip(&other.weighted) {
                *x = *x * ours + y * theirs;
            }
            self.largest = larger;
            self.dim = other.dim;
        }
    }

    fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }

    /// Mean, and lower Cholesky factor of the inverse covariance; `None` when the covariance is not definite.
    fn moments(&self) -> Option<(Vec<f64>, DMatrix<f64>)> {
        let d = self.dim;
        let mean: Vec<f64> = self.weighted[..d].iter().map(|x| x / self.sum).collect();
        let second = |i: usize, j: usize| self.weighted[d + at(i.max(j), i.min(j))] / self.sum;
        let covariance = DMatrix::from_fn(d, d, |i, j| second(i, j) - mean[i] * mean[j]);
        let factor = covariance.cholesky()?.inverse().cholesky()?.l();
        let sound = mean.iter().chain(factor.iter()).all(|x| x.is_finite());
        sound.then_some((mean, factor))
    }
}

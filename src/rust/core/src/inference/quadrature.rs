//! Integrate out the random effects by adaptive Gauss-Hermite quadrature.
//!
//! `log p(y_i) = log int p(y_i | phi) N(phi; m_i, Omega) d phi`. With the conditional mode `phi_i` and the Cholesky
//! factor `L` of the posterior precision, `phi = phi_i + sqrt(2) L'^-1 x` turns the integrand into a smooth function
//! times `exp(-|x|^2)`, which a product rule of `nodes` points a dimension integrates; exact for Gaussian integrands.
//! One node is Laplace's approximation. With five nodes or more the rule is moved once to the conditional mean and
//! covariance that it finds itself, which serves skewed posteriors better than the mode. Sources: Pinheiro & Bates
//! (1995); Naylor & Smith (1982).

use std::sync::Arc;

use gauss_quad::hermite::GaussHermite;

use super::log_sum::{LaneSums, LogSum};
use super::modes::{Conditional, ModeOptions, Modes};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, solve_upper};
use crate::ir::vmath::Isa;
use crate::parallel::Workers;
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
    let n_points = n_points(problem, nodes)?;
    let copies = (LANES / problem.n_subjects().max(1)).clamp(1, n_points);
    let layout = problem.layout(copies);
    let prior = Prior::new(problem, theta)?;
    let target = Conditional {
        problem,
        layout: &layout,
        theta,
        prior: &prior,
        known: Arc::default(),
    };
    let start: Option<Vec<Vec<Column>>> = start.map(|phi| {
        let blocks = 0..layout.blocks.len();
        blocks
            .map(|b| layout.columns(b, phi, problem.n_phi()))
            .collect()
    });
    let modes = Modes::find_by(workers, &target, start.as_deref(), ModeOptions::exact());
    let rule = Rule {
        points: rule(nodes)?,
        n_points,
    };
    let mut values = Values::new(problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let means = Means::new(problem, &layout, theta);
    let (mut center, mut factor) = (modes.phi.clone(), modes.factor.clone());
    let pass = Pass {
        workers,
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
    let merged = merge(&layout, pass.run(&center, &factor, false));
    let subjects = subjects(&layout, &factor, &merged);
    Ok(Quadrature {
        log_lik: subjects.iter().sum(),
        subjects,
        nodes,
        converged: modes.by_subject(&layout).1,
    })
}

/// Points of the product rule.
fn n_points(problem: &Problem, nodes: usize) -> Result<usize> {
    let d = problem.n_phi();
    let points = nodes.checked_pow(u32::try_from(d).unwrap_or(u32::MAX));
    points
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
        })
}

/// The term of each subject.
fn subjects(layout: &Layout, factor: &[Vec<Column>], merged: &[LogSum]) -> Vec<f64> {
    let mut terms = vec![0.0; layout.n_subjects];
    for (block, factor) in layout.blocks.iter().zip(factor) {
        let lanes = block.lanes.iter().enumerate();
        for (l, lane) in lanes.filter(|(_, lane)| lane.copy == 0) {
            let i = lane.subject as usize;
            let d = (0..).take_while(|k| at(*k, *k) < factor.len()).count();
            let log_det: f64 = (0..d).map(|k| factor[at(k, k)].0[l].ln()).sum();
            terms[i] = merged[i].value() + 0.5 * d as f64 * std::f64::consts::LN_2 - log_det;
        }
    }
    terms
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
    workers: &'a Workers,
    layout: &'a Layout,
    values: &'a Values<'a>,
    prior: &'a Prior,
    means: &'a Means,
    rule: &'a Rule,
}

/// Memory of a pass; one a thread.
#[derive(Default)]
struct Memory {
    work: Vec<Column>,
    phi: Vec<Column>,
    /// Points of the copies, `copies x d`, and their log weights.
    nodes: Vec<f64>,
    log_weights: Vec<f64>,
}

impl Pass<'_> {
    /// One sum for each copy of each subject; with `moments`, also those of `phi`.
    fn run(&self, center: &[Vec<Column>], factor: &[Vec<Column>], moments: bool) -> Vec<LogSum> {
        let blocks = self.layout.blocks.len();
        let found = self
            .workers
            .map_range(blocks, Memory::default, |memory, b| {
                self.block(b, &center[b], &factor[b], moments, memory)
            });
        let mut sums = vec![LogSum::default(); self.layout.n_subjects * self.layout.copies];
        for (block, found) in self.layout.blocks.iter().zip(found) {
            for (l, lane) in block.lanes.iter().enumerate() {
                let copy = lane.subject as usize * self.layout.copies + lane.copy as usize;
                sums[copy] = found.lane(l);
            }
        }
        sums
    }

    fn block(
        &self,
        b: usize,
        center: &[Column],
        factor: &[Column],
        moments: bool,
        memory: &mut Memory,
    ) -> LaneSums {
        let isa = Isa::detect();
        let mean = self.means.columns(self.layout, b);
        let mut sums = LaneSums::new(if moments { center.len() } else { 0 });
        for first in (0..self.rule.n_points).step_by(self.layout.copies) {
            let mut term = self.deviations(b, first, center.len(), memory);
            let Memory { work, phi, .. } = memory;
            solve_upper(isa, factor, phi);
            let counted = if moments { phi.clone() } else { Vec::new() };
            for (column, center) in phi.iter_mut().zip(center) {
                for l in 0..LANES {
                    column.0[l] += center.0[l];
                }
            }
            let log_lik = self.values.log_lik(b, phi, work);
            let prior = self.prior.log_density(isa, phi, &mean);
            for l in 0..LANES {
                term.0[l] = term.0[l] + log_lik.0[l] + prior.0[l];
            }
            sums.add(isa, &term, &counted);
        }
        sums
    }

    /// Put the standardized point `first + copy` of the rule into `memory.phi`, lane by lane; returns its log weight,
    /// minus infinity where there is none.
    fn deviations(&self, b: usize, first: usize, d: usize, memory: &mut Memory) -> Column {
        let nodes = &self.rule.points;
        memory.nodes.clear();
        memory.log_weights.clear();
        for copy in 0..self.layout.copies {
            let mut point = first + copy;
            let counts = point < self.rule.n_points;
            let mut log_weight = if counts { 0.0 } else { f64::NEG_INFINITY };
            for _ in 0..d {
                let (node, weight) = nodes[point % nodes.len()];
                let at = std::f64::consts::SQRT_2 * node;
                memory.nodes.push(if counts { at } else { 0.0 });
                log_weight += weight;
                point /= nodes.len();
            }
            memory.log_weights.push(log_weight);
        }
        memory.phi.clear();
        memory.phi.resize(d, Column::ZERO);
        let mut log_weight = Column::splat(f64::NEG_INFINITY);
        for (l, lane) in self.layout.blocks[b].lanes.iter().enumerate() {
            let copy = lane.copy as usize;
            log_weight.0[l] = memory.log_weights[copy];
            for (column, node) in memory.phi.iter_mut().zip(&memory.nodes[copy * d..]) {
                column.0[l] = *node;
            }
        }
        log_weight
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

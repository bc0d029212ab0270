//! Evaluate the objective of the numerical M-step and its gradient.
//!
//! `Q(theta) = sum_k w_k sum_c [log p(y | phi_kc; theta) + log p(phi_kc; theta)] / C` over snapshots `k` and chains `c`.
//! The density of `phi` is Gaussian: its part of `Q` needs the weighted moments of the draws alone. What the outcomes
//! and the effects' other distributions say is computed by the program, block by block.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::part::{stand, GroupingRun};
use super::store::{ChainSnapshot, SnapshotDraws};
use crate::ir::column::Column;
use crate::mstep::{add, Statistics};
use crate::parallel::Workers;
use crate::problem::{DerivativeScratch, Evaluator, Joint, Known};

/// The objective over some draws; it moves `parts`, and what they know is set anew by the next E-step.
pub struct Q<'q, 'a> {
    joint: &'a Joint,
    parts: &'q mut [GroupingRun<'a>],
    workers: &'q Workers,
    draws: Vec<WeightedSnapshot<'q>>,
    /// Weighted moments of each grouping's draws.
    moments: Vec<Statistics>,
}

/// A snapshot, its weight, and for each grouping what it knows of the others.
struct WeightedSnapshot<'q> {
    weight: f64,
    snapshot: &'q ChainSnapshot,
    known: Vec<Arc<Vec<Known>>>,
}

impl<'q, 'a> Q<'q, 'a> {
    pub fn new(
        joint: &'a Joint,
        parts: &'q mut [GroupingRun<'a>],
        snapshots: Vec<(f64, &'q ChainSnapshot)>,
        workers: &'q Workers,
    ) -> Self {
        let draws = weighted(joint, parts, snapshots);
        let each = parts.iter().enumerate();
        let moments = each.map(|(g, part)| moments(part, g, &draws)).collect();
        Self {
            joint,
            parts,
            workers,
            draws,
            moments,
        }
    }

    /// `Q`; not finite where some density does not exist.
    pub fn value(&mut self, theta: &[f64]) -> f64 {
        self.population(theta) + self.likelihood(theta)
    }

    /// The part of the Gaussian density of `phi`.
    pub fn population(&mut self, theta: &[f64]) -> f64 {
        if stand(self.parts, self.joint, theta).is_none() {
            return f64::NEG_INFINITY;
        }
        let each = self.parts.iter().zip(&self.moments);
        each.map(|(part, moments)| part.population.by(moments).log_density())
            .sum()
    }

    /// The part of the outcomes and of the effects that are not Gaussian.
    pub fn likelihood(&mut self, theta: &[f64]) -> f64 {
        self.programs(0, theta)
    }

    /// The part of the effects that are not Gaussian, of the groupings after the first.
    pub fn laws(&mut self, theta: &[f64]) -> f64 {
        self.programs(1, theta)
    }

    /// What the programs of the groupings from `first` on give.
    fn programs(&mut self, first: usize, theta: &[f64]) -> f64 {
        if stand(self.parts, self.joint, theta).is_none() {
            return f64::NEG_INFINITY;
        }
        let mut total = 0.0;
        for g in first..self.parts.len() {
            if g > 0 && self.joint.parts[g].form.corrections.is_empty() {
                continue;
            }
            self.at_draws(g, |at, weight, workers, phi| {
                let values = at.share();
                let sums = workers.map_range(phi.len(), Vec::new, |work, b| {
                    sum(&values.log_lik(b, &phi[b], work), at, b)
                });
                total += weight * sums.iter().sum::<f64>();
            });
        }
        total
    }

    /// Let a grouping visit all snapshots, given the others' effects in each: `weight` is that of a chain.
    fn at_draws(
        &mut self,
        g: usize,
        mut visit: impl FnMut(&Evaluator, f64, &Workers, &[Vec<Column>]),
    ) {
        let at = &mut self.parts[g].population.at;
        for (s, draw) in self.draws.iter().enumerate() {
            if s == 0 || !draw.known[g].is_empty() {
                at.set_known(draw.known[g].clone());
            }
            let weight = draw.weight / at.layout.copies as f64;
            visit(at, weight, self.workers, &draw.snapshot.phi[g]);
        }
    }

    /// Gradient of `Q` in the coordinates `free`; `None` where the population distribution does not exist.
    pub fn gradient(&mut self, free: &[usize], theta: &[f64]) -> Option<Vec<f64>> {
        let mut total = vec![0.0; free.len()];
        for g in 0..self.parts.len() {
            let gradient = self.program_gradient(g, theta)?;
            let seen = self.parts[g].population.by(&self.moments[g]);
            add(&mut total, &seen.score(free, &gradient));
        }
        Some(total)
    }

    /// Gradient of the population part alone, in coordinates that enter it by linear means and covariances only.
    pub fn population_gradient(&mut self, free: &[usize], theta: &[f64]) -> Option<Vec<f64>> {
        let mut total = vec![0.0; free.len()];
        stand(self.parts, self.joint, theta)?;
        for (part, moments) in self.parts.iter().zip(&self.moments) {
            let problem = part.problem();
            let (prior, means) = (part.population.at.prior(), part.population.means());
            let (n, d) = (problem.n_subjects(), means.dim);
            let precision = &prior.precision;
            let miss = |k: usize, i: usize| moments.mean(i, k) - means.of(i)[k];
            for term in &problem.terms {
                let Some(position) = free.iter().position(|k| *k == term.theta) else {
                    continue;
                };
                for k in (0..d).filter(|k| precision[(term.effect, *k)] != 0.0) {
                    let sum: f64 = (0..n).map(|i| term.values[i] * miss(k, i)).sum();
                    total[position] += precision[(term.effect, k)] * sum;
                }
            }
            let n = n as f64;
            let spread = DMatrix::from_fn(d, d, |a, b| n * moments.covariance(means, a, b));
            let slope = precision * spread * precision - precision * n;
            for (a, b, weights) in problem.omega_gradients(theta) {
                let factor = if a == b { 0.5 } else { 1.0 };
                for (total, k) in total.iter_mut().zip(free) {
                    *total += factor * slope[(a, b)] * weights[*k];
                }
            }
        }
        Some(total)
    }

    /// Gradient of what the program of a grouping holds, in all coordinates; `None` where a population distribution does
    /// not exist.
    pub fn program_gradient(&mut self, g: usize, theta: &[f64]) -> Option<Vec<f64>> {
        stand(self.parts, self.joint, theta)?;
        let problem = self.parts[g].problem();
        let empty = problem.programs.numeric.is_empty() && problem.form.corrections.is_empty();
        if g > 0 && empty {
            return Some(Vec::new());
        }
        let mut adjoints = vec![0.0; problem.programs.theta.population.len()];
        self.at_draws(g, |at, weight, workers, phi| {
            let derivatives = at.by_theta();
            let sums = workers.map_range(phi.len(), DerivativeScratch::default, |scratch, b| {
                let (_, columns) = derivatives.population_adjoints(b, &phi[b], scratch);
                let each = columns.iter();
                each.map(|column| sum(column, at, b)).collect::<Vec<f64>>()
            });
            for (total, own) in sums.iter().flat_map(|own| own.iter().enumerate()) {
                adjoints[total] += weight * own;
            }
        });
        let derivatives = self.parts[g].population.at.by_theta();
        Some(derivatives.to_theta(theta, &adjoints))
    }

    /// Coordinates that the program reads apart from the density of `phi`.
    pub fn in_likelihood(&self) -> Vec<usize> {
        let form = &self.joint.main().form;
        let densities = form.densities.iter().map(|d| d.log_density).collect();
        let mut list = form.thetas_of(densities);
        for part in &self.joint.parts {
            let terms = part.form.corrections.iter().map(|c| c.term).collect();
            list.extend(part.form.thetas_of(terms));
        }
        list
    }

    /// Coordinates in the density of `phi`, and those among them that enter some mean otherwise than linearly.
    pub fn in_population(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut all, mut bent) = (Vec::new(), Vec::new());
        for part in &self.joint.parts {
            let form = &part.form;
            let linear: Vec<usize> = part.terms.iter().map(|term| term.theta).collect();
            let means = form.thetas_of(form.means.clone());
            bent.extend(means.iter().copied().filter(|k| !linear.contains(k)));
            all.extend(means);
            let nodes = form.covariance.iter().flat_map(|c| c.nodes.clone());
            all.extend(form.thetas_of(nodes.collect()));
        }
        (all, bent)
    }
}

fn weighted<'q>(
    joint: &Joint,
    parts: &[GroupingRun],
    snapshots: Vec<(f64, &'q ChainSnapshot)>,
) -> Vec<WeightedSnapshot<'q>> {
    let known = |snapshot: &ChainSnapshot| {
        let draws = SnapshotDraws { snapshot, parts };
        let each = parts.iter();
        each.map(|part| Arc::new(joint.known(part.problem(), part.layout(), &draws)))
            .collect()
    };
    let each = snapshots.into_iter();
    each.map(|(weight, snapshot)| WeightedSnapshot {
        weight,
        snapshot,
        known: known(snapshot),
    })
    .collect()
}

/// Weighted moments of the draws of a grouping.
fn moments(part: &GroupingRun, g: usize, draws: &[WeightedSnapshot]) -> Statistics {
    let mut moments = part.population.statistics.clone();
    moments.first.fill(0.0);
    moments.second.fill(0.0);
    let d = moments.dim;
    let mut away = vec![0.0; d];
    for draw in draws {
        let weight = draw.weight / part.layout().copies as f64;
        for (block, phi) in part.layout().blocks.iter().zip(&draw.snapshot.phi[g]) {
            for (l, lane) in block.lanes.iter().enumerate() {
                let subject = lane.subject as usize;
                for a in 0..d {
                    away[a] = phi[a].0[l] - moments.origin[a];
                    moments.first[subject * d + a] += weight * away[a];
                    for b in 0..=a {
                        moments.second[a * d + b] += weight * away[a] * away[b];
                    }
                }
            }
        }
    }
    moments
}

/// Sum over the lanes of a block.
fn sum(column: &Column, at: &Evaluator, b: usize) -> f64 {
    column.0[..at.layout.blocks[b].lanes.len()].iter().sum()
}

#[cfg(test)]
mod tests;

//! Evaluate the objective of the numerical M-step and its gradient.
//!
//! `Q(theta) = sum_k w_k sum_c [log p(y | phi_kc; theta) + log p(phi_kc; theta)] / C` over snapshots `k` and chains `c`.
//! The density of `phi` is Gaussian: its part of `Q` needs the weighted moments of the draws alone. What the outcomes
//! and the effects' other distributions say is computed by the program, block by block.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::part::Part;
use super::store::{Snapshot, SnapshotDraws};
use crate::data::Layout;
use crate::ir::column::Column;
use crate::mstep::{Scores, Statistics};
use crate::parallel::Workers;
use crate::problem::{Joint, Known, Means, Prior, Problem, Scratch, Values};

/// The objective over some draws; `parts` are used as memory, and what they know is set anew by the next E-step.
pub struct Q<'q, 'a> {
    joint: &'a Joint,
    parts: &'q mut [Part<'a>],
    workers: &'q Workers,
    draws: Vec<Weighted<'q>>,
    /// Weighted moments of each grouping's draws.
    moments: Vec<Statistics>,
    /// Scratch of each block of each grouping.
    memory: Vec<Vec<Slot>>,
    /// What effects that are not Gaussian add, for the groupings after the first.
    corrections: Vec<Option<Values<'a>>>,
}

/// A snapshot, its weight, and for each grouping what it knows of the others.
struct Weighted<'q> {
    weight: f64,
    snapshot: &'q Snapshot,
    known: Vec<Arc<Vec<Known>>>,
}

#[derive(Default)]
struct Slot {
    block: usize,
    scratch: Scratch,
}

impl<'q, 'a> Q<'q, 'a> {
    pub fn new(
        joint: &'a Joint,
        parts: &'q mut [Part<'a>],
        snapshots: Vec<(f64, &'q Snapshot)>,
        workers: &'q Workers,
    ) -> Self {
        let draws = weighted(joint, parts, snapshots);
        let each = parts.iter().enumerate();
        let moments = each.map(|(g, part)| moments(part, g, &draws)).collect();
        let memory = parts.iter().map(|part| slots(part.layout)).collect();
        let corrections = parts.iter().map(|part| corrections(part)).collect();
        Self {
            joint,
            parts,
            workers,
            draws,
            moments,
            memory,
            corrections,
        }
    }

    /// `Q`; not finite where some density does not exist.
    pub fn value(&mut self, theta: &[f64]) -> f64 {
        self.population(theta) + self.likelihood(theta)
    }

    /// The part of the Gaussian density of `phi`.
    pub fn population(&mut self, theta: &[f64]) -> f64 {
        let mut total = 0.0;
        for (part, moments) in self.parts.iter_mut().zip(&self.moments) {
            let Ok(prior) = Prior::new(part.problem, theta) else {
                return f64::NEG_INFINITY;
            };
            total += population(&prior, moments, &part.mean_program.at(theta));
        }
        total
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
        let mut total = 0.0;
        for g in first..self.parts.len() {
            let part = &mut self.parts[g];
            let copies = part.layout.copies as f64;
            let own = self.corrections[g].as_mut();
            let Some(values) = (if g == 0 { Some(&mut part.values) } else { own }) else {
                continue;
            };
            for (s, draw) in self.draws.iter().enumerate() {
                if s == 0 || !draw.known[g].is_empty() {
                    values.set_known(draw.known[g].clone());
                    values.prepare(theta);
                }
                let (values, layout) = (&*values, part.layout);
                let sums = self.workers.map(&mut self.memory[g], |slot| {
                    let phi = &draw.snapshot.phi[g][slot.block];
                    let column = values.log_lik(slot.block, phi, &mut slot.scratch.work);
                    sum(&column, layout, slot.block)
                });
                total += draw.weight * sums.iter().sum::<f64>() / copies;
            }
        }
        total
    }

    /// Gradient of `Q` in the coordinates `free`; `None` where the population distribution does not exist.
    pub fn gradient(&mut self, free: &[usize], theta: &[f64]) -> Option<Vec<f64>> {
        let mut total = vec![0.0; free.len()];
        for g in 0..self.parts.len() {
            let gradient = self.program_gradient(g, theta);
            let part = &mut self.parts[g];
            let prior = Prior::new(part.problem, theta).ok()?;
            let means = part.mean_program.at(theta);
            let scores = Scores::new(part.problem, free, &prior, None, theta);
            let own = scores.total(&part.mstep.linear, &self.moments[g], &means, &gradient);
            total.iter_mut().zip(own).for_each(|(t, own)| *t += own);
        }
        Some(total)
    }

    /// Gradient of the population part alone, in coordinates that enter it by linear means and covariances only.
    pub fn population_gradient(&mut self, free: &[usize], theta: &[f64]) -> Option<Vec<f64>> {
        let mut total = vec![0.0; free.len()];
        for (part, moments) in self.parts.iter_mut().zip(&self.moments) {
            let prior = Prior::new(part.problem, theta).ok()?;
            let means = part.mean_program.at(theta);
            let n = part.problem.n_subjects();
            let d = means.dim;
            let precision = &prior.precision;
            let miss = |k: usize, i: usize| moments.mean(i, k) - means.of(i)[k];
            for term in &part.problem.terms {
                let Some(position) = free.iter().position(|k| *k == term.theta) else {
                    continue;
                };
                for k in (0..d).filter(|k| precision[(term.effect, *k)] != 0.0) {
                    let sum: f64 = (0..n).map(|i| term.values[i] * miss(k, i)).sum();
                    total[position] += precision[(term.effect, k)] * sum;
                }
            }
            let n = n as f64;
            let spread = DMatrix::from_fn(d, d, |a, b| n * moments.covariance(&means, a, b));
            let slope = precision * spread * precision - precision * n;
            for (a, b, weights) in part.problem.omega_gradients(theta) {
                let factor = if a == b { 0.5 } else { 1.0 };
                for (total, k) in total.iter_mut().zip(free) {
                    *total += factor * slope[(a, b)] * weights[*k];
                }
            }
        }
        Some(total)
    }

    /// Gradient of what the program of a grouping holds, in all coordinates.
    pub fn program_gradient(&mut self, g: usize, theta: &[f64]) -> Vec<f64> {
        let part = &mut self.parts[g];
        let problem = part.problem;
        let empty = problem.programs.numeric.is_empty() && problem.form.corrections.is_empty();
        if g > 0 && empty {
            return Vec::new();
        }
        let copies = part.layout.copies as f64;
        let derivatives = &mut part.derivatives;
        let mut adjoints = vec![0.0; derivatives.n_population()];
        derivatives.prepare(theta);
        for (s, draw) in self.draws.iter().enumerate() {
            if s == 0 || !draw.known[g].is_empty() {
                derivatives.set_known(draw.known[g].clone());
            }
            let (derivatives, layout) = (&*derivatives, part.layout);
            let sums = self.workers.map(&mut self.memory[g], |slot| {
                let phi = &draw.snapshot.phi[g][slot.block];
                let (_, columns) =
                    derivatives.population_adjoints(slot.block, phi, &mut slot.scratch);
                let each = columns.iter();
                each.map(|column| sum(column, layout, slot.block))
                    .collect::<Vec<f64>>()
            });
            for block in sums {
                for (total, own) in adjoints.iter_mut().zip(block) {
                    *total += draw.weight * own / copies;
                }
            }
        }
        part.derivatives.to_theta(theta, &adjoints)
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

/// `sum_i E log N(phi_i; m_i, Omega)` by the moments of the draws.
pub fn population(prior: &Prior, moments: &Statistics, means: &Means) -> f64 {
    let d = means.dim;
    if d == 0 {
        return 0.0;
    }
    let n = (means.values.len() / d) as f64;
    let spread = DMatrix::from_fn(d, d, |a, b| moments.covariance(means, a, b));
    n * (prior.log_norm - 0.5 * (&prior.precision * spread).trace())
}

fn weighted<'q>(
    joint: &Joint,
    parts: &[Part],
    snapshots: Vec<(f64, &'q Snapshot)>,
) -> Vec<Weighted<'q>> {
    let known = |snapshot: &Snapshot| {
        let draws = SnapshotDraws { snapshot, parts };
        let each = parts.iter();
        each.map(|part| Arc::new(joint.known(part.problem, part.layout, &draws)))
            .collect()
    };
    let each = snapshots.into_iter();
    each.map(|(weight, snapshot)| Weighted {
        weight,
        snapshot,
        known: known(snapshot),
    })
    .collect()
}

/// Weighted moments of the draws of a grouping.
fn moments(part: &Part, g: usize, draws: &[Weighted]) -> Statistics {
    let mut moments = part.statistics.clone();
    moments.first.fill(0.0);
    moments.second.fill(0.0);
    let d = moments.dim;
    let mut away = vec![0.0; d];
    for draw in draws {
        let weight = draw.weight / part.layout.copies as f64;
        for (block, phi) in part.layout.blocks.iter().zip(&draw.snapshot.phi[g]) {
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

fn slots(layout: &Layout) -> Vec<Slot> {
    let blocks = 0..layout.blocks.len();
    blocks
        .map(|block| Slot {
            block,
            scratch: Scratch::default(),
        })
        .collect()
}

fn corrections<'a>(part: &Part<'a>) -> Option<Values<'a>> {
    let problem: &'a Problem = part.problem;
    let wanted = problem.group > 0 && !problem.form.corrections.is_empty();
    wanted.then(|| Values::new(problem, part.layout, &problem.programs.corrections))
}

fn sum(column: &Column, layout: &Layout, block: usize) -> f64 {
    column.0[..layout.blocks[block].lanes.len()].iter().sum()
}

#[cfg(test)]
mod tests;

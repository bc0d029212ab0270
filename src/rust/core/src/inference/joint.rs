//! Conditional modes and Laplace's approximation where several groupings hang together.
//!
//! The modes of all groupings are found by turns: each grouping's modes given the others, then the trades along the
//! ridges of `problem::Exchange`, whose maximum is known. The likelihood is Laplace's approximation over the batches,
//! `log p(y_b) = log p(y_b, u_b) + D/2 ln(2 pi) - ln det(-H_b)/2` at the joint mode `u_b` of all `D` free effects of a
//! batch; exact when the model is linear with normal outcomes.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::modes::{step_curvature, ModeOptions, Modes};
use super::posterior::{Batches, Coordinate};
use super::quadrature::Quadrature;
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::parallel::Workers;
use crate::problem::{
    Derivatives, Evaluator, Joint, Means, Points, Prior, Problem, Scratch, Values,
};

/// Most effects of a batch whose Hessian is formed.
const MAX_BATCH: usize = 400;

/// Most turns of the groupings.
const MAX_TURNS: usize = 500;

/// Change of `phi`, in standard deviations of the population, that ends the turns.
const SETTLED: f64 = 1e-9;

/// Modes of all groupings.
pub struct JointModes {
    pub points: Points,
    /// Whether they were found, one a level of each grouping.
    pub converged: Vec<Vec<bool>>,
}

/// The problem at a `theta`, each grouping on a layout of one lane a level.
struct Ground<'a> {
    joint: &'a Joint,
    theta: &'a [f64],
    layouts: Vec<Layout>,
    priors: Vec<Prior>,
    means: Vec<Means>,
    batches: Batches,
}

/// Conditional modes at `theta`.
///
/// # Errors
/// A population distribution that does not exist.
pub fn joint_modes(joint: &Joint, theta: &[f64]) -> Result<JointModes> {
    Ok(Ground::new(joint, theta)?.modes(None))
}

/// Largest element of the gradient of the log density at `points`, for every level of each grouping.
///
/// # Errors
/// A population distribution that does not exist.
pub fn joint_slopes(joint: &Joint, theta: &[f64], points: &Points) -> Result<Vec<Vec<f64>>> {
    let gradients = Ground::new(joint, theta)?.gradient(points);
    let each = joint.parts.iter().zip(gradients);
    let slopes = each.map(|(part, gradient)| {
        let d = part.n_phi();
        let free = |at: usize| !part.is_held(at / d, at % d);
        (0..part.n_subjects())
            .map(|level| {
                let own = (level * d..(level + 1) * d).filter(|at| free(*at));
                own.map(|at| gradient[at].abs()).fold(0.0, f64::max)
            })
            .collect()
    });
    Ok(slopes.collect())
}

/// Laplace's approximation of the log-likelihood at `theta`; one term a batch. `start`: where to look for the modes
/// first, else at the means.
///
/// # Errors
/// A batch with too many effects, or a population distribution that does not exist.
pub fn laplace(joint: &Joint, theta: &[f64], start: Option<&Points>) -> Result<Quadrature> {
    let ground = Ground::new(joint, theta)?;
    check_size(&ground)?;
    let modes = ground.modes(start);
    let hessians = ground.hessians(&modes.points);
    let mut subjects = ground.log_density(&modes.points);
    for (value, hessian) in subjects.iter_mut().zip(hessians) {
        let d = hessian.nrows() as f64;
        let log_det = hessian
            .cholesky()
            .map_or(f64::NAN, |c| 2.0 * c.l().diagonal().map(f64::ln).sum());
        *value += 0.5 * (d * (2.0 * std::f64::consts::PI).ln() - log_det);
    }
    let converged = ground.by_batch(&modes.converged);
    Ok(Quadrature {
        log_lik: subjects.iter().sum(),
        errors: vec![f64::NAN; subjects.len()],
        subjects,
        nodes: 1,
        converged,
    })
}

/// Minus the Hessian of the log density of the free effects of every batch at `points`; effects of a batch in the order
/// of the groupings, then of the levels.
///
/// # Errors
/// As for [`laplace`].
pub fn joint_curvatures(
    joint: &Joint,
    theta: &[f64],
    points: &Points,
) -> Result<Vec<DMatrix<f64>>> {
    let ground = Ground::new(joint, theta)?;
    check_size(&ground)?;
    Ok(ground.hessians(points))
}

/// The complete-data log density of every batch at `points`; not finite where these effects cannot be.
///
/// # Errors
/// A population distribution that does not exist.
pub fn log_density(joint: &Joint, theta: &[f64], points: &Points) -> Result<Vec<f64>> {
    Ok(Ground::new(joint, theta)?.log_density(points))
}

/// # Errors
/// A batch with too many effects.
fn check_size(ground: &Ground) -> Result<()> {
    let most = ground.batches.max_dim();
    if most <= MAX_BATCH {
        return Ok(());
    }
    Err(Error::new(
        ErrorClass::Option,
        "too_many_effects",
        format!(
            "{most} random effects hang together through their groupings; the log-likelihood is computed for at most \
             {MAX_BATCH}."
        ),
    )
    .hint("The estimates do not need it: use log_lik = FALSE in saem(), log_lik = \"none\" in vem()."))
}

impl<'a> Ground<'a> {
    fn new(joint: &'a Joint, theta: &'a [f64]) -> Result<Self> {
        let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(1)).collect();
        let priors: Result<Vec<Prior>> = (joint.parts.iter())
            .map(|part| Prior::new(part, theta))
            .collect();
        let means = (joint.parts.iter().zip(&layouts))
            .map(|(part, layout)| Means::new(part, layout, theta))
            .collect();
        Ok(Self {
            joint,
            theta,
            priors: priors?,
            means,
            layouts,
            batches: Batches::new(joint),
        })
    }

    fn conditional(&self, g: usize, points: &Points) -> Evaluator<'_> {
        let at = (&self.joint.parts[g], &self.layouts[g]);
        let known = self.joint.known(at.0, at.1, points);
        Evaluator::of(at, self.theta, self.priors[g].clone()).given(known)
    }

    fn modes(&self, start: Option<&Points>) -> JointModes {
        let means = || {
            let means = self.means.iter().map(|m| m.values.clone());
            self.joint.points(means.collect())
        };
        let mut points = start.cloned().unwrap_or_else(means);
        let mut converged = vec![Vec::new(); self.joint.parts.len()];
        for turn in 0..MAX_TURNS {
            let before = points.values.clone();
            for g in 0..self.joint.parts.len() {
                converged[g] = self.turn(g, turn, &mut points);
            }
            self.trade(&mut points);
            if self.change(&before, &points) < SETTLED {
                return JointModes { points, converged };
            }
        }
        for flags in &mut converged {
            flags.fill(false);
        }
        JointModes { points, converged }
    }

    /// Modes of one grouping given the others, from where they stand.
    fn turn(&self, g: usize, turn: usize, points: &mut Points) -> Vec<bool> {
        let part = &self.joint.parts[g];
        let layout = &self.layouts[g];
        let options = ModeOptions {
            max_steps: if turn == 0 { 200 } else { 30 },
            tolerance: 1e-14,
            curvature: step_curvature(part),
        };
        let target = self.conditional(g, points);
        let start = target.columns(&points.values[g]);
        let modes = Modes::find(&target, Some(&start), options, &Workers::single());
        let (values, converged) = modes.by_subject(layout);
        points.values[g] = values;
        converged
    }

    /// Move along the ridges to their highest points.
    fn trade(&self, points: &mut Points) {
        for exchange in &self.joint.exchanges {
            for (a, b) in &exchange.sets {
                let (Some((pull, p)), Some((back, q))) = (
                    self.pull(exchange.plus, a, points),
                    self.pull(exchange.minus, b, points),
                ) else {
                    continue;
                };
                let delta = (back - pull) / (p + q);
                for ((g, k), levels, sign) in [(exchange.plus, a, 1.0), (exchange.minus, b, -1.0)] {
                    let d = points.dims[g];
                    for level in levels {
                        points.values[g][level * d + k] += sign * delta;
                    }
                }
            }
        }
    }

    /// Sum over levels of `(Omega^-1 (phi - m))_k` and of the precision; `None` when some level is held.
    fn pull(
        &self,
        (g, k): (usize, usize),
        levels: &[usize],
        points: &Points,
    ) -> Option<(f64, f64)> {
        let (prior, d) = (&self.priors[g], points.dims[g]);
        let mut sum = 0.0;
        for level in levels {
            if self.joint.parts[g].is_held(*level, k) {
                return None;
            }
            let phi = &points.values[g][level * d..(level + 1) * d];
            let entries = phi.iter().zip(self.means[g].of(*level)).enumerate();
            sum += entries
                .map(|(j, (phi, mean))| prior.precision[(k, j)] * (phi - mean))
                .sum::<f64>();
        }
        Some((sum, prior.precision[(k, k)] * levels.len() as f64))
    }

    /// Largest change of an effect in standard deviations of its population.
    fn change(&self, before: &[Vec<f64>], after: &Points) -> f64 {
        let mut largest = 0.0f64;
        for (g, values) in before.iter().enumerate() {
            let d = after.dims[g];
            for (i, (old, new)) in values.iter().zip(&after.values[g]).enumerate() {
                let sd = self.priors[g].omega[(i % d, i % d)].sqrt();
                largest = largest.max((new - old).abs() / sd);
            }
        }
        largest
    }

    /// Minus the Hessian of the log density of every batch, by central differences of the gradient: all batches are
    /// moved at once in their first coordinate, then in their second, and so on.
    fn hessians(&self, points: &Points) -> Vec<DMatrix<f64>> {
        let batches = &self.batches.coordinates;
        let mut hessians: Vec<DMatrix<f64>> = (batches.iter())
            .map(|b| DMatrix::zeros(b.len(), b.len()))
            .collect();
        let step = |c: &Coordinate| {
            let variance = self.priors[c.group].omega[(c.effect, c.effect)];
            1e-4 * variance.sqrt().clamp(1e-3, 1.0)
        };
        let place = |c: &Coordinate| c.level * points.dims[c.group] + c.effect;
        for j in 0..self.batches.max_dim() {
            let side = |sign: f64| {
                let mut moved = points.clone();
                for c in batches.iter().filter_map(|b| b.get(j)) {
                    moved.values[c.group][place(c)] += sign * step(c);
                }
                self.gradient(&moved)
            };
            let (up, down) = (side(1.0), side(-1.0));
            for (batch, hessian) in batches.iter().zip(&mut hessians) {
                let Some(moved) = batch.get(j) else { continue };
                for (i, c) in batch.iter().enumerate() {
                    let (up, down) = (up[c.group][place(c)], down[c.group][place(c)]);
                    hessian[(i, j)] = (down - up) / (2.0 * step(moved));
                }
            }
        }
        for hessian in &mut hessians {
            *hessian = (&*hessian + hessian.transpose()) * 0.5;
        }
        hessians
    }

    /// Gradient of the complete-data log density in all effects: for each grouping `levels x d`, row-major.
    fn gradient(&self, points: &Points) -> Vec<Vec<f64>> {
        let each = self.joint.parts.iter().enumerate();
        each.map(|(g, part)| self.part_gradient(g, part, points))
            .collect()
    }

    fn part_gradient(&self, g: usize, part: &Problem, points: &Points) -> Vec<f64> {
        let (layout, d) = (&self.layouts[g], part.n_phi());
        let mut derivatives = Derivatives::new(part, layout, &part.programs.phi);
        derivatives.set_known(Arc::new(self.joint.known(part, layout, points)));
        derivatives.prepare(self.theta);
        let mut out = vec![0.0; part.n_subjects() * d];
        let mut columns = vec![Column::ZERO; d];
        let mut scratch = Scratch::default();
        for (b, block) in layout.blocks.iter().enumerate() {
            let phi = layout.columns(b, &points.values[g], d);
            derivatives.gradient_phi(b, &phi, &mut columns, &mut scratch);
            for (l, lane) in block.lanes.iter().enumerate() {
                let level = lane.subject as usize;
                for k in 0..d {
                    let pull: f64 = (self.means[g].of(level).iter().enumerate())
                        .map(|(j, mean)| self.priors[g].precision[(k, j)] * (phi[j].0[l] - mean))
                        .sum();
                    out[level * d + k] = columns[k].0[l] - pull;
                }
            }
        }
        out
    }

    /// Complete-data log density of every batch.
    fn log_density(&self, points: &Points) -> Vec<f64> {
        let mut total = vec![0.0; self.joint.n_batches];
        for (g, part) in self.joint.parts.iter().enumerate() {
            let layout = &self.layouts[g];
            // The outcomes count once, in the first grouping; the others add their own distributions.
            let program = if g == 0 {
                &part.programs.likelihood
            } else {
                &part.programs.corrections
            };
            let mut values = Values::new(part, layout, program);
            values.set_known(Arc::new(self.joint.known(part, layout, points)));
            values.prepare(self.theta);
            let mut work = Vec::new();
            for (b, block) in layout.blocks.iter().enumerate() {
                let phi = layout.columns(b, &points.values[g], part.n_phi());
                let mean = self.means[g].columns(layout, b);
                let log_lik = values.log_lik(b, &phi, &mut work);
                let prior = self.priors[g].log_density(Isa::detect(), &phi, &mean);
                for (l, lane) in block.lanes.iter().enumerate() {
                    let batch = self.joint.batches[g][lane.subject as usize];
                    total[batch] += log_lik.0[l] + prior.0[l];
                }
            }
        }
        total
    }

    /// Whether all levels of a batch have the flag.
    fn by_batch(&self, flags: &[Vec<bool>]) -> Vec<bool> {
        let mut all = vec![true; self.joint.n_batches];
        for (g, flags) in flags.iter().enumerate() {
            for (level, flag) in flags.iter().enumerate() {
                all[self.joint.batches[g][level]] &= flag;
            }
        }
        all
    }
}

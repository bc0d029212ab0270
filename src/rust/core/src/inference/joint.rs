//! Conditional modes and Laplace's approximation where several groupings hang together.
//!
//! The modes of all groupings are found by turns: each grouping's modes given the others, then the trades along the
//! ridges of `problem::Exchange`, whose maximum is known. The likelihood is Laplace's approximation over the batches,
//! `log p(y_b) = log p(y_b, u_b) + D/2 ln(2 pi) - ln det(-H_b)/2` at the joint mode `u_b` of all `D` free effects of a
//! batch; exact when the model is linear with normal outcomes.

use nalgebra::DMatrix;

use super::cloud::{layouts, Cloud};
use super::modes::{step_curvature, ModeOptions, Modes};
use super::posterior::FreeEffect;
use super::quadrature::Quadrature;
use crate::error::{Error, ErrorClass, Result};
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint};

/// Most effects of a batch whose Hessian is formed.
const MAX_BATCH: usize = 400;

/// Most turns of the groupings.
const MAX_TURNS: usize = 500;

/// Change of `phi`, in standard deviations of the population, that ends the turns.
const SETTLED: f64 = 1e-9;

/// Modes of all groupings.
pub struct JointModes {
    pub points: EffectValues,
    /// Whether they were found, one a level of each grouping.
    pub converged: Vec<Vec<bool>>,
}

/// The model with one draw of every batch.
struct GroupingsAt<'a>(Cloud<'a>);

/// Conditional modes at `theta`.
///
/// # Errors
/// A population distribution that does not exist.
pub fn joint_modes(joint: &Joint, theta: &[f64]) -> Result<JointModes> {
    let layouts = layouts(joint, 1);
    Ok(GroupingsAt(Cloud::new(joint, &layouts, theta)?).modes(None))
}

/// Largest element of the gradient of the log density at `points`, for every level of each grouping.
///
/// # Errors
/// A population distribution that does not exist.
pub fn joint_slopes(joint: &Joint, theta: &[f64], points: &EffectValues) -> Result<Vec<Vec<f64>>> {
    let layouts = layouts(joint, 1);
    let mut ground = GroupingsAt(Cloud::new(joint, &layouts, theta)?);
    let gradient = ground.gradient(&ground.0.batches.gather(points));
    let each = joint.parts.iter().map(|part| vec![0.0; part.n_subjects()]);
    let mut slopes: Vec<Vec<f64>> = each.collect();
    for (c, slope) in (ground.0.batches.coordinates.iter().flatten()).zip(gradient) {
        let largest = &mut slopes[c.group][c.level];
        *largest = slope.abs().max(*largest);
    }
    Ok(slopes)
}

/// Laplace's approximation of the log-likelihood at `theta`; one term a batch. `start`: where to look for the modes
/// first, else at the means.
///
/// # Errors
/// A batch with too many effects, or a population distribution that does not exist.
pub fn laplace(joint: &Joint, theta: &[f64], start: Option<&EffectValues>) -> Result<Quadrature> {
    let layouts = layouts(joint, 1);
    let mut ground = GroupingsAt::checked(Cloud::new(joint, &layouts, theta)?)?;
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
    let converged = by_batch(joint, &modes.converged);
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
    points: &EffectValues,
) -> Result<Vec<DMatrix<f64>>> {
    let layouts = layouts(joint, 1);
    let mut ground = GroupingsAt::checked(Cloud::new(joint, &layouts, theta)?)?;
    Ok(ground.hessians(points))
}

/// The complete-data log density of every batch at `points`; not finite where these effects cannot be.
///
/// # Errors
/// A population distribution that does not exist.
pub fn log_density(joint: &Joint, theta: &[f64], points: &EffectValues) -> Result<Vec<f64>> {
    let layouts = layouts(joint, 1);
    Ok(GroupingsAt(Cloud::new(joint, &layouts, theta)?).log_density(points))
}

/// Whether all levels of a batch have the flag.
fn by_batch(joint: &Joint, flags: &[Vec<bool>]) -> Vec<bool> {
    let mut all = vec![true; joint.n_batches];
    for (g, flags) in flags.iter().enumerate() {
        for (level, flag) in flags.iter().enumerate() {
            all[joint.batches[g][level]] &= flag;
        }
    }
    all
}

impl<'a> GroupingsAt<'a> {
    /// # Errors
    /// A batch with too many effects.
    fn checked(cloud: Cloud<'a>) -> Result<Self> {
        let most = cloud.batches.max_dim();
        if most <= MAX_BATCH {
            return Ok(Self(cloud));
        }
        Err(Error::new(
            ErrorClass::Option,
            "too_many_effects",
            format!(
                "{most} random effects hang together through their groupings; the log-likelihood is computed for at \
                 most {MAX_BATCH}."
            ),
        )
        .hint("The estimates do not need it: use log_lik = FALSE in saem(), log_lik = \"none\" in vem()."))
    }

    fn modes(&mut self, start: Option<&EffectValues>) -> JointModes {
        let joint = self.0.joint;
        let mut points = (start.cloned()).unwrap_or_else(|| joint.typical(self.0.theta()));
        let mut converged = vec![Vec::new(); joint.parts.len()];
        for turn in 0..MAX_TURNS {
            let before = points.values.clone();
            for g in 0..joint.parts.len() {
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
    fn turn(&mut self, g: usize, turn: usize, points: &mut EffectValues) -> Vec<bool> {
        let draws = self.0.batches.gather(points);
        self.0.set(&draws);
        let target = self.0.part(g);
        let options = ModeOptions {
            max_steps: if turn == 0 { 200 } else { 30 },
            tolerance: 1e-14,
            curvature: step_curvature(target.problem),
        };
        let start = target.columns(&points.values[g]);
        let modes = Modes::find(target, Some(&start), options, &Workers::single());
        let (values, converged) = modes.by_subject(target.layout);
        points.values[g] = values;
        converged
    }

    /// Move along the ridges to their highest points.
    fn trade(&self, points: &mut EffectValues) {
        for exchange in &self.0.joint.exchanges {
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
        points: &EffectValues,
    ) -> Option<(f64, f64)> {
        let at = self.0.part(g);
        let mut sum = 0.0;
        for level in levels {
            if at.problem.is_held(*level, k) {
                return None;
            }
            let (phi, mean) = (points.of(g, *level), at.means().of(*level));
            sum += at.prior().pull(k, |j| phi[j] - mean[j]);
        }
        Some((sum, at.prior().precision[(k, k)] * levels.len() as f64))
    }

    /// Largest change of an effect in standard deviations of its population.
    fn change(&self, before: &[Vec<f64>], after: &EffectValues) -> f64 {
        let mut largest = 0.0f64;
        for (g, values) in before.iter().enumerate() {
            let (d, omega) = (after.dims[g], &self.0.part(g).prior().omega);
            for (i, (old, new)) in values.iter().zip(&after.values[g]).enumerate() {
                let sd = omega[(i % d, i % d)].sqrt();
                largest = largest.max((new - old).abs() / sd);
            }
        }
        largest
    }

    /// Minus the Hessian of the log density of every batch, by central differences of the gradient: all batches are
    /// moved at once in their first coordinate, then in their second, and so on.
    fn hessians(&mut self, points: &EffectValues) -> Vec<DMatrix<f64>> {
        let batches = self.0.batches.clone();
        let draws = batches.gather(points);
        let dims = (0..batches.len()).map(|b| batches.dim(b));
        let mut hessians: Vec<DMatrix<f64>> = dims.map(|d| DMatrix::zeros(d, d)).collect();
        for j in 0..batches.max_dim() {
            let each = batches.coordinates.iter().zip(&batches.offsets);
            let moved: Vec<(usize, usize, f64)> = (each.enumerate())
                .filter_map(|(b, (own, first))| Some((b, *first, self.step(own.get(j)?))))
                .collect();
            let mut side = |sign: f64| {
                let mut draws = draws.clone();
                for (_, first, step) in &moved {
                    draws[first + j] += sign * step;
                }
                self.gradient(&draws)
            };
            let (up, down) = (side(1.0), side(-1.0));
            for (b, first, step) in moved {
                for i in 0..batches.dim(b) {
                    hessians[b][(i, j)] = (down[first + i] - up[first + i]) / (2.0 * step);
                }
            }
        }
        for hessian in &mut hessians {
            *hessian = (&*hessian + hessian.transpose()) * 0.5;
        }
        hessians
    }

    fn step(&self, c: &FreeEffect) -> f64 {
        self.0.part(c.group).prior().step(c.effect)
    }

    /// Gradient of the complete-data log density in all free effects, batch by batch.
    fn gradient(&mut self, draws: &[f64]) -> Vec<f64> {
        self.0.set(draws);
        self.0.gradient(&Workers::single())
    }

    /// Complete-data log density of every batch.
    fn log_density(&mut self, points: &EffectValues) -> Vec<f64> {
        let draws = self.0.batches.gather(points);
        self.0.set(&draws);
        self.0.log_density(&Workers::single())
    }
}

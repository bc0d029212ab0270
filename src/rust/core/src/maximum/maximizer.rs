//! Move the population parameters given weighted draws of the effects: the routes of the M-step, scores, information.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::data::Layout;
use crate::inference::cloud::{Cloud, Levels, Scored, Weighted};
use crate::inference::information::free;
use crate::inference::posterior::Batches;
use crate::mstep::{
    add_complete, Annealing, MStep, Preconditioner, Scores, Statistics, Step, Trust, MAX_PARAMETERS,
};
use crate::parallel::Workers;
use crate::problem::{Joint, MeanProgram, Means, Prior};

/// The population distribution at one `theta`, one entry a grouping.
pub struct Population<'p> {
    pub priors: &'p [Prior],
    pub means: &'p [Means],
}

/// Step of differences, in changes that move the log density of a batch by one.
const DIFFERENCE: f64 = 1e-4;

/// A variance may fall to this part of its value in one sweep, and grow by its inverse.
const BOUNDED: f64 = 0.25;

/// Population distributions of every grouping; `None` when one does not exist.
pub fn priors(joint: &Joint, theta: &[f64]) -> Option<Vec<Prior>> {
    let finite = theta.iter().all(|x| x.is_finite());
    let each = joint.parts.iter().filter(|_| finite);
    let found: Option<Vec<Prior>> = each.map(|part| Prior::new(part, theta).ok()).collect();
    found.filter(|found| found.len() == joint.parts.len())
}

/// The M-step of every grouping.
pub struct Maximizer<'a> {
    joint: &'a Joint,
    pub free: Vec<usize>,
    parts: Vec<(MStep<'a>, Statistics)>,
    programs: Vec<MeanProgram<'a>>,
    trust: Trust,
}

/// Where the parameters stand, with draws and weights in the cloud.
pub struct Ground<'g> {
    pub population: Population<'g>,
    pub weights: &'g [f64],
    pub moments: &'g [Weighted],
    pub workers: &'g Workers,
}

impl<'a> Maximizer<'a> {
    pub fn new(joint: &'a Joint, layouts: &'a [Arc<Layout>]) -> Self {
        let (theta, free) = (&joint.theta, free(joint));
        let mut programs: Vec<MeanProgram> = (joint.parts.iter().zip(layouts))
            .map(|(part, layout)| MeanProgram::new(part, layout))
            .collect();
        let parts = joint.parts.iter().zip(&mut programs);
        let parts = parts.map(|(part, program)| {
            let statistics = Statistics::new(&program.at(&theta.start));
            (MStep::new(part), statistics)
        });
        Self {
            parts: parts.collect(),
            programs,
            trust: Trust::default(),
            joint,
            free,
        }
    }

    /// Let the moments of the effects of all batches enter the statistics.
    pub fn learn(&mut self, batches: &Batches, moments: &[Weighted]) {
        let levels = Levels {
            joint: self.joint,
            batches,
            moments,
        };
        for (group, (_, statistics)) in self.parts.iter_mut().enumerate() {
            levels.fill(group, statistics);
        }
    }

    /// Means of `phi` of all levels, one a grouping.
    pub fn means(&mut self, theta: &[f64]) -> Vec<Means> {
        let programs = self.programs.iter_mut();
        programs.map(|program| program.at(theta)).collect()
    }

    /// Gradient of the expected complete-data log density in the free coordinates.
    pub fn score(&mut self, cloud: &mut Cloud, ground: &Ground) -> Vec<f64> {
        self.learn(&cloud.batches, ground.moments);
        let gradient = cloud.theta_gradient(ground.weights, ground.workers);
        self.total(cloud.theta(), &gradient, &ground.population)
    }

    /// The same from what was learned and the gradient of the programs.
    pub fn total(&self, theta: &[f64], gradient: &[f64], population: &Population) -> Vec<f64> {
        let mut total = vec![0.0; self.free.len()];
        for (g, (mstep, statistics)) in self.parts.iter().enumerate() {
            let prior = &population.priors[g];
            let scores = Scores::new(&self.joint.parts[g], &self.free, prior, None, theta);
            let gradient = if g == 0 { gradient } else { &[] };
            let means = &population.means[g];
            let own = scores.total(&mstep.linear, statistics, means, gradient);
            for (total, own) in total.iter_mut().zip(own) {
                *total += own;
            }
        }
        total
    }

    /// One sweep of the closed forms, and of steps on scores where there are none; each variance changes by a bounded
    /// factor.
    pub fn sweep(&mut self, cloud: &mut Cloud, ground: &Ground) -> Vec<f64> {
        self.learn_information(cloud, ground, None);
        self.learn(&cloud.batches, ground.moments);
        let gradient = cloud.theta_gradient(ground.weights, ground.workers);
        let old = cloud.theta().to_vec();
        let followed = self
            .follow_scores(cloud, ground, &gradient)
            .unwrap_or_else(|| old.clone());
        self.maximize((&old, followed), &gradient, &ground.population)
    }

    /// A checked step of what has no closed form, at the draws as they are.
    fn follow_scores(
        &mut self,
        cloud: &mut Cloud,
        ground: &Ground,
        gradient: &[f64],
    ) -> Option<Vec<f64>> {
        let own = self.parts[0].0.scored.clone();
        let theta = cloud.theta().to_vec();
        let promise = self.parts[0].0.promise(&own, &self.free, gradient)?;
        let joint = self.joint;
        let mut value = |theta: &[f64]| {
            let Some(priors) = priors(joint, theta) else {
                return f64::NEG_INFINITY;
            };
            cloud.prepare(theta);
            let means = cloud.means();
            let prior = cloud.log_prior(&priors, &means);
            let each = cloud
                .log_lik(ground.workers)
                .into_iter()
                .zip(prior)
                .zip(ground.weights);
            each.map(|((y, p), w)| if *w == 0.0 { 0.0 } else { w * (y + p) })
                .sum()
        };
        let at = (&joint.theta, own.as_slice(), theta.as_slice());
        let found = self.trust.step(&promise, at, 1.0, &mut value);
        cloud.prepare(&theta);
        found.map(|(moved, _)| moved)
    }

    /// The closed forms from what was learned and the gradient of the programs at `old`; `theta`: what has none has
    /// moved already.
    pub fn maximize(
        &mut self,
        (old, mut theta): (&[f64], Vec<f64>),
        gradient: &[f64],
        population: &Population,
    ) -> Vec<f64> {
        for (g, (mstep, statistics)) in self.parts.iter_mut().enumerate() {
            let step = Step {
                old,
                statistics,
                means: &population.means[g],
                prior: &population.priors[g],
                gradient,
                gain: 1.0,
                annealing: Annealing { rate: BOUNDED },
            };
            mstep.update(&step, &mut self.programs[g], &mut theta);
        }
        self.shorten(old, &mut theta, population);
        theta
    }

    /// Halve the step until the population exists and no variance has grown by more than its bound.
    fn shorten(&self, old: &[f64], theta: &mut Vec<f64>, population: &Population) {
        for _ in 0..30 {
            let tame = priors(self.joint, theta).is_some_and(|new| {
                let pairs = new.iter().zip(population.priors);
                let grown = |new: &Prior, old: &Prior| {
                    let mut each = (0..new.dim()).map(|k| new.omega[(k, k)] / old.omega[(k, k)]);
                    each.any(|ratio| ratio > 1.0 / BOUNDED || ratio.is_nan())
                };
                !pairs.clone().any(|(new, old)| grown(new, old)) && !self.spread(old, theta)
            });
            if tame {
                return;
            }
            for (new, old) in theta.iter_mut().zip(old) {
                *new = if new.is_finite() {
                    0.5 * (*new + old)
                } else {
                    *old
                };
            }
        }
        *theta = old.to_vec();
    }

    /// Whether a residual error has grown by more than its bound.
    fn spread(&self, old: &[f64], theta: &[f64]) -> bool {
        let residuals = &self.joint.main().form.residuals;
        let mut changes = residuals.iter().map(|r| theta[r.theta] - old[r.theta]);
        changes.any(|change| 2.0 * change > -BOUNDED.ln())
    }

    /// The inverse of the observed information by Louis' formula; `None` where that of the complete data is singular.
    pub fn precondition(
        &mut self,
        cloud: &mut Cloud,
        ground: &Ground,
        penalty: &[f64],
    ) -> Option<Preconditioner> {
        let scored = self.scored(cloud, ground);
        self.learn_information(cloud, ground, Some(&scored));
        let theta = cloud.theta().to_vec();
        let mut complete = DMatrix::zeros(self.free.len(), self.free.len());
        for (g, (mstep, _)) in self.parts.iter().enumerate() {
            let prior = &ground.population.priors[g];
            let scores = Scores::new(&self.joint.parts[g], &self.free, prior, None, &theta);
            add_complete(&(scores, mstep, prior), &mut complete);
        }
        for (i, lambda) in penalty.iter().enumerate() {
            complete[(i, i)] += lambda;
        }
        Preconditioner::new(&complete, &scored.covariance)
    }

    fn scored(&self, cloud: &mut Cloud, ground: &Ground) -> Scored {
        let Population { priors, means } = ground.population;
        let weights = (ground.weights, 1);
        cloud.scores(&self.free, (priors, means), weights, ground.workers)
    }

    /// Second derivatives in the coordinates without closed form: central differences of the score at these draws. None
    /// where there are too many parameters for it.
    fn learn_information(&mut self, cloud: &mut Cloud, ground: &Ground, known: Option<&Scored>) {
        let scored = self.parts[0].0.scored.clone();
        if scored.is_empty() || self.free.len() > MAX_PARAMETERS {
            return;
        }
        let theta = cloud.theta().to_vec();
        let squares = match known {
            Some(known) => known.squares.clone(),
            None => self.scored(cloud, ground).squares,
        };
        let n = cloud.batches.len().max(1) as f64;
        let mut information = DMatrix::zeros(self.free.len(), scored.len());
        for (b, k) in scored.iter().enumerate() {
            let at = self.free.iter().position(|free| free == k);
            let square = at.map_or(f64::NAN, |at| squares[at] / n);
            let h = self.joint.theta.step(*k, theta[*k], square, DIFFERENCE);
            let mut side = |sign: f64| {
                let mut moved = theta.clone();
                moved[*k] += sign * h;
                self.score_at(cloud, &moved, ground)
            };
            if let (Some(up), Some(down)) = (side(1.0), side(-1.0)) {
                for (a, (up, down)) in up.iter().zip(down).enumerate() {
                    information[(a, b)] = (down - up) / (2.0 * h);
                }
            }
        }
        cloud.prepare(&theta);
        if information.iter().all(|x| x.is_finite()) {
            self.parts[0].0.learn_information(information, 1.0);
        }
    }

    /// The score at another `theta`, draws and weights staying where they are.
    fn score_at(&mut self, cloud: &mut Cloud, theta: &[f64], ground: &Ground) -> Option<Vec<f64>> {
        let priors = priors(self.joint, theta)?;
        cloud.prepare(theta);
        let means: Vec<Means> = cloud.means();
        let there = Ground {
            population: Population {
                priors: &priors,
                means: &means,
            },
            ..*ground
        };
        Some(self.score(cloud, &there))
    }
}

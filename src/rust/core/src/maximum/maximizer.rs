//! Move the population parameters given weighted draws of the effects: the routes of the M-step, scores, information.

use std::sync::Arc;

use crate::data::Layout;
use crate::error::Result;
use crate::inference::cloud::{BatchMoments, Cloud, LevelMoments, Scored};
use crate::inference::information::{estimated, free};
use crate::inference::posterior::Batches;
use crate::mstep::{
    complete_information, curvature, shorten, total_score, Annealing, Population, Preconditioner,
    StepInput, Trainer, Trust, MAX_PARAMETERS,
};
use crate::parallel::Workers;
use crate::problem::{Joint, Prior};

/// A variance may fall to this part of its value in one sweep, and grow by its inverse.
const BOUNDED: f64 = 0.25;

/// Move a cloud; `None` where a population distribution does not exist.
pub fn moved(cloud: &mut Cloud, theta: &[f64]) -> Option<()> {
    let finite = theta.iter().all(|x| x.is_finite());
    finite.then(|| cloud.set_theta(theta).ok()).flatten()
}

/// The M-step of every grouping.
pub struct Maximizer<'a> {
    joint: &'a Joint,
    /// Coordinates about which information is taken.
    pub free: Vec<usize>,
    /// Coordinates that move: the free ones, and where they are trained the weights of learned functions.
    pub moving: Vec<usize>,
    parts: Vec<Population<'a>>,
    trust: Trust,
    /// Of the weights that move.
    trainer: Option<Trainer>,
}

/// Draws in a cloud with their weights, and moments of the effects under them.
#[derive(Clone, Copy)]
pub struct Maximizing<'g> {
    pub weights: &'g [f64],
    pub moments: &'g [BatchMoments],
    pub workers: &'g Workers,
}

impl<'a> Maximizer<'a> {
    /// # Errors
    /// A population distribution that does not exist at `theta`.
    pub fn new(joint: &'a Joint, layouts: &'a [Arc<Layout>], theta: &[f64]) -> Result<Self> {
        let parts = joint.parts.iter().zip(layouts);
        let parts: Result<Vec<Population>> = parts
            .map(|(part, layout)| Population::new(part, layout, theta))
            .collect();
        Ok(Self {
            parts: parts?,
            trust: Trust::default(),
            trainer: None,
            free: free(joint),
            moving: free(joint),
            joint,
        })
    }

    /// The same that moves weights of learned functions, too; `penalty`: precision of the prior of each coordinate that
    /// moves.
    ///
    /// # Errors
    /// As [`Maximizer::new`].
    pub fn training(
        joint: &'a Joint,
        layouts: &'a [Arc<Layout>],
        theta: &[f64],
        penalty: &[f64],
    ) -> Result<Self> {
        let moving = estimated(joint);
        let mut precisions = vec![0.0; joint.theta.len()];
        for (k, lambda) in moving.iter().zip(penalty) {
            precisions[*k] = *lambda;
        }
        let trainer = Trainer::new(&joint.theta, |k| precisions[k]);
        Ok(Self {
            trainer: (!trainer.coordinates.is_empty()).then_some(trainer),
            moving,
            ..Self::new(joint, layouts, theta)?
        })
    }

    /// Whether weights move about which no information is taken.
    pub fn trains(&self) -> bool {
        self.trainer.is_some()
    }

    /// Let the moments of the effects of all batches enter the statistics.
    pub fn learn(&mut self, batches: &Batches, moments: &[BatchMoments]) {
        let levels = LevelMoments {
            joint: self.joint,
            batches,
            moments,
        };
        for (group, part) in self.parts.iter_mut().enumerate() {
            levels.fill(group, &mut part.statistics);
        }
    }

    /// Stand where a cloud stands.
    pub fn stand(&mut self, cloud: &Cloud) {
        for (group, part) in self.parts.iter_mut().enumerate() {
            if part.at.theta() != cloud.theta() {
                part.at
                    .set(cloud.theta(), cloud.part(group).prior().clone());
            }
        }
    }

    /// Gradient of the expected complete-data log density in the coordinates that move.
    pub fn score(&mut self, cloud: &mut Cloud, ground: &Maximizing) -> Vec<f64> {
        let gradient = self.gradient(cloud, ground);
        self.total(&gradient)
    }

    fn gradient(&mut self, cloud: &mut Cloud, ground: &Maximizing) -> Vec<f64> {
        self.stand(cloud);
        self.learn(&cloud.batches, ground.moments);
        cloud.theta_gradient(ground.weights, ground.workers)
    }

    /// The same from what was learned and the gradient of the programs.
    pub fn total(&self, gradient: &[f64]) -> Vec<f64> {
        self.score_in(&self.moving, gradient)
    }

    fn score_in(&self, coordinates: &[usize], gradient: &[f64]) -> Vec<f64> {
        let seen = self.parts.iter().map(Population::seen);
        total_score(seen, coordinates, gradient)
    }

    /// Value and gradient less those of the prior of what moves, whose precisions are the `penalty`.
    pub fn penalized(
        &self,
        penalty: &[f64],
        theta: &[f64],
        (mut value, mut gradient): (f64, Vec<f64>),
    ) -> (f64, Vec<f64>) {
        for ((k, slope), lambda) in self.moving.iter().zip(&mut gradient).zip(penalty) {
            value -= 0.5 * lambda * theta[*k] * theta[*k];
            *slope -= lambda * theta[*k];
        }
        (value, gradient)
    }

    /// One sweep of the closed forms, and of steps on scores where there are none; each variance changes by a bounded
    /// factor.
    pub fn sweep(&mut self, cloud: &mut Cloud, ground: &Maximizing) -> Vec<f64> {
        self.learn_information(cloud, ground, None);
        self.stand(cloud);
        self.learn(&cloud.batches, ground.moments);
        let gradient = cloud.theta_gradient(ground.weights, ground.workers);
        let old = cloud.theta().to_vec();
        let mut followed = self
            .follow_scores(cloud, ground, &gradient)
            .unwrap_or_else(|| old.clone());
        if self.trains() {
            self.train(cloud, ground, &gradient, &mut followed);
            // What looked at other parameters has left the population there.
            if moved(cloud, &old).is_none() {
                return old;
            }
            self.stand(cloud);
            self.learn(&cloud.batches, ground.moments);
        }
        self.maximize(followed, &gradient)
    }

    /// Steps of weights along their gradients at the draws as they are.
    fn train(
        &mut self,
        cloud: &mut Cloud,
        ground: &Maximizing,
        gradient: &[f64],
        theta: &mut [f64],
    ) {
        let Some(mut trainer) = self.trainer.take() else {
            return;
        };
        let (own, bounds) = (trainer.coordinates.clone(), &self.joint.theta);
        let first = self.score_in(&own, gradient);
        trainer.train(bounds, 1.0, theta, first, |theta| {
            moved(cloud, theta)?;
            let gradient = self.gradient(cloud, ground);
            Some(self.score_in(&own, &gradient))
        });
        self.trainer = Some(trainer);
    }

    /// A checked step of what has no closed form, at the draws as they are.
    fn follow_scores(
        &mut self,
        cloud: &mut Cloud,
        ground: &Maximizing,
        gradient: &[f64],
    ) -> Option<Vec<f64>> {
        let own = self.parts[0].mstep.scored.clone();
        let theta = cloud.theta().to_vec();
        let promise = self.parts[0].mstep.promise(&own, &self.free, gradient)?;
        let joint = self.joint;
        let mut value = |theta: &[f64]| {
            if moved(cloud, theta).is_none() {
                return f64::NEG_INFINITY;
            }
            let density = cloud.log_density(ground.workers);
            let each = density.into_iter().zip(ground.weights);
            each.map(|(p, w)| if *w == 0.0 { 0.0 } else { w * p }).sum()
        };
        let at = (&joint.theta, own.as_slice(), theta.as_slice());
        let found = self.trust.step(&promise, at, 1.0, &mut value);
        moved(cloud, &theta)?;
        found.map(|(moved, _)| moved)
    }

    /// The closed forms from what was learned and the gradient of the programs where the population stands; `theta`:
    /// what has none has moved already. No variance grows by more than its bound.
    pub fn maximize(&mut self, mut theta: Vec<f64>, gradient: &[f64]) -> Vec<f64> {
        let step = StepInput {
            gradient,
            gain: 1.0,
            annealing: Annealing { rate: BOUNDED },
        };
        for part in &mut self.parts {
            part.update(&step, &mut theta);
        }
        let old = self.parts[0].at.theta();
        let grown = |new: &Prior, old: &Prior| {
            let mut each = (0..new.dim()).map(|k| new.omega[(k, k)] / old.omega[(k, k)]);
            each.any(|ratio| ratio > 1.0 / BOUNDED || ratio.is_nan())
        };
        shorten(old, &mut theta, |theta| {
            let new = self.joint.priors(theta).unwrap_or_default();
            let mut pairs = new.iter().zip(&self.parts);
            theta.iter().all(|x| x.is_finite())
                && new.len() == self.parts.len()
                && !pairs.any(|(new, part)| grown(new, part.at.prior()))
                && !self.spread(old, theta)
        });
        theta
    }

    /// Whether a residual error has grown by more than its bound.
    fn spread(&self, old: &[f64], theta: &[f64]) -> bool {
        let residuals = &self.joint.main().form.residuals;
        let mut changes = residuals.iter().map(|r| theta[r.theta] - old[r.theta]);
        changes.any(|change| 2.0 * change > -BOUNDED.ln())
    }

    /// The inverse of the observed information by Louis' formula; `None` where that of the complete data is singular,
    /// or where weights move about which none is taken.
    pub fn precondition(
        &mut self,
        cloud: &mut Cloud,
        ground: &Maximizing,
        penalty: &[f64],
    ) -> Option<Preconditioner> {
        if self.trains() {
            return None;
        }
        let scored = self.scored(cloud, ground);
        self.learn_information(cloud, ground, Some(&scored));
        self.stand(cloud);
        let mut complete = complete_information(&self.parts, &self.free);
        for (i, lambda) in penalty.iter().enumerate() {
            complete[(i, i)] += lambda;
        }
        Preconditioner::new(&complete, &scored.covariance)
    }

    fn scored(&self, cloud: &mut Cloud, ground: &Maximizing) -> Scored {
        cloud.scores(&self.free, (ground.weights, 1), ground.workers)
    }

    /// Second derivatives in the coordinates without closed form: central differences of the score at these draws. None
    /// where there are too many parameters for it.
    fn learn_information(
        &mut self,
        cloud: &mut Cloud,
        ground: &Maximizing,
        known: Option<&Scored>,
    ) {
        let scored = self.parts[0].mstep.scored.clone();
        if scored.is_empty() || self.free.len() > MAX_PARAMETERS {
            return;
        }
        let theta = cloud.theta().to_vec();
        let squares = match known {
            Some(known) => known.squares.clone(),
            None => self.scored(cloud, ground).squares,
        };
        let (n, free, bounds) = (
            cloud.batches.len().max(1),
            self.free.clone(),
            &self.joint.theta,
        );
        let square = |b: usize| {
            let at = free.iter().position(|free| *free == scored[b]);
            at.map_or(f64::NAN, |at| squares[at] / n as f64)
        };
        let found = curvature(bounds, (&theta, &scored), square, |theta| {
            moved(cloud, theta)?;
            let gradient = self.gradient(cloud, ground);
            Some(self.score_in(&self.free, &gradient))
        });
        let stands = moved(cloud, &theta).is_some();
        if let Some(information) = found.filter(|_| stands) {
            self.parts[0].mstep.learn_information(information, 1.0);
        }
    }
}

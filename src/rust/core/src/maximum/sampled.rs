//! Maximize the importance-sampled likelihood over the population parameters at draws that stay where they are.
//!
//! `log p(y_b; theta) = log (1/n) sum_k p(y_b | phi_k; theta) p(phi_k; theta) / t(phi_k)`, `t` the t distribution with
//! 5 degrees of freedom with the mean and the scale of `q`. Its gradient is the mean of the complete-data scores under the
//! normalized weights (Fisher's identity), its information Louis'.

use super::ascent::Surface;
use super::maximizer::{moved, Maximizer, Maximizing};
use crate::inference::cloud::{BatchMoments, Cloud};
use crate::inference::importance::place;
use crate::inference::points::LatticePoints;
use crate::inference::posterior::BatchPosteriors;
use crate::mstep::Preconditioner;
use crate::parallel::Workers;

/// Draws of all batches from the t distributions of their `q`, and the log density of each.
pub struct StudentProposal {
    pub draws: Vec<f64>,
    pub log_density: Vec<f64>,
}

impl StudentProposal {
    pub fn new(q: &BatchPosteriors, points: &LatticePoints) -> Self {
        let points = std::slice::from_ref(points);
        let each = q.iter().enumerate().map(|(b, q)| place(points, b, q));
        let (draws, log_density): (Vec<Vec<f64>>, Vec<Vec<f64>>) = each.unzip();
        Self {
            draws: draws.concat(),
            log_density: log_density.concat(),
        }
    }
}

/// The likelihood at fixed draws.
pub struct Sampled<'p, 'a> {
    pub cloud: &'p mut Cloud<'a>,
    pub maximizer: &'p mut Maximizer<'a>,
    pub proposal: &'p StudentProposal,
    /// Precision of the prior of each free coordinate.
    pub penalty: &'p [f64],
    pub workers: &'p Workers,
    pub there: Option<SampledPoint>,
}

/// The last point that was asked for.
pub struct SampledPoint {
    /// Log-likelihood of each batch.
    pub values: Vec<f64>,
    /// Normalized weights of the draws.
    pub weights: Vec<f64>,
    pub moments: Vec<BatchMoments>,
}

impl SampledPoint {
    /// The smallest effective number of draws, as a part of them.
    pub fn least_effective(&self) -> f64 {
        let copies = self.weights.len() / self.values.len().max(1);
        let squares = self.weights.chunks_exact(copies.max(1));
        let least = squares.map(|own| 1.0 / own.iter().map(|w| w * w).sum::<f64>());
        least.fold(f64::INFINITY, f64::min) / copies as f64
    }
}

impl<'a> Sampled<'_, 'a> {
    fn on_ground<R>(
        &mut self,
        work: impl FnOnce(&mut Maximizer<'a>, &mut Cloud<'a>, &Maximizing) -> R,
    ) -> Option<R> {
        let there = self.there.as_ref()?;
        let ground = Maximizing {
            weights: &there.weights,
            moments: &there.moments,
            workers: self.workers,
        };
        Some(work(self.maximizer, self.cloud, &ground))
    }

    fn weigh(&mut self, theta: &[f64]) -> Option<f64> {
        moved(self.cloud, theta)?;
        let density = self.cloud.log_density(self.workers);
        let terms = density.iter().zip(&self.proposal.log_density);
        let mut weights: Vec<f64> = terms.map(|(p, t)| p - t).collect();
        let copies = self.cloud.copies;
        let values: Vec<f64> = weights.chunks_exact_mut(copies).map(normalize).collect();
        let moments = self.cloud.moments(&self.proposal.draws, &weights);
        let value: f64 = values.iter().sum();
        self.there = Some(SampledPoint {
            values,
            weights,
            moments,
        });
        value.is_finite().then_some(value)
    }
}

/// Turn log weights into weights that add up to one; the logarithm of their mean. One that is not a number counts for
/// nothing.
pub fn normalize(weights: &mut [f64]) -> f64 {
    let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for weight in weights.iter_mut() {
        *weight = if weight.is_nan() {
            0.0
        } else {
            (*weight - largest).exp()
        };
    }
    let sum: f64 = weights.iter().sum();
    for weight in weights.iter_mut() {
        *weight /= sum;
    }
    largest + (sum / weights.len() as f64).ln()
}

impl Surface for Sampled<'_, '_> {
    fn at(&mut self, theta: &[f64]) -> Option<(f64, Vec<f64>)> {
        let value = self.weigh(theta)?;
        let score = self.on_ground(|maximizer, cloud, ground| maximizer.score(cloud, ground))?;
        Some((self.maximizer).penalized(self.penalty, theta, (value, score)))
    }

    fn precondition(&mut self) -> Option<Preconditioner> {
        let penalty = self.penalty;
        self.on_ground(|maximizer, cloud, ground| maximizer.precondition(cloud, ground, penalty))?
    }

    fn take(&mut self) {}
}

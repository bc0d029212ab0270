//! Maximize the importance-sampled likelihood over the population parameters at draws that stay where they are.
//!
//! `log p(y_b; theta) = log (1/n) sum_k p(y_b | phi_k; theta) p(phi_k; theta) / t(phi_k)`, `t` the t distribution with
//! 5 degrees of freedom with the mean and the scale of `q`. Its gradient is the mean of the complete-data scores under the
//! normalized weights (Fisher's identity), its information Louis'.

use super::ascent::Surface;
use super::maximizer::{moved, Ground, Maximizer};
use crate::inference::cloud::{Cloud, Weighted};
use crate::inference::points::LatticePoints;
use crate::inference::posterior::Posterior;
use crate::mstep::Preconditioner;
use crate::parallel::Workers;

/// Draws of all batches from the t distributions of their `q`, and the log density of each.
pub struct Proposal {
    pub draws: Vec<f64>,
    pub log_density: Vec<f64>,
}

impl Proposal {
    pub fn new(cloud: &Cloud, q: &Posterior, points: &LatticePoints) -> Self {
        let mut found = Self {
            draws: vec![0.0; cloud.n_effects()],
            log_density: Vec::with_capacity(q.len() * cloud.copies),
        };
        for (b, q) in q.iter().enumerate() {
            let d = q.dim();
            let (z, log) = points.students(b, d);
            for c in 0..cloud.copies {
                let first = cloud.first(b, c);
                q.place(&z[c * d..(c + 1) * d], &mut found.draws[first..first + d]);
            }
            let log_det = q.log_det();
            found
                .log_density
                .extend(log.iter().map(|log| log - log_det));
        }
        found
    }
}

/// The likelihood at fixed draws.
pub struct Sampled<'p, 'a> {
    pub cloud: &'p mut Cloud<'a>,
    pub maximizer: &'p mut Maximizer<'a>,
    pub proposal: &'p Proposal,
    /// Precision of the prior of each free coordinate.
    pub penalty: &'p [f64],
    pub workers: &'p Workers,
    pub there: Option<There>,
}

/// The last point that was asked for.
pub struct There {
    /// Log-likelihood of each batch.
    pub values: Vec<f64>,
    /// Normalized weights of the draws.
    pub weights: Vec<f64>,
    pub moments: Vec<Weighted>,
}

impl There {
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
        work: impl FnOnce(&mut Maximizer<'a>, &mut Cloud<'a>, &Ground) -> R,
    ) -> Option<R> {
        let there = self.there.as_ref()?;
        let ground = Ground {
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
        self.there = Some(There {
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
        let mut value = self.weigh(theta)?;
        let mut gradient =
            self.on_ground(|maximizer, cloud, ground| maximizer.score(cloud, ground))?;
        for (i, k) in self.maximizer.free.iter().enumerate() {
            value -= 0.5 * self.penalty[i] * theta[*k] * theta[*k];
            gradient[i] -= self.penalty[i] * theta[*k];
        }
        Some((value, gradient))
    }

    fn precondition(&mut self) -> Option<Preconditioner> {
        let penalty = self.penalty;
        self.on_ground(|maximizer, cloud, ground| maximizer.precondition(cloud, ground, penalty))?
    }

    fn take(&mut self) {}
}

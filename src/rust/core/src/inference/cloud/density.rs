//! Join what the data say of draws with the distribution of the effects: densities, and how they pull.

use super::Cloud;
use crate::inference::posterior::FreeEffect;
use crate::ir::column::Column;
use crate::parallel::Workers;
use crate::problem::DerivativeScratch;

impl Cloud<'_> {
    /// `log p(phi_bc)` of the Gaussian distribution of the effects.
    pub fn log_prior(&self) -> Vec<f64> {
        let mut total = vec![0.0; self.batches.len() * self.copies];
        for (g, (part, phi)) in self.parts.iter().zip(&self.phi).enumerate() {
            let blocks = phi.iter().enumerate();
            let columns: Vec<Column> = blocks.map(|(b, phi)| part.log_prior(b, phi)).collect();
            self.add_up(g, &columns, &mut total);
        }
        total
    }

    /// Log density of the data and of the effects at every draw.
    pub fn log_density(&mut self, workers: &Workers) -> Vec<f64> {
        let log_lik = self.log_lik(workers);
        self.with_prior(log_lik)
    }

    /// The same from the log densities of the data.
    pub fn with_prior(&self, log_lik: Vec<f64>) -> Vec<f64> {
        let each = log_lik.into_iter().zip(self.log_prior());
        each.map(|(y, prior)| y + prior).collect()
    }

    /// `phi - m` of all effects of a level whose free ones stand at `phi`; given ones count at their values.
    pub fn away(&self, level: &[FreeEffect], phi: &[f64]) -> Vec<f64> {
        let (group, index) = (level[0].group, level[0].level);
        let mean = self.parts[group].means().of(index);
        let held = self.joint.parts[group].held.as_ref();
        let mut away: Vec<f64> = (0..mean.len())
            .map(|k| held.map_or(0.0, |held| held[index * mean.len() + k] - mean[k]))
            .collect();
        for (c, phi) in level.iter().zip(phi) {
            away[c.effect] = phi - mean[c.effect];
        }
        away
    }

    /// Add the gradient of the log density of the effects of a draw to `slope`; given effects pull too.
    pub fn add_pull(&self, batch: usize, phi: &[f64], slope: &mut [f64]) {
        let mut first = 0;
        for level in self.batches.levels(batch) {
            let away = self.away(level, &phi[first..]);
            let prior = self.parts[level[0].group].prior();
            for (c, slope) in level.iter().zip(&mut slope[first..]) {
                *slope -= prior.pull(c.effect, |j| away[j]);
            }
            first += level.len();
        }
    }

    /// Gradient of the log density of data and effects in the free effects of every draw.
    pub fn gradient(&self, workers: &Workers) -> Vec<f64> {
        let mut found = vec![0.0; self.n_effects()];
        for (g, (part, phi)) in self.parts.iter().zip(&self.phi).enumerate() {
            let columns = workers.map_range(phi.len(), DerivativeScratch::default, |scratch, b| {
                let mut gradient = vec![Column::ZERO; phi[b].len()];
                part.gradient(b, &phi[b], &mut gradient, scratch);
                gradient
            });
            self.gather(g, &columns, &mut found);
        }
        found
    }
}

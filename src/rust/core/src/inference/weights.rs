//! Say what the importance weights of a batch are worth.

use super::importance::REPLICATES;
use super::pareto::khat;

/// What the weights of a batch say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    pub log_lik: f64,
    pub mc_error: f64,
    pub ess: f64,
    pub khat: f64,
}

/// Fewest effective draws of a batch that are relied on.
const FEWEST: f64 = 10.0;

impl Weight {
    /// Of log weights, which become weights.
    pub fn of(logs: &mut [f64]) -> Self {
        // A draw whose density is not a number has none.
        for log in logs.iter_mut().filter(|log| log.is_nan()) {
            *log = f64::NEG_INFINITY;
        }
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let khat = khat(logs).unwrap_or(f64::NAN);
        if !largest.is_finite() {
            logs.fill(0.0);
            return Self {
                log_lik: f64::NEG_INFINITY,
                mc_error: f64::NAN,
                ess: 0.0,
                khat,
            };
        }
        for log in logs.iter_mut() {
            *log = (*log - largest).exp();
        }
        let n = logs.len() as f64;
        let total: f64 = logs.iter().sum();
        let squares: f64 = logs.iter().map(|w| w * w).sum();
        let replicates = REPLICATES as f64;
        let spread: f64 = logs
            .chunks(logs.len() / REPLICATES)
            .map(|own| (replicates * own.iter().sum::<f64>() / total - 1.0).powi(2))
            .sum();
        logs.iter_mut().for_each(|w| *w /= total);
        Self {
            log_lik: largest + (total / n).ln(),
            mc_error: (spread / (replicates * (replicates - 1.0))).sqrt(),
            ess: total * total / squares,
            khat,
        }
    }

    /// Whether the weights of so many draws can be relied on.
    pub fn is_sound(&self, draws: usize) -> bool {
        // Up to this shape averages of n weights have useful errors (Vehtari et al. 2024). Not a number is no tail.
        let limit = (1.0 - 1.0 / (draws as f64).log10()).clamp(0.0, 0.7);
        let heavy = self.khat > limit;
        self.log_lik.is_finite() && self.ess >= FEWEST && !heavy
    }
}

//! Maximize by Adam (Kingma & Ba 2015, algorithm 1), the rate falling to zero over the iterations.

use serde::{Deserialize, Serialize};

use super::scaled::ScaledCost;

const DECAY: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// Moments of the gradients so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Steps {
    first: Vec<f64>,
    second: Vec<f64>,
    decays: (f64, f64),
}

impl Steps {
    pub fn new(n: usize) -> Self {
        Self {
            first: vec![0.0; n],
            second: vec![0.0; n],
            decays: (1.0, 1.0),
        }
    }

    /// Learn a gradient; the direction to go, each coordinate about one where its gradients agree.
    pub fn next(&mut self, gradient: &[f64]) -> Vec<f64> {
        self.decays.0 *= DECAY.0;
        self.decays.1 *= DECAY.1;
        let moments = self.first.iter_mut().zip(&mut self.second);
        let each = moments.zip(gradient).map(|((first, second), g)| {
            *first = DECAY.0 * *first + (1.0 - DECAY.0) * g;
            *second = DECAY.1 * *second + (1.0 - DECAY.1) * g * g;
            let mean = *first / (1.0 - self.decays.0);
            let square = *second / (1.0 - self.decays.1);
            mean / (square.sqrt() + EPSILON)
        });
        each.collect()
    }

    /// Go on from here without momentum.
    pub fn halt(&mut self) {
        self.first.fill(0.0);
    }
}

/// `rate`: length of the first steps, in sizes of the coordinates.
pub fn run(scaled: &mut ScaledCost, rate: f64, maxiters: usize) {
    let mut steps = Steps::new(scaled.len());
    let mut z = scaled.best_z();
    for t in 0..maxiters {
        let direction = steps.next(&scaled.gradient(&z));
        let rate = rate * (1.0 - t as f64 / maxiters as f64);
        for (z, d) in z.iter_mut().zip(direction) {
            *z -= rate * d;
        }
        z = scaled.inside(&z);
        if scaled.cost(&z) == f64::MAX {
            // Nothing to go by here.
            z = scaled.best_z();
            steps.halt();
        }
    }
}

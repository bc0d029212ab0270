//! Adapt the scales of the random walks to a target acceptance rate, between iterations.

use serde::{Deserialize, Serialize};

use crate::samplers::Tally;

/// Scales of the coordinate-wise and of the block-wise walk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scales {
    pub coordinates: Vec<f64>,
    /// One for each block size from two.
    pub blocks: Vec<f64>,
    target: f64,
}

/// Relative change of a scale for a unit of excess acceptance, as in saemix.
const RATE: f64 = 0.4;

impl Scales {
    /// Start at the optimal scaling of a Gaussian target, `2.4 / sqrt(d)`.
    pub fn new(d: usize, target: f64) -> Self {
        Self {
            coordinates: vec![2.4; d],
            blocks: (2..=d.max(2))
                .map(|size| 2.4 / (size as f64).sqrt())
                .collect(),
            target,
        }
    }

    pub fn update(&mut self, coordinates: &[Tally], block_size: usize, block: Tally) {
        for (scale, tally) in self.coordinates.iter_mut().zip(coordinates) {
            adapt(scale, *tally, self.target);
        }
        if let Some(scale) = self.blocks.get_mut(block_size.saturating_sub(2)) {
            adapt(scale, block, self.target);
        }
    }
}

fn adapt(scale: &mut f64, tally: Tally, target: f64) {
    if tally.proposed > 0 {
        *scale = (*scale * (1.0 + RATE * (tally.rate() - target))).clamp(1e-3, 1e3);
    }
}

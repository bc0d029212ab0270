//! Adapt the scales of the random walks to a target acceptance rate, between iterations.

use super::{BlockWalk, Tally};

/// Scales of the coordinate-wise and of the block-wise walk.
#[derive(Debug, Clone)]
pub struct Scales {
    pub coordinates: Vec<f64>,
    /// One for each block size from two.
    pub blocks: Vec<f64>,
    target: f64,
    /// Relative change of a scale for a unit of excess acceptance.
    rate: f64,
}

impl Scales {
    /// Start at the optimal scaling of a Gaussian target, `2.4 / sqrt(d)`.
    pub fn new(d: usize, target: f64, rate: f64) -> Self {
        Self {
            coordinates: vec![2.4; d],
            blocks: (2..=d.max(2))
                .map(|size| 2.4 / (size as f64).sqrt())
                .collect(),
            target,
            rate,
        }
    }

    /// Numbers in which blocks report what they saw; see [`Scales::update`].
    pub fn evidence(&self) -> Vec<f64> {
        vec![0.0; 2 * (self.coordinates.len() + self.blocks.len())]
    }

    /// Proposals and acceptances of a coordinate.
    pub fn note_coordinate(&self, evidence: &mut [f64], k: usize, tally: Tally) {
        note(evidence, k, tally);
    }

    /// Proposals and acceptances of the blocks of an iteration.
    pub fn note_blocks(&self, evidence: &mut [f64], iteration: u32, tally: Tally) {
        let size = BlockWalk::size(iteration, self.coordinates.len());
        note(
            evidence,
            self.coordinates.len() + size.saturating_sub(2),
            tally,
        );
    }

    /// Adapt to proposals and acceptances, pair by pair: those of the coordinates, then those of the block sizes.
    pub fn update(&mut self, evidence: &[f64]) {
        let scales = self.coordinates.iter_mut().chain(&mut self.blocks);
        for (scale, pair) in scales.zip(evidence.chunks(2)) {
            if let [proposed, accepted] = pair {
                adapt(scale, *proposed, *accepted, self.target, self.rate);
            }
        }
    }

    /// All scales, to be kept.
    pub fn learned(&self) -> Vec<f64> {
        self.coordinates
            .iter()
            .chain(&self.blocks)
            .copied()
            .collect()
    }

    pub fn recall(&mut self, learned: &[f64]) {
        let scales = self.coordinates.iter_mut().chain(&mut self.blocks);
        for (scale, known) in scales.zip(learned) {
            *scale = *known;
        }
    }
}

fn note(evidence: &mut [f64], place: usize, tally: Tally) {
    evidence[2 * place] += tally.proposed as f64;
    evidence[2 * place + 1] += tally.accepted as f64;
}

fn adapt(scale: &mut f64, proposed: f64, accepted: f64, target: f64, rate: f64) {
    if proposed > 0.0 {
        let excess = accepted / proposed - target;
        *scale = (*scale * (1.0 + rate * excess)).clamp(1e-3, 1e3);
    }
}

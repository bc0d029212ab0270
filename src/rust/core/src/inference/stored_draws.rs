//! Keep weighted draws, so that some of them can be asked again.

use super::cloud::Cloud;
use super::importance::{WeightedDraws, REPLICATES};

/// Most values that are kept of all batches together.
const MOST_VALUES: usize = 1 << 22;

/// Weighted draws of some batches, in the order of the cloud that held them.
#[derive(Debug)]
pub struct StoredDraws {
    pub members: Vec<usize>,
    pub copies: usize,
    pub draws: Vec<f64>,
    pub weights: Vec<f64>,
    dims: Vec<usize>,
}

impl StoredDraws {
    /// Keep these beside what is kept already; all of them or none.
    pub fn keep(kept: &mut Option<Vec<Self>>, cloud: &Cloud, drawn: &WeightedDraws) {
        let Some(all) = kept else { return };
        let before: usize = all.iter().map(|own| own.draws.len()).sum();
        if before + drawn.draws.len() > MOST_VALUES {
            *kept = None;
            return;
        }
        all.push(Self {
            members: drawn.members.to_vec(),
            copies: cloud.copies,
            draws: drawn.draws.to_vec(),
            weights: drawn.weights.to_vec(),
            dims: (0..drawn.members.len())
                .map(|b| cloud.batches.dim(b))
                .collect(),
        });
    }

    pub fn drawn(&self) -> WeightedDraws<'_> {
        WeightedDraws {
            members: &self.members,
            draws: &self.draws,
            weights: &self.weights,
        }
    }

    /// About so many draws of each batch, as evenly spread over the lattice of each replicate as all were.
    pub fn thinned(&self, draws: usize) -> Self {
        let each = self.copies.div_ceil(REPLICATES).max(1);
        let stride = (each / draws.div_ceil(REPLICATES).max(1)).max(1);
        let chosen = |c: &usize| (c % each).is_multiple_of(stride);
        let chosen: Vec<usize> = (0..self.copies).filter(chosen).collect();
        let mut found = Self {
            members: self.members.clone(),
            copies: chosen.len(),
            draws: Vec::new(),
            weights: Vec::new(),
            dims: self.dims.clone(),
        };
        let mut first = 0;
        for (weights, d) in self.weights.chunks(self.copies.max(1)).zip(&self.dims) {
            let total: f64 = chosen.iter().map(|c| weights[*c]).sum();
            for c in &chosen {
                let at = first + c * d;
                found.draws.extend_from_slice(&self.draws[at..at + d]);
                let share = if total > 0.0 {
                    weights[*c] / total
                } else {
                    0.0
                };
                found.weights.push(share);
            }
            first += self.copies * d;
        }
        found
    }
}

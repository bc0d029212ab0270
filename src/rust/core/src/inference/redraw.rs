//! Draw anew where the weights of a group of batches are poor, or its draws miss something.

use super::adaptive::{DrawTarget, Sample, MOST_EFFECTS};
use super::importance::WeightedDraws;
use super::posterior::{BatchGaussian, BatchPosteriors, Batches};
use super::weights::Weight;

/// Effective part of the draws of a batch below which better ones are looked for.
const POOR: f64 = 0.1;

/// Draws by which the tail of weights is judged at least: of fewer its shape is too uncertain.
const ENOUGH: usize = 2000;

/// Weighted draws of batches that are held together.
pub struct DrawnGroup {
    pub members: Vec<usize>,
    pub batches: Batches,
    /// Draws of each batch.
    pub copies: usize,
    pub found: Vec<Weight>,
    pub draws: Vec<f64>,
    pub weights: Vec<f64>,
}

impl DrawnGroup {
    pub fn drawn(&self) -> WeightedDraws<'_> {
        WeightedDraws {
            members: &self.members,
            draws: &self.draws,
            weights: &self.weights,
        }
    }

    /// Draws and weights of a member.
    pub fn own(&self, i: usize) -> (&[f64], &[f64]) {
        let (draws, weights) = (self.draws_of(i), self.weights_of(i));
        (&self.draws[draws], &self.weights[weights])
    }

    fn draws_of(&self, i: usize) -> std::ops::Range<usize> {
        self.copies * self.batches.offsets[i]..self.copies * self.batches.offsets[i + 1]
    }

    fn weights_of(&self, i: usize) -> std::ops::Range<usize> {
        i * self.copies..(i + 1) * self.copies
    }

    /// Take better draws where the weights are poor or miss something; of which members there are any, ascending.
    pub fn improve(&mut self, ground: &DrawTarget, posterior: &BatchPosteriors) -> Vec<usize> {
        let poor = |i: usize| {
            let weight = &self.found[i];
            !weight.is_sound(self.copies.max(ENOUGH)) || weight.ess < POOR * self.copies as f64
        };
        let mixed = (0..self.members.len()).filter(|i| mixes(&posterior[self.members[*i]]));
        let (mut wanted, fine): (Vec<usize>, Vec<usize>) = mixed.partition(|i| poor(*i));
        let checked: Vec<usize> = fine.iter().map(|i| self.members[*i]).collect();
        let values: Vec<f64> = fine.iter().map(|i| self.found[*i].log_lik).collect();
        let missed = ground.missed(&checked, posterior, (&values, self.copies));
        let is_missed = |i: &usize| missed.binary_search(&self.members[*i]).is_ok();
        let again: Vec<usize> = fine.into_iter().filter(is_missed).collect();
        let mut taken = Vec::new();
        let certain = again.clone();
        wanted.extend(again);
        wanted.sort_unstable();
        let numbers: Vec<usize> = wanted.iter().map(|i| self.members[*i]).collect();
        for (i, sample) in wanted
            .iter()
            .zip(better(ground, &numbers, posterior, self.copies))
        {
            if self.take(*i, &sample, certain.contains(i)) {
                taken.push(*i);
            }
        }
        taken
    }

    /// Put other draws in the place of those of a member, if they are better or those are known to be wrong.
    fn take(&mut self, i: usize, sample: &Sample, certain: bool) -> bool {
        let mut weights = sample.log_weights();
        let weight = Weight::of(&mut weights);
        let better = weight.is_sound(self.copies) || weight.ess > self.found[i].ess;
        if !(certain || better) {
            return false;
        }
        let (draws, places) = (self.draws_of(i), self.weights_of(i));
        self.draws[draws].copy_from_slice(&sample.phi);
        self.weights[places].copy_from_slice(&weights);
        self.found[i] = weight;
        true
    }
}

/// Better draws of some batches; none for none.
pub fn better(
    ground: &DrawTarget,
    members: &[usize],
    posterior: &BatchPosteriors,
    draws: usize,
) -> Vec<Sample> {
    if members.is_empty() {
        return Vec::new();
    }
    ground.improved(members, posterior, draws)
}

/// Whether mixtures are fitted to the draws of a batch.
pub fn mixes(q: &BatchGaussian) -> bool {
    (1..=MOST_EFFECTS).contains(&q.dim())
}

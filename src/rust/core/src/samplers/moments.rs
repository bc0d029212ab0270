//! Sum up what the sweeps of a block did: moments of the draws, proposals and acceptances.

use serde::{Deserialize, Serialize};

use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::ir::vmath::{per_isa, Isa};

/// Sums of `phi - origin` and of its products over several draws, in each lane.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LaneMoments {
    pub n: usize,
    pub first: Vec<Column>,
    /// Lower triangle by rows.
    pub second: Vec<Column>,
    /// Sum of the log-likelihoods.
    pub log_lik: Column,
}

impl LaneMoments {
    pub fn clear(&mut self, d: usize) {
        self.n = 0;
        self.first.clear();
        self.first.resize(d, Column::ZERO);
        self.second.clear();
        self.second.resize(d * (d + 1) / 2, Column::ZERO);
        self.log_lik = Column::ZERO;
    }

    pub fn add(&mut self, isa: Isa, phi: &[Column], log_lik: &Column, origin: &[f64]) {
        self.n += 1;
        for l in 0..LANES {
            self.log_lik.0[l] += log_lik.0[l];
        }
        add_moments(isa, phi, origin, &mut self.first, &mut self.second);
    }
}

#[inline(always)]
fn add_moments_body<const FMA: bool>(
    phi: &[Column],
    origin: &[f64],
    first: &mut [Column],
    second: &mut [Column],
) {
    for i in 0..phi.len() {
        for l in 0..LANES {
            first[i].0[l] += phi[i].0[l] - origin[i];
        }
        for j in 0..=i {
            let sum = &mut second[at(i, j)].0;
            for l in 0..LANES {
                sum[l] += (phi[i].0[l] - origin[i]) * (phi[j].0[l] - origin[j]);
            }
        }
    }
}

per_isa! {
    fn add_moments(
        phi: &[Column],
        origin: &[f64],
        first: &mut [Column],
        second: &mut [Column],
    ) = add_moments_body, fused;
}

/// Proposals and acceptances of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub proposed: u64,
    pub accepted: u64,
    /// Proposals without a finite density.
    pub not_finite: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.proposed += other.proposed;
        self.accepted += other.accepted;
        self.not_finite += other.not_finite;
    }

    /// The same without lanes that were refused from the start.
    pub fn without(self, refused: u64) -> Self {
        Self {
            proposed: self.proposed.saturating_sub(refused),
            accepted: self.accepted,
            not_finite: self.not_finite.saturating_sub(refused),
        }
    }

    pub fn rate(&self) -> f64 {
        if self.proposed == 0 {
            f64::NAN
        } else {
            self.accepted as f64 / self.proposed as f64
        }
    }
}

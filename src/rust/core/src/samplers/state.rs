//! Keep the chains of one block between sweeps.

use crate::data::{Block, Layout};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::ir::vmath::{per_isa, Isa};
use crate::problem::{Means, Scratch};
use crate::random::LaneIds;

use super::Context;
use crate::keep::keeps;
use serde::{Deserialize, Serialize};

/// Current draws of the lanes of a block.
#[derive(Debug, Clone)]
pub struct State {
    /// Index of the block in its layout.
    pub block: usize,
    pub n_lanes: usize,
    pub phi: Vec<Column>,
    pub log_lik: Column,
    pub log_prior: Column,
    /// Means of `phi` at the current `theta`.
    pub mean: Vec<Column>,
    /// Gaussian approximation of the conditional distribution, once there is one.
    pub posterior: Option<Posterior>,
    /// Scratch of the evaluator.
    pub scratch: Scratch,
    /// Normal and uniform numbers drawn last.
    pub noise: Vec<Column>,
    pub chance: Vec<Column>,
    /// Memory of proposals.
    pub proposal: Vec<Column>,
    pub ids: LaneIds,
    /// Coordinates with given values, if any: they never move.
    pub held: Option<HeldLanes>,
    /// Moments of the draws of this iteration that count.
    pub moments: Moments,
    /// Random numbers of this iteration that are used up.
    draws: u32,
}

keeps!(State:
    values { phi, log_lik, log_prior, mean, posterior, moments, draws }
    parts {}
    rebuilt { block, n_lanes, scratch, noise, chance, proposal, ids, held });

/// Where coordinates are held at given values: 1 there, else 0.
#[derive(Debug, Clone)]
pub struct HeldLanes {
    pub coordinates: Vec<Column>,
    /// 1 where any coordinate is held.
    pub any: Column,
}

impl HeldLanes {
    /// From values of `phi`, NaN where free.
    pub fn new(values: &[Column]) -> Self {
        let flag = |held: bool| f64::from(u8::from(held));
        let coordinates: Vec<Column> = (values.iter())
            .map(|column| Column(std::array::from_fn(|l| flag(!column.0[l].is_nan()))))
            .collect();
        let any = |l: usize| flag(coordinates.iter().any(|c| c.0[l] != 0.0));
        Self {
            any: Column(std::array::from_fn(any)),
            coordinates,
        }
    }
}

/// `N(center, (L L')^-1)` in each lane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Posterior {
    pub center: Vec<Column>,
    /// Lower Cholesky factor of the precision, by rows.
    pub factor: Vec<Column>,
    /// Standard deviation of each coordinate given the others.
    pub sd: Vec<Column>,
}

impl Posterior {
    pub fn new(center: Vec<Column>, factor: Vec<Column>) -> Self {
        let sd = (0..center.len())
            .map(|k| {
                let row = &factor[at(k, 0)..=at(k, k)];
                Column(std::array::from_fn(|l| {
                    let precision: f64 = row.iter().map(|f| f.0[l] * f.0[l]).sum();
                    1.0 / precision.sqrt()
                }))
            })
            .collect();
        Self { center, factor, sd }
    }
}

/// Sums of `phi - origin` and of its products over several draws, in each lane.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Moments {
    pub n: usize,
    pub first: Vec<Column>,
    /// Lower triangle by rows.
    pub second: Vec<Column>,
    /// Sum of the log-likelihoods.
    pub log_lik: Column,
}

impl Moments {
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

    pub fn rate(&self) -> f64 {
        if self.proposed == 0 {
            f64::NAN
        } else {
            self.accepted as f64 / self.proposed as f64
        }
    }
}

impl State {
    /// Chains of block `b` at the given `phi`; `group` tells the random numbers of groupings apart.
    pub fn new(layout: &Layout, b: usize, phi: Vec<Column>, group: usize) -> Self {
        let block = &layout.blocks[b];
        Self {
            block: b,
            n_lanes: block.lanes.len(),
            mean: phi.clone(),
            phi,
            log_lik: Column::ZERO,
            log_prior: Column::ZERO,
            posterior: None,
            scratch: Scratch::default(),
            noise: Vec::new(),
            chance: Vec::new(),
            proposal: Vec::new(),
            ids: lane_ids(block, group),
            held: None,
            moments: Moments::default(),
            draws: 0,
        }
    }

    /// Hold coordinates at values of `phi`, NaN where free.
    pub fn hold(&mut self, values: &[Column]) {
        for (phi, value) in self.phi.iter_mut().zip(values) {
            for l in 0..LANES {
                if !value.0[l].is_nan() {
                    phi.0[l] = value.0[l];
                }
            }
        }
        self.held = Some(HeldLanes::new(values));
    }

    /// Start an iteration: `theta` has moved, so densities are computed anew.
    pub fn begin(&mut self, context: &Context, means: &Means, layout: &Layout) {
        self.draws = 0;
        means.fill(layout, self.block, &mut self.mean);
        let phi = std::mem::take(&mut self.phi);
        (self.log_lik, self.log_prior) = context.target(self, &phi);
        self.phi = phi;
    }

    /// Fill `noise` with `n` columns of standard normal numbers.
    pub fn draw_normals(&mut self, context: &Context, n: usize) {
        let first = self.advance(n);
        self.noise.resize(n, Column::ZERO);
        context.stream.normals(
            context.isa,
            &self.ids,
            context.iteration,
            first,
            &mut self.noise,
        );
    }

    /// Fill `chance` with `n` columns of uniform numbers.
    pub fn draw_uniforms(&mut self, context: &Context, n: usize) {
        let first = self.advance(n);
        self.chance.resize(n, Column::ZERO);
        context.stream.uniforms(
            context.isa,
            &self.ids,
            context.iteration,
            first,
            &mut self.chance,
        );
    }

    /// The buffer of proposals, to be given back by [`super::accept::accept`].
    pub fn take_proposal(&mut self) -> Vec<Column> {
        let mut proposal = std::mem::take(&mut self.proposal);
        proposal.resize(self.phi.len(), Column::ZERO);
        proposal
    }

    /// Reserve an even number of draws, so that none are wasted.
    fn advance(&mut self, n: usize) -> u32 {
        let first = self.draws;
        self.draws += u32::try_from(n + n % 2).unwrap_or(0);
        first
    }
}

/// Subject and chain of each lane; unused lanes draw numbers too, which nobody reads. The upper eight bits of the chain
/// hold the grouping.
pub fn lane_ids(block: &Block, group: usize) -> LaneIds {
    let lane = |l: usize| block.lanes.get(l).copied().unwrap_or_default();
    let group = u32::try_from(group).unwrap_or(0) << 24;
    LaneIds {
        subject: std::array::from_fn(|l| lane(l).subject),
        chain: std::array::from_fn(|l| lane(l).copy | group),
    }
}

//! Keep the chains of one block between sweeps.

use crate::data::{Block, Layout};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::problem::{DerivativeScratch, Means};
use crate::random::{LaneIds, Purpose, Stream};

use super::accept::take;
use super::moments::LaneMoments;
use super::prior::population_draw;
use super::Context;
use crate::keep::keeps;
use serde::{Deserialize, Serialize};

/// Current draws of the lanes of a block.
#[derive(Debug, Clone)]
pub struct LaneDraws {
    /// Index of the block in its layout.
    pub block: usize,
    pub n_lanes: usize,
    pub phi: Vec<Column>,
    pub log_lik: Column,
    pub log_prior: Column,
    /// Means of `phi` at the current `theta`.
    pub mean: Vec<Column>,
    /// Gaussian approximation of the conditional distribution, once there is one.
    pub posterior: Option<LanePosterior>,
    /// Scratch of the evaluator.
    pub scratch: DerivativeScratch,
    /// Normal and uniform numbers drawn last.
    pub noise: Vec<Column>,
    pub chance: Vec<Column>,
    /// Memory of proposals.
    pub proposal: Vec<Column>,
    pub ids: LaneIds,
    /// Coordinates with given values, if any: they never move.
    pub held: Option<HeldLanes>,
    /// 1 in the lanes that move in this iteration, else 0; absent when all do.
    pub active: Option<Column>,
    /// 1 where the last proposal was accepted.
    pub taken: Column,
    /// What a sampler remembers of each lane; empty before it starts and when it forgets.
    pub memory: Vec<Column>,
    /// Gradient of the log density at `phi` while a kernel knows it, else empty.
    pub slope: Vec<Column>,
    /// Moments of the draws of this iteration that count.
    pub moments: LaneMoments,
    /// Random numbers of this iteration that are used up.
    draws: u32,
}

keeps!(LaneDraws:
    values { phi, log_lik, log_prior, mean, posterior, memory, moments, draws }
    parts {}
    rebuilt { block, n_lanes, scratch, noise, chance, proposal, ids, held, active, taken, slope });

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
pub struct LanePosterior {
    pub center: Vec<Column>,
    /// Lower Cholesky factor of the precision, by rows.
    pub factor: Vec<Column>,
    /// Standard deviation of each coordinate given the others.
    pub sd: Vec<Column>,
}

impl LanePosterior {
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

impl LaneDraws {
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
            scratch: DerivativeScratch::default(),
            noise: Vec::new(),
            chance: Vec::new(),
            proposal: Vec::new(),
            ids: lane_ids(block, group),
            held: None,
            active: None,
            taken: Column::ZERO,
            memory: Vec::new(),
            slope: Vec::new(),
            moments: LaneMoments::default(),
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
        self.slope.clear();
        means.fill(layout, self.block, &mut self.mean);
        let phi = std::mem::take(&mut self.phi);
        (self.log_lik, self.log_prior) = context.target(self, &phi);
        self.phi = phi;
    }

    /// Forget where the chains that move are: draw them anew from the population. Those whose draw has no density
    /// stand at the mean. Given values stay.
    pub fn restart(&mut self, context: &Context) {
        let means = self.mean.clone();
        self.jump(context, means);
        let stream = Stream {
            purpose: Purpose::Start,
            ..context.stream
        };
        let drawn = population_draw(&Context { stream, ..*context }, self);
        self.jump(context, drawn);
    }

    /// Move the free coordinates of the chains that move to `phi`, wherever its density is finite or theirs is not.
    fn jump(&mut self, context: &Context, mut phi: Vec<Column>) {
        self.keep_held(&mut phi);
        let (log_lik, log_prior) = context.target(self, &phi);
        let moving = self.moving();
        let ratio = Column(std::array::from_fn(|l| {
            let finite = (log_lik.0[l] + log_prior.0[l]).is_finite();
            let lost = !(self.log_lik.0[l] + self.log_prior.0[l]).is_finite();
            f64::from(u8::from(moving.0[l] != 0.0 && (finite || lost)))
        }));
        for (to, from) in self.phi.iter_mut().zip(&phi) {
            take(context.isa, to, from, &ratio);
        }
        take(context.isa, &mut self.log_lik, &log_lik, &ratio);
        take(context.isa, &mut self.log_prior, &log_prior, &ratio);
        self.slope.clear();
    }

    /// Put back the coordinates of a proposal that are held.
    pub fn keep_held(&self, phi: &mut [Column]) {
        let Some(held) = &self.held else { return };
        for ((to, here), held) in phi.iter_mut().zip(&self.phi).zip(&held.coordinates) {
            for l in 0..LANES {
                to.0[l] = if held.0[l] != 0.0 { here.0[l] } else { to.0[l] };
            }
        }
    }

    /// Set which lanes move, by subject.
    pub fn set_active(&mut self, active: Option<&[bool]>, block: &Block) {
        self.active = active.map(|active| {
            let moves = |l: usize| {
                block
                    .lanes
                    .get(l)
                    .is_some_and(|x| active[x.subject as usize])
            };
            Column(std::array::from_fn(|l| f64::from(u8::from(moves(l)))))
        });
    }

    /// 1 in the lanes in use that move, else 0.
    pub fn moving(&self) -> Column {
        let active = self.active.unwrap_or(Column::splat(1.0));
        let used = |l: usize| if l < self.n_lanes { active.0[l] } else { 0.0 };
        Column(std::array::from_fn(used))
    }

    /// True when no lane moves.
    pub fn is_idle(&self) -> bool {
        let active = self.active.iter();
        active.flat_map(|a| a.0).all(|a| a == 0.0) && self.active.is_some()
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
        self.uniforms_at(context, first, n);
    }

    /// Fill `chance` with `n` columns of uniform numbers from a place that was reserved by [`LaneDraws::advance`].
    pub fn uniforms_at(&mut self, context: &Context, first: u32, n: usize) {
        self.chance.resize(n, Column::ZERO);
        let (stream, iteration) = (context.stream, context.iteration);
        stream.uniforms(context.isa, &self.ids, iteration, first, &mut self.chance);
    }

    /// The buffer of proposals, to be given back by [`super::accept::accept`].
    pub fn take_proposal(&mut self) -> Vec<Column> {
        let mut proposal = std::mem::take(&mut self.proposal);
        proposal.resize(self.phi.len(), Column::ZERO);
        proposal
    }

    /// Reserve `n` draws and return the first; an even number, so that none are wasted.
    pub fn advance(&mut self, n: usize) -> u32 {
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

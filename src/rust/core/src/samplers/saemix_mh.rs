//! Take the kernels of saemix by turns: draws from the population, walks of one coordinate, walks of random blocks.
//!
//! The walk of one coordinate has a scale for every level and coordinate. It starts at `2.38 / sqrt(d)` standard
//! deviations of the population; after the walks of a step, with acceptance rate `r` in them,
//! `scale <- max(scale (1 + adapt_rate (r - target_accept)), 1e-8)`. While the estimator averages the scales rest: one that
//! follows what its own chain did last leaves another distribution invariant, by some percent of the variance.
//! Source: Kuhn & Lavielle (2005); Comets, Lavenu & Lavielle (2017).

use super::scales::Scales;
use super::{
    BlockWalk, Context, Draw, Kernel, LaneDraws, LaneWalk, PriorKernel, Sampler, SeeDraws,
    SweepPlan, SweepReport, Tally,
};
use crate::ir::column::{Column, LANES};

/// Optimal scaling of a random walk for a Gaussian target (Gelman, Roberts & Gilks 1996).
pub const OPTIMAL: f64 = 2.38;

const SMALLEST: f64 = 1e-8;

/// Iterations in which the scales adapt even if the estimator averages from the beginning.
const SETTLING: usize = 50;

pub struct SaemixMh {
    /// Sweeps of each kernel in a step.
    sweeps: [usize; 3],
    target_accept: f64,
    adapt_rate: f64,
    /// Of the blocks, which all levels share.
    scales: Scales,
}

impl SaemixMh {
    pub fn new(sweeps: [usize; 3], target_accept: f64, adapt_rate: f64, d: usize) -> Self {
        Self {
            sweeps,
            target_accept,
            adapt_rate,
            scales: Scales::new(d, target_accept, adapt_rate),
        }
    }

    fn first_scales(context: &Context) -> Vec<Column> {
        let d = context.prior.dim();
        let start = |k: usize| {
            let sd = context.prior.omega[(k, k)].sqrt();
            let sd = if sd.is_finite() && sd > 0.0 { sd } else { 1.0 };
            Column::splat(OPTIMAL / (d as f64).sqrt() * sd)
        };
        (0..d).map(start).collect()
    }

    /// Adapt the scales of the lanes that walked.
    fn adapt(&self, state: &LaneDraws, accepted: &[Column], scale: &mut [Column]) {
        let moving = state.moving();
        for (k, (scale, accepted)) in scale.iter_mut().zip(accepted).enumerate() {
            for l in 0..LANES {
                let held = state.held.as_ref();
                // A step that is none is always taken and teaches nothing.
                let idle = held.is_some_and(|held| held.coordinates[k].0[l] != 0.0);
                if moving.0[l] != 0.0 && !idle {
                    let rate = accepted.0[l] / self.sweeps[1] as f64;
                    let factor = 1.0 + self.adapt_rate * (rate - self.target_accept);
                    scale.0[l] = (scale.0[l] * factor).max(SMALLEST);
                }
            }
        }
    }

    /// One step; `see` is given every draw and how many more there are.
    fn step(
        &self,
        context: &Context,
        state: &mut LaneDraws,
        report: &mut SweepReport,
        adapts: bool,
        see: &mut dyn FnMut(&mut LaneDraws, usize),
    ) {
        let [prior, walks, blocks] = self.sweeps;
        let mut left = prior * usize::from(walks + blocks == 0) + walks + blocks;
        let mut see = |state: &mut LaneDraws| {
            left -= 1;
            see(state, left);
        };
        for _ in 0..prior {
            report.tallies[0].add(PriorKernel.sweep(context, state));
            if walks + blocks == 0 {
                see(state);
            }
        }
        let mut scale = std::mem::take(&mut state.memory);
        let mut accepted = vec![Column::ZERO; state.phi.len()];
        for _ in 0..walks {
            let walk = LaneWalk { scale: &scale };
            report.tallies[1].add(walk.sweep_counting(context, state, &mut accepted));
            see(state);
        }
        if walks > 0 && adapts {
            self.adapt(state, &accepted, &mut scale);
        }
        state.memory = scale;
        let walk = BlockWalk {
            scale: &self.scales.blocks,
        };
        for _ in 0..blocks {
            let tally = walk.sweep(context, state);
            let evidence = &mut report.evidence;
            self.scales.note_blocks(evidence, context.iteration, tally);
            report.tallies[2].add(tally);
            see(state);
        }
    }
}

impl Sampler for SaemixMh {
    fn kernels(&self) -> &'static [&'static str] {
        &["prior", "random_walk", "block"]
    }

    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport {
        if state.memory.is_empty() {
            state.memory = Self::first_scales(context);
        }
        let mut report = SweepReport {
            tallies: vec![Tally::default(); 3],
            evidence: self.scales.evidence(),
        };
        let adapts = !plan.smoothing || plan.age <= SETTLING;
        for step in 1..=plan.steps {
            self.step(context, state, &mut report, adapts, &mut |state, left| {
                let spaced = left == 0 && step < plan.steps;
                visit(state, if spaced { Draw::Spaced } else { Draw::Counted });
            });
        }
        report
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        plan.steps as f64
    }

    fn learn(&mut self, evidence: &[f64]) {
        self.scales.update(evidence);
    }

    fn learned(&self) -> Vec<f64> {
        self.scales.learned()
    }

    fn recall(&mut self, learned: &[f64]) {
        self.scales.recall(learned);
    }
}

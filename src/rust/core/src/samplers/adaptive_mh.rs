//! Walk with steps of the shape that the draws have: adaptive Metropolis.
//!
//! `phi* = phi + L z`, all coordinates of a level together, `L L' = (2.38^2 / d) C + eps I`. At first `C` is the covariance
//! of the population times `init_scale`; once more than `adapt_start` draws were seen, the covariance of the draws. All
//! levels of a grouping share it, so it is the mean of their conditional covariances: the scatter of every level is
//! taken about the running mean of its own draws, and divided by the number of draws less one for each level. About a
//! common mean it would hold the spread between the levels too, and the steps would be too long.
//! `C` changes between iterations only, in which every kernel is exact, and ever less.
//! Source: Haario, Saksman & Tamminen (2001).

use nalgebra::DMatrix;

use super::mh::{spaced, walked, SPACING};
use super::saemix_mh::OPTIMAL;
use super::{
    Context, Kernel, LaneDraws, Sampler, SeeDraws, ShapedWalk, SweepPlan, SweepReport, Tally,
};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;

pub struct AdaptiveMh {
    adapt_start: usize,
    init_scale: f64,
    eps_reg: f64,
    d: usize,
    /// Draws seen, less one for each level; then the lower triangle of their scatter, by rows.
    seen: Vec<f64>,
    /// Of the steps, once there are draws enough.
    factor: Option<DMatrix<f64>>,
}

impl AdaptiveMh {
    pub fn new(adapt_start: usize, init_scale: f64, eps_reg: f64, d: usize) -> Self {
        Self {
            adapt_start,
            init_scale,
            eps_reg,
            d,
            seen: vec![0.0; 1 + d * (d + 1) / 2],
            factor: None,
        }
    }

    /// Cholesky factor of the covariance of the steps, made of `covariance`.
    fn shape(&self, covariance: DMatrix<f64>) -> Option<DMatrix<f64>> {
        let d = self.d;
        let scale = OPTIMAL * OPTIMAL / d as f64;
        let steps = covariance * scale + DMatrix::identity(d, d) * self.eps_reg;
        steps.cholesky().map(|factor| factor.l())
    }

    fn reshape(&mut self) {
        let n = self.seen[0];
        if n > self.adapt_start.max(1) as f64 {
            let (d, scatter) = (self.d, &self.seen[1..]);
            let covariance = DMatrix::from_fn(d, d, |i, j| scatter[at(i.max(j), i.min(j))] / n);
            self.factor = self.shape(covariance).or(self.factor.take());
        }
    }

    /// Let the current draws enter the running means of their lanes, and the scatter about them.
    fn observe(&self, state: &LaneDraws, weight: &Column, memory: &mut [Column], seen: &mut [f64]) {
        let Some((count, means)) = memory.split_first_mut() else {
            return;
        };
        let mut delta = vec![Column::ZERO; self.d];
        let mut share = Column::ZERO;
        for l in 0..LANES {
            let n = count.0[l];
            share.0[l] = weight.0[l] * n / (n + 1.0);
            seen[0] += if n > 0.0 { weight.0[l] } else { 0.0 };
            count.0[l] += weight.0[l];
        }
        for ((delta, phi), mean) in delta.iter_mut().zip(&state.phi).zip(means) {
            for l in 0..LANES {
                delta.0[l] = phi.0[l] - mean.0[l];
                mean.0[l] += weight.0[l] * delta.0[l] / count.0[l].max(1.0);
            }
        }
        for i in 0..self.d {
            for j in 0..=i {
                let products = (0..LANES).map(|l| share.0[l] * delta[i].0[l] * delta[j].0[l]);
                seen[1 + at(i, j)] += products.sum::<f64>();
            }
        }
    }
}

impl Sampler for AdaptiveMh {
    fn kernels(&self) -> &'static [&'static str] {
        &["walk"]
    }

    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport {
        let first = || self.shape(&context.prior.omega * self.init_scale);
        let Some(factor) = self.factor.clone().or_else(first) else {
            return SweepReport::default();
        };
        let mut memory = std::mem::take(&mut state.memory);
        memory.resize(1 + self.d, Column::ZERO);
        // Lanes with given values do not show how far the free ones move.
        let mut weight = state.moving();
        if let Some(held) = &state.held {
            for l in 0..LANES {
                weight.0[l] *= 1.0 - held.any.0[l];
            }
        }
        let walk = ShapedWalk { factor: &factor };
        let mut tally = Tally::default();
        let mut evidence = vec![0.0; self.seen.len()];
        for step in 1..=plan.steps {
            tally.add(walk.sweep(context, state));
            self.observe(state, &weight, &mut memory, &mut evidence);
            visit(state, spaced(step, SPACING, plan));
        }
        state.memory = memory;
        SweepReport {
            tallies: vec![tally],
            evidence,
        }
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        walked(plan)
    }

    fn learn(&mut self, evidence: &[f64]) {
        for (total, new) in self.seen.iter_mut().zip(evidence) {
            *total += new;
        }
        self.reshape();
    }

    fn learned(&self) -> Vec<f64> {
        self.seen.clone()
    }

    fn recall(&mut self, learned: &[f64]) {
        for (seen, known) in self.seen.iter_mut().zip(learned) {
            *seen = *known;
        }
        self.reshape();
    }
}

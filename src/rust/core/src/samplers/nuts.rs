//! Run the no-U-turn sampler with steps and metric that every lane learns in the first iterations of a run.
//!
//! Steps adapt by dual averaging. The metric is diagonal: first the variances of the population, then those of the
//! draws of the lane, gathered over windows that grow with the adaptation (Welford 1962). A window of `n` draws counts
//! `n / (n + 5)`, what was known before it the rest. After the adaptation the kernel is the same forever, and exact.

use super::dual_averaging::{again, begin, steps, update, COLUMNS};
use super::{Context, Draw, LaneDraws, NoUTurn, Sampler, SeeDraws, SweepPlan, SweepReport, Tally};
use crate::ir::column::{Column, LANES};

/// Where windows of the metric end, as fractions of the adaptation; the first has none before it to learn from.
const WINDOWS: [f64; 4] = [0.1, 0.25, 0.5, 0.9];

/// Draws that the metric before a window is worth.
const CAUTION: f64 = 5.0;

pub struct Nuts {
    pub target_accept: f64,
    pub max_depth: usize,
    /// Iterations in which steps and metric adapt.
    pub n_adapt: usize,
}

/// The memory of a lane after that of its step: scales, means and sums of squares of each coordinate, a number of draws.
struct NutsMemory<'a> {
    sd: &'a mut [Column],
    mean: &'a mut [Column],
    square: &'a mut [Column],
    count: &'a mut Column,
}

impl<'a> NutsMemory<'a> {
    fn of(memory: &'a mut [Column], d: usize) -> Option<Self> {
        let (sd, rest) = memory.split_at_mut_checked(d)?;
        let (mean, rest) = rest.split_at_mut_checked(d)?;
        let (square, rest) = rest.split_at_mut_checked(d)?;
        let count = rest.first_mut()?;
        Some(Self {
            sd,
            mean,
            square,
            count,
        })
    }

    fn observe(&mut self, phi: &[Column], moving: &Column) {
        for l in 0..LANES {
            self.count.0[l] += moving.0[l];
        }
        for (k, phi) in phi.iter().enumerate() {
            for l in (0..LANES).filter(|l| moving.0[*l] != 0.0) {
                let delta = phi.0[l] - self.mean[k].0[l];
                self.mean[k].0[l] += delta / self.count.0[l];
                self.square[k].0[l] += delta * (phi.0[l] - self.mean[k].0[l]);
            }
        }
    }

    /// Take the variances of the window over, and start another.
    fn close(&mut self) {
        for k in 0..self.sd.len() {
            for l in 0..LANES {
                let n = self.count.0[l];
                let known = self.sd[k].0[l] * self.sd[k].0[l];
                let variance = (self.square[k].0[l] * n / (n - 1.0).max(1.0) + CAUTION * known)
                    / (n + CAUTION);
                if variance.is_finite() && variance > 0.0 {
                    self.sd[k].0[l] = variance.sqrt();
                }
            }
        }
        self.mean.fill(Column::ZERO);
        self.square.fill(Column::ZERO);
        *self.count = Column::ZERO;
    }
}

impl Nuts {
    fn memory(context: &Context) -> Vec<Column> {
        let d = context.prior.dim();
        // Optimal scaling: steps shrink with the fourth root of the dimension (Beskos et al. 2013).
        let mut memory = begin((d as f64).powf(-0.25));
        memory.extend((0..d).map(|k| Column::splat(context.prior.omega[(k, k)].sqrt())));
        memory.resize(COLUMNS + 3 * d + 1, Column::ZERO);
        memory
    }

    /// Iterations after which windows end.
    fn ends(&self) -> [usize; 4] {
        WINDOWS.map(|fraction| (fraction * self.n_adapt as f64).ceil() as usize)
    }

    /// Learn from a transition.
    fn adapt(&self, plan: &SweepPlan, state: &LaneDraws, accepted: &Column, memory: &mut [Column]) {
        let moving = state.moving();
        let (step, metric) = memory.split_at_mut(COLUMNS);
        update(step, self.target_accept, accepted, &moving);
        let [first, .., last] = self.ends();
        if let Some(mut metric) = NutsMemory::of(metric, state.phi.len()) {
            if plan.age > first && plan.age <= last {
                metric.observe(&state.phi, &moving);
            }
        }
    }

    /// Close the window that ends with the iteration.
    fn turn_over(&self, plan: &SweepPlan, d: usize, memory: &mut [Column]) {
        let [first, ends @ ..] = self.ends();
        let (step, metric) = memory.split_at_mut(COLUMNS);
        if plan.age > first && ends.contains(&plan.age) {
            if let Some(mut metric) = NutsMemory::of(metric, d) {
                metric.close();
            }
            again(step);
        }
    }
}

impl Sampler for Nuts {
    fn kernels(&self) -> &'static [&'static str] {
        &["nuts"]
    }

    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport {
        let d = state.phi.len();
        let mut memory = std::mem::take(&mut state.memory);
        if memory.is_empty() {
            memory = Self::memory(context);
        }
        let adapts = plan.age <= self.n_adapt;
        let mut tally = Tally::default();
        for step in 1..=plan.steps {
            let length = steps(&memory, adapts);
            let kernel = NoUTurn {
                step: &length,
                sd: &memory[COLUMNS..COLUMNS + d],
                max_depth: self.max_depth,
            };
            let (own, accepted) = kernel.transition(context, state);
            tally.add(own);
            if adapts {
                self.adapt(plan, state, &accepted, &mut memory);
            }
            let last = step == plan.steps;
            visit(state, if last { Draw::Counted } else { Draw::Spaced });
        }
        if adapts {
            self.turn_over(plan, d, &mut memory);
        }
        state.memory = memory;
        SweepReport {
            tallies: vec![tally],
            evidence: Vec::new(),
        }
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        plan.steps as f64
    }

    fn follows_gradient(&self) -> bool {
        true
    }
}

//! Mix draws around the conditional modes with draws from the population and random walks: f-SAEM.
//!
//! Source: Karimi, Lavielle & Moulines (2020).

use super::options::KernelSweeps;
use super::scales::Scales;
use super::{
    BlockWalk, Context, Draw, Independence, Kernel, LaneDraws, PriorKernel, RandomWalk, Sampler,
    SeeDraws, SweepPlan, SweepReport, Tally,
};

/// Relative change of a scale for a unit of excess acceptance, as in saemix.
const RATE: f64 = 0.4;

/// Most coordinates that a sweep moves one by one: each costs a likelihood, and blocks move all.
const MOST: usize = 12;

pub struct MixtureSampler {
    options: KernelSweeps,
    scales: Scales,
}

impl MixtureSampler {
    pub fn new(options: KernelSweeps, d: usize) -> Self {
        Self {
            options,
            scales: Scales::new(d, options.target_accept, RATE),
        }
    }

    /// Sweeps of each kernel in a step.
    fn sweeps(&self, plan: &SweepPlan) -> KernelSweeps {
        match plan {
            SweepPlan { in_turns: true, .. } => self.options.in_turns(),
            SweepPlan {
                smoothing: true,
                brief,
                ..
            } => self.options.smoothing(*brief),
            _ => self.options,
        }
    }

    fn walk(&self, context: &Context, state: &mut LaneDraws, report: &mut SweepReport) {
        let walk = RandomWalk {
            scale: &self.scales.coordinates,
            most: MOST,
        };
        let tallies = walk.sweep_by_coordinate(context, state);
        for (k, tally) in tallies {
            self.scales.note_coordinate(&mut report.evidence, k, tally);
            report.tallies[1].add(tally);
        }
    }

    fn walk_blocks(&self, context: &Context, state: &mut LaneDraws, report: &mut SweepReport) {
        let walk = BlockWalk {
            scale: &self.scales.blocks,
        };
        let tally = walk.sweep(context, state);
        let evidence = &mut report.evidence;
        self.scales.note_blocks(evidence, context.iteration, tally);
        report.tallies[2].add(tally);
    }
}

impl Sampler for MixtureSampler {
    fn kernels(&self) -> &'static [&'static str] {
        &["prior", "random_walk", "block", "independence"]
    }

    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport {
        let sweeps = self.sweeps(plan);
        let mut report = SweepReport {
            tallies: vec![Tally::default(); 4],
            evidence: self.scales.evidence(),
        };
        for step in 1..=plan.steps {
            for _ in 0..sweeps.prior {
                report.tallies[0].add(PriorKernel.sweep(context, state));
            }
            for _ in 0..sweeps.random_walk {
                self.walk(context, state, &mut report);
                visit(state, Draw::Counted);
            }
            let blocks = if state.phi.len() > 1 { sweeps.block } else { 0 };
            for _ in 0..blocks {
                self.walk_blocks(context, state, &mut report);
                visit(state, Draw::Counted);
            }
            for sweep in 1..=sweeps.independence {
                report.tallies[3].add(Independence.sweep(context, state));
                // Derivatives cost two sweeps: every second draw gives one. The last draw gives its own anyway.
                let last = sweep == sweeps.independence && step == plan.steps;
                let spaced = sweep % 2 == 0 && !last;
                visit(state, if spaced { Draw::Spaced } else { Draw::Counted });
            }
        }
        report
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        let sweeps = self.sweeps(&SweepPlan {
            smoothing: true,
            ..*plan
        });
        1.0 + 0.5 * (plan.steps * sweeps.independence) as f64
    }

    fn learn(&mut self, evidence: &[f64]) {
        self.scales.update(evidence);
    }

    fn wants_posterior(&self, plan: &SweepPlan) -> bool {
        self.sweeps(plan).independence > 0
    }

    fn learned(&self) -> Vec<f64> {
        self.scales.learned()
    }

    fn recall(&mut self, learned: &[f64]) {
        self.scales.recall(learned);
    }
}

//! Walk with steps of a given size: `phi* = phi + scale z`, all coordinates of a level together, nothing adapted.

use nalgebra::DMatrix;

use super::{
    Context, Draw, Kernel, LaneDraws, Sampler, SeeDraws, ShapedWalk, SweepPlan, SweepReport, Tally,
};

/// Steps of the walks between two draws whose derivatives are taken.
pub const SPACING: usize = 10;

pub struct Mh {
    scale: f64,
    factor: DMatrix<f64>,
}

impl Mh {
    pub fn new(scale: f64, d: usize) -> Self {
        Self {
            scale,
            factor: DMatrix::identity(d, d) * scale,
        }
    }
}

impl Sampler for Mh {
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
        let walk = ShapedWalk {
            factor: &self.factor,
        };
        let mut tally = Tally::default();
        for step in 1..=plan.steps {
            tally.add(walk.sweep(context, state));
            visit(state, spaced(step, SPACING, plan));
        }
        SweepReport {
            tallies: vec![tally],
            evidence: Vec::new(),
        }
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        walked(plan)
    }

    fn shorten(&mut self, parts: &[f64]) {
        for (k, part) in parts.iter().enumerate() {
            self.factor[(k, k)] = self.scale * part;
        }
    }
}

/// Every so many steps a draw is worth its derivatives; the last gives its own anyway.
pub fn spaced(step: usize, spacing: usize, plan: &SweepPlan) -> Draw {
    if step.is_multiple_of(spacing) && step < plan.steps {
        Draw::Spaced
    } else {
        Draw::Counted
    }
}

/// Nearly independent draws of a walk in several coordinates.
pub fn walked(plan: &SweepPlan) -> f64 {
    (plan.steps as f64 / SPACING as f64).max(1.0)
}

//! Hold the options of SAEM under the names they have in R; the front end validates them and documents their effect.

mod anneal;
mod mstep;
mod schedule;
mod stop;

pub use anneal::{AnnealOptions, AnnealSchedule, Collapse, CollapseSchedule};
pub use mstep::{BuiltinMean, BuiltinStats, Hook, MStepOptions};
pub use schedule::{ChainOptions, ScheduleKind, ScheduleOptions, UpdateSchedule};
pub use stop::{ConvergenceTest, StopOptions};

use serde::{Deserialize, Serialize};

use super::optimizer::OptimizerOptions;
use crate::inference::ebe::EbeOptions;
use crate::inference::importance::is_sampled;
use crate::inference::information::free;
use crate::inference::options::Inference;
use crate::mstep::MAX_PARAMETERS;
use crate::problem::Joint;
use crate::samplers::SamplerOptions;

/// Options of a run.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaemOptions {
    pub schedule: ScheduleOptions,
    pub chains: ChainOptions,
    pub sampler: SamplerOptions,
    /// Steps of the sampler in an iteration.
    pub mcmc_steps: usize,
    pub update_schedule: UpdateSchedule,
    /// Whether chains and what their samplers learned live through the iterations.
    pub warm_start: bool,
    pub anneal: AnnealOptions,
    pub stop: StopOptions,
    pub mstep: MStepOptions,
    pub optimizer: OptimizerOptions,
    /// Precision of a normal prior around zero of the weights of learned functions, by parameter.
    pub penalty: Vec<(String, f64)>,
    pub ebe: EbeOptions,
    /// Whether the smoothing is preconditioned by the observed information.
    pub acceleration: bool,
    /// Whether the estimates are brought to the maximum of the likelihood at importance draws, the draws of each batch
    /// that a climb holds, and climbs at most.
    pub polish: bool,
    pub polish_draws: usize,
    pub polish_rounds: usize,
    /// What is computed at the estimates; its draws judge them, too.
    pub inference: Inference,
}

impl Default for SaemOptions {
    fn default() -> Self {
        Self {
            schedule: ScheduleOptions::default(),
            chains: ChainOptions::default(),
            sampler: SamplerOptions::default(),
            mcmc_steps: 1,
            update_schedule: UpdateSchedule::default(),
            warm_start: true,
            anneal: AnnealOptions::default(),
            stop: StopOptions::default(),
            mstep: MStepOptions::default(),
            optimizer: OptimizerOptions::default(),
            penalty: Vec::new(),
            ebe: EbeOptions::default(),
            acceleration: true,
            polish: true,
            polish_draws: 256,
            polish_rounds: 5,
            inference: Inference::default(),
        }
    }
}

impl SaemOptions {
    /// Whether the smoothing follows scores: not where parameters are maximized numerically or by functions of the user.
    pub fn accelerates(&self) -> bool {
        self.acceleration
            && self.optimizer == OptimizerOptions::Score
            && self.mstep.builtin_mean == BuiltinMean::None
            && !self.maximizes_otherwise()
    }

    /// Whether functions of the user decide what is maximized.
    pub fn maximizes_otherwise(&self) -> bool {
        let user = [Hook::Suffstats, Hook::QFromStats, Hook::MstepClosedForm];
        user.iter().any(|hook| self.mstep.has(*hook))
    }

    /// Whether the estimates are taken on at importance draws when the iterations have ended.
    pub fn goes_on(&self, joint: &Joint) -> bool {
        self.polish && self.polish_rounds > 0 && self.is_judged(joint)
    }

    /// Whether the estimates are judged at importance draws.
    pub fn is_judged(&self, joint: &Joint) -> bool {
        free(joint).len() <= MAX_PARAMETERS && is_sampled(joint) && !self.maximizes_otherwise()
    }

    /// The two-phase schedule of saemix with these numbers of iterations, everything else by default.
    pub fn two_phases(exploration: usize, smoothing: usize) -> Self {
        Self {
            schedule: ScheduleOptions {
                exploration,
                smoothing,
                ..ScheduleOptions::default()
            },
            ..Self::default()
        }
    }
}

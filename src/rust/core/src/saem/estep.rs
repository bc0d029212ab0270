//! E-step: draw `phi` of every subject and chain, and gather what the M-step needs of the draws.

use super::gradient::{adjoint_sums, residual_gradient, Gradients};
use crate::data::{Block, Layout};
use crate::inference::modes::{step_curvature, ModeOptions, Modes};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::keep::keeps;
use crate::mstep::Scores;
use crate::parallel::Workers;
use crate::problem::{Derivatives, Evaluator};
use crate::random::{Purpose, Stream};
use crate::samplers::{
    self, Context, Draw, Kernel, LaneDraws, LaneMoments, LanePosterior, PriorKernel, Sampler,
    SamplerOptions, SweepPlan, Tally,
};

/// Whether the Laplace posteriors are moved to the current `theta`: often while it travels, seldom once it has
/// settled. Samplers are exact whatever the posteriors are; only their acceptance depends on it.
fn refreshes(iteration: usize) -> bool {
    if iteration <= 50 {
        iteration % 5 == 1
    } else {
        iteration % 20 == 1
    }
}

/// Whether modes are searched from the means as well: a level may follow a mode that has become the lower one.
fn looks_around(iteration: usize) -> bool {
    iteration % 20 == 1
}

/// All chains of a fit.
pub struct Chains {
    states: Vec<LaneDraws>,
    options: SamplerOptions,
    sampler: Box<dyn Sampler>,
    /// Conditional modes of the subjects, found on a layout of one lane each.
    single: Layout,
    modes: Option<Modes>,
    stream: Stream,
    tallies: Vec<Tally>,
    /// Parts of their usual size that steps of a fixed size take in each coordinate; empty where they take all of it.
    pub pace: Vec<f64>,
}

keeps!(Chains:
    values { modes, tallies }
    parts { sampler, states }
    rebuilt { options, single, stream, pace });

/// What one block reports after its sweeps.
struct BlockReport {
    sampler: samplers::SweepReport,
    /// Sum of the complete-data log density over lanes.
    objective: f64,
    /// Sum over lanes of the adjoints of the population values.
    adjoints: Vec<f64>,
    /// The part of `objective` that is the density of `phi`.
    log_prior: f64,
    /// Score of each lane, one column a free coordinate, when asked for.
    scores: Vec<Column>,
}

/// What the whole E-step reports.
pub struct EStepReport {
    /// Complete-data log density, mean over chains.
    pub objective: f64,
    /// The part of it that is the density of `phi`.
    pub log_prior: f64,
    /// Gradient of the complete-data log density in `theta`, mean over chains; empty if nobody needs it.
    pub gradient: Vec<f64>,
    /// Scores of the lanes of each block, when asked for.
    pub scores: Vec<Vec<Column>>,
}

/// The target of an E-step.
pub struct EStepTarget<'t, 'a> {
    pub at: &'t Evaluator<'a>,
    /// Derivatives in `theta`, when some parameter needs them.
    pub derivatives: Option<&'t Derivatives<'a>>,
    /// Where the moments of the draws are taken from.
    pub origin: &'t [f64],
    /// Whether the gradient is averaged over several draws of the iteration, not taken at the last alone.
    pub averages_gradient: bool,
    /// Asks for the scores of the lanes.
    pub scores: Option<&'t Scores<'t>>,
    /// Levels whose chains move; absent when all do.
    pub active: Option<&'t [bool]>,
    pub turn: SweepTurn,
}

/// Where in the run a sweep stands.
#[derive(Debug, Clone, Copy)]
pub struct SweepTurn {
    /// Iteration, counted from one.
    pub iteration: usize,
    /// Number of the turn in the whole run, from one: an iteration has several where groupings take turns.
    pub number: u32,
    /// Whether the draws are the first of the iteration that count.
    pub first: bool,
}

impl SweepTurn {
    /// Before the first iteration.
    pub const START: Self = Self {
        iteration: 0,
        number: 0,
        first: true,
    };
}

impl Chains {
    /// Start every chain at a draw from the population.
    pub fn new(target: &EStepTarget, seed: u64, options: SamplerOptions) -> Self {
        let stream = Stream {
            seed,
            purpose: Purpose::Sampler,
        };
        let (problem, layout) = (target.at.problem, target.at.layout);
        let mut chains = Self {
            states: Vec::new(),
            sampler: options.sampler(problem.n_phi()),
            options,
            single: problem.layout(1),
            modes: None,
            stream,
            tallies: Vec::new(),
            pace: Vec::new(),
        };
        for b in 0..layout.blocks.len() {
            let mut state = LaneDraws::new(layout, b, target.at.mean(b).to_vec(), problem.group);
            if let Some(held) = problem.held_columns(layout, b) {
                state.hold(&held);
            }
            chains.states.push(state);
        }
        chains
    }

    /// Moments of the draws of the last iteration, block by block.
    pub fn moments<'c>(
        &'c self,
        layout: &'c Layout,
    ) -> impl Iterator<Item = (&'c Block, &'c LaneMoments)> {
        let moments = self.states.iter().map(|state| &state.moments);
        layout.blocks.iter().zip(moments)
    }

    /// The first subject with a chain whose density is not finite.
    pub fn lost(&self, layout: &Layout) -> Option<usize> {
        let states = self.states.iter().zip(&layout.blocks);
        let lanes = states.flat_map(|(state, block)| {
            let finite = move |l: usize| (state.log_lik.0[l] + state.log_prior.0[l]).is_finite();
            let lanes = block.lanes.iter().enumerate();
            lanes.filter(move |(l, _)| !finite(*l))
        });
        lanes.map(|(_, lane)| lane.subject as usize).min()
    }

    /// Current `phi` of a lane.
    pub fn phi(&self, block: usize, lane: usize, k: usize) -> f64 {
        self.states[block].phi[k].0[lane]
    }

    pub fn phi_mut(&mut self, block: usize, lane: usize, k: usize) -> &mut f64 {
        &mut self.states[block].phi[k].0[lane]
    }

    /// Kernels of the sampler, with proposals and acceptances so far.
    pub fn acceptance(&self) -> impl Iterator<Item = (&'static str, Tally)> + '_ {
        let tallies = self
            .tallies
            .iter()
            .copied()
            .map(Some)
            .chain(std::iter::repeat(None));
        let kernels = self.sampler.kernels().iter().copied();
        kernels.zip(tallies.map(Option::unwrap_or_default))
    }

    pub fn sampler(&self) -> &dyn Sampler {
        self.sampler.as_ref()
    }

    /// Take the steps of the sampler at `target`.
    pub fn step(
        &mut self,
        target: &EStepTarget,
        plan: SweepPlan,
        workers: &Workers,
    ) -> EStepReport {
        let first = target.turn.number == 1;
        let restarts = plan.cold && target.turn.first && !first;
        if restarts {
            self.sampler = self.options.sampler(target.at.problem.n_phi());
        }
        self.sampler.shorten(&self.pace);
        let refreshes = refreshes(target.turn.iteration) || self.modes.is_none();
        if self.sampler.wants_posterior(&plan) && refreshes {
            self.refresh(target, workers);
        }
        let at = target.at;
        let context = Context {
            values: at.values(),
            slopes: self.sampler.follows_gradient().then(|| at.by_phi()),
            prior: at.prior(),
            stream: self.stream,
            iteration: target.turn.number,
            isa: Isa::detect(),
        };
        let sampler = self.sampler.as_ref();
        let reports = workers.map(&mut self.states, |state| {
            state.set_active(target.active, &at.layout.blocks[state.block]);
            state.begin(&context, at.means(), at.layout);
            if first {
                PriorKernel.sweep(&context, state);
            }
            if restarts && !state.is_idle() {
                state.memory.clear();
                state.restart(&context);
            }
            draw(&context, &plan, sampler, state, target)
        });
        self.join(target, reports)
    }

    /// Gradient of the complete-data log density at the current draws, mean over chains.
    pub fn gradient(&mut self, at: &Evaluator, workers: &Workers) -> Vec<f64> {
        let (derivatives, copies) = (at.by_theta(), at.layout.copies);
        let reports = workers.map(&mut self.states, |state| adjoint_sums(derivatives, state));
        let mut adjoints = vec![0.0; derivatives.n_population()];
        for report in reports {
            for (total, adjoint) in adjoints.iter_mut().zip(report) {
                *total += adjoint / copies as f64;
            }
        }
        derivatives.to_theta(at.theta(), &adjoints)
    }

    /// Add the reports up in the order of the blocks, and let the sampler learn.
    fn join(&mut self, target: &EStepTarget, reports: Vec<BlockReport>) -> EStepReport {
        let copies = target.at.layout.copies as f64;
        let mut evidence = Vec::new();
        let (mut objective, mut log_prior) = (0.0, 0.0);
        let mut adjoints = vec![0.0; target.derivatives.map_or(0, Derivatives::n_population)];
        let mut scores = Vec::new();
        for report in reports {
            scores.push(report.scores);
            let own = report.sampler;
            self.tallies
                .resize(self.sampler.kernels().len(), Tally::default());
            for (total, tally) in self.tallies.iter_mut().zip(own.tallies) {
                total.add(tally);
            }
            evidence.resize(own.evidence.len().max(evidence.len()), 0.0);
            for (total, own) in evidence.iter_mut().zip(own.evidence) {
                *total += own;
            }
            objective += report.objective / copies;
            log_prior += report.log_prior / copies;
            for (total, adjoint) in adjoints.iter_mut().zip(report.adjoints) {
                *total += adjoint / copies;
            }
        }
        self.sampler.learn(&evidence);
        let gradient = match (&target.at.problem.constant_error, target.derivatives) {
            (Some(error), _) => residual_gradient(error, target, &self.states),
            (None, Some(derivatives)) => derivatives.to_theta(target.at.theta(), &adjoints),
            (None, None) => Vec::new(),
        };
        EStepReport {
            objective,
            log_prior,
            gradient,
            scores,
        }
    }

    /// Move the Laplace posteriors to the current `theta`, starting from the last modes.
    fn refresh(&mut self, target: &EStepTarget, workers: &Workers) {
        let options = ModeOptions {
            max_steps: if self.modes.is_some() { 2 } else { 20 },
            tolerance: 1e-3,
            curvature: step_curvature(target.at.problem),
        };
        let start = self.modes.take().map(|modes| modes.phi);
        let at = (target.at.problem, &self.single);
        let conditional = Evaluator::of(at, target.at.theta(), target.at.prior().clone());
        let mut modes = Modes::find(&conditional, start.as_deref(), options, workers);
        if start.is_some() && looks_around(target.turn.iteration) {
            let options = ModeOptions {
                max_steps: 20,
                ..options
            };
            let fresh = Modes::find(&conditional, None, options, workers);
            modes.take_better(&fresh, &conditional, workers);
        }
        // One lane a subject.
        let places = self.single.places();
        for (state, block) in self.states.iter_mut().zip(&target.at.layout.blocks) {
            let subject = |l: usize| block.lanes.get(l).unwrap_or(&block.lanes[0]).subject as usize;
            let gather = |columns: fn(&Modes, usize) -> &Vec<Column>, k: usize| {
                Column(std::array::from_fn::<f64, LANES, _>(|l| {
                    let (b, lane) = places[subject(l)];
                    columns(&modes, b)[k].0[lane]
                }))
            };
            let d = state.phi.len();
            let center = (0..d).map(|k| gather(|m, b| &m.phi[b], k)).collect();
            let factor = (0..d * (d + 1) / 2)
                .map(|k| gather(|m, b| &m.factor[b], k))
                .collect();
            state.posterior = Some(LanePosterior::new(center, factor));
        }
        self.modes = Some(modes);
    }
}

/// Move the chains of a block, and gather what every draw tells. Where no chain moves the draws still count.
fn draw(
    context: &Context,
    plan: &SweepPlan,
    sampler: &dyn Sampler,
    state: &mut LaneDraws,
    target: &EStepTarget,
) -> BlockReport {
    if target.turn.first {
        state.moments.clear(state.phi.len());
    }
    let mut gradients = Gradients::default();
    let report = if state.is_idle() {
        samplers::SweepReport::default()
    } else {
        sampler.run(context, plan, state, &mut |state, draw| {
            count(context, state, target);
            if draw == Draw::Spaced && target.averages_gradient {
                gradients.add(state, target, None);
            }
        })
    };
    if state.moments.n == 0 || state.is_idle() {
        count(context, state, target);
    }
    let lanes = 0..state.n_lanes;
    let objective = lanes
        .map(|l| state.log_lik.0[l] + state.log_prior.0[l])
        .sum();
    let scores = gradients.add(state, target, target.scores);
    BlockReport {
        sampler: report,
        objective,
        log_prior: state.log_prior.0[..state.n_lanes].iter().sum(),
        adjoints: gradients.mean(),
        scores,
    }
}

/// Let the current draw enter the statistics.
fn count(context: &Context, state: &mut LaneDraws, target: &EStepTarget) {
    state
        .moments
        .add(context.isa, &state.phi, &state.log_lik, target.origin);
}

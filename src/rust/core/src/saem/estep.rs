//! E-step: draw `phi` of every subject and chain, and gather what the M-step needs of the draws.

use super::adapt::Scales;
use super::gradient::{adjoint_sums, residual_gradient, Gradients};
use super::score::Scores;
use crate::data::Layout;
use crate::inference::modes::{step_curvature, ModeOptions, Modes};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::keep::keeps;
use crate::parallel::Workers;
use crate::problem::{Derivatives, Means, Prior, Problem, Values};
use crate::random::{Purpose, Stream};
use crate::samplers::{
    BlockWalk, Context, Independence, Kernel, Mixture, Moments, Posterior, PriorKernel, RandomWalk,
    State, Tally,
};

/// Whether the Laplace posteriors are moved to the current `theta`: often while it travels, seldom once it has
/// settled. Mixture are exact whatever the posteriors are; only their acceptance depends on it.
fn refreshes(iteration: usize) -> bool {
    if iteration <= 50 {
        iteration % 5 == 1
    } else {
        iteration % 20 == 1
    }
}

/// Names of the kernels, in the order of their tallies.
pub const KERNELS: [&str; 4] = ["prior", "random_walk", "block", "independence"];

/// All chains of a fit.
pub struct Chains {
    states: Vec<State>,
    scales: Scales,
    /// Conditional modes of the subjects, found on a layout of one lane each.
    single: Layout,
    modes: Option<Modes>,
    stream: Stream,
    pub tallies: [Tally; 4],
}

keeps!(Chains: values { scales, modes, tallies } parts { states } rebuilt { single, stream });

/// What one block reports after its sweeps.
struct BlockReport {
    tallies: [Tally; 4],
    by_coordinate: Vec<Tally>,
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
pub struct Report {
    /// Complete-data log density, mean over chains.
    pub objective: f64,
    /// The part of it that is the density of `phi`.
    pub log_prior: f64,
    /// Gradient of the complete-data log density in `theta`, mean over chains; empty if nobody needs it.
    pub gradient: Vec<f64>,
    /// Scores of the lanes of each block, when asked for.
    pub scores: Vec<Vec<Column>>,
}

/// The target of an E-step: a problem at a `theta`.
pub struct Target<'a> {
    pub problem: &'a Problem,
    pub layout: &'a Layout,
    pub values: &'a Values<'a>,
    /// Derivatives in `theta`, when some parameter needs them.
    pub derivatives: Option<&'a Derivatives<'a>>,
    pub prior: &'a Prior,
    pub means: &'a Means,
    pub theta: &'a [f64],
    /// Where the moments of the draws are taken from.
    pub origin: &'a [f64],
    /// Whether the gradient is averaged over several draws of the iteration, not taken at the last alone.
    pub averages_gradient: bool,
    /// Asks for the scores of the lanes.
    pub scores: Option<&'a Scores<'a>>,
    pub turn: Turn,
}

/// Where in the run a sweep stands.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Iteration, counted from one.
    pub iteration: usize,
    /// Number of the turn in the whole run, from one: an iteration has several where groupings take turns.
    pub number: u32,
    /// Whether the draws are the first of the iteration that count.
    pub first: bool,
}

impl Chains {
    /// Start every chain at a draw from the population.
    pub fn new(target: &Target, seed: u64, target_acceptance: f64) -> Self {
        let stream = Stream {
            seed,
            purpose: Purpose::Sampler,
        };
        let mut chains = Self {
            states: Vec::new(),
            scales: Scales::new(target.problem.n_phi(), target_acceptance),
            single: target.problem.layout(1),
            modes: None,
            stream,
            tallies: [Tally::default(); 4],
        };
        for b in 0..target.layout.blocks.len() {
            let mean = target.means.columns(target.layout, b);
            let mut state = State::new(target.layout, b, mean, target.problem.group);
            if let Some(held) = target.problem.held_columns(target.layout, b) {
                state.hold(&held);
            }
            chains.states.push(state);
        }
        chains
    }

    /// Moments of the draws of the last iteration: `visit(subject, lane, moments)` in the order of the blocks.
    pub fn for_each_lane(&self, layout: &Layout, mut visit: impl FnMut(usize, usize, &Moments)) {
        for (state, block) in self.states.iter().zip(&layout.blocks) {
            for (l, lane) in block.lanes.iter().enumerate() {
                visit(lane.subject as usize, l, &state.moments);
            }
        }
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

    /// Run all kernels once at `target`.
    pub fn step(&mut self, target: &Target, kernels: Mixture, workers: &Workers) -> Report {
        if kernels.independence > 0 && refreshes(target.turn.iteration) {
            self.refresh(target);
        }
        let context = Context {
            values: target.values,
            prior: target.prior,
            stream: self.stream,
            iteration: target.turn.number,
            isa: Isa::detect(),
        };
        let first = target.turn.number == 1;
        let scales = &self.scales;
        let reports = workers.map(&mut self.states, |state| {
            state.begin(&context, target.means, target.layout);
            if first {
                PriorKernel.sweep(&context, state);
            }
            sweeps(&context, state, kernels, scales, target)
        });
        self.join(target, reports)
    }

    /// Gradient of the complete-data log density at the current draws, mean over chains, at any `theta` for which
    /// `derivatives` were prepared.
    pub fn gradient(
        &mut self,
        derivatives: &Derivatives,
        theta: &[f64],
        copies: usize,
        workers: &Workers,
    ) -> Vec<f64> {
        let reports = workers.map(&mut self.states, |state| adjoint_sums(derivatives, state));
        let mut adjoints = vec![0.0; derivatives.n_population()];
        for report in reports {
            for (total, adjoint) in adjoints.iter_mut().zip(report) {
                *total += adjoint / copies as f64;
            }
        }
        derivatives.to_theta(theta, &adjoints)
    }

    /// Add the reports up in the order of the blocks and adapt the walks.
    fn join(&mut self, target: &Target, reports: Vec<BlockReport>) -> Report {
        let d = target.problem.n_phi();
        let copies = target.layout.copies as f64;
        let mut by_coordinate = vec![Tally::default(); d];
        let mut block = Tally::default();
        let (mut objective, mut log_prior) = (0.0, 0.0);
        let mut adjoints = vec![0.0; target.derivatives.map_or(0, Derivatives::n_population)];
        let mut scores = Vec::new();
        for report in reports {
            scores.push(report.scores);
            for (total, tally) in self.tallies.iter_mut().zip(report.tallies) {
                total.add(tally);
            }
            block.add(report.tallies[2]);
            for (total, tally) in by_coordinate.iter_mut().zip(report.by_coordinate) {
                total.add(tally);
            }
            objective += report.objective / copies;
            log_prior += report.log_prior / copies;
            for (total, adjoint) in adjoints.iter_mut().zip(report.adjoints) {
                *total += adjoint / copies;
            }
        }
        let size = BlockWalk::size(target.turn.number, d);
        self.scales.update(&by_coordinate, size, block);
        let gradient = match (&target.problem.constant_error, target.derivatives) {
            (Some(error), _) => residual_gradient(error, target, &self.states),
            (None, Some(derivatives)) => derivatives.to_theta(target.theta, &adjoints),
            (None, None) => Vec::new(),
        };
        Report {
            objective,
            log_prior,
            gradient,
            scores,
        }
    }

    /// Move the Laplace posteriors to the current `theta`, starting from the last modes.
    fn refresh(&mut self, target: &Target) {
        let options = ModeOptions {
            max_steps: if self.modes.is_some() { 2 } else { 20 },
            tolerance: 1e-3,
            curvature: step_curvature(target.problem),
        };
        let start = self.modes.take().map(|modes| modes.phi);
        let modes = Modes::find(
            target.problem,
            &self.single,
            target.theta,
            target.prior,
            start.as_deref(),
            options,
        );
        // One lane a subject.
        let places = self.single.places();
        for (state, block) in self.states.iter_mut().zip(&target.layout.blocks) {
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
            state.posterior = Some(Posterior::new(center, factor));
        }
        self.modes = Some(modes);
    }
}

fn sweeps(
    context: &Context,
    state: &mut State,
    kernels: Mixture,
    scales: &Scales,
    target: &Target,
) -> BlockReport {
    let mut tallies = [Tally::default(); 4];
    let mut by_coordinate = vec![Tally::default(); state.phi.len()];
    if target.turn.first {
        state.moments.clear(state.phi.len());
    }
    for _ in 0..kernels.prior {
        tallies[0].add(PriorKernel.sweep(context, state));
    }
    let walk = RandomWalk {
        scale: &scales.coordinates,
    };
    for _ in 0..kernels.random_walk {
        for (total, tally) in by_coordinate
            .iter_mut()
            .zip(walk.sweep_by_coordinate(context, state))
        {
            total.add(tally);
            tallies[1].add(tally);
        }
        count(context, state, target);
    }
    if state.phi.len() > 1 {
        for _ in 0..kernels.block {
            tallies[2].add(
                BlockWalk {
                    scale: &scales.blocks,
                }
                .sweep(context, state),
            );
            count(context, state, target);
        }
    }
    let mut gradients = Gradients::default();
    for sweep in 0..kernels.independence {
        tallies[3].add(Independence.sweep(context, state));
        count(context, state, target);
        // Derivatives cost two sweeps: every second draw gives one. The last draw is taken below.
        if target.averages_gradient && sweep % 2 == 1 && sweep + 1 < kernels.independence {
            gradients.add(state, target, None);
        }
    }
    if state.moments.n == 0 {
        count(context, state, target);
    }
    let lanes = 0..state.n_lanes;
    let objective = lanes
        .map(|l| state.log_lik.0[l] + state.log_prior.0[l])
        .sum();
    let scores = gradients.add(state, target, target.scores);
    BlockReport {
        tallies,
        by_coordinate,
        objective,
        log_prior: state.log_prior.0[..state.n_lanes].iter().sum(),
        adjoints: gradients.mean(),
        scores,
    }
}

/// Let the current draw enter the statistics.
fn count(context: &Context, state: &mut State, target: &Target) {
    state
        .moments
        .add(context.isa, &state.phi, &state.log_lik, target.origin);
}

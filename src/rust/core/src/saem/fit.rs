//! Run SAEM on a problem.

use std::time::Instant;

use super::convergence::judge;
pub use super::convergence::FitStatus;
use super::estep::{Chains, Target, KERNELS};
use super::mstep::{Annealing, MStep, Step};
use super::options::SaemOptions;
use super::schedule::Schedule;
use super::statistics::Statistics;
use super::trace::Trace;
use nalgebra::DMatrix;

use crate::data::Layout;
use crate::error::Result;
use crate::monitor::{Monitor, Progress};
use crate::parallel::Workers;
use crate::problem::{Derivatives, Means, Prior, Problem, Values};

/// What a run of SAEM gives.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The estimate, transformed scale.
    pub theta: Vec<f64>,
    pub status: FitStatus,
    pub evidence: Vec<String>,
    pub trace: Trace,
    pub chains: usize,
    /// Kernel and acceptance rate.
    pub acceptance: Vec<(&'static str, f64)>,
    /// Proposals rejected because their density was not finite.
    pub not_finite: u64,
    /// Conditional means and standard deviations of `phi`, `n_subjects x d`, row-major.
    pub cond_mean: Vec<f64>,
    pub cond_sd: Vec<f64>,
    pub seconds: f64,
}

/// Iterations between two looks at the information of the score route.
const INFORMATION_EVERY: usize = 5;

/// Information of the complete data about some coordinates: central differences of the gradient at fixed draws.
fn information(
    problem: &Problem,
    layout: &Layout,
    coordinates: &[usize],
    theta: &[f64],
    chains: &mut Chains,
    workers: &Workers,
) -> DMatrix<f64> {
    let q = coordinates.len();
    let mut derivatives = Derivatives::new(problem, layout, &problem.programs.theta);
    let mut information = DMatrix::zeros(q, q);
    for (b, k) in coordinates.iter().enumerate() {
        let h = 1e-4 * theta[*k].abs().max(1.0);
        let mut side = |sign: f64| {
            let mut moved = theta.to_vec();
            moved[*k] += sign * h;
            derivatives.prepare(&moved);
            chains.gradient(&derivatives, &moved, layout.copies, workers)
        };
        let (up, down) = (side(1.0), side(-1.0));
        for (a, j) in coordinates.iter().enumerate() {
            information[(a, b)] = (down[*j] - up[*j]) / (2.0 * h);
        }
    }
    (&information + information.transpose()) * 0.5
}

/// Fit by SAEM.
///
/// # Errors
/// Threads that cannot be started, a start whose `Omega` is singular.
pub fn fit(
    problem: &Problem,
    options: &SaemOptions,
    seed: u64,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Fit> {
    let started = Instant::now();
    let workers = Workers::new(threads)?;
    let chains = options.chains_for(problem.n_subjects());
    let layout = problem.layout(chains);
    let schedule = Schedule::new(options);
    let mut values = Values::new(problem, &layout, &problem.programs.likelihood);
    let mut derivatives = Derivatives::new(problem, &layout, &problem.programs.theta);
    let mut mstep = MStep::new(problem);
    let mut theta = problem.theta.start.clone();
    let mut statistics = Statistics::new(&Means::new(problem, &layout, &theta));
    let origin = statistics.origin.clone();
    let mut state: Option<Chains> = None;
    let mut trace = Trace::default();
    let mut status = FitStatus::MaxIterations;
    for k in 1..=schedule.total() {
        let (phase, gain) = schedule.at(k);
        let Ok(prior) = Prior::new(problem, &theta) else {
            status = FitStatus::NotFinite;
            break;
        };
        let means = Means::new(problem, &layout, &theta);
        values.prepare(&theta);
        if mstep.needs_gradient() {
            derivatives.prepare(&theta);
        }
        let target = Target {
            problem,
            layout: &layout,
            values: &values,
            derivatives: mstep.needs_gradient().then_some(&derivatives),
            prior: &prior,
            means: &means,
            theta: &theta,
            origin: &origin,
        };
        let chains = state
            .get_or_insert_with(|| Chains::new(&target, seed, options.target_acceptance));
        let report = chains.step(&target, options.kernels, k, &workers);
        statistics.update(chains, &layout, gain);
        if !mstep.scored.is_empty() && (k <= 30 || k % INFORMATION_EVERY == 0) {
            let information = information(problem, &layout, &mstep.scored, &theta, chains, &workers);
            mstep.learn_information(information, (1.0 / k as f64).max(0.1));
        }
        let rate = if options.annealing && schedule.anneals(k) { options.annealing_rate } else { 0.0 };
        let step = Step {
            layout: &layout,
            statistics: &statistics,
            prior: &prior,
            gradient: &report.gradient,
            gain,
            annealing: Annealing { rate },
        };
        mstep.update(&step, &mut theta);
        trace.push(&theta, gain, phase, report.objective);
        monitor.report(&Progress {
            iteration: k,
            total: schedule.total(),
            phase: phase.name(),
            gain,
            objective: report.objective,
        });
        if theta.iter().any(|x| !x.is_finite()) {
            status = FitStatus::NotFinite;
            break;
        }
        if monitor.interrupted() {
            status = FitStatus::Interrupted;
            break;
        }
    }
    let (cond_mean, cond_sd) = statistics.conditional();
    let mut result = Fit {
        theta,
        status,
        evidence: Vec::new(),
        chains,
        acceptance: Vec::new(),
        not_finite: 0,
        cond_mean,
        cond_sd,
        seconds: started.elapsed().as_secs_f64(),
        trace,
    };
    if let Some(chains) = &state {
        let rates = chains.tallies.iter().map(|tally| tally.rate());
        result.acceptance = KERNELS.into_iter().zip(rates).collect();
        result.not_finite = chains.tallies.iter().map(|tally| tally.not_finite).sum();
    }
    if status == FitStatus::MaxIterations {
        (result.status, result.evidence) = judge(problem, &result.trace, options.smoothing);
    }
    Ok(result)
}

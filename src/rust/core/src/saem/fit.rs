//! Run SAEM on a problem.

use std::time::Instant;

use super::convergence::judge;
pub use super::convergence::FitStatus;
use super::estep::{Chains, Report, Target, KERNELS};
use super::information::AtDraws;
use super::mstep::{Annealing, MStep, Step};
use super::newton::MAX_PARAMETERS;
use super::options::SaemOptions;
use super::schedule::{Phase, Schedule};
use super::score::Scores;
use super::smoother::Smoother;
use super::start::check_start;
use super::statistics::Statistics;
use super::trace::Trace;
use nalgebra::DMatrix;

use crate::data::Layout;
use crate::error::Result;
use crate::monitor::{Monitor, Progress};
use crate::parallel::Workers;
use crate::problem::{Derivatives, MeanProgram, Means, Prior, Problem, Route, Values};

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
    /// Covariance of the estimate of the free coordinates, transformed scale, when it was learned.
    pub covariance: Option<DMatrix<f64>>,
    pub seconds: f64,
}

/// Iterations between two looks at second derivatives.
const INFORMATION_EVERY: usize = 5;

/// Fit by SAEM.
///
/// # Errors
/// Threads that cannot be started, observations without a density at the starting values.
pub fn fit(
    problem: &Problem,
    options: &SaemOptions,
    seed: u64,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Fit> {
    let started = Instant::now();
    check_start(problem)?;
    let workers = Workers::new(threads)?;
    let layout = problem.layout(options.chains_for(problem.n_subjects()));
    let mut run = Run::new(problem, options, &layout, seed);
    let mut status = FitStatus::MaxIterations;
    for k in 1..=run.schedule.total() {
        match run.iterate(k, &workers) {
            Some(progress) => monitor.report(&progress),
            None => {
                status = FitStatus::NotFinite;
                break;
            }
        }
        if monitor.interrupted() {
            status = FitStatus::Interrupted;
            break;
        }
    }
    let mut fit = run.finish(status);
    fit.seconds = started.elapsed().as_secs_f64();
    Ok(fit)
}

/// Everything that lives through the iterations.
struct Run<'a> {
    problem: &'a Problem,
    options: &'a SaemOptions,
    layout: &'a Layout,
    schedule: Schedule,
    values: Values<'a>,
    derivatives: Derivatives<'a>,
    mean_program: MeanProgram<'a>,
    mstep: MStep<'a>,
    /// Smoothed statistics, and those of the current iteration alone.
    statistics: Statistics,
    now: Statistics,
    smoother: Option<Smoother>,
    free: Vec<usize>,
    chains: Option<Chains>,
    seed: u64,
    theta: Vec<f64>,
    trace: Trace,
}

impl<'a> Run<'a> {
    fn new(problem: &'a Problem, options: &'a SaemOptions, layout: &'a Layout, seed: u64) -> Self {
        let theta = problem.theta.start.clone();
        let mut mean_program = MeanProgram::new(problem, layout);
        let statistics = Statistics::new(&mean_program.at(&theta));
        let free: Vec<usize> = (0..theta.len())
            .filter(|k| problem.theta.routes[*k] != Route::Fixed)
            .collect();
        let accelerates = options.acceleration && free.len() <= MAX_PARAMETERS;
        Self {
            problem,
            options,
            layout,
            schedule: Schedule::new(options),
            values: Values::new(problem, layout, &problem.programs.likelihood),
            derivatives: Derivatives::new(problem, layout, &problem.programs.theta),
            mean_program,
            mstep: MStep::new(problem, &free),
            now: statistics.clone(),
            statistics,
            smoother: accelerates.then(|| {
                Smoother::new(
                    problem.n_subjects(),
                    free.len(),
                    layout.copies,
                    options.kernels.smoothing().draws(),
                )
            }),
            free,
            chains: None,
            seed,
            theta,
            trace: Trace::default(),
        }
    }

    /// One iteration, counted from one; `None` when numbers failed, `theta` then being the last good one.
    fn iterate(&mut self, k: usize, workers: &Workers) -> Option<Progress> {
        let (phase, gain) = self.schedule.at(k);
        let theta = self.theta.clone();
        let prior = Prior::new(self.problem, &theta).ok()?;
        let means = self.mean_program.at(&theta);
        let report = self.draw(k, &prior, &means, workers);
        let chains = self.chains.as_ref()?;
        self.statistics.update(chains, self.layout, gain);
        self.now.update(chains, self.layout, 1.0);
        self.learn_information(k, workers);
        self.smooth(k, &prior, &means, &report);
        let moved = match &self.smoother {
            Some(smoother) if phase == Phase::Smoothing => {
                let gain = self.schedule.preconditioned(k);
                smoother.advance(self.problem, &self.free, gain, &mut self.theta)
            }
            _ => false,
        };
        if !moved {
            let anneals = self.options.annealing && self.schedule.anneals(k);
            let rate = if anneals {
                self.options.annealing_rate
            } else {
                0.0
            };
            let step = Step {
                statistics: &self.statistics,
                means: &means,
                prior: &prior,
                gradient: &report.gradient,
                gain,
                annealing: Annealing { rate },
            };
            self.mstep
                .update(&step, &mut self.mean_program, &mut self.theta);
        }
        let sound = self.shorten(&theta);
        self.trace.push(&self.theta, gain, phase, report.objective);
        sound.then(|| Progress {
            iteration: k,
            total: self.schedule.total(),
            phase: phase.name(),
            gain,
            objective: report.objective,
        })
    }

    /// E-step at the current `theta`.
    fn draw(&mut self, k: usize, prior: &Prior, means: &Means, workers: &Workers) -> Report {
        let (phase, _) = self.schedule.at(k);
        let theta = self.theta.clone();
        self.values.prepare(&theta);
        let derivatives = self.mstep.needs_derivatives().then(|| {
            self.derivatives.prepare(&theta);
            &self.derivatives
        });
        let keeps = self.smoother.is_some() && self.schedule.keeps_scores(k);
        let scores =
            keeps.then(|| Scores::new(self.problem, &self.free, prior, derivatives, &theta));
        let target = Target {
            problem: self.problem,
            layout: self.layout,
            values: &self.values,
            derivatives,
            prior,
            means,
            theta: &theta,
            origin: &self.statistics.origin,
            averages_gradient: phase == Phase::Smoothing,
            scores: scores.as_ref(),
        };
        let (seed, acceptance) = (self.seed, self.options.target_acceptance);
        let chains = self
            .chains
            .get_or_insert_with(|| Chains::new(&target, seed, acceptance));
        let kernels = match phase {
            Phase::Exploration => self.options.kernels,
            Phase::Smoothing => self.options.kernels.smoothing(),
        };
        chains.step(&target, kernels, k, workers)
    }

    /// Look at the second derivatives of the score route, every iteration at first, then now and then.
    fn learn_information(&mut self, k: usize, workers: &Workers) {
        let due = k <= 30 || k.is_multiple_of(INFORMATION_EVERY);
        let Some(chains) = self
            .chains
            .as_mut()
            .filter(|_| due && !self.mstep.scored.is_empty())
        else {
            return;
        };
        let draws = AtDraws {
            problem: self.problem,
            layout: self.layout,
            free: &self.free,
            linear: &self.mstep.linear,
            now: &self.now,
            workers,
        };
        let scored = &self.mstep.scored;
        let new = draws.information(scored, &self.theta, &mut self.mean_program, chains);
        if let Some(new) = new {
            self.mstep.learn_information(new, (1.0 / k as f64).max(0.1));
        }
    }

    /// Let the scores of the draws enter the smoother, and while smoothing their total.
    fn smooth(&mut self, k: usize, prior: &Prior, means: &Means, report: &Report) {
        let Some(smoother) = self
            .smoother
            .as_mut()
            .filter(|_| self.schedule.keeps_scores(k))
        else {
            return;
        };
        smoother.learn(self.layout, &report.scores);
        if self.schedule.at(k).0 == Phase::Exploration {
            return;
        }
        let derivatives = self.mstep.needs_derivatives().then_some(&self.derivatives);
        let scores = Scores::new(self.problem, &self.free, prior, derivatives, &self.theta);
        let total = scores.total(&self.mstep.linear, &self.now, means, &report.gradient);
        if k.is_multiple_of(INFORMATION_EVERY) || !smoother.ready() {
            smoother.precondition(self.problem, &scores, &self.mstep, prior);
        }
        smoother.observe(total);
    }

    /// Halve the step from `old` until the population distribution exists; false when it never does.
    fn shorten(&mut self, old: &[f64]) -> bool {
        for _ in 0..20 {
            let finite = self.theta.iter().all(|x| x.is_finite());
            if finite
                && Prior::new(self.problem, &self.theta).is_ok()
                && self
                    .mean_program
                    .at(&self.theta)
                    .values
                    .iter()
                    .all(|m| m.is_finite())
            {
                return true;
            }
            for (new, old) in self.theta.iter_mut().zip(old) {
                *new = if new.is_finite() {
                    0.5 * (*new + old)
                } else {
                    *old
                };
            }
        }
        self.theta = old.to_vec();
        false
    }

    /// A chain without a finite density never moves: nothing that was averaged over it means anything.
    fn lost(&self) -> Option<(FitStatus, Vec<String>)> {
        let subject = self.chains.as_ref()?.lost(self.layout)?;
        let evidence = format!(
            "The likelihood of subject {} is not finite at any draw of its random effects.",
            self.problem.records.labels[subject]
        );
        Some((FitStatus::NotFinite, vec![evidence]))
    }

    fn finish(self, status: FitStatus) -> Fit {
        let (cond_mean, cond_sd) = self.statistics.conditional();
        let smoother = self.smoother.as_ref();
        let verdict = smoother.and_then(|s| s.verdict(self.problem, &self.free, &self.theta));
        let (status, evidence) = match (status, self.lost()) {
            (FitStatus::MaxIterations | FitStatus::NotFinite, Some(lost)) => lost,
            (FitStatus::MaxIterations, None) => {
                verdict.unwrap_or_else(|| judge(self.problem, &self.trace, self.options.smoothing))
            }
            (other, _) => (other, Vec::new()),
        };
        let tallies = self.chains.map(|chains| chains.tallies).unwrap_or_default();
        Fit {
            theta: self.theta,
            status,
            evidence,
            trace: self.trace,
            chains: self.layout.copies,
            acceptance: KERNELS
                .into_iter()
                .zip(tallies.map(|tally| tally.rate()))
                .collect(),
            not_finite: tallies.iter().map(|tally| tally.not_finite).sum(),
            cond_mean,
            cond_sd,
            covariance: self.smoother.as_ref().and_then(Smoother::covariance),
            seconds: 0.0,
        }
    }
}

//! Run VEM on a problem: sweeps of the M-step, quasi-Newton steps on the profiled bound, the polish.

use std::time::Instant;

use super::ascent::{climb, Patience, Summit, Surface};
use super::check::{verify, Elbo};
use super::inner::Limits;
use super::options::VemOptions;
use super::polish::{Kept, Proposal, Sampled};
use super::population::Maximizer;
use super::profile::Profile;
use super::rule::Rule;
use super::start::start;
use super::verdict::{judge, Run};
use crate::error::Result;
use crate::fitted::{Fit, FitStatus, Trace};
use crate::inference::cloud::{layouts, Cloud, Levels, Weighted};
use crate::inference::importance::Sampling;
use crate::inference::points::{LatticePoints, Source};
use crate::inference::posterior::{Batches, Posterior};
use crate::inference::start::check_start;
use crate::monitor::{Monitor, Progress};
use crate::parallel::Workers;
use crate::problem::{Joint, Points};
use crate::random::{Purpose, Stream};

/// What a run of VEM gives.
pub struct VemFit {
    pub fit: Fit,
    /// The variational distributions at the maximum of the bound.
    pub q: Posterior,
    pub elbo: Elbo,
    /// Gaussians with the moments of the effects of every batch at the estimate: where draws are best made.
    pub proposal: Posterior,
}

/// A run and who watches it.
struct Course<'c> {
    joint: &'c Joint,
    options: &'c VemOptions,
    seed: u64,
    workers: Workers,
    monitor: &'c dyn Monitor,
    trace: Trace,
    penalty: Vec<f64>,
}

/// Fit by VEM from the start of the problem; `first`: effects from which modes are searched, NaN for the mean.
///
/// # Errors
/// Threads that cannot be started, observations without a density at the starting values, options that do not fit the
/// model.
pub fn fit(
    joint: &Joint,
    options: &VemOptions,
    (seed, threads): (u64, usize),
    first: Option<&Points>,
    monitor: &dyn Monitor,
) -> Result<VemFit> {
    let started = Instant::now();
    check_start(joint)?;
    let batches = Batches::new(joint);
    let rule = Rule::new(options, &batches, seed);
    let layouts = layouts(joint, rule.copies);
    let mut cloud = Cloud::new(joint, &layouts);
    let mut maximizer = Maximizer::new(joint, &layouts);
    let mut course = Course {
        joint,
        options,
        seed,
        workers: Workers::new(threads)?,
        monitor,
        trace: Trace::default(),
        penalty: super::penalty::of(joint, options, &maximizer.free)?,
    };
    let points = rule.points(&batches, 0, 0)?;
    let theta = &joint.theta.start;
    let q = start(joint, &batches, theta, first, &course.workers)?;
    let penalty = course.penalty.clone();
    let workers = course.workers.clone();
    let limits = Limits {
        steps: options.inner_maxiters,
        tolerance: options.inner_tolerance,
    };
    let mut profile = Profile::new(
        (&mut cloud, &mut maximizer),
        (&points, options.family, limits),
        &penalty,
        q,
        &workers,
    );
    let theta = course.sweep(&mut profile);
    let summit = course.ascend(&mut profile, &theta);
    let (values, settled) = profile.batches();
    let q = profile.q.clone();
    let mut run = Run {
        joint,
        tolerance: options.tolerance,
        lost: settled.iter().filter(|settled| !**settled).count(),
        summit,
        polished: None,
    };
    let theta = run
        .summit
        .as_ref()
        .map_or(theta, |summit| summit.theta.clone());
    let fitted = values.iter().sum();
    let elbo = verify(joint, &theta, &q, (fitted, seed), &workers)?;
    let mut theta = theta;
    let mut moments = Levels::of(&q);
    if options.polish && run.is_sound() {
        if let Some((summit, weighted)) = course.polish(&theta, &q) {
            theta.clone_from(&summit.theta);
            moments = weighted;
            run.polished = Some(summit);
        }
    }
    let (status, evidence) = judge(&run, &elbo, monitor.interrupted());
    let mut fit = course.report(theta, (status, evidence), &moments, rule.copies);
    fit.seconds = started.elapsed().as_secs_f64();
    let proposal = (moments.iter().zip(&q))
        .map(|(moments, q)| moments.gaussian().unwrap_or_else(|| q.clone()))
        .collect();
    Ok(VemFit {
        fit,
        q,
        elbo,
        proposal,
    })
}

impl Course<'_> {
    /// EM sweeps; `theta` after the last.
    fn sweep(&mut self, profile: &mut Profile) -> Vec<f64> {
        let mut theta = self.joint.theta.start.clone();
        let limits = profile.limits;
        profile.limits.steps = limits.steps.min(SWEEP_STEPS);
        for _ in 0..self.options.sweeps {
            let Some(value) = profile.solve(&theta) else {
                break;
            };
            if !self.note(&theta, value, "sweep") {
                break;
            }
            match profile.sweep() {
                Some(next) => theta = next,
                None => break,
            }
        }
        profile.limits = limits;
        theta
    }

    /// Quasi-Newton steps on the profiled bound.
    fn ascend(&mut self, profile: &mut Profile, theta: &[f64]) -> Option<Summit> {
        let patience = Patience {
            steps: self.options.maxiters,
            tolerance: self.options.tolerance,
        };
        let free = profile.maximizer.free.clone();
        let joint = self.joint;
        let summit = climb(
            profile,
            (&joint.theta, &free),
            theta,
            patience,
            &mut |theta, value| self.note(theta, value, "newton"),
        )?;
        // The draws and `q` stand where the last trial did.
        profile.at(&summit.theta)?;
        profile.take();
        Some(summit)
    }

    /// Maximize the importance-sampled likelihood; moments of the effects at its maximum.
    fn polish(&mut self, theta: &[f64], q: &Posterior) -> Option<(Summit, Vec<Weighted>)> {
        let (joint, options) = (self.joint, self.options);
        let kept = Kept::new(joint);
        let layouts = layouts(joint, options.polish_draws);
        let mut cloud = Cloud::new(&kept.joint, &layouts);
        let mut maximizer = Maximizer::new(&kept.joint, &layouts);
        let free = maximizer.free.clone();
        let lattice = self.lattice(&cloud);
        let patience = Patience {
            steps: options.maxiters,
            tolerance: options.tolerance,
        };
        let (mut theta, mut q) = (theta.to_vec(), q.clone());
        let mut found = None;
        for _ in 0..options.polish_rounds.max(1) {
            q = self.moved(&theta, &q).unwrap_or(q);
            let proposal = Proposal::new(&cloud, &q, &lattice);
            kept.set(&mut cloud, &proposal.draws, &theta, &self.workers);
            let mut sampled = Sampled {
                cloud: &mut cloud,
                maximizer: &mut maximizer,
                proposal: &proposal,
                penalty: &self.penalty,
                workers: &self.workers,
                there: None,
            };
            let (trace, monitor) = (&mut self.trace, self.monitor);
            let mut watch =
                |theta: &[f64], value: f64| note(trace, monitor, theta, value, "polish");
            let bounds = (&joint.theta, free.as_slice());
            let summit = climb(&mut sampled, bounds, &theta, patience, &mut watch)?;
            sampled.at(&summit.theta)?;
            let there = sampled.there.take()?;
            theta.clone_from(&summit.theta);
            let done = there.least_effective() >= DEGENERATE || summit.stopped;
            found = Some((summit, there.moments));
            if done {
                break;
            }
        }
        found
    }

    /// The same points in every round, so that rounds differ by their proposals alone.
    fn lattice(&self, cloud: &Cloud) -> LatticePoints {
        let stream = Stream {
            seed: self.seed,
            purpose: Purpose::Importance,
        };
        let source = Source {
            stream,
            replicate: POLISH,
        };
        LatticePoints::new(source, cloud.copies, cloud.batches.max_dim())
    }

    /// Proposals with the conditional means and covariances at `theta`.
    fn moved(&self, theta: &[f64], q: &Posterior) -> Option<Posterior> {
        let sampling = Sampling {
            joint: self.joint,
            theta,
            workers: &self.workers,
            seed: self.seed,
            draws: self.options.polish_draws,
        };
        sampling.moved(q).ok()
    }

    fn note(&mut self, theta: &[f64], value: f64, phase: &'static str) -> bool {
        note(&mut self.trace, self.monitor, theta, value, phase)
    }

    fn report(
        &mut self,
        theta: Vec<f64>,
        (status, evidence): (FitStatus, Vec<String>),
        moments: &[Weighted],
        copies: usize,
    ) -> Fit {
        let batches = Batches::new(self.joint);
        let levels = Levels {
            joint: self.joint,
            batches: &batches,
            moments,
        };
        let conditional = (0..self.joint.parts.len()).map(|group| levels.conditional(group));
        let (cond_mean, cond_sd) = conditional.unzip();
        Fit {
            theta,
            status,
            evidence,
            trace: std::mem::take(&mut self.trace),
            chains: copies,
            acceptance: Vec::new(),
            not_finite: 0,
            cond_mean,
            cond_sd,
            covariance: None,
            seconds: 0.0,
            state: None,
            warnings: Vec::new(),
        }
    }
}

/// Steps of `q` in a sweep, after which `theta` moves on all the same.
const SWEEP_STEPS: usize = 5;

/// The randomization of the polish's points, none that the likelihood is computed with.
const POLISH: u32 = 1 << 16;

/// Effective part of the draws of a batch below which its draws are made anew.
const DEGENERATE: f64 = 0.2;

/// Keep a step in the trace and report it; whether to go on.
fn note(
    trace: &mut Trace,
    monitor: &dyn Monitor,
    theta: &[f64],
    value: f64,
    phase: &'static str,
) -> bool {
    trace.push(theta, 1.0, phase, value);
    monitor.report(&Progress {
        iteration: trace.len(),
        total: trace.len(),
        phase,
        gain: 1.0,
        objective: value,
    });
    !monitor.interrupted()
}

//! Run VEM on a problem: sweeps of the M-step, quasi-Newton steps on the profiled bound, the polish.

use std::time::Instant;

use super::ascent::{climb, Summit, Surface};
use super::course::Course;
use super::options::VemOptions;
use super::polish::{Proposal, Sampled};
use super::population::{free, Maximizer};
use super::start::start;
use super::stochastic;
use super::verdict::{judge, verify, Elbo, Run};
use crate::error::Result;
use crate::fitted::{Fit, FitStatus, Trace};
use crate::inference::cloud::{layouts, Cloud, Levels, Weighted};
use crate::inference::points::{LatticePoints, Source};
use crate::inference::posterior::{Batches, Posterior};
use crate::inference::start::check_start;
use crate::monitor::Monitor;
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
    let workers = Workers::new(threads)?;
    let free = free(joint);
    let mut course = Course {
        joint,
        options,
        seed,
        workers: &workers,
        monitor,
        trace: Trace::default(),
        penalty: super::penalty::of(joint, options, &free)?,
    };
    let batches = Batches::new(joint);
    let q = start(joint, &batches, &joint.theta.start, first, &workers)?;
    let found = if stochastic::is_wanted(options) {
        stochastic::run(&mut course, &batches, q)?
    } else {
        course.maximize(q)?
    };
    let (mut theta, q) = (found.theta, found.q);
    let mut run = Run {
        joint,
        tolerance: options.tolerance,
        lost: found.lost,
        summit: found.summit,
        noise: found.noise,
        polished: None,
    };
    let elbo = verify(joint, &theta, (&q, options, seed), found.values, &workers)?;
    let mut moments = Levels::of(&q);
    if options.polish && run.is_sound() {
        if let Some((summit, weighted)) = course.polish(&theta, &q) {
            theta.clone_from(&summit.theta);
            moments = weighted;
            run.polished = Some(summit);
        }
    }
    let (status, evidence) = judge(&run, &elbo, monitor.interrupted());
    let mut fit = course.report(theta, (status, evidence), &moments, found.copies);
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
    /// Maximize the importance-sampled likelihood; moments of the effects at its maximum.
    fn polish(&mut self, theta: &[f64], q: &Posterior) -> Option<(Summit, Vec<Weighted>)> {
        let layouts = layouts(self.joint, self.options.polish_draws);
        let mut cloud = Cloud::new(self.joint, &layouts);
        let mut maximizer = Maximizer::new(self.joint, &layouts);
        let free = maximizer.free.clone();
        let stream = Stream {
            seed: self.seed,
            purpose: Purpose::Importance,
        };
        let source = Source {
            stream,
            replicate: 0,
        };
        let lattice = LatticePoints::new(source, cloud.copies, cloud.batches.max_dim());
        let (penalty, joint, options) = (self.penalty.clone(), self.joint, self.options);
        let patience = self.patience(free.len());
        let (mut theta, mut q) = (theta.to_vec(), q.clone());
        let mut found = None;
        for _ in 0..options.polish_rounds.max(1) {
            let proposal = Proposal::new(&cloud, &q, &lattice);
            cloud.set(&proposal.draws);
            let mut sampled = Sampled {
                cloud: &mut cloud,
                maximizer: &mut maximizer,
                proposal: &proposal,
                penalty: &penalty,
                workers: self.workers,
                there: None,
            };
            let summit = climb(
                &mut sampled,
                (&joint.theta, &free),
                &theta,
                patience,
                &mut |theta, value| self.note(theta, value, "polish"),
            )?;
            sampled.at(&summit.theta)?;
            let there = sampled.there.take()?;
            theta.clone_from(&summit.theta);
            let effective = there.least_effective();
            for (q, moments) in q.iter_mut().zip(&there.moments) {
                if let Some(better) = moments.gaussian() {
                    *q = better;
                }
            }
            let done = effective >= DEGENERATE || summit.stopped;
            found = Some((summit, there.moments));
            if done {
                break;
            }
        }
        found
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

/// Effective part of the draws of a batch below which its draws are made anew.
const DEGENERATE: f64 = 0.2;

//! Run VEM on a problem: sweeps of the M-step, quasi-Newton steps on the profiled bound, the polish.

use std::time::Instant;

use super::ascent::{climb, Summit, Surface};
use super::check::{verify, Elbo};
use super::course::{around, Course};
use super::flow::Flow;
use super::options::{Family, VemOptions};
use super::polish::{Kept, Proposal, Sampled};
use super::population::{free, priors, Maximizer};
use super::rule::Rule;
use super::start::{independent, start};
use super::stochastic;
use super::verdict::{judge, Run};
use crate::error::Result;
use crate::fitted::{Fit, FitStatus, Trace};
use crate::inference::cloud::{layouts, Cloud, Levels, Weighted};
use crate::inference::importance::Sampling;
use crate::inference::points::{LatticePoints, Source};
use crate::inference::posterior::{population, Batches, Gaussian, Posterior};
use crate::inference::start::check_start;
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{Joint, Means, Points};
use crate::random::{Purpose, Stream};

/// What a run of VEM gives.
pub struct VemFit {
    pub fit: Fit,
    /// The variational distributions that are best at the estimates.
    pub q: Posterior,
    /// Layers that bend them; none of Gaussian ones.
    pub flows: Vec<Flow>,
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
    let mut q = start(joint, &batches, &joint.theta.start, first, &workers)?;
    if options.family == Family::MeanField {
        q = independent(q);
    }
    let found = if stochastic::is_wanted(options) {
        stochastic::run(&mut course, &batches, q)?
    } else {
        course.maximize(q)?
    };
    let copies = found.copies;
    let mut run = Run {
        joint,
        tolerance: options.tolerance,
        lost: found.lost,
        still: false,
        summit: found.summit,
        noise: found.noise,
        polished: None,
    };
    let mut theta = found.theta;
    let mut moments = found.moments;
    let mut proposal = around(&moments, &found.q);
    if options.polish && run.is_sound() {
        if let Some((summit, weighted)) = course.polish(&theta, &proposal) {
            theta.clone_from(&summit.theta);
            proposal = around(&weighted, &proposal);
            moments = weighted;
            run.polished = Some(summit);
        }
    }
    // Bound and distributions are those at the estimates that are reported.
    let rule = Rule::new(options, &batches, seed).staying(&batches);
    let found = course.settle(rule, (found.q, found.flows), &theta)?;
    run.lost = run.lost.max(found.lost);
    run.still = is_still(joint, &theta, &found.q);
    let (fitted, bent) = (
        found.values.iter().sum(),
        (&found.q, found.flows.as_slice()),
    );
    let elbo = verify(joint, &theta, bent, (fitted, seed), &workers)?;
    let (status, evidence) = judge(&run, &elbo, monitor.interrupted());
    let mut fit = course.report(theta, (status, evidence), &moments, copies);
    fit.seconds = started.elapsed().as_secs_f64();
    Ok(VemFit {
        fit,
        q: found.q,
        flows: found.flows,
        elbo,
        proposal,
    })
}

/// Whether every `q` is the population: the data say nothing about the effects.
fn is_still(joint: &Joint, theta: &[f64], q: &Posterior) -> bool {
    let Some(priors) = priors(joint, theta) else {
        return false;
    };
    let means: Vec<Means> = (joint.parts.iter())
        .map(|part| Means::new(part, &part.layout(1), theta))
        .collect();
    let all = population(&Batches::new(joint), &means, &priors);
    let near = |q: &Gaussian, p: &Gaussian| {
        (0..q.dim()).all(|i| {
            let sd = p.covariance(i, i).sqrt();
            let ratio = q.covariance(i, i).sqrt() / sd;
            (q.mean[i] - p.mean[i]).abs() < STILL * sd && (ratio - 1.0).abs() < STILL
        })
    };
    q.iter().zip(&all).all(|(q, p)| near(q, p))
}

impl Course<'_> {
    /// Maximize the importance-sampled likelihood; moments of the effects at its maximum.
    fn polish(&mut self, theta: &[f64], q: &Posterior) -> Option<(Summit, Vec<Weighted>)> {
        let (joint, options, penalty) = (self.joint, self.options, self.penalty.clone());
        let kept = Kept::new(joint);
        let most = MOST_LANES / joint.n_batches.max(1);
        let layouts = layouts(joint, options.polish_draws.min(most.max(FEWEST)));
        let mut cloud = Cloud::new(&kept.joint, &layouts);
        let mut maximizer = Maximizer::new(&kept.joint, &layouts);
        let free = maximizer.free.clone();
        let lattice = self.lattice(&cloud);
        let patience = self.patience(free.len());
        let (mut theta, mut q) = (theta.to_vec(), q.clone());
        let mut found = None;
        for _ in 0..options.polish_rounds.max(1) {
            q = self.moved(&theta, &q).unwrap_or(q);
            let proposal = Proposal::new(&cloud, &q, &lattice);
            kept.set(&mut cloud, &proposal.draws, &theta, self.workers);
            let mut sampled = Sampled {
                cloud: &mut cloud,
                maximizer: &mut maximizer,
                proposal: &proposal,
                penalty: &penalty,
                workers: self.workers,
                there: None,
            };
            let bounds = (&joint.theta, free.as_slice());
            let summit = climb(
                &mut sampled,
                bounds,
                &theta,
                patience,
                &mut |theta, value| self.note(theta, value, "polish"),
            )?;
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
            workers: self.workers,
            seed: self.seed,
            draws: self.options.polish_draws,
        };
        sampling.moved(q).ok()
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

/// The randomization of the polish's points, none that the likelihood is computed with.
const POLISH: u32 = 1 << 16;

/// Draws of all batches together that the polish holds, and the fewest of a batch.
const MOST_LANES: usize = 1 << 22;
const FEWEST: usize = 16;

/// Distance from the population, in its standard deviations, below which a `q` has not moved.
const STILL: f64 = 0.01;

/// Effective part of the draws of a batch below which its draws are made anew.
const DEGENERATE: f64 = 0.2;

//! Run VEM on a problem: sweeps of the M-step, quasi-Newton steps on the profiled bound, the polish.

use std::time::Instant;

use super::check::{verify, Elbo};
use super::course::{around, BoundAscent, BoundMaximum};
use super::flow::FlowLayers;
use super::independent::independent;
use super::options::{PosteriorFamily, VemOptions};
use super::rule::PointRule;
use super::stochastic;
use super::verdict::{judge, EndedRun};
use crate::error::Result;
use crate::fitted::{Fit, FitStatus, Trace};
use crate::inference::cloud::{BatchMoments, LevelMoments};
use crate::inference::information::{estimated, free, MOST_INFORMED};
use crate::inference::laplace;
use crate::inference::penalty;
use crate::inference::posterior::{population, BatchGaussian, BatchPosteriors, Batches};
use crate::inference::start::check_start;
use crate::maximum::{Arrival, MaximumSearch, Summit};
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint};

/// What a run of VEM gives.
pub struct VemFit {
    pub fit: Fit,
    /// The variational distributions that are best at the estimates.
    pub q: BatchPosteriors,
    /// Layers that bend them; none of Gaussian ones.
    pub flows: Vec<FlowLayers>,
    pub elbo: Elbo,
    /// Gaussians with the moments of the effects of every batch at the estimate: where draws are best made.
    pub proposal: BatchPosteriors,
    /// What fresh draws say of the estimates.
    pub arrival: Option<Arrival>,
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
    first: Option<&EffectValues>,
    monitor: &dyn Monitor,
) -> Result<VemFit> {
    let started = Instant::now();
    let workers = Workers::new(threads)?;
    let free = free(joint);
    let batches = Batches::new(joint);
    let mut course = BoundAscent::new((joint, options), (seed, &workers), monitor)?;
    let found = course.rise(&batches, first)?;
    let copies = found.copies;
    let mut run = EndedRun {
        joint,
        tolerance: options.tolerance,
        lost: found.lost,
        still: false,
        summit: found.summit,
        noise: found.noise,
        polished: None,
    };
    let mut theta = found.theta;
    let moments = found.moments;
    let proposal = around(&moments, &found.q);
    let mut warnings = Vec::new();
    let mut arrival = None;
    if run.is_sound() && free.len() <= MOST_INFORMED {
        match course.arrive(&theta, &proposal, free.len()) {
            Ok(found) => arrival = Some(found),
            Err(error) => warnings.push(error.to_string()),
        }
    } else if run.is_sound() && options.polish {
        run.polished = course.polish(&theta, &proposal, free.len());
    }
    if let Some(arrival) = &arrival {
        theta.clone_from(&arrival.theta);
    } else if let Some(summit) = &run.polished {
        theta.clone_from(&summit.theta);
    }
    // Bound and distributions are those at the estimates that are reported.
    let rule = PointRule::new(options, &batches, seed).staying(&batches);
    let found = course.settle(rule, (found.q, found.flows), &theta)?;
    run.lost = run.lost.max(found.lost);
    run.still = is_still(joint, &theta, &found.q);
    let (fitted, bent) = (
        found.values.iter().sum(),
        (&found.q, found.flows.as_slice()),
    );
    let elbo = verify(joint, &theta, bent, (fitted, seed), &workers)?;
    let polished = arrival.as_ref().filter(|_| options.polish);
    let (status, evidence) = judge(&run, &elbo, polished, monitor.interrupted());
    let mut fit = course.report(theta, (status, evidence), &moments, copies);
    if let Some(arrival) = &arrival {
        (fit.cond_mean, fit.cond_sd) = arrival.conditional.iter().cloned().unzip();
    }
    fit.seconds = started.elapsed().as_secs_f64();
    fit.warnings = warnings;
    Ok(VemFit {
        fit,
        q: found.q,
        flows: found.flows,
        elbo,
        proposal,
        arrival,
    })
}

/// Estimates that maximize the bound, unjudged, with distributions of the effects where draws are best made and the
/// way there.
///
/// # Errors
/// As those of a fit.
pub fn bring(
    joint: &Joint,
    options: &VemOptions,
    (seed, workers): (u64, &Workers),
    monitor: &dyn Monitor,
) -> Result<(Vec<f64>, BatchPosteriors, Trace)> {
    let mut course = BoundAscent::new((joint, options), (seed, workers), monitor)?;
    let found = course.rise(&Batches::new(joint), None)?;
    let q = around(&found.moments, &found.q);
    Ok((found.theta, q, course.trace))
}

/// Whether every `q` is the population: the data say nothing about the effects.
fn is_still(joint: &Joint, theta: &[f64], q: &BatchPosteriors) -> bool {
    let Ok(priors) = joint.priors(theta) else {
        return false;
    };
    let all = population(&Batches::new(joint), &joint.means(theta), &priors);
    let near = |q: &BatchGaussian, p: &BatchGaussian| {
        (0..q.dim()).all(|i| {
            let sd = p.covariance(i, i).sqrt();
            let ratio = q.covariance(i, i).sqrt() / sd;
            (q.mean[i] - p.mean[i]).abs() < STILL * sd && (ratio - 1.0).abs() < STILL
        })
    };
    q.iter().zip(&all).all(|(q, p)| near(q, p))
}

impl<'c> BoundAscent<'c> {
    fn new(
        (joint, options): (&'c Joint, &'c VemOptions),
        (seed, workers): (u64, &'c Workers),
        monitor: &'c dyn Monitor,
    ) -> Result<Self> {
        Ok(Self {
            joint,
            options,
            seed,
            workers,
            monitor,
            trace: Trace::default(),
            penalty: penalty::of(joint, &options.penalty, &estimated(joint))?,
        })
    }

    /// Maximize the bound from the start of the problem; `first`: effects from which modes are searched.
    fn rise(&mut self, batches: &Batches, first: Option<&EffectValues>) -> Result<BoundMaximum> {
        check_start(self.joint)?;
        let start = &self.joint.theta.start;
        let mut q = laplace::posterior(self.joint, batches, start, first, self.workers)?;
        if self.options.family == PosteriorFamily::MeanField {
            q = independent(q);
        }
        if stochastic::is_wanted(self.options) {
            stochastic::run(self, batches, q)
        } else {
            self.maximize(q)
        }
    }

    /// Maximize the importance-sampled likelihood, or judge the estimates without moving them.
    fn arrive(&mut self, theta: &[f64], q: &BatchPosteriors, n_free: usize) -> Result<Arrival> {
        let penalty = self.free_penalty();
        let search = self.search(n_free, &penalty);
        search.arrive(theta, q, &mut |theta, value| {
            self.note(theta, value, "polish")
        })
    }

    /// Climb without a judge, where there are too many parameters for one.
    fn polish(&mut self, theta: &[f64], q: &BatchPosteriors, n_free: usize) -> Option<Summit> {
        let penalty = self.free_penalty();
        let search = self.search(n_free, &penalty);
        let watch = &mut |theta: &[f64], value: f64| self.note(theta, value, "polish");
        search.climb((theta, q), &search.joint.theta, search.climbing, watch)
    }

    /// That of the coordinates that the likelihood is maximized over, weights of learned functions being held.
    fn free_penalty(&self) -> Vec<f64> {
        let estimated = estimated(self.joint);
        let each = estimated.iter().zip(&self.penalty);
        let informed = |k: usize| self.joint.theta.routes[k].is_informed();
        each.filter(|(k, _)| informed(**k))
            .map(|(_, lambda)| *lambda)
            .collect()
    }

    fn search<'s>(&self, n_free: usize, penalty: &'s [f64]) -> MaximumSearch<'s>
    where
        'c: 's,
    {
        let options = self.options;
        MaximumSearch {
            joint: self.joint,
            workers: self.workers,
            seed: self.seed,
            draws: options.inference.draws_or_usual(),
            unsettled: UNSETTLED,
            climbing: options.polish_draws,
            hurries: false,
            trains: false,
            rounds: if options.polish {
                options.polish_rounds.max(1)
            } else {
                0
            },
            penalty,
            absent: &[],
            patience: self.patience(n_free),
        }
    }

    fn report(
        &mut self,
        theta: Vec<f64>,
        (status, evidence): (FitStatus, Vec<String>),
        moments: &[BatchMoments],
        copies: usize,
    ) -> Fit {
        let batches = Batches::new(self.joint);
        let levels = LevelMoments {
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

/// Error of `-2 log L` above which a look takes more draws: a fit prints it.
const UNSETTLED: f64 = 0.3;

/// Distance from the population, in its standard deviations, below which a `q` has not moved.
const STILL: f64 = 0.01;

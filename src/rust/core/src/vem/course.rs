//! Maximize the bound at points that stay: EM sweeps, then quasi-Newton steps on the profiled bound.

use super::check::bound;
use super::flow::{self, FlowLayers};
use super::independent::independent;
use super::inner::StepLimits;
use super::options::{few, OuterMethod, PosteriorFamily, VemOptions};
use super::profile::Profile;
use super::rule::PointRule;
use crate::error::Result;
use crate::fitted::Trace;
use crate::inference::cloud::{layouts, BatchMoments, Cloud, LevelMoments};
use crate::inference::laplace;
use crate::inference::posterior::{BatchGaussian, BatchPosteriors, Batches};
use crate::maximum::{climb, Maximizer, Patience, Summit, Surface};
use crate::monitor::{Monitor, Progress};
use crate::mstep::MAX_PARAMETERS;
use crate::parallel::Workers;
use crate::problem::Joint;

/// Sweeps at least where weights of learned functions follow gradients in them: quasi-Newton steps from their initial
/// values end where the function says nothing.
const TRAINING: usize = 100;

/// Steps of `q` in a sweep, after which `theta` moves on all the same.
const SWEEP_STEPS: usize = 5;

/// Points at which flows are compared with Gaussians, and their randomization, which serves nothing else.
const SIFTING: usize = 256;
const SIFTED: u32 = 1 << 20;

/// How often all `q` start again, and the gain of a batch that is worth it.
const RESTARTS: usize = 3;
const WORTH: f64 = 0.01;

/// At the end `q` may take so many times the steps of an evaluation.
const PATIENT: usize = 4;

/// A run and who watches it.
pub struct BoundAscent<'c> {
    pub joint: &'c Joint,
    pub options: &'c VemOptions,
    pub seed: u64,
    pub workers: &'c Workers,
    pub monitor: &'c dyn Monitor,
    pub trace: Trace,
    /// Precision of the prior of each coordinate that is estimated.
    pub penalty: Vec<f64>,
}

/// Where the maximization of the bound ended.
pub struct BoundMaximum {
    pub theta: Vec<f64>,
    pub q: BatchPosteriors,
    /// Layers that bend it; none of Gaussian ones.
    pub flows: Vec<FlowLayers>,
    pub moments: Vec<BatchMoments>,
    /// The bound of each batch.
    pub values: Vec<f64>,
    /// Batches whose `q` is not the best one.
    pub lost: usize,
    pub summit: Option<Summit>,
    /// What noise leaves open of twice the bound, where steps were noisy.
    pub noise: Option<f64>,
    /// Points of each batch.
    pub copies: usize,
}

/// Gaussians with these moments, or `q` where there is none.
pub fn around(moments: &[BatchMoments], q: &BatchPosteriors) -> BatchPosteriors {
    let each = moments.iter().zip(q);
    each.map(|(moments, q)| moments.gaussian().unwrap_or_else(|| q.clone()))
        .collect()
}

impl BoundAscent<'_> {
    pub fn limits(&self) -> StepLimits {
        StepLimits {
            steps: self.options.inner_maxiters,
            tolerance: self.options.inner_tolerance,
        }
    }

    /// When a climb over so many coordinates ends.
    pub fn patience(&self, n_free: usize) -> Patience {
        let memory = match self.options.optimizer {
            OuterMethod::Lbfgs { memory } => Some(memory),
            _ => (n_free > MAX_PARAMETERS).then(few),
        };
        Patience {
            steps: self.options.maxiters,
            tolerance: self.options.tolerance,
            memory,
        }
    }

    /// Keep a step in the trace and report it; whether to go on.
    pub fn note(&mut self, theta: &[f64], value: f64, phase: &'static str) -> bool {
        self.trace.push(theta, 1.0, phase, value);
        self.monitor.report(&Progress {
            iteration: self.trace.len(),
            total: self
                .trace
                .len()
                .max(self.options.sweeps + self.options.maxiters),
            phase,
            gain: 1.0,
            objective: value,
        });
        !self.monitor.interrupted()
    }

    /// Maximize the bound from the start of the problem and these `q`.
    ///
    /// # Errors
    /// Points that are too few.
    pub fn maximize(&mut self, q: BatchPosteriors) -> Result<BoundMaximum> {
        let rule = PointRule::new(self.options, &Batches::new(self.joint), self.seed);
        self.within(rule, q, |course, profile| {
            let mut theta = course.sweep(profile);
            let mut summit = course.ascend(profile, &theta);
            for _ in 0..RESTARTS {
                let Some(end) = summit.as_ref().filter(|end| !end.stopped) else {
                    break;
                };
                theta.clone_from(&end.theta);
                if !course.restart(profile, &theta) {
                    break;
                }
                summit = course.ascend(profile, &theta);
            }
            (theta, summit)
        })
    }

    /// Find the best `q` and flows at `theta`, from these, at the points of a rule.
    ///
    /// # Errors
    /// Points that are too few.
    pub fn settle(
        &mut self,
        rule: PointRule,
        (q, flows): (BatchPosteriors, Vec<FlowLayers>),
        theta: &[f64],
    ) -> Result<BoundMaximum> {
        self.within(rule, q, |course, profile| {
            profile.flows = flows;
            profile.limits.steps *= PATIENT;
            profile.solve(theta);
            profile.take();
            if !profile.flows.is_empty() {
                course.sift(profile, theta);
            }
            (theta.to_vec(), None)
        })
    }

    /// Let every `q` start again at Laplace's posterior for `theta`: one that the run brought along may sit at a lower
    /// peak. Whether some batch is better off; those that are stay there.
    fn restart(&mut self, profile: &mut Profile, theta: &[f64]) -> bool {
        let values = |profile: &Profile| profile.solved().map(|found| found.values.clone());
        let fresh = laplace::posterior(
            self.joint,
            &Batches::new(self.joint),
            theta,
            None,
            self.workers,
        );
        let (Some(old), Ok(fresh)) = (values(profile), fresh) else {
            return false;
        };
        let moments = profile.solved().map(|found| found.moments.clone());
        let mut before = std::mem::replace(&mut profile.q, fresh);
        let bent = before.clone();
        if let Some(moments) = moments.filter(|_| !profile.flows.is_empty()) {
            before = around(&moments, &before);
        }
        let flows = std::mem::take(&mut profile.flows);
        if self.options.family == PosteriorFamily::MeanField {
            profile.q = independent(std::mem::take(&mut profile.q));
        }
        profile.solve(theta);
        profile.take();
        let new = values(profile).unwrap_or_default();
        let mut better = false;
        for (b, before) in before.into_iter().enumerate() {
            let gains = new
                .get(b)
                .is_some_and(|new| *new > old[b] + WORTH || old[b].is_nan());
            better |= gains;
            if !gains {
                profile.q[b] = before;
            }
        }
        if !better {
            profile.flows = flows;
            profile.q = bent;
            profile.solve(theta);
            profile.take();
        }
        better
    }

    /// Let `work` move `theta` and `q` with a profile of the bound at the points of a rule; where they end.
    ///
    /// # Errors
    /// Points that are too few.
    pub fn within(
        &mut self,
        rule: PointRule,
        q: BatchPosteriors,
        work: impl FnOnce(&mut Self, &mut Profile) -> (Vec<f64>, Option<Summit>),
    ) -> Result<BoundMaximum> {
        let (joint, family, workers) = (self.joint, self.options.family, self.workers);
        let (drawn, single) = (layouts(joint, rule.copies), layouts(joint, 1));
        let start = &joint.theta.start;
        let mut cloud = Cloud::new(joint, &drawn, start)?;
        let mut maximizer = Maximizer::training(joint, &single, start, &self.penalty)?;
        let points = rule.points(&cloud.batches, &(0..q.len()).collect::<Vec<usize>>(), 0)?;
        let penalty = self.penalty.clone();
        let mut profile = Profile::new(
            (&mut cloud, &mut maximizer),
            (&points, family, self.limits()),
            &penalty,
            q,
            workers,
        );
        let (theta, summit) = work(self, &mut profile);
        let found = profile.solved();
        Ok(BoundMaximum {
            theta: summit.as_ref().map_or(theta, |summit| summit.theta.clone()),
            moments: found.map_or_else(
                || LevelMoments::of(&profile.q),
                |found| found.moments.clone(),
            ),
            values: found.map_or_else(Vec::new, |found| found.values.clone()),
            lost: found.map_or(0, |found| found.settled.iter().filter(|s| !**s).count()),
            q: profile.q.clone(),
            flows: profile.flows.clone(),
            summit,
            noise: None,
            copies: rule.copies,
        })
    }

    /// Flows that change nothing yet.
    pub fn flows(&self, q: &BatchPosteriors) -> Vec<FlowLayers> {
        let each = q.iter().enumerate();
        each.map(|(b, q)| flow::start(q.dim(), self.options.flows, (self.seed, b)))
            .collect()
    }

    /// Take flows back where at fresh points they are no better than the best Gaussian.
    fn sift(&self, profile: &mut Profile, theta: &[f64]) {
        let Some(bent) = profile.solved().cloned() else {
            return;
        };
        let most = bent.q.iter().map(BatchGaussian::dim).max().unwrap_or(0);
        let rule = PointRule::verifying(SIFTING.max(8 * most), self.seed);
        let fresh = |q: &BatchPosteriors, flows: &[FlowLayers]| {
            bound(self.joint, theta, (q, flows), (&rule, SIFTED), self.workers)
        };
        profile.flows.clear();
        profile.q = around(&bent.moments, &bent.q);
        profile.solve(theta);
        let Some(plain) = profile.solved() else {
            return;
        };
        if let (Ok(with), Ok(without)) = (fresh(&bent.q, &bent.flows), fresh(&plain.q, &[])) {
            let better = with
                .iter()
                .zip(&without)
                .map(|(with, without)| with > without);
            let chosen = bent.or(plain, &better.collect::<Vec<bool>>());
            profile.replace(chosen);
        }
    }

    /// EM sweeps; `theta` after the last.
    fn sweep(&mut self, profile: &mut Profile) -> Vec<f64> {
        let mut theta = self.joint.theta.start.clone();
        let limits = profile.limits;
        profile.limits.steps = limits.steps.min(SWEEP_STEPS);
        let sweeps = match profile.maximizer.trains() {
            true => self.options.sweeps.max(TRAINING),
            false => self.options.sweeps,
        };
        for _ in 0..sweeps {
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
        if self.options.family == PosteriorFamily::PlanarFlow {
            profile.solve(theta)?;
            profile.take();
            profile.flows = self.flows(&profile.q);
        }
        let moving = profile.maximizer.moving.clone();
        let (joint, mut patience) = (self.joint, self.patience(moving.len()));
        if profile.maximizer.trains() {
            patience.memory = patience.memory.or(Some(few()));
        }
        let summit = climb(
            profile,
            (&joint.theta, &moving),
            theta,
            patience,
            &mut |theta, value| self.note(theta, value, "newton"),
        )?;
        // The draws and `q` stand where the last trial did.
        let limits = profile.limits;
        profile.limits.steps *= PATIENT;
        profile.solve(&summit.theta)?;
        profile.take();
        profile.limits = limits;
        Some(summit)
    }
}

//! The bound as a function of the population parameters alone: every `q` is the best one for them.
//!
//! By the envelope theorem the gradient is that of the expected complete-data log density at the best `q`.

use super::bending;
use super::flow::FlowLayers;
use super::inner::{solve, Solved, StepLimits};
use super::options::PosteriorFamily;
use super::rule::BatchPoints;
use crate::inference::cloud::Cloud;
use crate::inference::posterior::BatchPosteriors;
use crate::maximum::{moved, Maximizer, Maximizing, Surface};
use crate::mstep::Preconditioner;
use crate::parallel::Workers;

/// The bound, and all that is known of the last point.
pub struct Profile<'p, 'a> {
    pub cloud: &'p mut Cloud<'a>,
    pub maximizer: &'p mut Maximizer<'a>,
    pub points: &'p BatchPoints,
    pub family: PosteriorFamily,
    pub limits: StepLimits,
    /// Precision of the prior of each free coordinate.
    pub penalty: &'p [f64],
    pub workers: &'p Workers,
    /// `q` at the last point that was taken.
    pub q: BatchPosteriors,
    /// Layers that bend it; none while `q` is Gaussian.
    pub flows: Vec<FlowLayers>,
    /// The solution at the last point that was asked for.
    there: Option<Solved>,
}

impl<'p, 'a> Profile<'p, 'a> {
    pub fn new(
        (cloud, maximizer): (&'p mut Cloud<'a>, &'p mut Maximizer<'a>),
        (points, family, limits): (&'p BatchPoints, PosteriorFamily, StepLimits),
        penalty: &'p [f64],
        q: BatchPosteriors,
        workers: &'p Workers,
    ) -> Self {
        Self {
            cloud,
            maximizer,
            points,
            family,
            limits,
            penalty,
            workers,
            q,
            flows: Vec::new(),
            there: None,
        }
    }

    /// Find the best `q` at `theta`; the bound of all batches, `None` where it does not exist.
    pub fn solve(&mut self, theta: &[f64]) -> Option<f64> {
        moved(self.cloud, theta)?;
        let (cloud, points, limits) = (&mut *self.cloud, self.points, (self.limits, self.workers));
        let solved = if self.flows.is_empty() {
            solve(cloud, points, (&self.q, self.family), limits)
        } else {
            bending::solve(cloud, points, (&self.q, &self.flows), limits)
        };
        let value: f64 = solved.values.iter().sum();
        self.there = Some(solved);
        value.is_finite().then_some(value)
    }

    /// What was found at the last point.
    pub fn solved(&self) -> Option<&Solved> {
        self.there.as_ref()
    }

    /// Let another solution stand in place of what was found.
    pub fn replace(&mut self, solved: Solved) {
        if let Some(there) = &mut self.there {
            *there = solved;
        }
        self.take();
    }

    /// One sweep of the M-step from the last point.
    pub fn sweep(&mut self) -> Option<Vec<f64>> {
        self.take();
        self.on_ground(|maximizer, cloud, ground| maximizer.sweep(cloud, ground))
    }

    fn on_ground<R>(
        &mut self,
        work: impl FnOnce(&mut Maximizer<'a>, &mut Cloud<'a>, &Maximizing) -> R,
    ) -> Option<R> {
        let there = self.there.as_ref()?;
        let ground = Maximizing {
            weights: &self.points.weights,
            moments: &there.moments,
            workers: self.workers,
        };
        Some(work(self.maximizer, self.cloud, &ground))
    }
}

impl Surface for Profile<'_, '_> {
    fn at(&mut self, theta: &[f64]) -> Option<(f64, Vec<f64>)> {
        let value = self.solve(theta)?;
        let score = self.on_ground(|maximizer, cloud, ground| maximizer.score(cloud, ground))?;
        Some((self.maximizer).penalized(self.penalty, theta, (value, score)))
    }

    fn precondition(&mut self) -> Option<Preconditioner> {
        let penalty = self.penalty;
        self.on_ground(|maximizer, cloud, ground| maximizer.precondition(cloud, ground, penalty))?
    }

    fn take(&mut self) {
        if let Some(there) = &self.there {
            self.q.clone_from(&there.q);
            self.flows.clone_from(&there.flows);
        }
    }
}

//! Split the batches into groups that take turns.
//!
//! The split is random and stays: a group keeps its programs, and what it said of the residual errors stays in the sums
//! until it is asked again (Neal & Hinton 1998). In every epoch each group is visited once, in a new random order, so
//! that `n_groups` times the gradient of a group is an unbiased estimate of that of all.

use std::sync::Arc;

use super::bending;
use super::flow::FlowLayers;
use super::inner::{solve, StepLimits};
use super::noisy::{estimate, moved, narrowed, sound};
use super::options::{PosteriorFamily, RuleKind};
use super::rule::{BatchPoints, PointRule};
use crate::data::Layout;
use crate::error::Result;
use crate::inference::cloud::{BatchMoments, Cloud, LevelMoments};
use crate::inference::posterior::BatchPosteriors;
use crate::parallel::Workers;
use crate::problem::{Joint, Problem, Route};
use crate::random::{Purpose, Stream};

/// Where the order of the visits comes from.
pub fn stream(seed: u64) -> Stream {
    Stream {
        seed,
        purpose: Purpose::Minibatch,
    }
}

/// Groups of about `size` of `n` batches, each ascending.
pub fn split(n: usize, size: usize, stream: Stream) -> Vec<Vec<usize>> {
    let count = n.div_ceil(size.clamp(1, n.max(1))).max(1);
    let order = stream.order(n, 0);
    let group = |g: usize| {
        let mut own = order[g * n / count..(g + 1) * n / count].to_vec();
        own.sort_unstable();
        own
    };
    (0..count).map(group).collect()
}

/// Some of the batches.
pub struct Minibatch<'a> {
    /// Their numbers among all.
    pub members: Vec<usize>,
    pub cloud: Cloud<'a>,
    points: BatchPoints,
    /// Of each residual error: observations, and expected sum of squares when last asked.
    counts: Vec<f64>,
    squares: Vec<f64>,
}

/// How the `q` of a group move.
#[derive(Clone, Copy)]
pub struct Move<'m> {
    pub rule: PointRule,
    pub family: PosteriorFamily,
    pub limits: StepLimits,
    /// Number of the visit: draws of each are fresh.
    pub visit: u32,
    /// Length of a step along a noisy gradient.
    pub rate: f64,
    pub workers: &'m Workers,
}

/// What a visit found; one entry a member.
pub struct VisitResult {
    pub q: BatchPosteriors,
    pub flows: Vec<FlowLayers>,
    pub moments: Vec<BatchMoments>,
    pub values: Vec<f64>,
    /// Of the draws that stand in the cloud.
    pub weights: Vec<f64>,
}

impl<'a> Minibatch<'a> {
    /// `layouts`: those of the members.
    ///
    /// # Errors
    /// Points that are too few.
    pub fn new(
        joint: &'a Joint,
        layouts: &'a [Arc<Layout>],
        members: Vec<usize>,
        rule: PointRule,
    ) -> Result<Self> {
        let main = joint.main();
        let levels = joint.batches[0].iter().enumerate();
        let own = levels.filter(|(_, batch)| members.binary_search(batch).is_ok());
        let own: Vec<usize> = own.map(|(level, _)| level).collect();
        let residuals = &main.form.residuals;
        let counts = residuals.iter().map(|r| observed(main, &r.outcomes, &own));
        let cloud = Cloud::of((joint, layouts), &members, &joint.theta.start)?;
        Ok(Self {
            points: rule.points(&cloud.batches, &members, 0)?,
            cloud,
            counts: counts.collect(),
            squares: vec![0.0; residuals.len()],
            members,
        })
    }

    /// Move the `q` of the members, at the `theta` of the cloud.
    ///
    /// # Errors
    /// Points that are too few.
    pub fn move_q(
        &mut self,
        (q, flows): (&BatchPosteriors, &[FlowLayers]),
        how: &Move,
    ) -> Result<VisitResult> {
        if how.rule.kind == RuleKind::MonteCarlo {
            let numbers = &self.members;
            self.points = how.rule.points(&self.cloud.batches, numbers, how.visit)?;
            return Ok(self.follow(q, how));
        }
        let (cloud, points) = (&mut self.cloud, &self.points);
        let limits = (how.limits, how.workers);
        let solved = if flows.is_empty() {
            solve(cloud, points, (q, how.family), limits)
        } else {
            bending::solve(cloud, points, (q, flows), limits)
        };
        let draws = solved
            .values
            .iter()
            .flat_map(|v| vec![v.is_finite(); cloud.copies]);
        let weights = points.weights.iter().zip(draws);
        Ok(VisitResult {
            // A batch without a bound says nothing.
            weights: weights
                .map(|(w, known)| if known { *w } else { 0.0 })
                .collect(),
            q: solved.q,
            flows: solved.flows,
            moments: solved.moments,
            values: solved.values,
        })
    }

    /// One step of each along its noisy gradient.
    fn follow(&mut self, q: &BatchPosteriors, how: &Move) -> VisitResult {
        let cloud = &mut self.cloud;
        let mut draws = vec![0.0; cloud.n_effects()];
        for (b, q) in q.iter().enumerate() {
            self.points.place(cloud, b, q, &mut draws);
        }
        cloud.set(&draws);
        let slopes = cloud.slopes(&vec![true; q.len()], how.workers);
        let mut found = VisitResult {
            q: Vec::with_capacity(q.len()),
            flows: Vec::new(),
            moments: Vec::new(),
            values: Vec::with_capacity(q.len()),
            weights: self.points.weights.clone(),
        };
        for (b, q) in q.iter().enumerate() {
            let weights = &mut found.weights[b * cloud.copies..(b + 1) * cloud.copies];
            let whole = sound(cloud, b, &slopes, weights);
            let there = (&self.points, &*weights);
            let estimate = estimate(cloud, b, q, there, &slopes);
            found.values.push(estimate.value);
            found.q.push(if whole {
                moved(q, &estimate, how.rate, how.family)
            } else {
                narrowed(q)
            });
        }
        found.moments = LevelMoments::of(&found.q);
        found
    }

    /// Move the sums of squares toward those that the gradient of the group at `theta` says.
    pub fn learn(&mut self, problem: &Problem, theta: &[f64], gradient: &[f64], gain: f64) {
        for (r, residual) in problem.form.residuals.iter().enumerate() {
            let variance = (2.0 * theta[residual.theta]).exp();
            let new = (variance * (gradient[residual.theta] + self.counts[r])).max(0.0);
            if new.is_finite() {
                self.squares[r] += gain * (new - self.squares[r]);
            }
        }
    }
}

fn observed(problem: &Problem, outcomes: &[usize], levels: &[usize]) -> f64 {
    let each = outcomes
        .iter()
        .flat_map(|o| levels.iter().map(|l| (*o, *l)));
    each.map(|(o, l)| problem.n_obs_in(o, l)).sum::<usize>() as f64
}

/// A gradient at `theta` from which the closed forms read what all groups said of the residual errors; those that need
/// the whole gradient for anything else find no number.
pub fn residual_gradient(problem: &Problem, groups: &[Minibatch], theta: &[f64]) -> Vec<f64> {
    let mut gradient = vec![f64::NAN; theta.len()];
    for (r, residual) in problem.form.residuals.iter().enumerate() {
        let k = residual.theta;
        if problem.theta.routes[k] == Route::Residual {
            let squares: f64 = groups.iter().map(|group| group.squares[r]).sum();
            let count: f64 = groups.iter().map(|group| group.counts[r]).sum();
            gradient[k] = squares / (2.0 * theta[k]).exp() - count;
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_all_batches_once_and_about_the_same_size() {
        for (n, size) in [(12, 4), (10, 4), (5, 9), (1, 1), (7, 2)] {
            let groups = split(n, size, stream(3));
            let mut all = groups.concat();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<usize>>());
            let sizes = groups.iter().map(Vec::len);
            let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
            assert!(most <= size.max(1) && most - least <= 1, "{groups:?}");
        }
        assert_ne!(split(12, 4, stream(3)), split(12, 4, stream(4)));
    }
}

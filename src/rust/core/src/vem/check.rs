//! Evaluate the bound at points that no `q` was fitted to.
//!
//! A `q` may use the gaps between the points of a rule: there the bound of the run is more than the bound that holds.

use super::bending::bound_at;
use super::bound::local;
use super::flow::FlowLayers;
use super::rule::PointRule;
use crate::error::Result;
use crate::inference::cloud::{layouts_of, Cloud, DrawSlopes};
use crate::inference::importance::groups;
use crate::inference::posterior::BatchPosteriors;
use crate::parallel::Workers;
use crate::problem::Joint;

/// Independent sets of fresh points, and points of each.
const REPLICATES: u32 = 4;
const POINTS: usize = 64;

/// The bound at the points of the run and at fresh ones.
#[derive(Debug, Clone, Default)]
pub struct Elbo {
    /// Mean over the fresh points; one a batch.
    pub batches: Vec<f64>,
    /// Monte-Carlo error of each.
    pub errors: Vec<f64>,
    /// Monte-Carlo error of their sum.
    pub error: f64,
    /// The sum at the points of the run.
    pub fitted: f64,
}

impl Elbo {
    pub fn value(&self) -> f64 {
        self.batches.iter().sum()
    }
}

/// The bound at fresh points; `fitted`: its sum at those of the run.
///
/// # Errors
/// A population distribution that does not exist.
pub fn verify(
    joint: &Joint,
    theta: &[f64],
    (q, flows): (&BatchPosteriors, &[FlowLayers]),
    (fitted, seed): (f64, u64),
    workers: &Workers,
) -> Result<Elbo> {
    let most = q.iter().map(|q| q.dim()).max().unwrap_or(0);
    let rule = PointRule::verifying(POINTS.max(4 * most), seed);
    let n = f64::from(REPLICATES);
    let mut batches = vec![0.0; q.len()];
    let mut squares = vec![0.0; q.len()];
    let mut totals = Vec::new();
    for replicate in 1..=REPLICATES {
        let values = bound(joint, theta, (q, flows), (&rule, replicate), workers)?;
        totals.push(values.iter().sum::<f64>());
        for ((mean, square), value) in batches.iter_mut().zip(&mut squares).zip(values) {
            // Welford's recursion: squares about the mean so far.
            let step = value - *mean;
            *mean += step / f64::from(replicate);
            *square += step * (value - *mean);
        }
    }
    let mean = totals.iter().sum::<f64>() / n;
    let variance = totals.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / (n - 1.0);
    let error = |square: &f64| (square / (n - 1.0) / n).sqrt();
    Ok(Elbo {
        batches,
        errors: squares.iter().map(error).collect(),
        error: (variance / n).sqrt(),
        fitted,
    })
}

/// The bound of every batch at `theta` and any `q`, by the points of a rule; `flows`: none where `q` is Gaussian.
///
/// # Errors
/// A population distribution that does not exist, or fewer points than random effects.
pub fn bound(
    joint: &Joint,
    theta: &[f64],
    (q, flows): (&BatchPosteriors, &[FlowLayers]),
    (rule, replicate): (&PointRule, u32),
    workers: &Workers,
) -> Result<Vec<f64>> {
    let mut found = Vec::with_capacity(q.len());
    for members in groups(joint, rule.copies) {
        let layouts = layouts_of(joint, &members, rule.copies);
        let mut cloud = Cloud::of((joint, &layouts), &members, theta)?;
        let points = rule.points(&cloud.batches, &members, replicate)?;
        if !flows.is_empty() {
            let own: BatchPosteriors = members.iter().map(|b| q[*b].clone()).collect();
            let flows: Vec<FlowLayers> = members.iter().map(|b| flows[*b].clone()).collect();
            found.extend(bound_at(&mut cloud, (&own, &flows), &points, workers));
            continue;
        }
        let mut draws = vec![0.0; cloud.n_effects()];
        for (b, member) in members.iter().enumerate() {
            points.place(&cloud, b, &q[*member], &mut draws);
        }
        cloud.set(&draws);
        let slopes = DrawSlopes {
            log_lik: cloud.log_lik(workers),
            gradient: vec![0.0; draws.len()],
        };
        let each = members.iter().enumerate();
        found.extend(each.map(|(b, member)| local(&cloud, b, &q[*member], &points, &slopes).value));
    }
    Ok(found)
}

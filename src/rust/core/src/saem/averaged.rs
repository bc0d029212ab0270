//! Average the complete-data log density with the gain of the statistics: the `Q` of stochastic approximation.
//!
//! `Q(theta) = E log p(phi; theta) + E log p(y | phi; theta)`, expectations over the draws so far. The first is that of
//! the smoothed moments at the current `theta`. The second is smoothed as a number, `L <- L + gain (L_new - L)`. It then
//! follows every residual standard deviation to its new value exactly: with `z` the sum of squared standardized residuals,
//! smoothed likewise, a step `d` of the logarithm of the deviation adds `-n d - z (exp(-2 d) - 1) / 2`. Steps of other
//! parameters that the outcomes read leave it, which near a maximum is right to second order.

use serde::{Deserialize, Serialize};

use super::estep::EStepReport;
use super::objective::Q;
use super::part::{stand, total_gradient, GroupingRun};
use super::run::SaemRun;
use super::schedule::Phase;
use super::store::ChainSnapshot;
use crate::parallel::Workers;
use crate::problem::Joint;

/// What is averaged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Averaged {
    /// Mean log density of the outcomes at the `theta` of the last call; absent before the first draws that count.
    log_lik: Option<f64>,
    /// Mean sum of squared standardized residuals of each residual error.
    squares: Vec<f64>,
}

/// The draws of an iteration.
pub struct IterationDraws<'s> {
    /// Mean over chains of the log density of the outcomes, and of effects that are not Gaussian.
    pub log_lik: f64,
    /// Gradient of it in `theta`; empty where nobody needed it.
    pub gradient: &'s [f64],
    pub gain: f64,
}

impl Averaged {
    /// Let the draws made at `old` enter.
    pub fn learn(&mut self, joint: &Joint, drawn: &IterationDraws) {
        // One iteration without a density says nothing of the others.
        if !drawn.log_lik.is_finite() {
            return;
        }
        let gain = self.log_lik.map_or(1.0, |_| drawn.gain);
        let log_lik = self.log_lik.get_or_insert(drawn.log_lik);
        *log_lik += gain * (drawn.log_lik - *log_lik);
        let main = joint.main();
        let residuals = &main.form.residuals;
        self.squares.resize(residuals.len(), f64::NAN);
        for (residual, squares) in residuals.iter().zip(&mut self.squares) {
            let slope = drawn.gradient.get(residual.theta).copied();
            let new = slope.unwrap_or(f64::NAN) + n_obs(joint, &residual.outcomes);
            if squares.is_finite() && new.is_finite() {
                *squares += gain * (new - *squares);
            } else if new.is_finite() {
                *squares = new;
            }
        }
    }

    /// Follow `theta` from `old`, and give the average there; `None` before there is one, or where a population
    /// distribution does not exist.
    pub fn follow(
        &mut self,
        joint: &Joint,
        parts: &mut [GroupingRun],
        old: &[f64],
        theta: &[f64],
    ) -> Option<f64> {
        let log_lik = self.log_lik.as_mut()?;
        let residuals = &joint.main().form.residuals;
        for (residual, squares) in residuals.iter().zip(&mut self.squares) {
            let step = theta[residual.theta] - old[residual.theta];
            let shrunk = (-2.0 * step).exp();
            let n = n_obs(joint, &residual.outcomes);
            let change = -n * step - 0.5 * *squares * (shrunk - 1.0);
            if step != 0.0 && change.is_finite() {
                *log_lik += change;
                *squares *= shrunk;
            }
        }
        stand(parts, joint, theta)?;
        let each = parts
            .iter()
            .map(|part| part.population.seen().log_density());
        Some(*log_lik + each.sum::<f64>())
    }
}

impl SaemRun<'_> {
    /// The objective of iteration `k`, which led from `old` to the current `theta`: `numeric` where the M-step computed it
    /// over the stored draws, during the burn-in that of the current draws.
    pub(super) fn averaged(
        &mut self,
        k: usize,
        old: &[f64],
        reports: &[EStepReport],
        numeric: Option<f64>,
        workers: &Workers,
    ) -> f64 {
        let (phase, gain) = self.schedule.at(k);
        let others = reports[1..].iter().map(|report| report.log_prior);
        let current = reports[0].objective + others.sum::<f64>();
        if phase == Phase::Burnin {
            return current;
        }
        let drawn = IterationDraws {
            log_lik: drawn_log_lik(self.joint, &mut self.parts, old, workers),
            gradient: &total_gradient(reports),
            gain,
        };
        self.average.learn(self.joint, &drawn);
        let (joint, parts) = (self.joint, &mut self.parts);
        let averaged = self.average.follow(joint, parts, old, &self.theta);
        let found = numeric.or(averaged.filter(|_| drawn.log_lik.is_finite()));
        found.unwrap_or(current)
    }
}

/// Mean over chains and draws of the log density of the outcomes, and of effects that are not Gaussian, at the `theta`
/// of the E-step.
fn drawn_log_lik<'a>(
    joint: &'a Joint,
    parts: &mut [GroupingRun<'a>],
    theta: &[f64],
    workers: &Workers,
) -> f64 {
    let Some(main) = parts.first() else {
        return f64::NAN;
    };
    let Some(chains) = &main.chains else {
        return f64::NAN;
    };
    let blocks = chains.moments(main.layout()).map(|(block, moments)| {
        let lanes = &moments.log_lik.0[..block.lanes.len()];
        lanes.iter().sum::<f64>() / moments.n as f64
    });
    let outcomes = blocks.sum::<f64>() / main.layout().copies as f64;
    let others = joint.parts[1..]
        .iter()
        .any(|part| !part.form.corrections.is_empty());
    // The first grouping's program holds its own laws only.
    let laws = others.then(|| ChainSnapshot::take(parts)).flatten();
    outcomes
        + laws.map_or(0.0, |draws| {
            Q::new(joint, parts, vec![(1.0, &draws)], workers).laws(theta)
        })
}

fn n_obs(joint: &Joint, outcomes: &[usize]) -> f64 {
    let n: usize = outcomes.iter().map(|o| joint.main().n_obs_of(*o)).sum();
    n as f64
}

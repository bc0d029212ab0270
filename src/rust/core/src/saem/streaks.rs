//! End a run when parameters and objective have hardly moved for some iterations in a row.
//!
//! An iteration counts for the parameters when `max |theta - theta_old|` is at most `atol_theta` and, divided by
//! `max(1, max |theta_old|)`, at most `rtol_theta`; likewise for the objective. Both streaks must be long enough.
//!
//! An iteration that learned nothing, because its gain is 0 or because no draw moved, changes nothing whatever the
//! parameters: it neither counts nor ends a streak, and no run ends at it.

use serde::{Deserialize, Serialize};

use super::options::{ConvergenceTest, StopOptions};
use super::run::SaemRun;
use super::schedule::Phase;

/// Iterations in a row with a small change.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Streaks {
    theta: usize,
    objective: usize,
    last_objective: Option<f64>,
}

impl Streaks {
    /// Count an iteration that learned something; true when both streaks are long enough.
    pub fn count(
        &mut self,
        options: &StopOptions,
        old: &[f64],
        new: &[f64],
        objective: f64,
    ) -> bool {
        let moved = old.iter().zip(new).map(|(a, b)| (a - b).abs());
        let change = moved.fold(0.0f64, |m, x| if x.is_nan() { f64::NAN } else { m.max(x) });
        let size = old.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        let still = change <= options.atol_theta && change / size <= options.rtol_theta;
        self.theta = if still { self.theta + 1 } else { 0 };
        // Nothing can be said of the first objective.
        let still = self.last_objective.is_some_and(|last| {
            let change = (objective - last).abs();
            change <= options.atol_q && change / last.abs().max(1.0) <= options.rtol_q
        }) || (options.atol_q.is_infinite() && options.rtol_q.is_infinite());
        self.objective = if still { self.objective + 1 } else { 0 };
        self.last_objective = Some(objective);
        self.theta.min(self.objective) >= options.consecutive_params
    }
}

impl SaemRun<'_> {
    /// Proposals of all kernels so far, and those among them that were accepted.
    pub(super) fn accepted(&self) -> (u64, u64) {
        let chains = self.parts.iter().filter_map(|part| part.chains.as_ref());
        let tallies = chains.flat_map(|chains| chains.acceptance().map(|(_, tally)| tally));
        tallies.fold((0, 0), |(proposed, accepted), tally| {
            (proposed + tally.proposed, accepted + tally.accepted)
        })
    }

    /// Whether some draw has moved since `before`. Where nothing is ever proposed, all effects being held, every
    /// iteration tells what there is to tell; chains that start anew have moved.
    pub(super) fn moved(&self, before: (u64, u64)) -> bool {
        let now = self.accepted();
        let idle = now.0 == before.0 && self.active.is_none();
        now.1 > before.1 || idle || !self.options.warm_start
    }

    /// Whether the run may end here, after an iteration that learned something.
    pub(super) fn test(&mut self, phase: Phase, old: &[f64], objective: f64) {
        let stop = &self.options.stop;
        if stop.convergence_test == ConvergenceTest::Consecutive {
            let still = self.streaks.count(stop, old, &self.theta, objective);
            self.settled = still && phase == Phase::Smoothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOSE: StopOptions = StopOptions {
        rtol_theta: f64::INFINITY,
        atol_theta: f64::INFINITY,
        rtol_q: f64::INFINITY,
        atol_q: f64::INFINITY,
        consecutive_params: 2,
        convergence_test: super::super::options::ConvergenceTest::Consecutive,
    };

    #[test]
    fn case_27_both_streaks_are_needed() {
        let mut streaks = Streaks::default();
        let run: Vec<bool> = (0..3)
            .map(|k| streaks.count(&LOOSE, &[0.0], &[k as f64], k as f64))
            .collect();
        assert_eq!(run, [false, true, true]);
        let strict = StopOptions {
            rtol_q: 0.0,
            atol_q: 0.0,
            consecutive_params: 1,
            ..LOOSE
        };
        let mut streaks = Streaks::default();
        assert!((0..9).all(|k| !streaks.count(&strict, &[0.0], &[0.0], k as f64)));
    }

    #[test]
    fn a_large_change_starts_a_streak_anew() {
        let options = StopOptions {
            atol_theta: 0.1,
            ..LOOSE
        };
        let mut streaks = Streaks::default();
        assert!(!streaks.count(&options, &[0.0], &[0.0], 0.0));
        assert!(!streaks.count(&options, &[0.0], &[1.0], 0.0));
        assert!(!streaks.count(&options, &[1.0], &[1.05], 0.0));
        assert!(streaks.count(&options, &[1.05], &[1.05], 0.0));
        assert!(!streaks.count(&options, &[1.0], &[f64::NAN], 0.0));
    }
}

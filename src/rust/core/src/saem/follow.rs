//! Let the parameters without a closed form follow their scores: generalized EM steps at the draws of an iteration.
//!
//! Information is that of the present parameters: it is taken anew when steps or residual errors have led away.

use serde::{Deserialize, Serialize};

use super::estep::EStepReport;
use super::objective::Q;
use super::run::SaemRun;
use super::schedule::Phase;
use super::store::ChainSnapshot;
use crate::keep::keeps;
use crate::mstep::Trust;
use crate::parallel::Workers;
use crate::problem::Route;

/// Iterations in which effects and residual errors move alone.
const ALONE: usize = 3;

/// Iterations after which information is taken anew in any case, and the change of a residual error or the distance in
/// standard errors after which it is before.
const STALE: usize = 20;
const CHANGED: f64 = 0.3;
const AWAY: f64 = 3.0;

/// What steps know of each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Follower {
    trust: Trust,
    /// Mean square of the score of a level, one a scored coordinate; empty before it is known.
    squares: Vec<f64>,
    /// Where information was taken, and how long ago.
    place: Vec<f64>,
    age: usize,
    /// Distance covered since, in standard errors.
    away: f64,
}

keeps!(Follower: values { trust, squares, place, age, away } parts {} rebuilt {});

impl Follower {
    /// Whether the scores of the draws would tell the units of the coordinates.
    pub fn asks_for_scores(&self, k: usize) -> bool {
        self.squares.is_empty() && k > ALONE
    }

    /// Mean square of the score of a level in a scored coordinate, where it is known.
    pub fn square(&self, position: usize) -> f64 {
        self.squares.get(position).copied().unwrap_or(f64::NAN)
    }

    /// Learn the units from the scores of the lanes.
    pub fn measure(&mut self, report: &EStepReport, rows: &[usize], lanes: &[usize]) {
        let mut sums = vec![0.0; rows.len()];
        let mut n = 0.0;
        for (columns, used) in report.scores.iter().zip(lanes) {
            for l in 0..*used {
                let own: Vec<f64> = rows.iter().map(|r| columns[*r].0[l]).collect();
                if own.iter().all(|s| s.is_finite()) {
                    n += 1.0;
                    for (sum, s) in sums.iter_mut().zip(own) {
                        *sum += s * s;
                    }
                }
            }
        }
        if n > 0.0 {
            self.squares = sums.into_iter().map(|sum| sum / n).collect();
        }
    }

    fn is_stale(&self, theta: &[f64], residuals: &[usize]) -> bool {
        let changed = |k: &usize| (theta[*k] - self.place[*k]).abs() > CHANGED;
        self.place.is_empty()
            || self.age >= STALE
            || self.away > AWAY
            || residuals.iter().any(changed)
    }

    fn learned(&mut self, theta: &[f64]) {
        self.place = theta.to_vec();
        self.age = 0;
        self.away = 0.0;
    }
}

impl SaemRun<'_> {
    /// Coordinates that follow their scores.
    fn followers(&self) -> Vec<usize> {
        let routes = &self.joint.theta.routes;
        let scored = self.parts[0].population.mstep.scored.iter().copied();
        scored.filter(|k| routes[*k] == Route::Score).collect()
    }

    /// Move what follows scores; `gradient`: that of `Q` at the draws of the iteration and the present `theta`.
    pub(super) fn follow_scores(
        &mut self,
        (k, gain): (usize, f64),
        (reports, gradient): (&[EStepReport], &[f64]),
        workers: &Workers,
    ) {
        let own = self.followers();
        if own.is_empty() || k <= ALONE || gain <= 0.0 {
            return;
        }
        if self.follower.asks_for_scores(k) {
            let all = self.parts[0].population.mstep.scored.clone();
            let place = |k: &usize| self.free.iter().position(|free| free == k);
            let rows: Vec<usize> = all.iter().filter_map(place).collect();
            let blocks = self.parts[0].layout().blocks.iter();
            let lanes: Vec<usize> = blocks.map(|block| block.lanes.len()).collect();
            self.follower.measure(&reports[0], &rows, &lanes);
        }
        self.refresh_information(k, workers);
        let Some(promise) = self.parts[0]
            .population
            .mstep
            .promise(&own, &self.free, gradient)
        else {
            return;
        };
        let Some(snapshot) = ChainSnapshot::take(&self.parts) else {
            return;
        };
        let (bounds, theta) = (&self.joint.theta, self.theta.clone());
        let mut q = Q::new(self.joint, &mut self.parts, vec![(1.0, &snapshot)], workers);
        let at = (bounds, own.as_slice(), theta.as_slice());
        let found = (self.follower.trust).step(&promise, at, gain, &mut |theta| q.value(theta));
        match found {
            Some((moved, length)) => {
                self.follower.away += length;
                self.theta = moved;
            }
            // What was promised is not what is there.
            None => self.follower.age = STALE,
        }
    }

    /// Take the information anew where what is known belongs to other parameters.
    fn refresh_information(&mut self, k: usize, workers: &Workers) {
        self.follower.age += 1;
        let residuals = self.joint.main().form.residuals.iter().map(|r| r.theta);
        let residuals: Vec<usize> = residuals.collect();
        let smoothing = self.schedule.at(k).0 == Phase::Smoothing;
        if self.follower.is_stale(&self.theta, &residuals)
            || smoothing && self.follower.age >= STALE / 4
        {
            self.learn_information(workers);
            self.follower.learned(&self.theta);
        }
    }
}

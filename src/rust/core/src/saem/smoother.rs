//! Move `theta` through the smoothing phase by preconditioned stochastic approximation, and judge where it ended.

use nalgebra::DMatrix;

use crate::data::Layout;
use crate::fitted::FitStatus;
use crate::ir::column::Column;
use crate::keep::keeps;
use crate::mstep::{Preconditioner, ScoreMoments};
use crate::problem::Theta;

/// Longest step, in standard errors.
const LONGEST_STEP: f64 = 2.0;

/// Gain in `-2 log L` that one more Newton step may promise of a converged fit.
const TOLERANCE: f64 = 0.1;

/// Monte-Carlo noise of that gain above which nothing can be said.
const MOST_NOISE: f64 = 0.5;

/// Scores, their conditional covariance, and the steps made of them.
pub struct Smoother {
    n_batches: usize,
    n_free: usize,
    moments: ScoreMoments,
    preconditioner: Option<Preconditioner>,
    /// Total score of each iteration of the smoothing.
    scores: Vec<Vec<f64>>,
    copies: usize,
    /// Nearly independent draws of a chain in an iteration.
    draws: f64,
}

keeps!(Smoother:
    values { moments, preconditioner, scores }
    parts {}
    rebuilt { n_batches, n_free, copies, draws });

/// Scores of the lanes of one grouping.
pub struct LaneScores<'a> {
    pub layout: &'a Layout,
    /// Batch of each level.
    pub batches: &'a [usize],
    pub scores: &'a [Vec<Column>],
}

impl LaneScores<'_> {
    /// `visit(level, copy, columns of the block, lane)`
    fn each(&self, mut visit: impl FnMut(usize, usize, &[Column], usize)) {
        for (block, columns) in self.layout.blocks.iter().zip(self.scores) {
            for (l, lane) in block.lanes.iter().enumerate() {
                visit(lane.subject as usize, lane.copy as usize, columns, l);
            }
        }
    }
}

impl Smoother {
    pub fn new(n_batches: usize, n_free: usize, copies: usize, draws: f64) -> Self {
        Self {
            n_batches,
            n_free,
            moments: ScoreMoments::new(n_batches, n_free, copies),
            preconditioner: None,
            scores: Vec::new(),
            copies,
            draws,
        }
    }

    pub fn ready(&self) -> bool {
        self.preconditioner.is_some()
    }

    /// Let the scores of the lanes of each block enter the moments; the lanes of a batch and chain add up.
    pub fn learn(&mut self, lanes: &[LaneScores]) {
        self.moments.begin();
        let p = self.n_free;
        if let [only] = lanes {
            for (block, columns) in only.layout.blocks.iter().zip(only.scores) {
                let lanes = block.lanes.iter();
                let batches: Vec<usize> = lanes
                    .map(|lane| only.batches[lane.subject as usize])
                    .collect();
                self.moments.add_lanes(&batches, columns);
            }
        } else {
            let n_batches = self.n_batches;
            let mut sums = vec![0.0; n_batches * self.copies * p];
            for part in lanes {
                part.each(|level, copy, columns, l| {
                    let first = (part.batches[level] * self.copies + copy) * p;
                    for (sum, column) in sums[first..first + p].iter_mut().zip(columns) {
                        *sum += column.0[l];
                    }
                });
            }
            for (i, score) in sums.chunks(p).enumerate() {
                if score.iter().all(|s| s.is_finite()) {
                    self.moments.add(i / self.copies, score);
                }
            }
        }
        self.moments.finish();
    }

    /// Recompute the inverse information from that of the complete data at the current `theta`.
    pub fn precondition(&mut self, complete: DMatrix<f64>) {
        let missing = self.moments.missing_information();
        self.preconditioner =
            Preconditioner::new(&complete, &missing).or(self.preconditioner.take());
    }

    /// Covariance of the estimate: the inverse of Louis' observed information, in the order of the free coordinates;
    /// `None` where it had to be made up because some direction is hardly observed.
    pub fn covariance(&self) -> Option<DMatrix<f64>> {
        self.preconditioner
            .as_ref()
            .filter(|preconditioner| preconditioner.weak.is_empty())
            .map(|preconditioner| preconditioner.inverse.clone())
    }

    /// Positions of the parameters in directions that are hardly observed.
    pub fn weak(&self) -> &[usize] {
        let preconditioner = self.preconditioner.as_ref();
        preconditioner.map_or(&[], |preconditioner| &preconditioner.weak)
    }

    /// Record the total score of an iteration.
    pub fn observe(&mut self, score: Vec<f64>) {
        self.scores.push(score);
    }

    /// `theta <- theta + gain * I_obs^-1 * score`; false when there is no information to go by.
    pub fn advance(&self, bounds: &Theta, free: &[usize], gain: f64, theta: &mut [f64]) -> bool {
        let (Some(preconditioner), Some(score)) = (&self.preconditioner, self.scores.last()) else {
            return false;
        };
        let step = preconditioner.step(score, LONGEST_STEP);
        if !step.iter().all(|x| x.is_finite()) {
            return false;
        }
        for (k, change) in free.iter().zip(step.iter()) {
            theta[*k] = bounds.clamp(*k, theta[*k] + gain * change);
        }
        true
    }

    /// Status by the gain that one more Newton step would bring; `None` without enough smoothing to tell.
    pub fn verdict(
        &self,
        names: &Theta,
        free: &[usize],
        theta: &[f64],
    ) -> Option<(FitStatus, Vec<String>)> {
        let preconditioner = self.preconditioner.as_ref()?;
        let window = self.scores.len() / 4;
        if window < 5 {
            return None;
        }
        let last = &self.scores[self.scores.len() - window..];
        let mut evidence = Vec::new();
        let mut mean = vec![0.0; free.len()];
        for (position, k) in free.iter().enumerate() {
            let score = last.iter().map(|s| s[position]).sum::<f64>() / window as f64;
            match pressed_bound(names, *k, theta[*k], score) {
                Some(side) => {
                    evidence.push(format!("`{}` is at its {side} bound.", names.names[*k]));
                }
                None => mean[position] = score,
            }
        }
        let (gain, noise) =
            preconditioner.decrement(&mean, (window * self.copies) as f64 * self.draws);
        if !gain.is_finite() || !noise.is_finite() {
            evidence.push("The scores of the last iterations are not finite.".into());
            return Some((FitStatus::NotFinite, evidence));
        }
        evidence.push(format!(
            "One more Newton step would change -2 log L by about {gain:.3}, of which Monte-Carlo noise about {noise:.3}."
        ));
        let settled = gain <= TOLERANCE + 2.0 * noise && noise <= MOST_NOISE;
        let status = if settled {
            FitStatus::Converged
        } else {
            FitStatus::MaxIterations
        };
        Some((status, evidence))
    }
}

/// Which bound a coordinate is pressed against by its score.
fn pressed_bound(bounds: &Theta, k: usize, value: f64, score: f64) -> Option<&'static str> {
    if value <= bounds.lower[k] && score < 0.0 {
        Some("lower")
    } else if value >= bounds.upper[k] && score > 0.0 {
        Some("upper")
    } else {
        None
    }
}

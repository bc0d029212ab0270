//! Take scores of the complete data at weighted draws: in total, and their covariance within the batches.

use nalgebra::DMatrix;

use super::{lane_weights, Cloud, DrawSlopes};
use crate::ir::column::{Column, LANES};
use crate::mstep::{LanePoint, Scores};
use crate::parallel::Workers;
use crate::problem::{DerivativeScratch, Derivatives};

/// Weighted scores of the free coordinates.
#[derive(Debug, Clone)]
pub struct Scored {
    /// `batches x p`, row-major: mean score of each batch.
    pub batches: Vec<f64>,
    /// `p x p`: sum over the batches of the covariance of the scores.
    pub covariance: DMatrix<f64>,
    /// The same from the draws of each replicate alone.
    pub replicates: Vec<DMatrix<f64>>,
    /// `p x p`: Monte-Carlo covariance of the total score, from the spread of the replicates.
    pub noise: DMatrix<f64>,
    /// Sum over the batches of the expected square of each score.
    pub squares: Vec<f64>,
}

impl Scored {
    /// Sum over the batches.
    pub fn total(&self) -> Vec<f64> {
        let p = self.covariance.nrows();
        let mut total = vec![0.0; p];
        for row in self.batches.chunks_exact(p.max(1)) {
            for (total, score) in total.iter_mut().zip(row) {
                *total += score;
            }
        }
        total
    }
}

impl Cloud<'_> {
    /// Gradient of `sum_bc w_bc log p(y_b, phi_bc)` in `theta`, as far as programs say it: outcomes, effects that are not
    /// Gaussian, means and covariances without a closed form. One entry a coordinate.
    pub fn theta_gradient(&mut self, weights: &[f64], workers: &Workers) -> Vec<f64> {
        let mut total = vec![0.0; self.theta().len()];
        let joint = self.joint;
        if let Some(error) = &joint.main().constant_error {
            self.say(0, workers);
            // Each level of the first grouping has its own lane, whatever it shares a batch with.
            for (block, column) in self.layouts[0].blocks.iter().zip(self.said(0)) {
                for (l, lane) in block.lanes.iter().enumerate() {
                    let level = lane.subject as usize;
                    let at = self.levels[0][level] * self.copies + lane.copy as usize;
                    // What does not count may not be finite.
                    if weights[at] != 0.0 {
                        let score = error.score(level, self.theta(), column.0[l]);
                        total[error.theta] += weights[at] * score;
                    }
                }
            }
        }
        for g in 0..self.parts.len() {
            let Some(by_theta) = self.differentiated(g) else {
                continue;
            };
            let (phi, layout, levels) = (&self.phi[g], &self.layouts[g], &self.levels[g]);
            let n = by_theta.n_population();
            let sums = workers.map_range(phi.len(), DerivativeScratch::default, |scratch, b| {
                let weights = lane_weights(layout, b, levels, weights);
                let (_, columns) = by_theta.population_adjoints(b, &phi[b], scratch);
                let sum = |column: &Column| weighted_sum(&weights, column);
                columns.iter().map(sum).collect::<Vec<f64>>()
            });
            let mut adjoints = vec![0.0; n];
            for sums in sums {
                for (total, own) in adjoints.iter_mut().zip(sums) {
                    *total += own;
                }
            }
            let gradient = by_theta.to_theta(self.theta(), &adjoints);
            for (total, own) in total.iter_mut().zip(gradient) {
                *total += own;
            }
        }
        total
    }

    /// Derivatives of a grouping's programs in `theta`, where they are read.
    fn differentiated(&self, g: usize) -> Option<&Derivatives<'_>> {
        let problem = &self.joint.parts[g];
        let read = if g == 0 {
            problem.constant_error.is_none()
        } else {
            !problem.programs.numeric.is_empty() || !problem.form.corrections.is_empty()
        };
        read.then(|| self.parts[g].by_theta())
    }

    /// Scores of all free coordinates, with weights that add up to one in each batch; `replicates`: independent sets of
    /// draws that stand one after another in each batch.
    pub fn scores(
        &mut self,
        free: &[usize],
        (weights, replicates): (&[f64], usize),
        workers: &Workers,
    ) -> Scored {
        let draws = self.draw_scores(free, workers);
        Scored::of(&draws, (weights, self.copies), (free.len(), replicates))
    }

    /// Scores of every draw, `batches x copies x p`.
    pub fn draw_scores(&mut self, free: &[usize], workers: &Workers) -> Vec<f64> {
        for g in 0..self.parts.len() {
            if self.joint.parts[g].constant_error.is_some() {
                self.say(g, workers);
            }
        }
        let this = &*self;
        let p = free.len();
        let mut draws = vec![0.0; self.batches.len() * self.copies * p];
        for g in 0..this.parts.len() {
            let scores = Scores::new(&this.parts[g], free, this.differentiated(g));
            let lanes = workers.map_range(
                this.phi[g].len(),
                DerivativeScratch::default,
                |scratch, b| this.lane_scores((g, b), &scores, scratch),
            );
            self.add_scores(g, &lanes, (&mut draws, p));
        }
        draws
    }

    /// Scores of every draw and the slopes there: one sweep where a program has both.
    pub fn scores_and_slopes(
        &mut self,
        free: &[usize],
        workers: &Workers,
    ) -> (Vec<f64>, DrawSlopes) {
        let (part, phi) = (&self.parts[0], &self.phi[0]);
        let Some(both) = part.by_both().filter(|_| self.parts.len() == 1) else {
            let draws = self.draw_scores(free, workers);
            let all = vec![true; self.batches.len()];
            return (draws, self.slopes(&all, workers));
        };
        let p = free.len();
        let scores = Scores::new(part, free, Some(both));
        let lanes = workers.map_range(phi.len(), DerivativeScratch::default, |scratch, b| {
            let mut gradient = vec![Column::ZERO; phi[b].len()];
            let (value, columns) = both.both_adjoints(b, &phi[b], &mut gradient, scratch);
            let at = LanePoint {
                phi: &phi[b],
                mean: part.mean(b),
                log_lik: &value,
            };
            let own = scores.lanes(&at, &self.layouts[0].blocks[b], columns);
            (own, (value, gradient))
        });
        let (own, slopes): (Vec<_>, Vec<_>) = lanes.into_iter().unzip();
        let mut draws = vec![0.0; self.batches.len() * self.copies * p];
        self.add_scores(0, &own, (&mut draws, p));
        let mut found = self.no_slopes();
        self.add_slopes(0, slopes, &mut found);
        (draws, found)
    }

    fn add_scores(&self, g: usize, lanes: &[Vec<Column>], (draws, p): (&mut [f64], usize)) {
        for (block, columns) in self.layouts[g].blocks.iter().zip(lanes) {
            for (l, lane) in block.lanes.iter().enumerate() {
                let batch = self.levels[g][lane.subject as usize];
                let first = (batch * self.copies + lane.copy as usize) * p;
                for (sum, column) in draws[first..first + p].iter_mut().zip(columns) {
                    *sum += column.0[l];
                }
            }
        }
    }

    /// Scores of the lanes of a block, one column a coordinate.
    fn lane_scores(
        &self,
        (g, b): (usize, usize),
        scores: &Scores,
        scratch: &mut DerivativeScratch,
    ) -> Vec<Column> {
        let (phi, layout) = (&self.phi[g][b], &self.layouts[g]);
        let mut log_lik = Column::ZERO;
        let columns = match self.differentiated(g) {
            Some(by_theta) => by_theta.population_adjoints(b, phi, scratch).1,
            None => {
                if let Some(said) = self.said(g).get(b) {
                    log_lik = *said;
                }
                &[]
            }
        };
        let at = LanePoint {
            phi,
            mean: self.parts[g].mean(b),
            log_lik: &log_lik,
        };
        scores.lanes(&at, &layout.blocks[b], columns)
    }
}

/// Moments of the scores of a batch, in the draws of a replicate.
struct Share {
    weight: f64,
    mean: Vec<f64>,
    /// Lower triangle alone.
    covariance: DMatrix<f64>,
}

impl Share {
    /// Draws without weight do not count; what they say may not be finite.
    fn of(weights: &[f64], draws: &[f64], p: usize) -> Self {
        let weight: f64 = weights.iter().sum();
        let mut share = Self {
            weight,
            mean: vec![0.0; p],
            covariance: DMatrix::zeros(p, p),
        };
        let counted = weights.iter().zip(draws.chunks_exact(p.max(1)));
        let counted = counted.filter(|(weight, _)| **weight > 0.0);
        for (own, score) in counted.clone() {
            for (mean, s) in share.mean.iter_mut().zip(score) {
                *mean += own / weight * s;
            }
        }
        for (own, score) in counted {
            for i in 0..p {
                let left = own / weight * (score[i] - share.mean[i]);
                for j in 0..=i {
                    share.covariance[(i, j)] += left * (score[j] - share.mean[j]);
                }
            }
        }
        share
    }
}

impl Scored {
    /// Moments of the scores of all draws, `batches x copies x p`.
    pub fn of(
        draws: &[f64],
        (weights, copies): (&[f64], usize),
        (p, replicates): (usize, usize),
    ) -> Self {
        let batches = weights.len() / copies.max(1);
        let mut found = Self::none(batches, p, replicates);
        for b in 0..batches {
            let own = &weights[b * copies..(b + 1) * copies];
            found.add(b, own, &draws[b * copies * p..(b + 1) * copies * p]);
        }
        found.finish();
        found
    }

    fn none(batches: usize, p: usize, replicates: usize) -> Self {
        Self {
            batches: vec![0.0; batches * p],
            covariance: DMatrix::zeros(p, p),
            replicates: vec![DMatrix::zeros(p, p); replicates.max(1)],
            noise: DMatrix::zeros(p, p),
            squares: vec![0.0; p],
        }
    }

    /// Add a batch: its weights and the scores of its draws, draw by draw.
    fn add(&mut self, batch: usize, weights: &[f64], draws: &[f64]) {
        let (p, r) = (self.noise.nrows(), self.replicates.len());
        let each = weights.len().div_ceil(r).max(1);
        let shares: Vec<Share> = (weights.chunks(each).zip(draws.chunks((each * p).max(1))))
            .map(|(weights, draws)| Share::of(weights, draws, p))
            .collect();
        let mean = &mut self.batches[batch * p..(batch + 1) * p];
        for share in shares.iter().filter(|share| share.weight > 0.0) {
            for (mean, own) in mean.iter_mut().zip(&share.mean) {
                *mean += share.weight * own;
            }
        }
        let unbiased = r as f64 / (r as f64 - 1.0).max(1.0);
        for (share, total) in shares.iter().zip(&mut self.replicates) {
            // A replicate without weight says nothing of the batch.
            if share.weight <= 0.0 {
                continue;
            }
            for i in 0..p {
                let left = share.mean[i] - mean[i];
                for j in 0..=i {
                    let between = left * (share.mean[j] - mean[j]);
                    let own = share.covariance[(i, j)];
                    total[(i, j)] += own;
                    self.covariance[(i, j)] += share.weight * (own + between);
                    self.noise[(i, j)] += unbiased * share.weight * share.weight * between;
                }
                self.squares[i] +=
                    share.weight * (share.covariance[(i, i)] + share.mean[i] * share.mean[i]);
            }
        }
    }

    fn finish(&mut self) {
        let all = self.replicates.iter_mut();
        for matrix in all.chain([&mut self.covariance, &mut self.noise]) {
            matrix.fill_upper_triangle_with_lower_triangle();
        }
    }
}

/// Sum over the lanes that count; what does not count may not be finite.
fn weighted_sum(weights: &[f64; LANES], column: &Column) -> f64 {
    let terms = weights.iter().zip(column.0);
    terms
        .map(|(weight, x)| if *weight == 0.0 { 0.0 } else { weight * x })
        .sum()
}

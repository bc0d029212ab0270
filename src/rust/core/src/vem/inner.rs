//! Maximize the bound over the `q` of every batch by variational Newton steps.
//!
//! `S^-1 <- (1 - r) S^-1 + r (P - E_q H)`, `mean <- mean + r S g`: a natural-gradient step of length `r`, halved until
//! the bound of the batch does not fall. In coordinates whitened by `L` the new precision is `(1 - r) I + r A`.
//! Where such steps contract slowly they learn from each other (`mixing.rs`). Sources: Opper & Archambeau (2009); Khan &
//! Nielsen (2018).

use nalgebra::{DMatrix, DVector};

use super::bound::{local, Local};
use super::flow::FlowLayers;
use super::mixing::Mixing;
use super::options::PosteriorFamily;
use super::rule::BatchPoints;
use crate::inference::cloud::{BatchMoments, Cloud};
use crate::inference::posterior::{factor, BatchGaussian, BatchPosteriors};
use crate::parallel::Workers;

/// A step may shrink or widen `q` by this factor of the variance.
const MOST: f64 = 16.0;

/// Relative rounding error of a bound.
const ROUNDING: f64 = 1e-12;

/// Steps shorter than this change nothing any more.
const SHORTEST: f64 = 1e-7;

/// When the steps end.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    pub steps: usize,
    /// Gain in the bound of a batch that a further step may promise.
    pub tolerance: f64,
}

/// What the steps came to.
#[derive(Debug, Clone)]
pub struct Solved {
    /// The bound of each batch.
    pub values: Vec<f64>,
    pub q: BatchPosteriors,
    /// Whether no further step would gain anything.
    pub settled: Vec<bool>,
    pub moments: Vec<BatchMoments>,
    /// Layers that bend the `q`; none of Gaussian ones.
    pub flows: Vec<FlowLayers>,
}

impl Solved {
    /// These of some batches, and those of another solution, without flows, of the others.
    pub fn or(mut self, other: &Self, mine: &[bool]) -> Self {
        for b in (0..mine.len()).filter(|b| !mine[*b]) {
            self.values[b] = other.values[b];
            self.q[b].clone_from(&other.q[b]);
            self.settled[b] = other.settled[b];
            self.moments[b].clone_from(&other.moments[b]);
            for layer in &mut self.flows[b] {
                layer.v.fill(0.0);
            }
        }
        self
    }
}

/// A batch on its way.
struct NewtonBatch {
    q: BatchGaussian,
    /// The bound there; `None` before it was computed.
    here: Option<Local>,
    rate: f64,
    trial: BatchGaussian,
    /// Whether the trial is a step that learned from the ones before.
    mixed: bool,
    memory: Mixing,
    settled: bool,
}

/// A step of `q`, and what it would gain if it were taken whole.
struct VariationalStep {
    to: BatchGaussian,
    gain: f64,
}

/// Maximize over the `q` of all batches, from `start`, at the `theta` of `cloud`.
pub fn solve(
    cloud: &mut Cloud,
    points: &BatchPoints,
    (start, family): (&BatchPosteriors, PosteriorFamily),
    (limits, workers): (StepLimits, &Workers),
) -> Solved {
    let mut members: Vec<NewtonBatch> = start.iter().map(NewtonBatch::new).collect();
    let mut draws = vec![0.0; cloud.n_effects()];
    let mut steps = 0;
    while steps < limits.steps.max(1) && members.iter().any(|m| !m.settled) {
        steps += 1;
        for (b, member) in members.iter().enumerate().filter(|(_, m)| !m.settled) {
            points.place(cloud, b, &member.trial, &mut draws);
        }
        cloud.set(&draws);
        let active: Vec<bool> = members.iter().map(|m| !m.settled).collect();
        let slopes = cloud.slopes(&active, workers);
        for (b, member) in members.iter_mut().enumerate().filter(|(b, _)| active[*b]) {
            let there = local(cloud, b, &member.trial, points, &slopes);
            member.judge(there, family, limits.tolerance);
        }
    }
    // The draws stand where `q` ended.
    for (b, member) in members.iter().enumerate() {
        points.place(cloud, b, &member.q, &mut draws);
    }
    cloud.set(&draws);
    let value = |m: &NewtonBatch| m.here.as_ref().map_or(f64::NAN, |here| here.value);
    Solved {
        values: members.iter().map(value).collect(),
        settled: members.iter().map(|m| m.settled).collect(),
        moments: members.iter().map(|m| BatchMoments::from(&m.q)).collect(),
        q: members.into_iter().map(|m| m.q).collect(),
        flows: Vec::new(),
    }
}

impl NewtonBatch {
    fn new(q: &BatchGaussian) -> Self {
        Self {
            q: q.clone(),
            here: None,
            rate: 1.0,
            trial: q.clone(),
            mixed: false,
            memory: Mixing::default(),
            settled: false,
        }
    }

    /// Take the trial or not, and make the next one.
    fn judge(&mut self, there: Local, family: PosteriorFamily, tolerance: f64) {
        if self.is_better(&there) {
            self.q.clone_from(&self.trial);
            self.here = Some(there);
            self.rate = (2.0 * self.rate).min(1.0);
        } else if self.mixed {
            self.memory.forget();
        } else {
            self.rate *= 0.5;
        }
        self.settled = self.rate < SHORTEST;
        while !self.settled {
            let Some(step) = self.step(family) else {
                self.rate *= 0.5;
                self.settled = self.rate < SHORTEST;
                continue;
            };
            self.settled = step.gain < tolerance;
            let mixed = (self.rate == 1.0)
                .then(|| self.memory.mix(&self.q, &step.to))
                .flatten();
            self.mixed = mixed.is_some();
            self.trial = mixed.unwrap_or(step.to);
            return;
        }
    }

    fn is_better(&self, there: &Local) -> bool {
        let sound = there.slope.iter().chain(there.shape.iter());
        if !there.value.is_finite() || !sound.copied().all(f64::is_finite) {
            return false;
        }
        let Some(here) = &self.here else {
            return true;
        };
        there.value >= here.value - ROUNDING * (1.0 + here.value.abs())
    }

    /// The next `q`; `None` where the step is too long for the precision to stay positive.
    fn step(&self, family: PosteriorFamily) -> Option<VariationalStep> {
        let here = self.here.as_ref()?;
        let (d, r) = (self.q.dim(), self.rate);
        if d == 0 {
            return Some(VariationalStep {
                to: self.q.clone(),
                gain: 0.0,
            });
        }
        let identity = DMatrix::<f64>::identity(d, d);
        let blend = |a: &DMatrix<f64>| &identity * (1.0 - r) + a * r;
        let diagonal = DMatrix::from_diagonal(&here.shape.diagonal());
        let shape = if family == PosteriorFamily::MeanField {
            &diagonal
        } else {
            &here.shape
        };
        let precision = blend(shape);
        // Neither much wider nor much narrower at once.
        (&precision - &identity * (1.0 / MOST)).cholesky()?;
        if precision.diagonal().max() > MOST {
            return None;
        }
        let curvature = blend(&here.shape).cholesky();
        let curvature = curvature.or_else(|| blend(&diagonal).cholesky())?;
        let newton = curvature.solve(&here.slope);
        let l = factor(&self.q);
        let mean = DVector::from_column_slice(&self.q.mean) + &l * &newton * r;
        let chol = &l * reverse_root(&precision)?;
        let miss = (shape - identity).norm_squared();
        let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        Some(VariationalStep {
            to: BatchGaussian {
                mean: mean.as_slice().to_vec(),
                chol: pairs.map(|place| chol[place]).collect(),
            },
            gain: 0.5 * newton.dot(&here.slope) + 0.25 * miss,
        })
    }
}

/// The lower triangular `C` with `C C' = N^-1`.
pub fn reverse_root(n: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let d = n.nrows();
    let flipped = DMatrix::from_fn(d, d, |i, j| n[(d - 1 - i, d - 1 - j)]);
    let k = flipped.cholesky()?.l();
    // `N = U U'` with an upper triangular `U`; `C` is the inverse of its transpose.
    let lower = DMatrix::from_fn(d, d, |i, j| k[(d - 1 - j, d - 1 - i)]);
    lower.solve_lower_triangular(&DMatrix::identity(d, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_the_inverse_is_lower_triangular() {
        let n = DMatrix::from_row_slice(3, 3, &[4.0, 1.0, 0.5, 1.0, 3.0, -0.7, 0.5, -0.7, 2.0]);
        let c = reverse_root(&n).unwrap();
        assert!((&c * c.transpose() * n - DMatrix::identity(3, 3)).norm() < 1e-12);
        assert_eq!((c[(0, 1)], c[(0, 2)], c[(1, 2)]), (0.0, 0.0, 0.0));
    }
}

//! Move `q` along noisy estimates of its natural gradient.
//!
//! At draws `phi_k = mean + L z_k` of weights `w_k` let `h_k = L' grad [log p(y, phi_k) - log q(phi_k)]`, which vanishes
//! where `q` is the posterior, whatever the draws: then there is no noise to average. `sum_k w_k h_k` estimates the
//! gradient in the mean, and `A = I - sum_k w_k h_k z_k'` the precision the step leads to, in coordinates whitened by
//! `L`; the precision becomes `(1 - r) I + r A` as with points that stay (`inner.rs`). Because precisions are averaged
//! by the rate `r`, noise neither widens nor narrows `q` as the rate falls. Sources: Roeder, Wu & Duvenaud (2017),
//! Sticking the landing; Khan & Nielsen (2018).

use nalgebra::{DMatrix, DVector};

use super::bound::{Expected, LN_2PI};
use super::inner::reverse_root;
use super::options::PosteriorFamily;
use super::rule::BatchPoints;
use crate::inference::cloud::{Cloud, DrawSlopes};
use crate::inference::posterior::{factor, BatchGaussian};

/// A step may change the variance in a direction by this factor.
const MOST: f64 = 4.0;

/// Longest step of the mean, in standard deviations.
const LONGEST: f64 = 2.0;

/// What the draws of a batch say of its bound.
#[derive(Debug, Clone)]
pub struct Estimate {
    pub value: f64,
    slope: DVector<f64>,
    /// `A`.
    shape: DMatrix<f64>,
}

/// Weights of the draws of a batch that have a density; false where some had none.
pub fn sound(cloud: &Cloud, batch: usize, slopes: &DrawSlopes, weights: &mut [f64]) -> bool {
    let d = cloud.batches.dim(batch);
    let mut total = 0.0;
    let mut lost = false;
    for (c, weight) in weights.iter_mut().enumerate() {
        let first = cloud.first(batch, c);
        let gradient = &slopes.gradient[first..first + d];
        let value = slopes.log_lik[batch * cloud.copies + c];
        if *weight > 0.0 && !(value.is_finite() && gradient.iter().all(|g| g.is_finite())) {
            *weight = 0.0;
            lost = true;
        }
        total += *weight;
    }
    if lost && total > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= total);
    }
    !lost
}

/// `weights`: those of the batch, adding up to one.
pub fn estimate(
    cloud: &Cloud,
    batch: usize,
    q: &BatchGaussian,
    (points, weights): (&BatchPoints, &[f64]),
    slopes: &DrawSlopes,
) -> Estimate {
    let d = q.dim();
    let expected = Expected::of(cloud, batch, q);
    let l = factor(q);
    let prior = l.transpose() * &expected.precision * &l;
    let pull = l.transpose() * &expected.slope;
    let known = 0.5 * (prior.trace() - d as f64);
    let mut found = Estimate {
        value: expected.value + q.log_det() + 0.5 * d as f64 * (1.0 + LN_2PI),
        slope: DVector::zeros(d),
        shape: DMatrix::identity(d, d),
    };
    for (c, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        let first = cloud.first(batch, c);
        let z = DVector::from_column_slice(&points.z[first..first + d]);
        let gradient = DVector::from_column_slice(&slopes.gradient[first..first + d]);
        let spring = &prior * &z;
        let miss = l.tr_mul(&gradient) + &pull - &spring + &z;
        // What the density of the effects and `q` are at this draw, less their expectations.
        let control = pull.dot(&z) - 0.5 * (z.dot(&spring) - z.norm_squared()) + known;
        let log_lik = slopes.log_lik[batch * cloud.copies + c];
        found.value += weight * (log_lik + control);
        found.slope.axpy(*weight, &miss, 1.0);
        found.shape.ger(-0.5 * weight, &miss, &z, 1.0);
        found.shape.ger(-0.5 * weight, &z, &miss, 1.0);
    }
    found
}

/// `q` after a step of length `rate`; where the estimate is no number, `q` itself.
pub fn moved(
    q: &BatchGaussian,
    estimate: &Estimate,
    rate: f64,
    family: PosteriorFamily,
) -> BatchGaussian {
    let d = q.dim();
    let mut precision = &estimate.shape * rate;
    if family == PosteriorFamily::MeanField {
        precision = DMatrix::from_diagonal(&precision.diagonal());
    }
    precision += DMatrix::identity(d, d) * (1.0 - rate);
    if d == 0
        || !precision
            .iter()
            .chain(&estimate.slope)
            .all(|x| x.is_finite())
    {
        return q.clone();
    }
    let mut eigen = precision.symmetric_eigen();
    eigen.eigenvalues.apply(|e| *e = e.clamp(1.0 / MOST, MOST));
    let precision = eigen.recompose();
    let inverse = eigen.eigenvalues.map(f64::recip);
    let turned = eigen.eigenvectors.tr_mul(&estimate.slope);
    let newton = &eigen.eigenvectors * turned.component_mul(&inverse) * rate;
    let newton = &newton * (LONGEST / newton.norm()).min(1.0);
    let l = factor(q);
    let Some(root) = reverse_root(&precision) else {
        return q.clone();
    };
    let mean = DVector::from_column_slice(&q.mean) + &l * newton;
    let chol = l * root;
    let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
    BatchGaussian {
        mean: mean.as_slice().to_vec(),
        chol: pairs.map(|place| chol[place]).collect(),
    }
}

/// `q` with half its width: some of its draws had no density.
pub fn narrowed(q: &BatchGaussian) -> BatchGaussian {
    BatchGaussian {
        mean: q.mean.clone(),
        chol: q.chol.iter().map(|x| 0.5 * x).collect(),
    }
}

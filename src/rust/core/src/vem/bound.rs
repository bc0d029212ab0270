//! Evaluate the bound of every batch and what a step of `q` needs.
//!
//! With points `phi_k = mean + L z_k` of weights `w_k`,
//! `ELBO_b = sum_k w_k log p(y_b | phi_k) + E_q log N(phi; m, Omega) + ln det L + D/2 (1 + ln 2 pi)`;
//! the expectation of the population density is known:
//! `E_q log N = log N(mean; m, Omega) - tr(Omega^-1 L L')/2`. With `B = sum_k w_k g_k z_k'` of the gradients `g_k` of the
//! log-likelihood, the gradient in `L` is `B - P L + L^-T`: it vanishes where the lower triangle of `A = L' (P L - B)` is
//! the identity. Source: Opper & Archambeau (2009).

use nalgebra::{DMatrix, DVector};

use super::rule::BatchPoints;
use crate::inference::cloud::{Cloud, DrawSlopes};
use crate::inference::posterior::{factor, BatchGaussian};

/// `ln(2 pi)`
pub const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// The bound of a batch at its `q`.
#[derive(Debug, Clone)]
pub struct Local {
    pub value: f64,
    /// Gradient in the mean of `q`, times `L'`.
    pub slope: DVector<f64>,
    /// The lower triangle of `A`, made symmetric.
    pub shape: DMatrix<f64>,
}

/// The expectation of the log density of the effects of a batch, its gradient in the mean, and minus its second
/// derivative.
pub struct Expected {
    pub value: f64,
    pub slope: DVector<f64>,
    pub precision: DMatrix<f64>,
}

impl Expected {
    /// `E_q log N(phi; m, Omega)` of the levels of a batch; given effects count at their values.
    pub fn of(cloud: &Cloud, batch: usize, q: &BatchGaussian) -> Self {
        let d = q.dim();
        let mut found = Self {
            value: 0.0,
            slope: DVector::zeros(d),
            precision: DMatrix::zeros(d, d),
        };
        let mut first = 0;
        for level in cloud.batches.levels(batch) {
            let prior = cloud.part(level[0].group).prior();
            let r = DVector::from_vec(cloud.away(level, &q.mean[first..]));
            let pull = &prior.precision * &r;
            found.value += prior.log_norm - 0.5 * r.dot(&pull);
            for (i, a) in level.iter().enumerate() {
                found.slope[first + i] = -pull[a.effect];
                for (j, b) in level.iter().enumerate() {
                    let precision = prior.precision[(a.effect, b.effect)];
                    found.precision[(first + i, first + j)] = precision;
                    found.value -= 0.5 * precision * q.covariance(first + i, first + j);
                }
            }
            first += level.len();
        }
        found
    }
}

/// `E_q log p(y_b | phi)`, entropy and population density of a batch.
pub fn local(
    cloud: &Cloud,
    batch: usize,
    q: &BatchGaussian,
    points: &BatchPoints,
    slopes: &DrawSlopes,
) -> Local {
    let d = q.dim();
    let mut value = 0.0;
    let mut slope = DVector::zeros(d);
    let mut b = DMatrix::zeros(d, d);
    for c in 0..cloud.copies {
        let draw = batch * cloud.copies + c;
        let weight = points.weights[draw];
        if weight == 0.0 {
            continue;
        }
        let first = cloud.first(batch, c);
        value += weight * slopes.log_lik[draw];
        let gradient = &slopes.gradient[first..first + d];
        let z = &points.z[first..first + d];
        for i in 0..d {
            slope[i] += weight * gradient[i];
            for j in 0..d {
                b[(i, j)] += weight * gradient[i] * z[j];
            }
        }
    }
    let expected = Expected::of(cloud, batch, q);
    let l = factor(q);
    slope += expected.slope;
    let mut shape = l.transpose() * (expected.precision * &l - b);
    shape.fill_upper_triangle_with_lower_triangle();
    Local {
        value: value + expected.value + q.log_det() + 0.5 * d as f64 * (1.0 + LN_2PI),
        slope: l.transpose() * slope,
        shape,
    }
}

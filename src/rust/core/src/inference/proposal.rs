//! Place a Gaussian around the conditional modes of every batch: where importance sampling starts from.
//!
//! Its covariance is the inverse of the curvature of the log density at the mode, Laplace's approximation.

use nalgebra::DMatrix;

use super::joint::joint_curvatures;
use super::posterior::{BatchGaussian, BatchPosteriors, Batches, FreeEffect};
use crate::error::Result;
use crate::problem::{EffectValues, Joint};

/// Smallest curvature that is believed, relative to the largest of the batch.
const FLATTEST: f64 = 1e-8;

/// The Gaussian of every batch at `modes`; where the curvature is not positive its size is taken.
///
/// # Errors
/// A batch with too many effects, or a population distribution that does not exist.
pub fn around(joint: &Joint, theta: &[f64], modes: &EffectValues) -> Result<BatchPosteriors> {
    let batches = Batches::new(joint);
    let curvatures = joint_curvatures(joint, theta, modes)?;
    let each = batches.coordinates.iter().zip(curvatures);
    let gaussian = |(own, curvature): (&Vec<FreeEffect>, DMatrix<f64>)| BatchGaussian {
        mean: (own.iter().map(|c| modes.of(c.group, c.level)[c.effect])).collect(),
        chol: factor_of_inverse(curvature),
    };
    Ok(each.map(gaussian).collect())
}

/// Lower Cholesky factor, by rows, of the inverse of a symmetric matrix.
///
/// With `J` the reversal of the order and `J A J = M M'`, it is `J M'^-1 J`: the inverse itself, in which small variances
/// drown, is never formed.
pub fn factor_of_inverse(matrix: DMatrix<f64>) -> Vec<f64> {
    let d = matrix.nrows();
    let reversed = DMatrix::from_fn(d, d, |i, j| matrix[(d - 1 - i, d - 1 - j)]);
    let factor = reversed.cholesky().and_then(|c| {
        let upper = c.l().transpose();
        let inverse = upper.solve_upper_triangular(&DMatrix::identity(d, d))?;
        Some(DMatrix::from_fn(d, d, |i, j| {
            inverse[(d - 1 - i, d - 1 - j)]
        }))
    });
    let factor = factor.unwrap_or_else(|| {
        let inverse = inverse_of_size(matrix).cholesky();
        inverse.map_or_else(|| DMatrix::identity(d, d), |c| c.l())
    });
    let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.map(|at| factor[at]).collect()
}

/// The inverse with all eigenvalues positive.
fn inverse_of_size(matrix: DMatrix<f64>) -> DMatrix<f64> {
    let eigen = matrix.symmetric_eigen();
    let largest = eigen.eigenvalues.amax();
    let inverse = eigen.eigenvalues.map(|x| {
        let size = x.abs().max(FLATTEST * largest);
        1.0 / size.max(f64::MIN_POSITIVE)
    });
    &eigen.eigenvectors * DMatrix::from_diagonal(&inverse) * eigen.eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_of_an_inverse_keeps_small_variances() {
        let lower = DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 0.0, 0.5, 2.0, 0.0, 0.3, 1e3, 1e7]);
        let found = factor_of_inverse(&lower * lower.transpose());
        // With A = L L' the inverse has the last variance 1e-14.
        let last = found[3].hypot(found[4]).hypot(found[5]);
        assert!((last / 1e-7 - 1.0).abs() < 1e-6, "{last:e}");
        assert!(found[0] > 0.0 && found[2] > 0.0 && found[5] > 0.0);
    }
}

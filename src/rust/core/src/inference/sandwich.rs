//! Turn information into the covariance of the estimates: its inverse, or the sandwich.
//!
//! `A^-1` where the model holds; `A^-1 B A^-1` with `B = sum_b s_b s_b'` where it may not, `A` the observed information and
//! `s_b` the score of a batch. Source: White (1982), Maximum likelihood estimation of misspecified models.

use nalgebra::DMatrix;

use super::information::WeightedInformation;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::Joint;

/// Share of a parameter in a direction, relative to the largest, from which it is named.
const SHARE: f64 = 0.3;

/// The inverse of an information matrix about the coordinates `free`.
///
/// # Errors
/// A matrix that is not positive definite, with the parameters about which it is not.
pub fn inverse(joint: &Joint, free: &[usize], information: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let finite = information.iter().all(|x| x.is_finite());
    let factor = information.clone().cholesky().filter(|_| finite);
    factor
        .map(|factor| factor.inverse())
        .ok_or_else(|| unidentified(joint, free, information))
}

/// That estimates have no standard errors, with the parameters about which an information matrix says least.
pub fn unidentified(joint: &Joint, free: &[usize], information: &DMatrix<f64>) -> Error {
    let names = weakest(information)
        .into_iter()
        .map(|k| &joint.theta.names[free[k]]);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let about = if names.is_empty() {
        "the parameters".into()
    } else {
        names.join(", ")
    };
    Error::new(
        ErrorClass::Numeric,
        "not_identified",
        format!("The log-likelihood does not curve down about {about} at these estimates: they have no standard errors."),
    )
    .hint("Either the estimates are not at a maximum, or the data do not tell these parameters apart: fix one of them, or leave it out.")
}

/// Parameters with a share in the direction of the smallest eigenvalue, in the units of their own information.
fn weakest(information: &DMatrix<f64>) -> Vec<usize> {
    if !information.iter().all(|x| x.is_finite()) {
        return Vec::new();
    }
    let p = information.nrows();
    let unit = |k: usize| information[(k, k)].abs().sqrt().max(f64::MIN_POSITIVE);
    let scaled = DMatrix::from_fn(p, p, |a, b| information[(a, b)] / unit(a) / unit(b));
    let eigen = scaled.symmetric_eigen();
    let smallest = eigen.eigenvalues.imin();
    let direction = eigen.eigenvectors.column(smallest);
    let largest = direction.amax();
    (0..p)
        .filter(|k| direction[*k].abs() >= SHARE * largest)
        .collect()
}

/// `bread B bread`; what is not a number in the bread stays so.
pub fn filled(bread: &DMatrix<f64>, information: &WeightedInformation) -> DMatrix<f64> {
    let p = information.free.len();
    let rows = information.scores.len() / p.max(1);
    let scores = DMatrix::from_row_slice(rows, p, &information.scores);
    let known = bread.map(|x| if x.is_nan() { 0.0 } else { x });
    let mut found = &known * (scores.transpose() * &scores) * &known;
    for (x, bread) in found.iter_mut().zip(bread) {
        if bread.is_nan() {
            *x = f64::NAN;
        }
    }
    found
}

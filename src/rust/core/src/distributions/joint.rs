//! Outcomes of one row that are normal together: each given those before it that are there.
//!
//! With residuals `r = y - mean` and `S` their covariance, let `p_i` be 1 where outcome `i` is there, else 0. In `S*`, with
//! `S*_ij = p_i p_j S_ij` beside the diagonal of `S`, and `r* = p r`, what is missing stands apart and says nothing. With
//! `S* = L L'` and `z = L^-1 r*` the log density of outcome `k` given the earlier ones is
//!
//! ```text
//! -z_k^2 / 2 - ln L_kk - ln(2 pi) / 2
//! ```

use super::effects::Transform;
use super::{normal, Family, FamilyForm, OutcomeDensity, LN_SQRT_2PI};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub const MVNORMAL: Family = Family {
    name: "mvnormal",
    arguments: &["mean", "cov"],
    form: FamilyForm::Joint,
    effect: Some(normal::effect(Transform::Identity)),
    ..Family::BLANK
};

/// The lower Cholesky factor of a `d x d` matrix, row-major; entries above the diagonal are not read.
fn cholesky(g: &mut Graph, matrix: &[Node], d: usize) -> Vec<Node> {
    let zero = g.constant(0.0);
    let mut factor = vec![zero; d * d];
    for i in 0..d {
        for j in 0..=i {
            let terms: Vec<Node> = (0..j)
                .map(|k| g.mul(factor[i * d + k], factor[j * d + k]))
                .collect();
            let sum = g.sum(&terms);
            let left = g.sub(matrix[i * d + j], sum);
            factor[i * d + j] = if i == j {
                g.unary(Unary::Sqrt, left)
            } else {
                g.div(left, factor[j * d + j])
            };
        }
    }
    factor
}

/// Densities of the outcomes `y` with these means and covariance (row-major, its lower triangle is read). `present`: 1
/// where an outcome is there. Arguments are the mean and the row of the Cholesky factor, for [`draw`].
pub fn densities(
    g: &mut Graph,
    y: &[Node],
    present: &[Node],
    means: &[Node],
    covariance: &[Node],
) -> Vec<OutcomeDensity> {
    let d = y.len();
    let zero = g.constant(0.0);
    let mut masked = covariance.to_vec();
    for i in 0..d {
        for j in 0..i {
            let both = g.mul(present[i], present[j]);
            masked[i * d + j] = g.select(both, covariance[i * d + j], zero);
        }
    }
    let whole = cholesky(g, covariance, d);
    let factor = cholesky(g, &masked, d);
    let constant = g.constant(LN_SQRT_2PI);
    let mut z: Vec<Node> = Vec::with_capacity(d);
    (0..d)
        .map(|k| {
            let residual = g.sub(y[k], means[k]);
            let residual = g.select(present[k], residual, zero);
            let terms: Vec<Node> = (0..k).map(|j| g.mul(factor[k * d + j], z[j])).collect();
            let known = g.sum(&terms);
            let left = g.sub(residual, known);
            let own = g.div(left, factor[k * d + k]);
            z.push(own);
            let square = g.square(own);
            let half = g.scale(-0.5, square);
            let log = g.ln(factor[k * d + k]);
            let norm = g.add(log, constant);
            let row = &whole[k * d..=k * d + k];
            OutcomeDensity {
                log_density: g.sub(half, norm),
                prediction: Some(means[k]),
                sd: Some(g.unary(Unary::Sqrt, covariance[k * d + k])),
                information: None,
                arguments: [&[means[k]], row].concat(),
            }
        })
        .collect()
}

/// An outcome from its arguments and the standard normal numbers of the row, one for each outcome up to this one.
pub fn draw(arguments: &[f64], noise: impl Iterator<Item = f64>) -> f64 {
    let (mean, row) = arguments.split_first().unwrap_or((&f64::NAN, &[]));
    mean + row.iter().zip(noise).map(|(l, e)| l * e).sum::<f64>()
}

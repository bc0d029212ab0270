//! Measure the curvature of the conditional log density of `phi` in every lane.

use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::problem::{DerivativeScratch, Evaluator};

/// Which second derivative of the log-likelihood is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curvature {
    /// Expected information (Gauss-Newton): cheap and never negative.
    Expected,
    /// Minus the second derivative, by central differences of the gradient.
    Observed,
}

/// Add the precision of the prior to the curvature of the likelihood: the precision of the Laplace posterior.
///
/// Returns the lower triangle by rows, one column an element.
pub fn posterior_precision(
    kind: Curvature,
    target: &Evaluator,
    b: usize,
    phi: &[Column],
    scratch: &mut DerivativeScratch,
) -> Vec<Column> {
    let prior = target.prior();
    let mut elements = match kind {
        Curvature::Expected => target.by_phi().information(b, phi, scratch).elements,
        Curvature::Observed => observed(target, b, phi, scratch),
    };
    for i in 0..prior.dim() {
        for j in 0..=i {
            let precision = prior.precision[(i, j)];
            for value in &mut elements[at(i, j)].0 {
                *value += precision;
            }
        }
    }
    elements
}

/// Minus the Hessian of the log-likelihood; the step is a fraction of the prior's standard deviation.
fn observed(
    target: &Evaluator,
    b: usize,
    phi: &[Column],
    scratch: &mut DerivativeScratch,
) -> Vec<Column> {
    let (d, derivatives) = (phi.len(), target.by_phi());
    let mut full = vec![Column::ZERO; d * d];
    let mut moved = phi.to_vec();
    let (mut up, mut down) = (vec![Column::ZERO; d], vec![Column::ZERO; d]);
    for k in 0..d {
        let step = target.prior().step(k);
        shift(&mut moved[k], &phi[k], step);
        derivatives.gradient_phi(b, &moved, &mut up, scratch);
        shift(&mut moved[k], &phi[k], -step);
        derivatives.gradient_phi(b, &moved, &mut down, scratch);
        moved[k] = phi[k];
        for i in 0..d {
            for l in 0..LANES {
                full[i * d + k].0[l] = (down[i].0[l] - up[i].0[l]) / (2.0 * step);
            }
        }
    }
    let mut elements = Vec::with_capacity(d * (d + 1) / 2);
    for i in 0..d {
        for j in 0..=i {
            let (x, y) = (&full[i * d + j], &full[j * d + i]);
            elements.push(Column(std::array::from_fn(|l| 0.5 * (x.0[l] + y.0[l]))));
        }
    }
    elements
}

fn shift(column: &mut Column, from: &Column, step: f64) {
    for (to, x) in column.0.iter_mut().zip(from.0) {
        *to = x + step;
    }
}

//! Combine a step of a fixed-point iteration with what the last steps taught about the map.
//!
//! With points `x_k` and steps `f_k = G(x_k) - x_k`, the next point is `x + f - sum_j g_j (dx_j + df_j)`, the `g_j`
//! least squares of `f - sum_j g_j df_j`: the mixing of Anderson (1965), Iterative procedures for nonlinear integral
//! equations; type II of Walker & Ni (2011). Norms are in standard deviations of the current `q`.

use nalgebra::{DMatrix, DVector};

use crate::inference::posterior::BatchGaussian;
use crate::ir::symmetric::at;

/// Steps that are remembered.
const DEPTH: usize = 4;

/// Eigenvalues of the normal equations below this part of the largest say nothing.
const BLURRED: f64 = 1e-12;

/// The last steps.
#[derive(Debug, Clone, Default)]
pub struct Mixing {
    /// Changes of the point and of the step.
    pairs: Vec<(DVector<f64>, DVector<f64>)>,
    last: Option<(DVector<f64>, DVector<f64>)>,
}

impl Mixing {
    pub fn forget(&mut self) {
        self.pairs.clear();
        self.last = None;
    }

    /// Learn the step from `here` to `to`; a better point, where the earlier steps say one.
    pub fn mix(&mut self, here: &BatchGaussian, to: &BatchGaussian) -> Option<BatchGaussian> {
        let x = flat(here);
        let f = flat(to) - &x;
        if let Some((x0, f0)) = self.last.take() {
            if self.pairs.len() == DEPTH {
                self.pairs.remove(0);
            }
            self.pairs.push((&x - x0, &f - f0));
        }
        self.last = Some((x.clone(), f.clone()));
        if self.pairs.is_empty() {
            return None;
        }
        let white: Vec<DVector<f64>> = (self.pairs.iter())
            .map(|(_, df)| whiten(here, df))
            .collect();
        let weights = least_squares(&white, &whiten(here, &f))?;
        let mut next = x + f;
        for ((dx, df), g) in self.pairs.iter().zip(weights.iter()) {
            next -= (dx + df) * *g;
        }
        shaped(&next, to)
    }
}

/// Mean and factor one after another.
fn flat(q: &BatchGaussian) -> DVector<f64> {
    DVector::from_iterator(
        q.mean.len() + q.chol.len(),
        q.mean.iter().chain(&q.chol).copied(),
    )
}

/// The distribution a flat vector stands for; `None` where its scales are far from those of `near`.
fn shaped(x: &DVector<f64>, near: &BatchGaussian) -> Option<BatchGaussian> {
    let d = near.dim();
    let found = BatchGaussian {
        mean: x.as_slice()[..d].to_vec(),
        chol: x.as_slice()[d..].to_vec(),
    };
    let ratio = |i: usize| found.chol[at(i, i)] / near.chol[at(i, i)];
    let sound = (0..d).all(|i| (0.25..4.0).contains(&ratio(i)));
    sound.then_some(found)
}

/// Changes of mean and factor in units of the factor of `q`.
fn whiten(q: &BatchGaussian, x: &DVector<f64>) -> DVector<f64> {
    let d = q.dim();
    let mut out = x.clone();
    let mut solve = |place: &dyn Fn(usize) -> Option<usize>| {
        for i in 0..d {
            let Some(own) = place(i) else { continue };
            let mut sum = x[own];
            for k in 0..i {
                if let Some(above) = place(k) {
                    sum -= q.chol[at(i, k)] * out[above];
                }
            }
            out[own] = sum / q.chol[at(i, i)];
        }
    };
    solve(&|i| Some(i));
    for j in 0..d {
        solve(&|i| (i >= j).then(|| d + at(i, j)));
    }
    out
}

/// `argmin |right - sum_j g_j columns_j|`, directions that rounding blurs left out.
fn least_squares(columns: &[DVector<f64>], right: &DVector<f64>) -> Option<DVector<f64>> {
    let n = columns.len();
    let normal = DMatrix::from_fn(n, n, |i, j| columns[i].dot(&columns[j]));
    let moment = DVector::from_fn(n, |i, _| columns[i].dot(right));
    let eigen = normal.symmetric_eigen();
    let largest = eigen.eigenvalues.max();
    if largest.is_nan() || largest <= 0.0 {
        return None;
    }
    let mut along = eigen.eigenvectors.transpose() * moment;
    for (x, value) in along.iter_mut().zip(eigen.eigenvalues.iter()) {
        *x = if *value > BLURRED * largest {
            *x / value
        } else {
            0.0
        };
    }
    Some(eigen.eigenvectors * along)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A linear map that contracts by 0.98 in one direction is solved in a few steps.
    #[test]
    fn a_slow_direction_does_not_stay_slow() {
        let map = |q: &BatchGaussian| BatchGaussian {
            mean: vec![0.98 * q.mean[0] + 0.02, 0.3 * q.mean[1] + 0.1 * q.mean[0]],
            chol: vec![1.0 + 0.5 * (q.chol[0] - 1.0), 0.0, 1.0],
        };
        let mut memory = Mixing::default();
        let mut q = BatchGaussian {
            mean: vec![0.0, 0.0],
            chol: vec![1.5, 0.0, 1.0],
        };
        for _ in 0..8 {
            let to = map(&q);
            q = memory.mix(&q, &to).unwrap_or(to);
        }
        assert!((q.mean[0] - 1.0).abs() < 1e-8, "{q:?}");
        assert!((q.chol[0] - 1.0).abs() < 1e-8, "{q:?}");
    }
}

//! Make the effects of a distribution independent.

use nalgebra::DMatrix;

use crate::inference::posterior::{factor, BatchGaussian, BatchPosteriors};
use crate::ir::symmetric::at;

/// Distributions whose effects are independent, each as wide as given the others.
pub fn independent(posterior: BatchPosteriors) -> BatchPosteriors {
    let each = posterior.into_iter().map(|q| {
        let d = q.dim();
        let root = factor(&q).solve_lower_triangular(&DMatrix::identity(d, d));
        let mut chol = vec![0.0; q.chol.len()];
        for i in 0..d {
            let squares = root
                .as_ref()
                .map_or(f64::NAN, |r| r.column(i).norm_squared());
            chol[at(i, i)] = squares.sqrt().recip();
        }
        BatchGaussian { chol, ..q }
    });
    each.collect()
}

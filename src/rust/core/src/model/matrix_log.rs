//! Map a covariance matrix to the lower triangle of its matrix logarithm.
//!
//! `Sigma = exp(A)`, `A` symmetric: every `A` gives a positive definite matrix, and rotating `Sigma` rotates `A`.
//! In the program the exponential is `(T(A / 2^s))^(2^s)` with the Taylor polynomial `T` (scaling and squaring: Moler &
//! Van Loan, 2003).

use nalgebra::{DMatrix, SymmetricEigen};

use super::covariance::{full_matrix, triangle};
use crate::ir::graph::{Graph, Node};

/// `A` is divided by `2^6`, and the polynomial has degree 12: for `|A| <= 32` its remainder is below `2^-13 / 13!`,
/// 2e-14.
const SQUARINGS: usize = 6;
const DEGREE: usize = 12;

/// A function of a symmetric matrix, by its lower triangle; NaN where the matrix has no eigenvalues.
fn spectral(elements: &[f64], dim: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let lost = || vec![f64::NAN; elements.len()];
    if elements.iter().any(|x| !x.is_finite()) {
        return lost();
    }
    let matrix = full_matrix(elements, dim);
    let Some(eigen) = SymmetricEigen::try_new(matrix, f64::EPSILON, 10_000) else {
        return lost();
    };
    let scaled = DMatrix::from_fn(dim, dim, |i, k| {
        eigen.eigenvectors[(i, k)] * f(eigen.eigenvalues[k])
    });
    let full = scaled * eigen.eigenvectors.transpose();
    triangle(dim).map(|(i, j)| full[(i, j)]).collect()
}

pub fn coordinates(elements: &[f64], dim: usize) -> Vec<f64> {
    spectral(elements, dim, f64::ln)
}

pub fn elements(coordinates: &[f64], dim: usize) -> Vec<f64> {
    spectral(coordinates, dim, f64::exp)
}

/// [`elements`] in the program.
pub fn nodes(g: &mut Graph, coordinates: &[Node], dim: usize) -> Vec<Node> {
    let step = 0.5f64.powi(i32::try_from(SQUARINGS).unwrap_or(0));
    let scaled: Vec<Node> = coordinates.iter().map(|x| g.scale(step, *x)).collect();
    // Horner's scheme: I + A/1 (I + A/2 (I + A/3 ...)).
    let mut sum: Vec<Node> = triangle(dim)
        .map(|(i, j)| g.constant(f64::from(u8::from(i == j))))
        .collect();
    for k in (1..=DEGREE).rev() {
        let product = product(g, &scaled, &sum, dim);
        sum = triangle(dim)
            .zip(product)
            .map(|((i, j), x)| {
                let term = g.scale(1.0 / k as f64, x);
                let one = g.constant(f64::from(u8::from(i == j)));
                g.add(term, one)
            })
            .collect();
    }
    for _ in 0..SQUARINGS {
        sum = product(g, &sum.clone(), &sum, dim);
    }
    sum
}

/// Product of two symmetric matrices that commute, by their lower triangles: it is symmetric.
fn product(g: &mut Graph, a: &[Node], b: &[Node], dim: usize) -> Vec<Node> {
    let at = |i: usize, j: usize| {
        let (row, col) = (i.max(j), i.min(j));
        row * (row + 1) / 2 + col
    };
    triangle(dim)
        .map(|(i, j)| {
            let terms: Vec<Node> = (0..dim).map(|k| g.mul(a[at(i, k)], b[at(k, j)])).collect();
            g.sum(&terms)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::scalar::{LeafValues, ScalarProgram};

    struct TestTheta<'a>(&'a [f64]);

    impl LeafValues for TestTheta<'_> {
        fn theta(&self, coordinate: usize) -> f64 {
            self.0[coordinate]
        }
    }

    #[test]
    fn a_covariance_matrix_returns_from_its_logarithm() {
        let sigma = [4.0, 1.2, 2.0, -0.5, 0.3, 1.0];
        let back = elements(&coordinates(&sigma, 3), 3);
        for (a, b) in back.iter().zip(&sigma) {
            assert!((a - b).abs() < 1e-13, "{a} {b}");
        }
    }

    #[test]
    fn the_program_computes_the_exponential() {
        let mut g = Graph::new();
        let theta: Vec<Node> = (0..6).map(|k| g.theta(k)).collect();
        let nodes = nodes(&mut g, &theta, 3);
        let program = ScalarProgram::new(&g, &nodes);
        for size in [0.0, 1.0, 10.0] {
            let a = [-0.9, 0.4, 0.3, -0.2, 0.7, 0.5].map(|x| x * size);
            let here = program.evaluate(&g, &TestTheta(&a), &mut Vec::new());
            let exact = elements(&a, 3);
            let scale = exact.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            for (x, y) in here.iter().zip(&exact) {
                assert!((x - y).abs() < 1e-12 * scale, "{size}: {x} {y}");
            }
        }
    }
}

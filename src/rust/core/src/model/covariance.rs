//! Map a covariance matrix between its elements and the coordinates of its Cholesky factor.
//!
//! Elements are the lower triangle by rows; coordinates the lower Cholesky factor in the same order, its diagonal
//! logarithmic.

use nalgebra::DMatrix;

use crate::ir::graph::{Graph, Node};

/// `(row, column)` of the lower triangle, by rows.
pub fn triangle(dim: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j)))
}

/// Symmetric matrix from its lower triangle by rows.
pub fn full_matrix(elements: &[f64], dim: usize) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(dim, dim);
    for ((i, j), value) in triangle(dim).zip(elements) {
        matrix[(i, j)] = *value;
        matrix[(j, i)] = *value;
    }
    matrix
}

pub fn cholesky_coordinates(elements: &[f64], dim: usize) -> Vec<f64> {
    match full_matrix(elements, dim).cholesky() {
        None => vec![f64::NAN; elements.len()],
        Some(factor) => {
            let l = factor.l();
            triangle(dim)
                .map(|(i, j)| if i == j { l[(i, j)].ln() } else { l[(i, j)] })
                .collect()
        }
    }
}

pub fn covariance_elements(coordinates: &[f64], dim: usize) -> Vec<f64> {
    let mut l = DMatrix::zeros(dim, dim);
    for ((i, j), x) in triangle(dim).zip(coordinates) {
        l[(i, j)] = if i == j { x.exp() } else { *x };
    }
    let full = &l * l.transpose();
    triangle(dim).map(|(i, j)| full[(i, j)]).collect()
}

pub fn covariance_nodes(g: &mut Graph, coordinates: &[Node], dim: usize) -> Vec<Node> {
    let mut l = vec![None; dim * dim];
    for ((i, j), x) in triangle(dim).zip(coordinates) {
        l[i * dim + j] = Some(if i == j { g.exp(*x) } else { *x });
    }
    triangle(dim)
        .map(|(i, j)| {
            let terms: Vec<Node> = (0..=j)
                .filter_map(|k| Some((l[i * dim + k]?, l[j * dim + k]?)))
                .map(|(a, b)| g.mul(a, b))
                .collect();
            g.sum(&terms)
        })
        .collect()
}

//! Map the generator of a continuous-time Markov chain to logarithms of its off-diagonal rates.
//!
//! Elements are the matrix row-major, its rows summing to zero; coordinates `log q_ij`, `i != j`, row-major.

use crate::ir::graph::{Graph, Node};

/// `(row, column)` off the diagonal, row-major.
pub fn off_diagonal(dim: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dim * dim)
        .map(move |k| (k / dim, k % dim))
        .filter(|(i, j)| i != j)
}

pub fn coordinates(elements: &[f64], dim: usize) -> Vec<f64> {
    off_diagonal(dim)
        .map(|(i, j)| elements[i * dim + j].ln())
        .collect()
}

pub fn elements(coordinates: &[f64], dim: usize) -> Vec<f64> {
    let mut list = vec![0.0; dim * dim];
    for ((i, j), x) in off_diagonal(dim).zip(coordinates) {
        let rate = x.exp();
        list[i * dim + j] = rate;
        list[i * dim + i] -= rate;
    }
    list
}

/// [`elements`] in the program.
pub fn nodes(g: &mut Graph, coordinates: &[Node], dim: usize) -> Vec<Node> {
    let zero = g.constant(0.0);
    let mut list = vec![zero; dim * dim];
    for ((i, j), x) in off_diagonal(dim).zip(coordinates) {
        let rate = g.exp(*x);
        list[i * dim + j] = rate;
        list[i * dim + i] = g.sub(list[i * dim + i], rate);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_returns_from_its_coordinates() {
        let q = [-0.3, 0.1, 0.2, 2.0, -2.5, 0.5, 0.01, 0.04, -0.05];
        let back = elements(&coordinates(&q, 3), 3);
        for (a, b) in back.iter().zip(&q) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
    }
}

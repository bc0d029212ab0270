//! Map probabilities that sum to one between their natural scale and unbounded coordinates: stick-breaking.
//!
//! `nu_i = p_i / (p_i + ... + p_k)` is the part that element `i` takes of what the earlier ones left; the coordinates
//! are `logit(nu_i)`, `i < k`, and `logit(nu_i) = log p_i - log(p_{i+1} + ... + p_k)`. A transition matrix is one such
//! vector a row.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

/// Probabilities (positive) to coordinates, one fewer.
pub fn coordinates(p: &[f64]) -> Vec<f64> {
    let mut rest = 0.0;
    let mut list: Vec<f64> = (1..p.len())
        .rev()
        .map(|i| {
            rest += p[i];
            p[i - 1].ln() - rest.ln()
        })
        .collect();
    list.reverse();
    list
}

/// Coordinates to probabilities, one more.
pub fn elements(coordinates: &[f64]) -> Vec<f64> {
    let logistic = |x: f64| Unary::Logistic.value::<false>(x);
    let mut rest = 1.0;
    let mut list = Vec::with_capacity(coordinates.len() + 1);
    for x in coordinates {
        list.push(rest * logistic(*x));
        rest *= logistic(-x);
    }
    list.push(rest);
    list
}

/// [`elements`] in the program.
pub fn nodes(g: &mut Graph, coordinates: &[Node]) -> Vec<Node> {
    let mut rest = g.constant(1.0);
    let mut list = Vec::with_capacity(coordinates.len() + 1);
    for x in coordinates {
        let part = g.unary(Unary::Logistic, *x);
        list.push(g.mul(rest, part));
        let minus = g.neg(*x);
        let left = g.unary(Unary::Logistic, minus);
        rest = g.mul(rest, left);
    }
    list.push(rest);
    list
}

/// Scale each row of `len` probabilities so that it sums to one.
pub fn normalize(p: &mut [f64], len: usize) {
    for row in p.chunks_mut(len) {
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_return_from_their_coordinates() {
        for p in [vec![0.2, 0.3, 0.5], vec![1e-12, 1.0 - 2e-12, 1e-12]] {
            let back = elements(&coordinates(&p));
            assert_eq!(back.len(), p.len());
            for (a, b) in back.iter().zip(&p) {
                assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
            }
        }
    }

    /// `p = (0.2, 0.3, 0.5)`: `nu = (0.2, 0.375)`.
    #[test]
    fn coordinates_are_logits_of_the_parts_broken_off() {
        let logit = |x: f64| (x / (1.0 - x)).ln();
        let c = coordinates(&[0.2, 0.3, 0.5]);
        assert!((c[0] - logit(0.2)).abs() < 1e-14 && (c[1] - logit(0.375)).abs() < 1e-14);
    }
}

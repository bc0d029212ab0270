//! Write a soft decision tree: `sum over leaves of P(leaf | x) value(leaf)`.
//!
//! Node `k` sends `x` to one side with the probability `p_k = 1 / (1 + exp(-(w_k x + b_k)))`. The shares of a level are
//! those of the level above times `p`, then those times `1 - p`, one after another, so that the order of leaves is that
//! of this construction. Weights: the split weights (splits by inputs) by columns, the biases, the leaves (outputs by
//! leaves) by columns.
//!
//! Source: Frosst and Hinton (2017), Distilling a neural network into a soft decision tree.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub fn outputs(
    g: &mut Graph,
    depth: usize,
    outputs: usize,
    weights: &[Node],
    inputs: &[Node],
) -> Vec<Node> {
    let splits = (1usize << depth) - 1;
    let (matrix, rest) = weights.split_at(splits * inputs.len());
    let (biases, leaves) = rest.split_at(splits);
    let mut shares = vec![g.constant(1.0)];
    for level in 0..depth {
        let width = 1usize << level;
        let mut left = Vec::with_capacity(2 * width);
        let mut right = Vec::with_capacity(width);
        for (k, share) in (width - 1..).zip(&shares) {
            let mut sum = biases[k];
            for (j, x) in inputs.iter().enumerate() {
                let term = g.mul(matrix[j * splits + k], *x);
                sum = g.add(sum, term);
            }
            let (yes, no) = (g.unary(Unary::Logistic, sum), g.neg(sum));
            let no = g.unary(Unary::Logistic, no);
            left.push(g.mul(*share, yes));
            right.push(g.mul(*share, no));
        }
        left.extend(right);
        shares = left;
    }
    let of = |g: &mut Graph, o: usize| {
        let terms: Vec<Node> = (shares.iter().enumerate())
            .map(|(leaf, share)| g.mul(*share, leaves[leaf * outputs + o]))
            .collect();
        g.sum(&terms)
    };
    (0..outputs).map(|o| of(g, o)).collect()
}

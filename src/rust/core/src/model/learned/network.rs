//! Write a dense network: each layer `h = activation(W x + b)`.
//!
//! Weights stand layer by layer: the matrix (outputs by inputs) by columns, then the biases.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use crate::language::learned::Activation;

/// `layers`: width and activation of each; `weights` as many as they need.
pub fn outputs(
    g: &mut Graph,
    layers: &[(usize, Activation)],
    bias: bool,
    weights: &[Node],
    inputs: &[Node],
) -> Vec<Node> {
    let mut values = inputs.to_vec();
    let mut rest = weights;
    for (width, activation) in layers {
        let (matrix, behind) = rest.split_at(width * values.len());
        let (biases, behind) = behind.split_at(if bias { *width } else { 0 });
        rest = behind;
        let sums = (0..*width).map(|k| {
            let column = |j: usize| matrix[j * width + k];
            let mut sum = biases.get(k).copied();
            for (j, x) in values.iter().enumerate() {
                let term = g.mul(column(j), *x);
                sum = Some(match sum {
                    Some(sum) => g.add(sum, term),
                    None => term,
                });
            }
            sum.unwrap_or_else(|| g.constant(0.0))
        });
        let sums: Vec<Node> = sums.collect();
        values = activated(g, *activation, &sums);
    }
    values
}

fn activated(g: &mut Graph, activation: Activation, sums: &[Node]) -> Vec<Node> {
    if activation == Activation::Softmax {
        return softmax(g, sums);
    }
    let each = sums.iter().map(|x| match activation {
        Activation::Identity | Activation::Softmax => *x,
        Activation::Tanh => g.unary(Unary::Tanh, *x),
        Activation::Relu => {
            let zero = g.constant(0.0);
            g.binary(Binary::Max, *x, zero)
        }
        Activation::Softplus => g.unary(Unary::Log1pExp, *x),
        Activation::Sigmoid => g.unary(Unary::Logistic, *x),
        Activation::Swish => {
            let gate = g.unary(Unary::Logistic, *x);
            g.mul(*x, gate)
        }
        Activation::Gelu => {
            let gate = g.unary(Unary::PNorm, *x);
            g.mul(*x, gate)
        }
    });
    each.collect()
}

/// Less the largest, so that no exponential overflows.
fn softmax(g: &mut Graph, sums: &[Node]) -> Vec<Node> {
    let Some((first, others)) = sums.split_first() else {
        return Vec::new();
    };
    let largest = (others.iter()).fold(*first, |top, x| g.binary(Binary::Max, top, *x));
    let mut shares = Vec::with_capacity(sums.len());
    for x in sums {
        let below = g.sub(*x, largest);
        shares.push(g.exp(below));
    }
    let total = g.sum(&shares);
    shares
        .into_iter()
        .map(|share| g.div(share, total))
        .collect()
}

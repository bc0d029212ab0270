//! Write a planar flow: `z -> z + u tanh(w z + b)`, layer after layer.
//!
//! Weights stand layer by layer: `w`, `u`, `b`. So that each layer can be inverted, and the image of a normal vector has
//! a density, `u` is replaced by `u + (m(w u) - w u) w / |w|^2` with `m(x) = log(1 + exp(x)) - 1`.
//!
//! Source: Rezende and Mohamed (2015), Variational inference with normalizing flows, section 4.1 and appendix A.1.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// Below this `|w|^2` the direction of `w` says nothing; it keeps the quotient finite.
const SMALLEST: f64 = 1e-12;

pub fn image(g: &mut Graph, layers: usize, weights: &[Node], z: &[Node]) -> Vec<Node> {
    let d = z.len();
    let mut values = z.to_vec();
    for layer in weights.chunks(2 * d + 1).take(layers) {
        let (w, rest) = layer.split_at(d);
        let (u, b) = rest.split_at(d);
        let along = dot(g, w, u);
        let size = dot(g, w, w);
        let least = g.constant(SMALLEST);
        let size = g.binary(Binary::Max, size, least);
        let soft = g.unary(Unary::Log1pExp, along);
        let one = g.constant(1.0);
        let wanted = g.sub(soft, one);
        let lacking = g.sub(wanted, along);
        let factor = g.div(lacking, size);
        let sum = dot(g, w, &values);
        let sum = g.add(sum, b[0]);
        let bend = g.unary(Unary::Tanh, sum);
        for ((value, w), u) in values.iter_mut().zip(w).zip(u) {
            let more = g.mul(factor, *w);
            let u = g.add(*u, more);
            let step = g.mul(u, bend);
            *value = g.add(*value, step);
        }
    }
    values
}

fn dot(g: &mut Graph, a: &[Node], b: &[Node]) -> Node {
    let terms: Vec<Node> = a.iter().zip(b).map(|(x, y)| g.mul(*x, *y)).collect();
    g.sum(&terms)
}

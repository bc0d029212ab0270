//! Write a spline: `sum_i w_i B_i(x)` with the B-splines over the knots, by the recursion of Cox and de Boor.
//!
//! `B_{i,0}` is 1 in `[t_i, t_{i+1})`, the last interval is closed; where knots repeat, quotients by zero count as zero.
//! There is no value outside of the first and the last knot.
//!
//! Source: de Boor (2001), A practical guide to splines, chapter IX.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;

/// What is wrong with the knots, if anything is.
pub fn fault(knots: &[f64], degree: usize) -> Option<String> {
    if knots.iter().any(|knot| !knot.is_finite()) {
        return Some("has a knot that is not a finite number".into());
    }
    if let Some(pair) = knots.windows(2).find(|pair| pair[1] < pair[0]) {
        return Some(format!(
            "has knots that do not ascend: {} comes after {}",
            pair[1], pair[0]
        ));
    }
    if knots.len() < degree + 2 {
        return Some(format!(
            "of degree {degree} needs {} knots at least, {} are given",
            degree + 2,
            knots.len()
        ));
    }
    (knots.first() == knots.last()).then(|| "has all of its knots at one place".into())
}

pub fn value(g: &mut Graph, knots: &[f64], degree: usize, weights: &[Node], x: Node) -> Node {
    let basis = basis(g, knots, degree, x);
    let terms: Vec<Node> = (basis.iter().zip(weights))
        .map(|(b, w)| g.mul(*b, *w))
        .collect();
    let sum = g.sum(&terms);
    let (first, last) = (g.constant(knots[0]), g.constant(knots[knots.len() - 1]));
    let above = g.binary(Binary::LessEqual, first, x);
    let below = g.binary(Binary::LessEqual, x, last);
    let inside = g.binary(Binary::And, above, below);
    let none = g.constant(f64::NAN);
    g.select(inside, sum, none)
}

fn basis(g: &mut Graph, knots: &[f64], degree: usize, x: Node) -> Vec<Node> {
    let n = knots.len() - 1;
    let last = (0..n).rev().find(|i| knots[*i] < knots[i + 1]);
    let mut values: Vec<Node> = Vec::with_capacity(n);
    for i in 0..n {
        let (from, to) = (g.constant(knots[i]), g.constant(knots[i + 1]));
        let after = g.binary(Binary::LessEqual, from, x);
        let before = match Some(i) == last {
            true => g.binary(Binary::LessEqual, x, to),
            false => g.binary(Binary::Less, x, to),
        };
        values.push(match knots[i] < knots[i + 1] {
            true => g.binary(Binary::And, after, before),
            false => g.constant(0.0),
        });
    }
    for k in 1..=degree {
        for i in 0..values.len() - 1 {
            let up = part(g, x, knots[i], knots[i + k], values[i]);
            let down = part(g, x, knots[i + k + 1], knots[i + 1], values[i + 1]);
            values[i] = g.add(up, down);
        }
        values.pop();
    }
    values
}

/// `(x - zero) / (one - zero) * value`; 0 where both knots are one.
fn part(g: &mut Graph, x: Node, zero: f64, one: f64, value: Node) -> Node {
    if zero == one {
        return g.constant(0.0);
    }
    let zero_node = g.constant(zero);
    let distance = g.sub(x, zero_node);
    let share = g.scale(1.0 / (one - zero), distance);
    g.mul(share, value)
}

//! Write the exponential of a matrix of coefficients into the graph: `x(t) = e^(A t) x(0) + int_0^t e^(A s) ds u`.
//!
//! Uniformization with scaling and squaring: with `q` the largest rate of loss `B = A + q I` has no negative element
//! where matter flows forward, and so has every sum and product below: nothing cancels. `tau = t / 2^s` with
//! `|B| tau <= 1` for every lane, `e^(A tau) = e^(-q tau) sum_m (B tau)^m / m!` to degree 24 (a chain of ten states
//! takes nine of them to come through), then `s` squarings. Inputs are a further column. What is zero, or the same for
//! several states, is found by the graph. Moler & Van Loan (2003), methods 3 and 19; Paterson & Stockmeyer (1973).

use std::collections::BTreeMap;

use super::detect::Form;
use super::spectrum::{product, Matrix};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// `|B| t` may be up to `2^SQUARINGS`; beyond, values are NaN.
const SQUARINGS: i32 = 15;
const DEGREE: usize = 24;
const BLOCK: usize = 5;

/// Values of `states` after `time`. What they read is among them.
pub fn flow(
    g: &mut Graph,
    rows: &BTreeMap<usize, Form>,
    states: &[usize],
    inputs: &BTreeMap<usize, Node>,
    time: Node,
) -> Vec<Node> {
    let n = states.len();
    let a = matrix(g, rows, states, inputs);
    let grown = exponential(g, &a, n, time);
    let starts: Vec<Node> = states
        .iter()
        .map(|k| g.state(crate::ode::tangent::narrow(*k)))
        .collect();
    grown[..n]
        .iter()
        .map(|row| {
            let mut terms: Vec<Node> = row
                .iter()
                .zip(&starts)
                .map(|(f, x)| g.mul(*f, *x))
                .collect();
            terms.extend(row.get(n));
            g.sum(&terms)
        })
        .collect()
}

/// The coefficients; if something flows in, with the inputs as a last column and a last row of zeros.
fn matrix(
    g: &mut Graph,
    rows: &BTreeMap<usize, Form>,
    states: &[usize],
    inputs: &BTreeMap<usize, Node>,
) -> Matrix {
    let zero = g.constant(0.0);
    let is_driven = states.iter().any(|k| inputs.contains_key(k));
    let mut a: Matrix = Vec::new();
    for k in states {
        let own = |g: &mut Graph, l: &usize| rows[k].terms.get(l).map_or(zero, |c| c.node(g));
        let mut row: Vec<Node> = states.iter().map(|l| own(g, l)).collect();
        if is_driven {
            row.push(inputs.get(k).copied().unwrap_or(zero));
        }
        a.push(row);
    }
    if is_driven {
        a.push(vec![zero; states.len() + 1]);
    }
    a
}

/// `e^(a time)`; rows from `n` on are zero in `a`.
fn exponential(g: &mut Graph, a: &Matrix, n: usize, time: Node) -> Matrix {
    let rate = fastest(g, a, n);
    let mut b = a.clone();
    for (i, row) in b.iter_mut().enumerate() {
        row[i] = g.add(row[i], rate);
    }
    // The column of inputs is linear: only the states decide on the scale.
    let norm = norm(g, &b, n);
    let width = g.mul(norm, time);
    let limits: Vec<Node> = (0..SQUARINGS)
        .map(|j| {
            let limit = g.constant(2f64.powi(j));
            g.binary(Binary::Less, limit, width)
        })
        .collect();
    let tau = scaled(g, time, width, &limits);
    let mut grown = taylor(g, &b, n, rate, tau);
    for is_needed in limits {
        let square = product(g, &grown, &grown);
        for (row, new) in grown.iter_mut().zip(&square) {
            for (x, y) in row.iter_mut().zip(new) {
                *x = g.select(is_needed, *y, *x);
            }
        }
    }
    grown
}

fn fastest(g: &mut Graph, a: &Matrix, n: usize) -> Node {
    let zero = g.constant(0.0);
    (0..n).fold(zero, |most, k| {
        let loss = g.neg(a[k][k]);
        g.binary(Binary::Max, most, loss)
    })
}

/// The largest sum over a column of states.
fn norm(g: &mut Graph, b: &Matrix, n: usize) -> Node {
    let zero = g.constant(0.0);
    (0..n).fold(zero, |most, l| {
        let sizes: Vec<Node> = (0..n).map(|k| g.unary(Unary::Abs, b[k][l])).collect();
        let sum = g.sum(&sizes);
        g.binary(Binary::Max, most, sum)
    })
}

/// `time / 2^s`, `s` being the number of limits passed.
fn scaled(g: &mut Graph, time: Node, width: Node, limits: &[Node]) -> Node {
    let (one, half) = (g.constant(1.0), g.constant(0.5));
    let factors: Vec<Node> = limits
        .iter()
        .map(|passed| g.select(*passed, half, one))
        .collect();
    let scale = factors.iter().fold(one, |product, x| g.mul(product, *x));
    let tau = g.mul(time, scale);
    let limit = g.constant(2f64.powi(SQUARINGS));
    let is_known = g.binary(Binary::LessEqual, width, limit);
    let unknown = g.constant(f64::NAN);
    g.select(is_known, tau, unknown)
}

/// `e^(-rate tau) sum_m (b tau)^m / m!`. Powers of `b` do not depend on the time.
fn taylor(g: &mut Graph, b: &Matrix, n: usize, rate: Node, tau: Node) -> Matrix {
    let size = b.len();
    let one: Matrix = (0..size)
        .map(|i| {
            (0..size)
                .map(|j| g.constant(f64::from(u8::from(i == j))))
                .collect()
        })
        .collect();
    let mut powers = vec![one];
    let mut times = vec![g.constant(1.0)];
    for m in 0..BLOCK {
        powers.push(product(g, &powers[m], b));
        times.push(g.mul(times[m], tau));
    }
    let mut coefficients = [1.0; DEGREE + 1];
    for m in 1..=DEGREE {
        coefficients[m] = coefficients[m - 1] / m as f64;
    }
    let step = weighted(g, &powers[BLOCK..], &times[BLOCK..], &[1.0]);
    let mut sum: Option<Matrix> = None;
    for block in coefficients.rchunks(BLOCK) {
        let own = weighted(g, &powers, &times, block);
        sum = Some(match sum {
            None => own,
            Some(above) => {
                let moved = product(g, &above, &step);
                plus(g, &moved, &own)
            }
        });
    }
    let mut sum = sum.unwrap_or_default();
    let exponent = g.mul(rate, tau);
    let minus = g.neg(exponent);
    let decay = g.exp(minus);
    for x in sum.iter_mut().flatten() {
        *x = g.mul(*x, decay);
    }
    // What drives the inputs stays what it is.
    for row in sum.iter_mut().skip(n) {
        row[n] = g.constant(1.0);
    }
    sum
}

/// `sum_m weights[m] times[m] powers[m]`
fn weighted(g: &mut Graph, powers: &[Matrix], times: &[Node], weights: &[f64]) -> Matrix {
    let mut sum: Option<Matrix> = None;
    for ((power, time), weight) in powers.iter().zip(times).zip(weights) {
        let factor = g.scale(*weight, *time);
        let term: Matrix = power
            .iter()
            .map(|row| row.iter().map(|x| g.mul(factor, *x)).collect())
            .collect();
        sum = Some(match sum {
            None => term,
            Some(before) => plus(g, &before, &term),
        });
    }
    sum.unwrap_or_default()
}

fn plus(g: &mut Graph, a: &Matrix, b: &Matrix) -> Matrix {
    let rows = a.iter().zip(b);
    rows.map(|(x, y)| x.iter().zip(y).map(|(x, y)| g.add(*x, *y)).collect())
        .collect()
}

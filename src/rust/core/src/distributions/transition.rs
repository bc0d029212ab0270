//! Transition probabilities of a Markov chain in continuous time: `P = exp(Q dt)`.
//!
//! Two states have a closed form. For more, uniformization with scaling and squaring: with `q` the largest rate of
//! leaving a state, `B = (Q + q I) dt / 2^s` has no negative element, and so has every sum and product below. All rows
//! of `B` add up to `q dt / 2^s`, so dividing the rows of its truncated exponential series by their sum gives a
//! stochastic matrix without cancellation; the same after each squaring keeps the rounding errors from doubling.
//! Truncation is below `1e-14` for `q dt <= 1024`. Moler & Van Loan (2003), methods 3 and 19; Jensen (1953).

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

const SQUARINGS: i32 = 10;
const DEGREE: usize = 16;

/// Probabilities of the states after `dt`, `k x k` row-major, row the state before.
///
/// `rates`: `k x k` row-major; element `(i, j)` is the rate from `i` to `j`. The diagonal is not read: it is minus the
/// sum of the other elements of its row.
pub fn transition_over(g: &mut Graph, rates: &[Node], k: usize, dt: Node) -> Vec<Node> {
    if k == 2 {
        return two_states(g, rates[1], rates[2], dt);
    }
    let b = uniformized(g, rates, k, dt);
    let mut p = series(g, &b, k);
    for _ in 0..SQUARINGS {
        let square = product(g, &p, &p, k);
        p = rows_to_one(g, &square, k);
    }
    p
}

/// With `total = a + b`: `P(1 -> 2) = a / total (1 - exp(-total dt))`, and back with `b`.
fn two_states(g: &mut Graph, a: Node, b: Node, dt: Node) -> Vec<Node> {
    let rate = g.add(a, b);
    // Where nothing ever happens, 0 / 0 must be 0.
    let tiny = g.constant(f64::MIN_POSITIVE);
    let total = g.binary(Binary::Max, rate, tiny);
    let elapsed = g.mul(total, dt);
    let exponent = g.neg(elapsed);
    let unchanged = g.exp(exponent);
    let minus_changed = g.unary(Unary::Expm1, exponent);
    let changed = g.neg(minus_changed);
    let share = g.div(changed, total);
    let (there, back) = (g.mul(a, share), g.mul(b, share));
    let (first, second) = (g.add(unchanged, back), g.add(unchanged, there));
    vec![first, there, back, second]
}

/// `(Q + q I) dt / 2^SQUARINGS`
fn uniformized(g: &mut Graph, rates: &[Node], k: usize, dt: Node) -> Vec<Node> {
    let leaving: Vec<Node> = (0..k)
        .map(|i| {
            let others: Vec<Node> = (0..k)
                .filter(|j| *j != i)
                .map(|j| rates[i * k + j])
                .collect();
            g.sum(&others)
        })
        .collect();
    let fastest = leaving
        .iter()
        .skip(1)
        .fold(leaving[0], |q, x| g.binary(Binary::Max, q, *x));
    let step = g.scale(0.5f64.powi(SQUARINGS), dt);
    (0..k * k)
        .map(|at| {
            let (i, j) = (at / k, at % k);
            let rate = if i == j {
                g.sub(fastest, leaving[i])
            } else {
                rates[at]
            };
            g.mul(rate, step)
        })
        .collect()
}

/// `sum_m B^m / m!` up to degree 16, rows divided by their sums; six products (Paterson & Stockmeyer 1973).
fn series(g: &mut Graph, b: &[Node], k: usize) -> Vec<Node> {
    let b2 = product(g, b, b, k);
    let b3 = product(g, &b2, b, k);
    let b4 = product(g, &b2, &b2, k);
    let mut coefficients = [1.0; DEGREE + 1];
    for m in 1..=DEGREE {
        coefficients[m] = coefficients[m - 1] / m as f64;
    }
    let last = coefficients[DEGREE];
    let mut sum: Vec<Node> = b4.iter().map(|x| g.scale(last, *x)).collect();
    for (turn, block) in coefficients[..DEGREE].rchunks(4).enumerate() {
        if turn > 0 {
            sum = product(g, &sum, &b4, k);
        }
        for (at, element) in sum.iter_mut().enumerate() {
            let constant = if at / k == at % k { block[0] } else { 0.0 };
            let terms = [
                g.constant(constant),
                g.scale(block[1], b[at]),
                g.scale(block[2], b2[at]),
                g.scale(block[3], b3[at]),
                *element,
            ];
            *element = g.sum(&terms);
        }
    }
    rows_to_one(g, &sum, k)
}

fn product(g: &mut Graph, a: &[Node], b: &[Node], k: usize) -> Vec<Node> {
    (0..k * k)
        .map(|at| {
            let (i, j) = (at / k, at % k);
            let terms: Vec<Node> = (0..k).map(|l| g.mul(a[i * k + l], b[l * k + j])).collect();
            g.sum(&terms)
        })
        .collect()
}

fn rows_to_one(g: &mut Graph, a: &[Node], k: usize) -> Vec<Node> {
    a.chunks(k)
        .flat_map(|row| {
            let sum = g.sum(row);
            let inverse = g.unary(Unary::Recip, sum);
            row.iter().map(|x| g.mul(*x, inverse)).collect::<Vec<_>>()
        })
        .collect()
}

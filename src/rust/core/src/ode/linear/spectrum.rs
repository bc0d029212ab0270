//! Write rates of decay and Newton's basis of a component with up to three states.
//!
//! `e^(A t) = sum_k D(lambda_0 .. lambda_k) prod_(i<k) (A + lambda_i I)` with the rates `lambda` of decay, minus the
//! eigenvalues, the largest first: then no term is negative, and slow phases keep their digits. Rates are real where states
//! exchange in pairs along a tree and nothing flows backward: such a matrix becomes symmetric by a change of units. Two
//! states: `lambda = m +- h`, the smaller one as determinant over the larger. Three: the largest by cosines (Smith 1961,
//! Comm. ACM 4, 168), the others from what remains. Sums that would cancel are written in the losses `l` of a state out
//! of the component, so that a loss of zero or a tiny one keeps its digits.

use super::coefficient::Coefficient;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// Relative width to which coinciding rates are spread: half the digits, which its square does not touch.
const SPREAD: f64 = 1e-16;
/// Keeps quotients defined where all rates are zero.
const TINY: f64 = 1e-100;

/// A square matrix of coefficients of some states.
pub type CoefficientMatrix = Vec<Vec<Coefficient>>;

/// A square matrix of values.
pub type Matrix = Vec<Vec<Node>>;

#[derive(Debug, Clone)]
pub struct RateSpectrum {
    /// Ascending.
    pub rates: Vec<Node>,
    /// `prod_(i<k) (A + lambda_i I)` for `k` below the number of rates, the largest rate first.
    pub basis: Vec<Matrix>,
}

/// `None` where the structure does not promise real rates.
pub fn spectrum(g: &mut Graph, block: &CoefficientMatrix) -> Option<RateSpectrum> {
    let n = block.len();
    let a: Matrix = block
        .iter()
        .map(|row| row.iter().map(|c| c.node(g)).collect())
        .collect();
    let (rates, first) = match n {
        1 => (vec![g.neg(a[0][0])], Matrix::new()),
        2 if flows_forward(block) => two_rates(g, block, &a),
        3 if flows_forward(block) => {
            let rates = three_rates(g, block, &a)?;
            let first = shifted(g, &a, rates[2]);
            (rates, first)
        }
        _ => return None,
    };
    let one: Matrix = (0..n)
        .map(|i| {
            (0..n)
                .map(|j| g.constant(f64::from(u8::from(i == j))))
                .collect()
        })
        .collect();
    let mut basis = vec![one];
    if n > 1 {
        basis.push(first.clone());
    }
    if n > 2 {
        let second = shifted(g, &a, rates[1]);
        basis.push(product(g, &first, &second));
    }
    Some(RateSpectrum { rates, basis })
}

/// Whether nothing says that a coefficient has the sign which matter cannot have.
fn flows_forward(block: &CoefficientMatrix) -> bool {
    let n = block.len();
    let states = 0..n;
    states.clone().all(|l| {
        let inflow = (0..n).filter(|k| *k != l).all(|k| !block[k][l].has_minus());
        let (own, loss) = (&block[l][l], loss(block, l));
        inflow
            && own.has_minus() | !(own.is_zero() || only_plus(own))
            && (loss.is_zero() || loss.has_plus())
    })
}

fn only_plus(a: &Coefficient) -> bool {
    a.has_plus() && !a.has_minus()
}

/// What state `l` loses to outside the component.
fn loss(block: &CoefficientMatrix, l: usize) -> Coefficient {
    let column = block.iter().map(|row| &row[l]);
    column
        .fold(Coefficient::zero(), |sum, a| sum.plus(a))
        .minus()
}

/// Both rates, and `A + lambda I` of the larger one.
fn two_rates(g: &mut Graph, block: &CoefficientMatrix, a: &Matrix) -> (Vec<Node>, Matrix) {
    let (l0, l1) = (loss(block, 0).node(g), loss(block, 1).node(g));
    let (there, back) = (a[1][0], a[0][1]);
    let total = g.add(a[0][0], a[1][1]);
    let mean = g.scale(-0.5, total);
    let difference = g.sub(a[1][1], a[0][0]);
    let half = g.scale(0.5, difference);
    let (square, exchange) = (g.square(half), g.mul(there, back));
    let exchange = spread(g, exchange, mean);
    let radicand = g.add(square, exchange);
    let root = g.unary(Unary::Sqrt, radicand);
    let large = g.add(mean, root);
    let gain = g.add(l1, back);
    let terms = [g.mul(l0, gain), g.mul(there, l1)];
    let determinant = g.sum(&terms);
    // `(root - half) (root + half)` is the exchange.
    let size = g.unary(Unary::Abs, half);
    let most = g.add(root, size);
    let least = g.div(exchange, most);
    let zero = g.constant(0.0);
    let is_second = g.binary(Binary::Less, half, zero);
    let own = [
        g.select(is_second, most, least),
        g.select(is_second, least, most),
    ];
    let shifted = vec![vec![own[0], back], vec![there, own[1]]];
    (vec![g.div(determinant, large), large], shifted)
}

/// `sqrt(radicand)`, not smaller than the spread of rates about `mean`.
fn root(g: &mut Graph, radicand: Node, mean: Node) -> Node {
    let sum = spread(g, radicand, mean);
    g.unary(Unary::Sqrt, sum)
}

fn spread(g: &mut Graph, square: Node, mean: Node) -> Node {
    let of_mean = g.square(mean);
    let terms = [square, g.scale(SPREAD, of_mean), g.constant(TINY)];
    g.sum(&terms)
}

/// Coefficients of `lambda^3 - c2 lambda^2 + c1 lambda - c0` and what is needed for its largest root.
struct Cubic {
    c2: Node,
    c1: Node,
    c0: Node,
    /// Total losses of the middle state and of both ends.
    diagonal: [Node; 3],
    /// Products of the flows there and back between the middle and each end.
    exchange: [Node; 2],
}

fn three_rates(g: &mut Graph, block: &CoefficientMatrix, a: &Matrix) -> Option<Vec<Node>> {
    let touches = |i: usize, j: usize| !block[i][j].is_zero() || !block[j][i].is_zero();
    // The middle of a tree; around a triangle rates may be complex.
    let middle = (0..3).find(|c| !touches((c + 1) % 3, (c + 2) % 3))?;
    let cubic = cubic(g, block, a, middle);
    let large = largest(g, &cubic);
    let rest = g.div(cubic.c0, large);
    let pairs = g.sub(cubic.c1, rest);
    let sum = g.div(pairs, large);
    let mean = g.scale(0.5, sum);
    let square = g.square(mean);
    let radicand = g.sub(square, rest);
    let zero = g.constant(0.0);
    let radicand = g.binary(Binary::Max, radicand, zero);
    let root = root(g, radicand, mean);
    let medium = g.add(mean, root);
    Some(vec![g.div(rest, medium), medium, large])
}

fn cubic(g: &mut Graph, block: &CoefficientMatrix, a: &Matrix, c: usize) -> Cubic {
    let (p, q) = ((c + 1) % 3, (c + 2) % 3);
    let [lc, lp, lq] = [c, p, q].map(|l| loss(block, l).node(g));
    let diagonal = [c, p, q].map(|l| g.neg(a[l][l]));
    let [_, dp, dq] = diagonal;
    let (to_p, to_q) = (a[p][c], a[q][c]);
    let c2 = g.sum(&diagonal);
    let (not_p, not_q) = (g.add(lc, to_q), g.add(lc, to_p));
    let pairs = [
        g.mul(not_p, dp),
        g.mul(to_p, lp),
        g.mul(not_q, dq),
        g.mul(to_q, lq),
        g.mul(dp, dq),
    ];
    let c1 = g.sum(&pairs);
    let both = g.mul(dp, dq);
    let (through_p, through_q) = (g.mul(to_p, lp), g.mul(to_q, lq));
    let triples = [g.mul(lc, both), g.mul(through_p, dq), g.mul(through_q, dp)];
    let c0 = g.sum(&triples);
    let exchange = [g.mul(to_p, a[c][p]), g.mul(to_q, a[c][q])];
    Cubic {
        c2,
        c1,
        c0,
        diagonal,
        exchange,
    }
}

/// `m + 2 p cos(acos(r) / 3)`, `m` the mean of the rates, `6 p^2` their sum of squares about it.
fn largest(g: &mut Graph, cubic: &Cubic) -> Node {
    let mean = g.scale(1.0 / 3.0, cubic.c2);
    let [x, y, z] = cubic.diagonal.map(|d| g.sub(d, mean));
    let [xp, xq] = cubic.exchange;
    let both = g.add(xp, xq);
    let squares = [g.square(x), g.square(y), g.square(z), g.scale(2.0, both)];
    let sum = g.sum(&squares);
    let variance = g.scale(1.0 / 6.0, sum);
    let p = root(g, variance, mean);
    // The determinant of the matrix about its mean.
    let (yz, by_z, by_y) = (g.mul(y, z), g.mul(xp, z), g.mul(xq, y));
    let all = g.mul(x, yz);
    let rest = g.add(by_z, by_y);
    let determinant = g.sub(all, rest);
    let square = g.square(p);
    let cube = g.mul(square, p);
    let ratio = g.div(determinant, cube);
    let ratio = g.scale(0.5, ratio);
    let (low, high) = (g.constant(-1.0 + 1e-15), g.constant(1.0 - 1e-15));
    let ratio = g.binary(Binary::Max, ratio, low);
    let ratio = g.binary(Binary::Min, ratio, high);
    let one = g.constant(1.0);
    let (above, below) = (g.sub(one, ratio), g.add(one, ratio));
    let tangent = g.div(above, below);
    let tangent = g.unary(Unary::Sqrt, tangent);
    let half = g.unary(Unary::Atan, tangent);
    let angle = g.scale(2.0 / 3.0, half);
    let cosine = g.unary(Unary::Cos, angle);
    let amplitude = g.mul(p, cosine);
    let amplitude = g.scale(2.0, amplitude);
    g.add(mean, amplitude)
}

/// `a + rate I`
fn shifted(g: &mut Graph, a: &Matrix, rate: Node) -> Matrix {
    let mut sum = a.clone();
    for (i, row) in sum.iter_mut().enumerate() {
        row[i] = g.add(row[i], rate);
    }
    sum
}

pub fn product(g: &mut Graph, a: &Matrix, b: &Matrix) -> Matrix {
    a.iter()
        .map(|row| {
            let columns = 0..b.first().map_or(0, Vec::len);
            columns
                .map(|j| {
                    let terms: Vec<Node> =
                        row.iter().zip(b).map(|(x, y)| g.mul(*x, y[j])).collect();
                    g.sum(&terms)
                })
                .collect()
        })
        .collect()
}

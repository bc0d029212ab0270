//! Differentiate nodes with respect to leaves, as new nodes of the same graph.
//!
//! The chain rule goes forward, one leaf after the other: `d f(a, b) = f_a da + f_b db`. The graph shares equal parts and
//! folds constants, so slopes that several leaves need exist once.

use super::graph::{Graph, Node, Op};
use super::op::{Binary, Unary};

/// `d root / d leaf` as `result[root][leaf]`; `None` where the root does not depend on the leaf.
///
/// Where an operation has a kink, the slope is the one that [`Unary::slope`] and [`Binary::slopes`] choose; comparisons
/// are flat.
pub fn derivatives(graph: &mut Graph, roots: &[Node], leaves: &[Node]) -> Vec<Vec<Option<Node>>> {
    let needed = graph.reachable(roots);
    let nodes: Vec<Node> = graph.nodes().filter(|n| needed[n.index()]).collect();
    let mut result = vec![Vec::with_capacity(leaves.len()); roots.len()];
    for leaf in leaves {
        let mut slopes: Vec<Option<Node>> = vec![None; needed.len()];
        for node in &nodes {
            let found = if node == leaf {
                Some(graph.constant(1.0))
            } else {
                Rule { graph, y: *node }.of(&|a: Node| slopes[a.index()])
            };
            slopes[node.index()] = found.filter(|d| graph.as_constant(*d) != Some(0.0));
        }
        for (row, root) in result.iter_mut().zip(roots) {
            row.push(slopes[root.index()]);
        }
    }
    result
}

/// The rule of one operation; `y` is its value.
struct Rule<'a> {
    graph: &'a mut Graph,
    y: Node,
}

type Slopes<'a> = &'a dyn Fn(Node) -> Option<Node>;

impl Rule<'_> {
    fn of(mut self, along: Slopes) -> Option<Node> {
        match self.graph.op(self.y) {
            Op::Unary(f, a) => self.unary(f, a, along(a)?),
            Op::Binary(f, a, b) => match (along(a), along(b)) {
                (None, None) => None,
                (da, db) => self.binary(f, (a, b), (da, db)),
            },
            Op::Select(c, a, b) => match (along(a), along(b)) {
                (None, None) => None,
                (da, db) => Some(self.choose(c, da, db)),
            },
            _ => None,
        }
    }

    fn unary(&mut self, f: Unary, x: Node, d: Node) -> Option<Node> {
        let (y, g) = (self.y, &mut *self.graph);
        let one = g.constant(1.0);
        let slope = match f {
            Unary::Neg => return Some(g.neg(d)),
            Unary::Abs => {
                let zero = g.constant(0.0);
                let below = g.binary(Binary::Less, x, zero);
                let minus = g.neg(d);
                return Some(g.select(below, minus, d));
            }
            Unary::Sqrt => {
                let twice = g.scale(2.0, y);
                let quotient = g.div(d, twice);
                return Some(self.unless_still(d, quotient));
            }
            Unary::Ln => return Some(g.div(d, x)),
            Unary::Log1p => {
                let below = g.add(one, x);
                return Some(g.div(d, below));
            }
            Unary::Atan => {
                let square = g.square(x);
                let below = g.add(one, square);
                return Some(g.div(d, below));
            }
            Unary::Not => return None,
            Unary::Square => g.scale(2.0, x),
            Unary::Recip => {
                let square = g.square(y);
                g.neg(square)
            }
            Unary::Exp => y,
            Unary::Expm1 => g.exp(x),
            _ => self.other(f, x),
        };
        Some(self.graph.mul(slope, d))
    }

    /// Slopes of the trigonometric, gamma, normal and logistic functions.
    fn other(&mut self, f: Unary, x: Node) -> Node {
        let (y, g) = (self.y, &mut *self.graph);
        let one = g.constant(1.0);
        match f {
            Unary::Sin => g.unary(Unary::Cos, x),
            Unary::Cos => {
                let sine = g.unary(Unary::Sin, x);
                g.neg(sine)
            }
            Unary::Tan => {
                let square = g.square(y);
                g.add(one, square)
            }
            Unary::Tanh => {
                let square = g.square(y);
                g.sub(one, square)
            }
            Unary::LGamma => g.unary(Unary::Digamma, x),
            Unary::Gamma => {
                let log = g.unary(Unary::Digamma, x);
                g.mul(y, log)
            }
            Unary::Digamma => g.unary(Unary::Trigamma, x),
            Unary::Trigamma => self.tetragamma(x),
            Unary::PNorm => {
                let none = g.constant(0.0);
                self.normal(x, none)
            }
            Unary::LogPNorm => self.normal(x, y),
            Unary::QNorm => {
                let none = g.constant(0.0);
                let density = self.normal(y, none);
                self.graph.unary(Unary::Recip, density)
            }
            Unary::Logistic => {
                let rest = g.sub(one, y);
                g.mul(y, rest)
            }
            Unary::Log1pExp => g.unary(Unary::Logistic, x),
            // All others were met before.
            _ => g.constant(f64::NAN),
        }
    }

    /// `phi(x) exp(-log)` with the normal density `phi`.
    fn normal(&mut self, x: Node, log: Node) -> Node {
        let g = &mut *self.graph;
        let square = g.square(x);
        let half = g.scale(-0.5, square);
        let exponent = g.sub(half, log);
        let power = g.exp(exponent);
        g.scale(1.0 / (2.0 * std::f64::consts::PI).sqrt(), power)
    }

    /// `psi''(x)` for `x > 0`: moved up by twelve with its recurrence, then the asymptotic series (Abramowitz & Stegun
    /// 1964, 6.4.6, 6.4.13).
    fn tetragamma(&mut self, x: Node) -> Node {
        const SHIFT: f64 = 12.0;
        const SERIES: [f64; 6] = [
            -1.0 / 2.0,
            1.0 / 6.0,
            -1.0 / 6.0,
            3.0 / 10.0,
            -5.0 / 6.0,
            691.0 / 210.0,
        ];
        let g = &mut *self.graph;
        let mut total = g.constant(0.0);
        let mut k = 0.0;
        while k < SHIFT {
            let shift = g.constant(k);
            let z = g.add(x, shift);
            let inverse = g.unary(Unary::Recip, z);
            let square = g.square(inverse);
            let cube = g.mul(square, inverse);
            let term = g.scale(-2.0, cube);
            total = g.add(total, term);
            k += 1.0;
        }
        let shift = g.constant(SHIFT);
        let z = g.add(x, shift);
        let inverse = g.unary(Unary::Recip, z);
        let square = g.square(inverse);
        let cube = g.mul(square, inverse);
        let mut power = g.square(square);
        let head = g.add(square, cube);
        total = g.sub(total, head);
        for factor in SERIES {
            let term = g.scale(factor, power);
            total = g.add(total, term);
            power = g.mul(power, square);
        }
        total
    }

    fn binary(
        &mut self,
        f: Binary,
        (a, b): (Node, Node),
        (da, db): (Option<Node>, Option<Node>),
    ) -> Option<Node> {
        let (y, g) = (self.y, &mut *self.graph);
        match f {
            Binary::Add => Some(self.sum(da, db)),
            Binary::Sub => {
                let minus = db.map(|db| g.neg(db));
                Some(match (da, db) {
                    (Some(da), Some(db)) => g.sub(da, db),
                    _ => self.sum(da, minus),
                })
            }
            Binary::Mul => {
                let (first, second) = (da.map(|d| g.mul(d, b)), db.map(|d| g.mul(a, d)));
                Some(self.sum(first, second))
            }
            Binary::Div => {
                let second = db.map(|d| {
                    let product = g.mul(y, d);
                    g.neg(product)
                });
                let above = self.sum(da, second);
                Some(self.graph.div(above, b))
            }
            Binary::Pow => {
                let first = da.map(|d| self.base(a, b, d));
                let second = db.map(|d| self.exponent(a, d));
                Some(self.sum(first, second))
            }
            Binary::Min | Binary::Max => {
                let (low, high) = if f == Binary::Min { (a, b) } else { (b, a) };
                let first = g.binary(Binary::Less, low, high);
                Some(self.choose(first, da, db))
            }
            Binary::ExpMul | Binary::SquareSub => Some(self.fused(f, (a, b), (da, db))),
            Binary::Less | Binary::LessEqual | Binary::Equal | Binary::And | Binary::Or => None,
        }
    }

    /// Operations that fusion makes.
    fn fused(
        &mut self,
        f: Binary,
        (a, b): (Node, Node),
        (da, db): (Option<Node>, Option<Node>),
    ) -> Node {
        let (y, g) = (self.y, &mut *self.graph);
        if f == Binary::ExpMul {
            let (first, second) = (da.map(|d| g.mul(d, b)), db.map(|d| g.mul(a, d)));
            let exponent = self.sum(first, second);
            return self.graph.mul(y, exponent);
        }
        let difference = g.sub(a, b);
        let minus = db.map(|d| g.neg(d));
        let along = self.sum(da, minus);
        let product = self.graph.mul(difference, along);
        self.graph.scale(2.0, product)
    }

    /// `b a^(b - 1) da`
    fn base(&mut self, a: Node, b: Node, da: Node) -> Node {
        let g = &mut *self.graph;
        let one = g.constant(1.0);
        let less = g.sub(b, one);
        let power = g.binary(Binary::Pow, a, less);
        let slope = g.mul(b, power);
        let product = g.mul(slope, da);
        match g.as_constant(b) {
            Some(b) if b >= 1.0 => product,
            _ => self.unless_still(da, product),
        }
    }

    /// `a^b ln(a) db`; a base that is not positive has no slope there.
    fn exponent(&mut self, a: Node, db: Node) -> Node {
        let (y, g) = (self.y, &mut *self.graph);
        let zero = g.constant(0.0);
        let positive = g.binary(Binary::Less, zero, a);
        let log = g.ln(a);
        let log = g.select(positive, log, zero);
        let slope = g.mul(y, log);
        g.mul(slope, db)
    }

    /// Zero where `d` is zero: what does not move stays, even where the slope is infinite (a power at zero).
    fn unless_still(&mut self, d: Node, product: Node) -> Node {
        let g = &mut *self.graph;
        let zero = g.constant(0.0);
        let still = g.binary(Binary::Equal, d, zero);
        g.select(still, zero, product)
    }

    fn sum(&mut self, first: Option<Node>, second: Option<Node>) -> Node {
        match (first, second) {
            (Some(a), Some(b)) => self.graph.add(a, b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => self.graph.constant(0.0),
        }
    }

    fn choose(&mut self, condition: Node, yes: Option<Node>, no: Option<Node>) -> Node {
        let zero = self.graph.constant(0.0);
        let (yes, no) = (yes.unwrap_or(zero), no.unwrap_or(zero));
        self.graph.select(condition, yes, no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::op::{BINARY, UNARY};
    use crate::ir::scalar::{Leaves, ScalarProgram};

    struct States(Vec<f64>);

    impl Leaves for States {
        fn data(&self, _column: usize) -> f64 {
            f64::NAN
        }
        fn theta(&self, _coordinate: usize) -> f64 {
            f64::NAN
        }
        fn phi(&self, _coordinate: usize) -> f64 {
            f64::NAN
        }
        fn state(&self, k: usize) -> f64 {
            self.0[k]
        }
    }

    fn value(graph: &Graph, node: Option<Node>, at: &[f64]) -> f64 {
        let Some(node) = node else { return 0.0 };
        let program = ScalarProgram::new(graph, &[node]);
        program.evaluate(graph, &States(at.to_vec()), &mut Vec::new())[0]
    }

    fn close(a: f64, b: f64, what: &str) {
        assert!(
            (a - b).abs() <= 1e-12 * (1.0 + b.abs()) || (a.is_nan() && b.is_nan()),
            "{what}: {a} {b}"
        );
    }

    #[test]
    fn every_unary_operation_has_its_slope() {
        for f in UNARY {
            for x in [0.3, 0.8, 2.5, -0.4, -3.0] {
                let mut g = Graph::new();
                let leaf = g.state(0);
                let root = g.unary(f, leaf);
                let slope = derivatives(&mut g, &[root], &[leaf])[0][0];
                let y = f.value::<false>(x);
                // Outside the domain nothing is promised.
                if y.is_nan() || (f == Unary::Trigamma && x < 0.0) {
                    continue;
                }
                close(
                    value(&g, slope, &[x]),
                    f.slope::<false>(x, y),
                    &format!("{f:?} {x}"),
                );
            }
        }
    }

    #[test]
    fn every_binary_operation_has_both_slopes() {
        for f in BINARY {
            for (a, b) in [(0.7, 1.3), (2.0, 0.5), (1.5, -2.0), (0.0, 2.5)] {
                let mut g = Graph::new();
                let leaves = [g.state(0), g.state(1)];
                let root = g.binary(f, leaves[0], leaves[1]);
                let slopes = derivatives(&mut g, &[root], &leaves);
                let truth = f.slopes::<false>(a, b, f.value::<false>(a, b));
                for (slope, truth) in slopes[0].iter().zip([truth.0, truth.1]) {
                    close(value(&g, *slope, &[a, b]), truth, &format!("{f:?} {a} {b}"));
                }
            }
        }
    }

    /// Against the reverse sweep of the same graph, where operations meet.
    #[test]
    fn chains_and_selections_agree_with_adjoints() {
        let mut g = Graph::new();
        let [x, y, z] = [g.state(0), g.state(1), g.state(2)];
        let product = g.mul(x, y);
        let power = g.binary(Binary::Pow, y, z);
        let sum = g.add(product, power);
        let root = g.unary(Unary::Sqrt, sum);
        let less = g.binary(Binary::Less, x, y);
        let ratio = g.div(root, x);
        let chosen = g.select(less, ratio, product);
        let roots = [root, chosen];
        let slopes = derivatives(&mut g, &roots, &[x, y, z]);
        for at in [[0.5, 1.5, 0.4], [2.0, 1.5, 1.7]] {
            let program = ScalarProgram::new(&g, &roots);
            let mut memory = Vec::new();
            program.evaluate(&g, &States(at.to_vec()), &mut memory);
            for r in 0..2 {
                let seeds: Vec<f64> = (0..2).map(|i| f64::from(u8::from(i == r))).collect();
                let adjoints = program.adjoints(&g, &memory, &seeds);
                for (k, leaf) in [x, y, z].iter().enumerate() {
                    close(
                        value(&g, slopes[r][k], &at),
                        adjoints[leaf.index()],
                        "chain",
                    );
                }
            }
        }
    }

    #[test]
    fn what_does_not_depend_is_nothing_and_linear_is_constant() {
        let mut g = Graph::new();
        let [x, y] = [g.state(0), g.state(1)];
        let rate = g.phi(0);
        let flow = g.mul(rate, x);
        let minus = g.neg(flow);
        let slopes = derivatives(&mut g, &[flow, minus], &[x, y, rate]);
        assert_eq!(slopes[0], [Some(rate), None, Some(x)]);
        assert_eq!(slopes[1][1], None);
    }

    /// `(x / v)^0.5` at zero has no slope in `v`, though that of the power is infinite.
    #[test]
    fn what_does_not_move_stays_where_a_power_is_steep() {
        let mut g = Graph::new();
        let [x, v, h] = [g.state(0), g.state(1), g.state(2)];
        let ratio = g.div(x, v);
        let power = g.binary(Binary::Pow, ratio, h);
        let slopes = derivatives(&mut g, &[power], &[v, h]);
        for slope in &slopes[0] {
            assert_eq!(value(&g, *slope, &[0.0, 2.0, 0.5]), 0.0);
        }
    }
}

//! Differentiate nodes with respect to leaves, as new nodes of the same graph.
//!
//! The chain rule goes forward, one leaf after the other: `d f(a, b) = f_a da + f_b db`. The graph shares equal parts and
//! folds constants, so slopes that several leaves need exist once.

use super::graph::{Graph, Node, Op};
use super::op::{Binary, Unary};
use super::slope::Algebra;

/// `d root / d leaf` as `result[root][leaf]`; `None` where the root does not depend on the leaf.
///
/// Slopes are those of [`Unary::slope_in`] and [`Binary::slopes_in`].
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
                chain(graph, *node, &|a: Node| slopes[a.index()])
            };
            slopes[node.index()] = found.filter(|d| graph.as_constant(*d) != Some(0.0));
        }
        for (row, root) in result.iter_mut().zip(roots) {
            row.push(slopes[root.index()]);
        }
    }
    result
}

/// The derivative of `y` when those of its operands are known.
fn chain(g: &mut Graph, y: Node, along: &dyn Fn(Node) -> Option<Node>) -> Option<Node> {
    match g.op(y) {
        Op::Unary(f, a) => {
            let d = along(a)?;
            let slope = f.slope_in(g, a, y);
            Some(times(g, slope, d, f == Unary::Sqrt))
        }
        Op::Binary(f, a, b) => {
            let (da, db) = (along(a), along(b));
            da.or(db)?;
            let (first, second) = f.slopes_in(g, (a, b), y);
            let steep = f == Binary::Pow && g.as_constant(b).is_none_or(|b| b < 1.0);
            let da = da.map(|d| times(g, first, d, steep));
            let db = db.map(|d| times(g, second, d, false));
            sum(g, da, db)
        }
        Op::Select(c, a, b) => {
            let (da, db) = (along(a), along(b));
            da.or(db)?;
            let zero = g.constant(0.0);
            Some(g.select(c, da.unwrap_or(zero), db.unwrap_or(zero)))
        }
        _ => None,
    }
}

/// `slope * d`; where a slope may be infinite (`steep`, a power at zero), what does not move stays.
fn times(g: &mut Graph, slope: Node, d: Node, steep: bool) -> Node {
    let product = match g.op(slope) {
        Op::Unary(Unary::Neg, x) => {
            let product = g.mul(x, d);
            g.neg(product)
        }
        // A choice between numbers: an infinite derivative in the branch not taken does not count.
        Op::Select(c, p, q) if g.as_constant(p).is_some() && g.as_constant(q).is_some() => {
            let (p, q) = (g.mul(p, d), g.mul(q, d));
            g.select(c, p, q)
        }
        _ => g.mul(slope, d),
    };
    if !steep {
        return product;
    }
    let zero = g.constant(0.0);
    let still = g.binary(Binary::Equal, d, zero);
    g.select(still, zero, product)
}

fn sum(g: &mut Graph, first: Option<Node>, second: Option<Node>) -> Option<Node> {
    let (Some(a), Some(b)) = (first, second) else {
        return first.or(second);
    };
    Some(match (g.op(a), g.op(b)) {
        (_, Op::Unary(Unary::Neg, x)) => g.sub(a, x),
        (Op::Unary(Unary::Neg, x), _) => g.sub(b, x),
        // The two sides of one choice.
        (Op::Select(c, p, none), Op::Select(d, zero, q))
            if c == d && [none, zero].iter().all(|n| g.as_constant(*n) == Some(0.0)) =>
        {
            g.select(c, p, q)
        }
        _ => g.add(a, b),
    })
}

impl Algebra for Graph {
    type Value = Node;

    fn constant(&mut self, x: f64) -> Node {
        Graph::constant(self, x)
    }

    fn unary(&mut self, f: Unary, x: Node) -> Node {
        Graph::unary(self, f, x)
    }

    fn binary(&mut self, f: Binary, a: Node, b: Node) -> Node {
        Graph::binary(self, f, a, b)
    }

    fn select(&mut self, condition: Node, a: Node, b: Node) -> Node {
        Graph::select(self, condition, a, b)
    }

    fn density(&mut self, x: Node) -> Node {
        let none = Graph::constant(self, 0.0);
        self.mills(x, none)
    }

    /// `phi(x) exp(-y)` with the normal density `phi`.
    fn mills(&mut self, x: Node, y: Node) -> Node {
        let square = self.square(x);
        let half = self.scale(-0.5, square);
        let exponent = self.sub(half, y);
        let power = self.exp(exponent);
        self.scale(1.0 / (2.0 * std::f64::consts::PI).sqrt(), power)
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
        let g = self;
        let mut total = Graph::constant(g, 0.0);
        let mut k = 0.0;
        while k < SHIFT {
            let shift = Graph::constant(g, k);
            let z = g.add(x, shift);
            let inverse = Graph::unary(g, Unary::Recip, z);
            let square = g.square(inverse);
            let cube = g.mul(square, inverse);
            let term = g.scale(-2.0, cube);
            total = g.add(total, term);
            k += 1.0;
        }
        let shift = Graph::constant(g, SHIFT);
        let z = g.add(x, shift);
        let inverse = Graph::unary(g, Unary::Recip, z);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::op::{BINARY, UNARY};
    use crate::ir::scalar::{LeafValues, ScalarProgram};

    struct TestStates(Vec<f64>);

    impl LeafValues for TestStates {
        fn state(&self, k: usize) -> f64 {
            self.0[k]
        }
    }

    fn value(graph: &Graph, node: Option<Node>, at: &[f64]) -> f64 {
        let Some(node) = node else { return 0.0 };
        let program = ScalarProgram::new(graph, &[node]);
        program.evaluate(graph, &TestStates(at.to_vec()), &mut Vec::new())[0]
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

    /// Slopes of slopes, against differences of order four of the slopes among numbers.
    #[test]
    fn every_unary_operation_has_its_curvature() {
        const H: f64 = 1e-3;
        for f in UNARY {
            for x in [0.3, 0.8, 2.5, -0.4] {
                let mut g = Graph::new();
                let leaf = g.state(0);
                let root = g.unary(f, leaf);
                let first = derivatives(&mut g, &[root], &[leaf])[0][0];
                let second = first.and_then(|d| derivatives(&mut g, &[d], &[leaf])[0][0]);
                let slope = |x: f64| f.slope::<false>(x, f.value::<false>(x));
                let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|k| slope(x + k * H));
                let truth = (8.0 * (c - b) - (d - a)) / (12.0 * H);
                if f.value::<false>(x - 2.0 * H).is_nan() || (x < 0.0 && f == Unary::Trigamma) {
                    continue;
                }
                let found = value(&g, second, &[x]);
                let error = (found - truth).abs() / (1.0 + truth.abs());
                assert!(error <= 1e-7, "{f:?} {x}: {found} {truth}");
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
            program.evaluate(&g, &TestStates(at.to_vec()), &mut memory);
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

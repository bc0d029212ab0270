//! Fuse neighboring operations into one instruction where the inner value is read once only.
//!
//! `exp(a * b)`, `(a - b)^2`, `(a - b) * c`, `a * b + c`, `a * b^2 + c`, `a * b - c`, `c - a * b`: each saves storing
//! and reading a column, and has one rule in the derivative sweeps instead of two.

use std::collections::{HashMap, HashSet};

use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::tape::TapeCode;

/// How nodes are computed: by their own operation, or fused with one of their operands.
#[derive(Debug, Clone, Default)]
pub struct Fusion {
    fused: HashMap<Node, (TapeCode, [Option<Node>; 3])>,
    absorbed: HashSet<Node>,
}

impl Fusion {
    /// Look for pairs among `computed`, each `together` on one tape; `kept` are nodes whose value is wanted in itself.
    pub fn new(
        graph: &Graph,
        together: &mut dyn FnMut(Node, Node) -> bool,
        computed: &[Node],
        kept: &[Node],
    ) -> Self {
        let mut uses: HashMap<Node, usize> = HashMap::new();
        for node in computed {
            for operand in graph.operands(*node) {
                *uses.entry(operand).or_default() += 1;
            }
        }
        let candidates: HashSet<Node> = computed
            .iter()
            .copied()
            .filter(|node| uses.get(node) == Some(&1) && !kept.contains(node))
            .collect();
        let mut fusion = Self::default();
        for node in computed.iter().rev() {
            if fusion.absorbed.contains(node) {
                continue;
            }
            let mut inner = |x: Node| candidates.contains(&x) && together(x, *node);
            fusion.try_node(graph, *node, &mut inner);
        }
        fusion
    }

    fn try_node(&mut self, graph: &Graph, node: Node, inner: &mut dyn FnMut(Node) -> bool) {
        let mut inside = |x: Node| inner(x).then(|| graph.op(x));
        let mut product = |x: Node| match inside(x) {
            Some(Op::Binary(Binary::Mul, p, q)) => Some((p, q)),
            _ => None,
        };
        let found = match graph.op(node) {
            Op::Unary(Unary::Exp, x) => product(x).map(|(p, q)| {
                (
                    TapeCode::Binary(Binary::ExpMul),
                    [Some(p), Some(q), None],
                    x,
                )
            }),
            Op::Binary(Binary::Add, a, b) => product(a)
                .map(|(p, q)| (Ternary::MulAdd, p, q, b, a))
                .or_else(|| product(b).map(|(p, q)| (Ternary::MulAdd, p, q, a, b)))
                .map(ternary),
            Op::Binary(Binary::Sub, a, b) => product(a)
                .map(|(p, q)| (Ternary::MulSub, p, q, b, a))
                .or_else(|| product(b).map(|(p, q)| (Ternary::SubMul, p, q, a, b)))
                .map(ternary),
            Op::Binary(Binary::Mul, a, b) => {
                [(a, b), (b, a)]
                    .into_iter()
                    .find_map(|(x, c)| match inside(x) {
                        Some(Op::Binary(Binary::Sub, p, q)) => {
                            Some(ternary((Ternary::DiffMul, p, q, c, x)))
                        }
                        _ => None,
                    })
            }
            Op::Unary(Unary::Square, x) => match inside(x) {
                Some(Op::Binary(Binary::Sub, p, q)) => Some((
                    TapeCode::Binary(Binary::SquareSub),
                    [Some(p), Some(q), None],
                    x,
                )),
                _ => None,
            },
            _ => None,
        };
        if let Some((code, operands, absorbed)) = found {
            self.absorbed.insert(absorbed);
            let form = self.with_square(graph, code, operands, inner);
            self.fused.insert(node, form);
        }
    }

    /// `a * b + c` where one factor is itself a square read once.
    fn with_square(
        &mut self,
        graph: &Graph,
        code: TapeCode,
        operands: [Option<Node>; 3],
        mut inner: impl FnMut(Node) -> bool,
    ) -> (TapeCode, [Option<Node>; 3]) {
        if let (TapeCode::Ternary(Ternary::MulAdd), [Some(a), Some(b), c]) = (code, operands) {
            for (factor, square) in [(a, b), (b, a)] {
                if let (Op::Unary(Unary::Square, x), true) = (graph.op(square), inner(square)) {
                    self.absorbed.insert(square);
                    return (
                        TapeCode::Ternary(Ternary::MulSquareAdd),
                        [Some(factor), Some(x), c],
                    );
                }
            }
        }
        (code, operands)
    }

    /// True when the node is never computed by itself.
    pub fn absorbs(&self, node: Node) -> bool {
        self.absorbed.contains(&node)
    }

    /// Operation and operands of a computed node, in the order of the instruction's operands.
    pub fn form(&self, graph: &Graph, node: Node) -> (TapeCode, [Option<Node>; 3]) {
        if let Some(form) = self.fused.get(&node) {
            return *form;
        }
        match graph.op(node) {
            Op::Unary(f, a) => (TapeCode::Unary(f), [Some(a), None, None]),
            Op::Binary(f, a, b) => (TapeCode::Binary(f), [Some(a), Some(b), None]),
            Op::Select(c, a, b) => (TapeCode::Select, [Some(c), Some(a), Some(b)]),
            // Leaves are never computed; a copy of themselves keeps the function total.
            _ => (TapeCode::Select, [Some(node), Some(node), Some(node)]),
        }
    }
}

type FusedPair = (TapeCode, [Option<Node>; 3], Node);

fn ternary((f, p, q, c, absorbed): (Ternary, Node, Node, Node, Node)) -> FusedPair {
    (TapeCode::Ternary(f), [Some(p), Some(q), Some(c)], absorbed)
}

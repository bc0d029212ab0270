//! Build the program as a graph in static single assignment, sharing equal parts and folding constants.

use std::collections::HashMap;

use super::narrow;
use super::op::{Binary, Unary};

/// A value of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(pub u32);

impl Node {
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What computes a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    Constant(f64),
    /// A data column, by its index among the columns of the model.
    Data(u32),
    /// A coordinate of `theta` on its transformed (unbounded) scale.
    Theta(u32),
    /// A coordinate of `phi`, the Gaussian individual vector.
    Phi(u32),
    /// What the subject's previous row left: an index into the carries of the graph.
    Carry(u32),
    /// A state of the differential equations at the row. Once they are bound to data, it depends on the inputs of the
    /// graph ([`Graph::inputs`]); in the equations themselves it is the current value.
    State(u32),
    Unary(Unary, Node),
    Binary(Binary, Node, Node),
    /// `if condition != 0 then a else b`
    Select(Node, Node, Node),
}

/// A value carried from row to row of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carry {
    /// What the first row reads; a value of the subject.
    pub initial: Node,
    /// What a row leaves to the next one.
    pub next: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Constant(u64),
    Data(u32),
    Theta(u32),
    Phi(u32),
    Carry(u32),
    State(u32),
    Unary(Unary, Node),
    Binary(Binary, Node, Node),
    Select(Node, Node, Node),
}

/// Operands stand before their users: the order of nodes is an order of evaluation.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    ops: Vec<Op>,
    known: HashMap<Key, Node>,
    carries: Vec<Carry>,
    inputs: Vec<Node>,
}

impl Graph {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.ops.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    pub fn op(&self, node: Node) -> Op {
        self.ops[node.index()]
    }

    /// All nodes, operands before users.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        (0..self.ops.len()).map(|i| Node(narrow(i)))
    }

    /// All nodes in an order of evaluation: what depends on no state comes first, so that inputs stand before states.
    pub fn order(&self) -> Vec<Node> {
        let mut behind = vec![false; self.len()];
        for node in self.nodes() {
            let state = matches!(self.op(node), Op::State(_));
            behind[node.index()] = state || self.operands(node).any(|a| behind[a.index()]);
        }
        let (later, first): (Vec<Node>, Vec<Node>) =
            self.nodes().partition(|node| behind[node.index()]);
        first.into_iter().chain(later).collect()
    }

    /// The value of a constant node.
    pub fn as_constant(&self, node: Node) -> Option<f64> {
        match self.op(node) {
            Op::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Operands of a node: at most three, or the inputs of the differential equations.
    pub fn operands(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let inputs: &[Node] = match self.op(node) {
            Op::State(_) => &self.inputs,
            _ => &[],
        };
        let list = match self.op(node) {
            Op::Unary(_, a) => [Some(a), None, None],
            Op::Binary(_, a, b) => [Some(a), Some(b), None],
            Op::Select(c, a, b) => [Some(c), Some(a), Some(b)],
            _ => [None, None, None],
        };
        list.into_iter().flatten().chain(inputs.iter().copied())
    }

    /// Which nodes the roots need. Who needs a carried value needs what it starts from and what moves it.
    pub fn reachable(&self, roots: &[Node]) -> Vec<bool> {
        let mut needed = vec![false; self.len()];
        for root in roots {
            needed[root.index()] = true;
        }
        let mut again = true;
        while again {
            again = false;
            for i in (0..self.len()).rev() {
                if !needed[i] {
                    continue;
                }
                let node = Node(narrow(i));
                for operand in self.operands(node) {
                    needed[operand.index()] = true;
                }
                for end in self.carry_ends(node) {
                    // A node behind this one was passed already.
                    again |= end.index() > i && !needed[end.index()];
                    needed[end.index()] = true;
                }
            }
        }
        needed
    }

    /// For each node, whether it or anything it is computed from satisfies `test`.
    pub fn depends(&self, test: impl Fn(Op) -> bool) -> Vec<bool> {
        let mut result = vec![false; self.len()];
        let mut again = true;
        while again {
            again = false;
            for node in self.nodes() {
                let found = test(self.op(node))
                    || self.operands(node).any(|a| result[a.index()])
                    || self.carry_ends(node).any(|a| result[a.index()]);
                again |= found && !result[node.index()] && !self.carries.is_empty();
                result[node.index()] = found;
            }
        }
        result
    }

    fn carry_ends(&self, node: Node) -> impl Iterator<Item = Node> {
        let carry = match self.op(node) {
            Op::Carry(k) => self.carries.get(k as usize).copied(),
            _ => None,
        };
        carry.into_iter().flat_map(|c| [c.initial, c.next])
    }

    /// All values carried from row to row; `Op::Carry(k)` reads `carries()[k]`.
    pub fn carries(&self) -> &[Carry] {
        &self.carries
    }

    /// A new carried value that starts from `initial` and stays the same until [`Graph::carry_on`] says what moves it.
    pub fn carry(&mut self, initial: Node) -> Node {
        let k = narrow(self.carries.len());
        let node = self.insert(Op::Carry(k));
        self.carries.push(Carry {
            initial,
            next: node,
        });
        node
    }

    /// Let every row leave `next` in `carry`. A node that is no carried value is left alone.
    pub fn carry_on(&mut self, carry: Node, next: Node) {
        if let Op::Carry(k) = self.op(carry) {
            self.carries[k as usize].next = next;
        }
    }

    /// After all nodes of `old` were copied: take over its carried values.
    pub fn copy_carries(&mut self, old: &Self, moved: &[Node]) {
        let there = |carry: &Carry| Carry {
            initial: moved[carry.initial.index()],
            next: moved[carry.next.index()],
        };
        self.carries = old.carries.iter().map(there).collect();
    }

    /// What the differential equations read of the subject; every state depends on all of them.
    pub fn inputs(&self) -> &[Node] {
        &self.inputs
    }

    /// Name the inputs; they stand before every state.
    pub fn set_inputs(&mut self, inputs: Vec<Node>) {
        self.inputs = inputs;
    }

    pub(super) fn insert(&mut self, op: Op) -> Node {
        let key = match op {
            Op::Constant(value) => Key::Constant(value.to_bits()),
            Op::Data(i) => Key::Data(i),
            Op::Theta(i) => Key::Theta(i),
            Op::Phi(i) => Key::Phi(i),
            Op::Carry(i) => Key::Carry(i),
            Op::State(i) => Key::State(i),
            Op::Unary(f, a) => Key::Unary(f, a),
            Op::Binary(f, a, b) => Key::Binary(f, a, b),
            Op::Select(c, a, b) => Key::Select(c, a, b),
        };
        let next = Node(narrow(self.ops.len()));
        let ops = &mut self.ops;
        *self.known.entry(key).or_insert_with(|| {
            ops.push(op);
            next
        })
    }

    pub fn constant(&mut self, value: f64) -> Node {
        self.insert(Op::Constant(value))
    }

    pub fn data(&mut self, column: u32) -> Node {
        self.insert(Op::Data(column))
    }

    pub fn theta(&mut self, coordinate: u32) -> Node {
        self.insert(Op::Theta(coordinate))
    }

    pub fn phi(&mut self, coordinate: u32) -> Node {
        self.insert(Op::Phi(coordinate))
    }

    pub fn state(&mut self, k: u32) -> Node {
        self.insert(Op::State(k))
    }

    pub fn neg(&mut self, a: Node) -> Node {
        self.unary(Unary::Neg, a)
    }

    pub fn add(&mut self, a: Node, b: Node) -> Node {
        self.binary(Binary::Add, a, b)
    }

    pub fn sub(&mut self, a: Node, b: Node) -> Node {
        self.binary(Binary::Sub, a, b)
    }

    pub fn mul(&mut self, a: Node, b: Node) -> Node {
        self.binary(Binary::Mul, a, b)
    }

    pub fn div(&mut self, a: Node, b: Node) -> Node {
        self.binary(Binary::Div, a, b)
    }

    pub fn exp(&mut self, a: Node) -> Node {
        self.unary(Unary::Exp, a)
    }

    pub fn ln(&mut self, a: Node) -> Node {
        self.unary(Unary::Ln, a)
    }

    pub fn square(&mut self, a: Node) -> Node {
        self.unary(Unary::Square, a)
    }

    pub fn scale(&mut self, factor: f64, a: Node) -> Node {
        let factor = self.constant(factor);
        self.mul(factor, a)
    }

    pub fn sum(&mut self, terms: &[Node]) -> Node {
        let zero = self.constant(0.0);
        terms
            .iter()
            .fold(zero, |total, term| self.add(total, *term))
    }

    /// Copy a node of `old`, whose operands were copied before: `moved[operand]`.
    pub fn copy(&mut self, old: &Self, node: Node, moved: &[Node]) -> Node {
        if let Op::State(_) = old.op(node) {
            self.inputs = old
                .inputs
                .iter()
                .map(|input| moved[input.index()])
                .collect();
        }
        self.copied(old.op(node), moved)
    }

    /// An operation of this graph with other operands: `moved[operand]`. A state stays what it is.
    pub fn copied(&mut self, op: Op, moved: &[Node]) -> Node {
        match op {
            Op::Unary(f, a) => self.unary(f, moved[a.index()]),
            Op::Binary(f, a, b) => self.binary(f, moved[a.index()], moved[b.index()]),
            Op::Select(c, a, b) => {
                self.select(moved[c.index()], moved[a.index()], moved[b.index()])
            }
            leaf => self.insert(leaf),
        }
    }
}

//! Say where nodes are read, and give values columns of work that are taken back after their last use.

use std::collections::HashMap;

use super::fuse::Fusion;
use crate::ir::graph::{Graph, Node};
use crate::ir::narrow;
use crate::ir::tape::{Bank, ColumnAddress, Instruction, Tape};

/// Where nodes are read, and how they are computed.
#[derive(Default)]
pub(crate) struct Laid {
    pub fusion: Fusion,
    places: HashMap<Node, ColumnAddress>,
}

impl Laid {
    pub fn new(fusion: Fusion) -> Self {
        Self {
            fusion,
            ..Self::default()
        }
    }
}

/// A program being laid out over the leaves of its owner.
pub(crate) trait ProgramLayout {
    fn graph(&self) -> &Graph;
    fn laid(&self) -> &Laid;
    fn laid_mut(&mut self) -> &mut Laid;

    /// The column of a node that no instruction computes, on its first use.
    fn leaf(&mut self, node: Node) -> ColumnAddress;

    /// Where a node is read.
    fn place(&mut self, node: Node) -> ColumnAddress {
        if let Some(place) = self.laid().places.get(&node) {
            return *place;
        }
        let place = self.leaf(node);
        self.set_place(node, place);
        place
    }

    fn set_place(&mut self, node: Node, place: ColumnAddress) {
        self.laid_mut().places.insert(node, place);
    }

    /// Operands of the instruction that computes `node`.
    fn operands(&self, node: Node) -> [Option<Node>; 3] {
        self.laid().fusion.form(self.graph(), node).1
    }

    /// The instruction that computes `node`, from now on read at `dst`.
    fn compute(&mut self, node: Node, dst: ColumnAddress) -> Instruction {
        let (code, operands) = self.laid().fusion.form(self.graph(), node);
        let [a, b, c] = operands.map(|operand| operand.map(|x| self.place(x)));
        self.set_place(node, dst);
        let a = a.unwrap_or(dst);
        Instruction {
            code,
            dst,
            a,
            b: b.unwrap_or(a),
            c: c.unwrap_or(a),
        }
    }
}

#[derive(Default)]
pub(crate) struct Registers {
    pub count: usize,
    free: Vec<u32>,
}

impl Registers {
    pub fn fresh(&mut self) -> ColumnAddress {
        self.count += 1;
        Bank::Work.at(narrow(self.count - 1))
    }

    fn take(&mut self) -> ColumnAddress {
        let free = self.free.pop().map(|index| Bank::Work.at(index));
        free.unwrap_or_else(|| self.fresh())
    }

    fn give_back(&mut self, place: ColumnAddress) {
        if place.bank == Bank::Work && !self.free.contains(&place.index) {
            self.free.push(place.index);
        }
    }

    /// Compute `nodes` in order. Those `kept` hold their register to the end, where `own` names no other place for them;
    /// `then` adds what follows a node at once.
    pub fn stage<P: ProgramLayout>(
        &mut self,
        places: &mut P,
        nodes: &[Node],
        kept: &[Node],
        own: &dyn Fn(Node) -> Option<ColumnAddress>,
        then: &mut dyn FnMut(&mut P, Node, &mut Tape<Instruction>),
    ) -> Tape<Instruction> {
        let last = last_uses(places, nodes, kept);
        let mut tape = Tape::default();
        for (position, node) in nodes.iter().enumerate() {
            let mut instruction = places.compute(*node, Bank::Work.at(0));
            for operand in places.operands(*node).into_iter().flatten() {
                if last.get(&operand) == Some(&position) {
                    self.give_back(places.place(operand));
                }
            }
            instruction.dst = own(*node).unwrap_or_else(|| self.take());
            places.set_place(*node, instruction.dst);
            tape.push(instruction);
            then(places, *node, &mut tape);
            if last.get(node) == Some(&position) {
                self.give_back(instruction.dst);
            }
        }
        tape
    }
}

/// Position of the last instruction that reads each value; values `kept` are never given back.
fn last_uses(places: &impl ProgramLayout, nodes: &[Node], kept: &[Node]) -> HashMap<Node, usize> {
    let mut last = HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        last.insert(*node, position);
        for operand in places.operands(*node).into_iter().flatten() {
            last.entry(operand).and_modify(|last| *last = position);
        }
    }
    for node in kept {
        last.remove(node);
    }
    last
}

//! Give leaves and data-only values their columns.

use super::fuse::Fusion;
use super::registers::{Laid, ProgramLayout};
use super::Roots;
use crate::ir::graph::{Carry, Graph, Node, Op};
use crate::ir::level::{Extent, Level, NodeLevels, Seen};
use crate::ir::narrow;
use crate::ir::tape::{Bank, ColumnAddress, Instruction};

/// Data-only values that some program reads: computed once, when model and data meet.
#[derive(Debug, Clone, Default)]
pub struct DataColumns {
    pub subject: Vec<Node>,
    pub row: Vec<Node>,
    /// Effects of other groupings and stored values, constant for the subject or by row.
    pub known_subject: Vec<Node>,
    pub known_row: Vec<Node>,
}

impl DataColumns {
    fn intern(list: &mut Vec<Node>, node: Node) -> u32 {
        let position = list.iter().position(|known| *known == node);
        let position = position.unwrap_or_else(|| {
            list.push(node);
            list.len() - 1
        });
        narrow(position)
    }
}

/// What fills a broadcast column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BroadcastSource {
    Constant(f64),
    /// A population value: an index into `Builder::population`.
    Population(usize),
}

/// Common part of building a value or derivative program.
pub struct Builder<'a> {
    pub graph: &'a Graph,
    pub levels: &'a mut NodeLevels,
    pub data: &'a mut DataColumns,
    pub broadcast: Vec<BroadcastSource>,
    /// Nodes that depend on `theta` alone, evaluated once for all subjects.
    pub population: Vec<Node>,
    /// States of the differential equations that are read, in the order of their columns.
    pub states: Vec<usize>,
    laid: Laid,
}

impl<'a> Builder<'a> {
    pub fn new(graph: &'a Graph, levels: &'a mut NodeLevels, data: &'a mut DataColumns) -> Self {
        Self {
            graph,
            levels,
            data,
            broadcast: Vec::new(),
            population: Vec::new(),
            states: Vec::new(),
            laid: Laid::default(),
        }
    }

    pub fn level(&mut self, node: Node) -> Level {
        self.levels.of(self.graph, node)
    }

    /// True for values that instructions compute: not leaves, not data, not population values.
    fn is_computed(&mut self, node: Node) -> bool {
        let level = self.level(node);
        level.extent > Extent::Once
            && !level.is_data()
            && !matches!(
                self.graph.op(node),
                Op::Phi(_) | Op::Carry(_) | Op::State(_)
            )
    }

    fn effect(&mut self, node: Node, k: u32, extent: Extent) -> ColumnAddress {
        let (bank, index) = match (self.levels.effect(k), extent) {
            (Seen::Own(position), _) => (Bank::Phi, position),
            (Seen::Known(_) | Seen::Stored(_), Extent::Row) => (
                Bank::KnownRow,
                DataColumns::intern(&mut self.data.known_row, node),
            ),
            (Seen::Known(_) | Seen::Stored(_), _) => (
                Bank::KnownSubject,
                DataColumns::intern(&mut self.data.known_subject, node),
            ),
        };
        ColumnAddress { bank, index }
    }

    fn state(&mut self, k: usize) -> ColumnAddress {
        self.states.push(k);
        Bank::State.at(narrow(self.states.len() - 1))
    }

    fn broadcast(&mut self, source: BroadcastSource) -> ColumnAddress {
        self.broadcast.push(source);
        Bank::Broadcast.at(narrow(self.broadcast.len() - 1))
    }

    /// The instructions that add the terms of `roots` which stand at a row (each where its outcome is present), or once a
    /// subject (under the column of ones). The terms are computed already.
    pub fn sums(
        &mut self,
        roots: &Roots,
        by_row: bool,
        total: ColumnAddress,
    ) -> Vec<(Node, Instruction)> {
        let terms: Vec<(Node, ColumnAddress)> = if by_row {
            let terms = roots.sums.iter();
            terms.map(|(node, o)| (*node, Bank::Mask.at(*o))).collect()
        } else {
            let terms = roots.subject_sums.iter();
            terms.map(|node| (*node, self.one())).collect()
        };
        let add = |(node, mask)| (node, Instruction::add(total, self.place(node), mask));
        terms.into_iter().map(add).collect()
    }

    /// The column of ones.
    pub fn one(&mut self) -> ColumnAddress {
        self.broadcast(BroadcastSource::Constant(1.0))
    }

    /// Nodes that instructions compute, in order, after fusion; `roots` are wanted in themselves, and so is what
    /// carried values start from and what moves them, and what differential equations read.
    pub fn computed(&mut self, roots: &[Node]) -> Vec<Node> {
        let needed = self.graph.reachable(roots);
        let ends = self.carried(roots).into_iter();
        let ends = ends.flat_map(|(_, carry)| [carry.initial, carry.next]);
        let inputs = self.graph.inputs().iter().copied();
        let roots: Vec<Node> = roots.iter().copied().chain(ends).chain(inputs).collect();
        let all: Vec<Node> = self
            .graph
            .nodes()
            .filter(|node| needed[node.index()] && self.is_computed(*node))
            .collect();
        let (graph, levels) = (self.graph, &mut *self.levels);
        let mut together = |x: Node, y: Node| levels.of(graph, x) == levels.of(graph, y);
        self.laid.fusion = Fusion::new(graph, &mut together, &all, &roots);
        all.into_iter()
            .filter(|node| !self.laid.fusion.absorbs(*node))
            .collect()
    }

    /// The carried values that some roots need, with their ends.
    pub fn carried(&self, roots: &[Node]) -> Vec<(Node, Carry)> {
        if self.graph.carries().is_empty() {
            return Vec::new();
        }
        let needed = self.graph.reachable(roots);
        let nodes = self.graph.nodes().filter(|node| needed[node.index()]);
        nodes
            .filter_map(|node| match self.graph.op(node) {
                Op::Carry(k) => Some((node, self.graph.carries()[k as usize])),
                _ => None,
            })
            .collect()
    }
}

impl ProgramLayout for Builder<'_> {
    fn graph(&self) -> &Graph {
        self.graph
    }

    fn laid(&self) -> &Laid {
        &self.laid
    }

    fn laid_mut(&mut self) -> &mut Laid {
        &mut self.laid
    }

    fn leaf(&mut self, node: Node) -> ColumnAddress {
        let level = self.level(node);
        match (self.graph.op(node), level.extent) {
            (Op::Phi(k), extent) => self.effect(node, k, extent),
            (Op::State(k), _) => self.state(k as usize),
            (Op::Constant(value), _) => self.broadcast(BroadcastSource::Constant(value)),
            (_, Extent::Once) => {
                self.population.push(node);
                self.broadcast(BroadcastSource::Population(self.population.len() - 1))
            }
            (_, Extent::Subject) => ColumnAddress {
                bank: Bank::Subject,
                index: DataColumns::intern(&mut self.data.subject, node),
            },
            (_, Extent::Row) => ColumnAddress {
                bank: Bank::Row,
                index: DataColumns::intern(&mut self.data.row, node),
            },
        }
    }
}

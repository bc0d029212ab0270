//! Say what the nodes of the model's graph are to its differential equations.

use std::collections::BTreeMap;

use super::equations::interpolation;
use crate::data::Records;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::Extent;
use crate::ir::op::Unary;
use crate::language::specification::Interpolation;
use crate::model::{ColumnSource, Model};

/// What a node of the model's graph is to the equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeRole {
    /// One value a subject.
    Input,
    /// The same, computed from an input that others are computed from too.
    Once,
    /// Data alone that jump from record to record.
    Signal,
    /// Computed at every evaluation.
    Moving,
}

/// The same of a node; what is no column runs as those it is made of, from record to record.
pub(super) fn course(model: &Model, node: Node) -> Interpolation {
    match model.graph.op(node) {
        Op::Data(i) => interpolation(model, i as usize),
        _ => Interpolation::Constant,
    }
}

/// Whether a data column is the time.
pub(super) fn is_time(model: &Model, i: u32, time: Option<&str>) -> bool {
    let column = &model.columns[i as usize];
    let given = matches!(column.source, ColumnSource::Data | ColumnSource::Ahead(_));
    given && (column.name == "t" || Some(column.name.as_str()) == time)
}

pub(super) fn parts(model: &Model, records: &Records, time: Option<&str>) -> Vec<NodeRole> {
    let g = &model.graph;
    let data = g.depends(|op| matches!(op, Op::Phi(_) | Op::Theta(_)));
    let mut parts: Vec<NodeRole> = Vec::with_capacity(g.len());
    for node in g.nodes() {
        let part = match g.op(node) {
            Op::State(_) | Op::Carry(_) => NodeRole::Moving,
            Op::Data(i) if is_time(model, i, time) => NodeRole::Moving,
            Op::Data(i) if records.extents[i as usize] == Extent::Row => {
                match course(model, node) {
                    Interpolation::Constant => NodeRole::Signal,
                    _ => NodeRole::Moving,
                }
            }
            _ => {
                let mut part = NodeRole::Input;
                for operand in g.operands(node) {
                    part = match (part, parts[operand.index()]) {
                        (NodeRole::Moving, _) | (_, NodeRole::Moving) => NodeRole::Moving,
                        (NodeRole::Signal, _) | (_, NodeRole::Signal) => NodeRole::Signal,
                        _ => NodeRole::Input,
                    };
                }
                // Beside parameters or effects a signal is no longer data alone; beside others it may run otherwise.
                let next = |operand| course(model, operand) == Interpolation::Next;
                let mixed = data[node.index()] || g.operands(node).any(next);
                if part == NodeRole::Signal && mixed {
                    part = NodeRole::Moving;
                }
                part
            }
        };
        parts.push(part);
    }
    share(model, &mut parts);
    parts
}

/// Nodes that the right-hand sides read, those of inputs included.
pub(super) fn needed(
    g: &Graph,
    parts: &[NodeRole],
    roots: impl Iterator<Item = Node>,
) -> Vec<bool> {
    let mut needed = vec![false; g.len()];
    for root in roots {
        needed[root.index()] = true;
    }
    let all: Vec<Node> = g.nodes().collect();
    for node in all.iter().rev() {
        let sign = matches!(g.op(*node), Op::Unary(Unary::Neg, _));
        let part = parts[node.index()];
        if needed[node.index()] && (matches!(part, NodeRole::Moving | NodeRole::Once) || sign) {
            for operand in g.operands(*node) {
                needed[operand.index()] = true;
            }
        }
    }
    needed
}

/// Let inputs that are all computed from one value and constants alone be computed from it: derivatives by one input then
/// serve all of them.
fn share(model: &Model, parts: &mut [NodeRole]) {
    let g = &model.graph;
    let moves = g.depends(|op| matches!(op, Op::Phi(_) | Op::Theta(_)));
    let read = needed(g, parts, model.equations.iter().map(|e| e.rhs));
    let mut chains: BTreeMap<Node, Vec<Vec<Node>>> = BTreeMap::new();
    for node in g.nodes() {
        let sign = matches!(g.op(node), Op::Unary(Unary::Neg, _));
        let is_read = read[node.index()] && moves[node.index()] && !sign;
        if is_read && parts[node.index()] == NodeRole::Input {
            let chain = chain(g, node);
            let end = chain.last().copied().unwrap_or(node);
            chains.entry(end).or_default().push(chain);
        }
    }
    for chains in chains.into_values().filter(|chains| chains.len() > 1) {
        let of_all = |node: &Node| chains.iter().all(|chain| chain.contains(node));
        for chain in &chains {
            for node in chain.iter().take_while(|node| !of_all(node)) {
                parts[node.index()] = NodeRole::Once;
            }
        }
    }
}

/// A node, what it is computed from if that is one node beside constants, and so on.
fn chain(g: &Graph, node: Node) -> Vec<Node> {
    let mut chain = vec![node];
    let mut at = node;
    loop {
        let mut operands: Vec<Node> = match g.op(at) {
            Op::Unary(..) | Op::Binary(..) => g.operands(at).collect(),
            _ => return chain,
        };
        operands.retain(|operand| g.as_constant(*operand).is_none());
        operands.dedup();
        let [one] = operands[..] else { return chain };
        chain.push(one);
        at = one;
    }
}

//! Cut an interval where a hazard makes a choice by the time: `ifelse(t < c, a, b)`, `max(t - c, 0)`, `abs(t - c)`.
//!
//! Within a piece every choice is the one at its middle, and what is left is a hazard like others.

use super::closed::Span;
use super::terms::affine;
use super::{dependents, replaced};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};

/// Hazards with more choices than this are integrated whole.
const MOST: usize = 12;

/// A choice, and the time at which it turns.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    node: Node,
    at: Node,
}

/// The choices of a hazard that turn at a time known beforehand.
pub fn choices(g: &mut Graph, hazard: Node, time: Node) -> Vec<Choice> {
    let varies = dependents(g, time);
    let needed = g.reachable(&[hazard]);
    let all: Vec<Node> = g.nodes().collect();
    let mut found = Vec::new();
    for node in all {
        if !needed[node.index()] || !varies[node.index()] {
            continue;
        }
        let at = match g.op(node) {
            Op::Binary(
                Binary::Less | Binary::LessEqual | Binary::Equal | Binary::Min | Binary::Max,
                a,
                b,
            ) => turn(g, &varies, time, (a, b)),
            Op::Unary(Unary::Abs, a) => {
                let zero = g.constant(0.0);
                turn(g, &varies, time, (a, zero))
            }
            _ => None,
        };
        found.extend(at.map(|at| Choice { node, at }));
    }
    if found.len() > MOST {
        found.clear();
    }
    found
}

/// When two values are equal: one of them is the time, less an origin and times a factor, or runs with it.
fn turn(g: &mut Graph, varies: &[bool], time: Node, (a, b): (Node, Node)) -> Option<Node> {
    let is_free = |node: Node| !varies.get(node.index()).copied().unwrap_or(false);
    let (moving, level) = match (is_free(a), is_free(b)) {
        (false, true) => (a, b),
        (true, false) => (b, a),
        _ => return None,
    };
    if let Some((origin, true)) = affine(g, varies, time, moving) {
        return Some(origin.map_or(level, |origin| g.add(origin, level)));
    }
    if !runs_evenly(g, varies, time, moving) {
        return None;
    }
    let [zero, one] = [0.0, 1.0].map(|value| g.constant(value));
    let [begins, after] = [zero, one].map(|at| replaced(g, moving, &[(time, at)]));
    let slope = g.sub(after, begins);
    let rise = g.sub(level, begins);
    Some(g.div(rise, slope))
}

/// Whether a value runs at one rate.
fn runs_evenly(g: &Graph, varies: &[bool], time: Node, node: Node) -> bool {
    let is_free = |node: Node| !varies.get(node.index()).copied().unwrap_or(false);
    let runs = |node: Node| is_free(node) || runs_evenly(g, varies, time, node);
    node == time
        || match g.op(node) {
            Op::Binary(Binary::Add | Binary::Sub, a, b) => runs(a) && runs(b),
            Op::Binary(Binary::Mul, a, b) if is_free(a) => runs(b),
            Op::Binary(Binary::Mul | Binary::Div, a, b) if is_free(b) => runs(a),
            Op::Unary(Unary::Neg, a) => runs(a),
            _ => false,
        }
}

/// The pieces of a span, in the order of time.
pub fn spans(g: &mut Graph, choices: &[Choice], span: Span) -> Vec<Span> {
    let mut cuts: Vec<Node> = choices.iter().map(|choice| choice.at).collect();
    cuts.sort_unstable();
    cuts.dedup();
    for cut in &mut cuts {
        let late = g.binary(Binary::Max, *cut, span.from);
        *cut = g.binary(Binary::Min, late, span.to);
    }
    for last in (1..cuts.len()).rev() {
        for i in 0..last {
            let (a, b) = (cuts[i], cuts[i + 1]);
            cuts[i] = g.binary(Binary::Min, a, b);
            cuts[i + 1] = g.binary(Binary::Max, a, b);
        }
    }
    let ends = cuts.iter().copied().chain([span.to]);
    let mut from = span.from;
    ends.map(|to| {
        let piece = Span {
            from,
            to,
            chosen: true,
        };
        from = to;
        piece
    })
    .collect()
}

/// The hazard with its choices as they are in the middle of a piece.
pub fn decided(g: &mut Graph, hazard: Node, time: Node, choices: &[Choice], piece: Span) -> Node {
    let both = g.add(piece.from, piece.to);
    let middle = g.scale(0.5, both);
    let (needed, varies) = (g.reachable(&[hazard]), dependents(g, time));
    let all: Vec<Node> = g.nodes().collect();
    let mut moved = all.clone();
    for node in all {
        let i = node.index();
        if !needed[i] || !varies[i] {
            continue;
        }
        let turns = choices.iter().any(|choice| choice.node == node);
        moved[i] = match g.op(node) {
            op if !turns => g.copied(op, &moved),
            Op::Binary(f @ (Binary::Min | Binary::Max), a, b) => {
                let [low, high] = [a, b].map(|x| replaced(g, x, &[(time, middle)]));
                let less = g.binary(Binary::Less, low, high);
                let (a, b) = (moved[a.index()], moved[b.index()]);
                let (first, second) = if f == Binary::Min { (a, b) } else { (b, a) };
                g.select(less, first, second)
            }
            Op::Unary(Unary::Abs, a) => {
                let (here, zero) = (replaced(g, a, &[(time, middle)]), g.constant(0.0));
                let less = g.binary(Binary::Less, here, zero);
                let minus = g.neg(moved[a.index()]);
                g.select(less, minus, moved[a.index()])
            }
            _ => replaced(g, node, &[(time, middle)]),
        };
    }
    moved[hazard.index()]
}

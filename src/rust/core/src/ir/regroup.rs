//! Reorder sums so that a random effect meets first what is constant wherever it is.
//!
//! `m + b * x + eta` is computed as `(m + b * x) + eta`; with `x` varying by row the sum of `m` and `eta`, which could be
//! the individual parameter, never appears. Here it is written `(eta + m) + b * x`. With effects of several groupings in
//! one sum, a term goes to the grouping with the fewest levels among those in which it is constant: there the effects
//! say the least about it that the data do not.

use super::graph::{Graph, Node, Op};
use super::level::{Extent, NodeLevels};
use super::op::Binary;

/// Who may take terms.
pub struct Takers<'a> {
    /// The grouping of each effect, `None` for one that takes no terms.
    pub effects: &'a [Option<usize>],
    /// How each grouping sees the values.
    pub levels: Vec<NodeLevels>,
    /// Number of levels of each grouping.
    pub sizes: Vec<usize>,
}

/// Rebuild `graph`; returns the new graph and where each node went.
pub fn regroup(
    graph: &Graph,
    users: &[Vec<Node>],
    roots: &[Node],
    takers: &mut Takers,
) -> (Graph, Vec<Node>) {
    let random = graph.depends(|op| matches!(op, Op::Phi(_)));
    let mut new = Graph::new();
    let mut moved: Vec<Node> = Vec::with_capacity(graph.len());
    // What is taken from something, as a prediction from the outcome, stays a sum of its own.
    let added = |node: Node, user: Node| match graph.op(user) {
        Op::Binary(Binary::Add, _, _) => true,
        Op::Binary(Binary::Sub, a, _) => a == node,
        _ => false,
    };
    let inner = |node: Node| {
        is_sum(graph, node)
            && !roots.contains(&node)
            && matches!(users[node.index()].as_slice(), [user] if added(node, *user))
    };
    for node in graph.nodes() {
        let sum = (is_sum(graph, node) && !inner(node)).then(|| terms(graph, node, &inner));
        let plan = sum.and_then(|terms| plan(graph, &random, takers, &terms));
        let next = match plan {
            Some(order) => write(&mut new, &order, &moved),
            None => new.copy(graph, node, &moved),
        };
        moved.push(next);
    }
    new.copy_carries(graph, &moved);
    (new, moved)
}

fn is_sum(graph: &Graph, node: Node) -> bool {
    matches!(graph.op(node), Op::Binary(Binary::Add | Binary::Sub, _, _))
}

/// The terms of a sum with their signs, in the order written.
fn terms(graph: &Graph, node: Node, inner: &dyn Fn(Node) -> bool) -> Vec<(Node, f64)> {
    let mut found = Vec::new();
    let mut pending = vec![(node, 1.0)];
    let mut top = true;
    while let Some((node, sign)) = pending.pop() {
        match graph.op(node) {
            Op::Binary(f @ (Binary::Add | Binary::Sub), a, b) if top || inner(node) => {
                let second = if f == Binary::Sub { -sign } else { sign };
                pending.extend([(b, second), (a, sign)]);
            }
            _ => found.push((node, sign)),
        }
        top = false;
    }
    found
}

/// The new order of the terms: every effect followed by what it takes, then the rest. `None` when nothing is gained.
fn plan(
    graph: &Graph,
    random: &[bool],
    who: &mut Takers,
    terms: &[(Node, f64)],
) -> Option<Vec<(Node, f64)>> {
    let mut takers: Vec<(usize, usize)> = (terms.iter().enumerate())
        .filter_map(|(i, (node, sign))| match graph.op(*node) {
            Op::Phi(k) if *sign > 0.0 => Some((i, who.effects[k as usize]?)),
            _ => None,
        })
        .collect();
    takers.sort_by_key(|(_, group)| (who.sizes[*group], *group));
    if takers.is_empty() || terms.len() < 3 {
        return None;
    }
    let mut taken: Vec<Option<usize>> = vec![None; terms.len()];
    for (i, (node, _)) in terms.iter().enumerate() {
        if !random[node.index()] {
            let mut fits =
                |group: usize| who.levels[group].of(graph, *node).extent <= Extent::Subject;
            let taker = takers.iter().find(|(_, group)| fits(*group));
            taken[i] = taker.map(|(taker, _)| *taker);
        }
    }
    let rest = |i: &usize| taken[*i].is_none() && !takers.iter().any(|(taker, _)| taker == i);
    let others = (0..terms.len()).filter(rest).count();
    if taken.iter().all(Option::is_none) || others + takers.len() < 2 {
        return None;
    }
    let mut order = Vec::with_capacity(terms.len());
    for (taker, _) in &takers {
        order.push(terms[*taker]);
        let own = (0..terms.len()).filter(|i| taken[*i] == Some(*taker));
        order.extend(own.map(|i| terms[i]));
    }
    order.extend((0..terms.len()).filter(rest).map(|i| terms[i]));
    Some(order)
}

/// Write a sum in the planned order; each effect and its terms are a sum of their own.
fn write(g: &mut Graph, order: &[(Node, f64)], moved: &[Node]) -> Node {
    let mut parts: Vec<Node> = Vec::new();
    for (node, sign) in order {
        let term = moved[node.index()];
        let starts = matches!(g.op(term), Op::Phi(_)) || parts.is_empty();
        match parts.last_mut() {
            Some(last) if !starts => {
                *last = if *sign > 0.0 {
                    g.add(*last, term)
                } else {
                    g.sub(*last, term)
                };
            }
            _ => parts.push(if *sign > 0.0 { term } else { g.neg(term) }),
        }
    }
    let mut parts = parts.into_iter();
    let first = parts.next();
    let zero = g.constant(0.0);
    parts.fold(first.unwrap_or(zero), |sum, part| g.add(sum, part))
}

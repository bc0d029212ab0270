//! Find effects of two groupings that enter the model as one sum only.
//!
//! If every use of `phi[a]` is `phi[a] + phi[b]` and the same holds for `phi[b]`, then adding `delta` to the first for
//! all levels of a connected set of levels and taking it from the second leaves the likelihood as it is. Sampling
//! `delta` from its Gaussian conditional distribution moves along the ridge on which the two effects trade, where
//! moving one at a time would creep. Source: Yu & Meng (2011), interweaving of centered and non-centered effects.

use crate::data::Records;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Binary;
use crate::ir::reference::users;
use crate::model::Model;

use super::normal_form::NormalForm;

/// A pair of effects that trade.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Grouping and effect within it.
    pub plus: (usize, usize),
    pub minus: (usize, usize),
    /// Levels of the two groupings that must move together.
    pub sets: Vec<(Vec<usize>, Vec<usize>)>,
}

pub fn exchanges(model: &Model, form: &NormalForm, records: &[Records]) -> Vec<Exchange> {
    if records.len() < 2 {
        return Vec::new();
    }
    let roots: Vec<Node> = form.densities.iter().map(|d| d.log_density).collect();
    let graph = &form.graph;
    let users = users(graph, &graph.reachable(&roots));
    let place = |k: usize| {
        let group = model.effects[k].group;
        (group, k - model.effects_of(group).start)
    };
    let mut found = Vec::new();
    for (node, a) in graph.nodes().filter_map(|node| effect(graph, node)) {
        for (b_node, b) in summands(graph, &users, node) {
            let (plus, minus) = (place(a), place(b));
            let gaussian = model.effects[a].gaussian && model.effects[b].gaussian;
            if gaussian && a < b && plus.0 != minus.0 && users[b_node.index()].len() == 1 {
                found.push(Exchange {
                    plus,
                    minus,
                    sets: sets(&records[plus.0], &records[minus.0]),
                });
            }
        }
    }
    found
}

fn effect(graph: &Graph, node: Node) -> Option<(Node, usize)> {
    match graph.op(node) {
        Op::Phi(k) => Some((node, k as usize)),
        _ => None,
    }
}

/// Effects that are added to `phi` before anything else reads the sum.
fn summands(graph: &Graph, users: &[Vec<Node>], phi: Node) -> Vec<(Node, usize)> {
    let mut carrier = phi;
    let mut found = Vec::new();
    while let [user] = users[carrier.index()].as_slice() {
        let other = match graph.op(*user) {
            Op::Binary(Binary::Add, a, b) if a == carrier => b,
            Op::Binary(Binary::Add, a, b) if b == carrier => a,
            Op::Binary(Binary::Sub, a, _) if a == carrier => {
                carrier = *user;
                continue;
            }
            _ => break,
        };
        // A sum on its own that is added as a whole: `a + (b + c)`.
        let mut pending = vec![other];
        while let Some(node) = pending.pop() {
            match graph.op(node) {
                Op::Phi(k) => found.push((node, k as usize)),
                Op::Binary(Binary::Add, a, b) if users[node.index()].len() == 1 => {
                    pending.extend([a, b]);
                }
                _ => {}
            }
        }
        carrier = *user;
    }
    found
}

/// The connected sets of levels of two groupings.
fn sets(a: &Records, b: &Records) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut parent: Vec<usize> = (0..a.n_subjects + b.n_subjects).collect();
    for (x, y) in a.codes.iter().zip(&b.codes) {
        let (top, joined) = (
            super::joint::root(&mut parent, *x),
            super::joint::root(&mut parent, a.n_subjects + y),
        );
        parent[joined.max(top)] = joined.min(top);
    }
    let mut sets: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); parent.len()];
    for level in 0..parent.len() {
        let top = super::joint::root(&mut parent, level);
        if level < a.n_subjects {
            sets[top].0.push(level);
        } else {
            sets[top].1.push(level - a.n_subjects);
        }
    }
    sets.retain(|(x, y)| !x.is_empty() && !y.is_empty());
    sets
}

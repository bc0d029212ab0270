//! Recognise mu-referencing: a random effect that enters the model only through `mean + effect`.
//!
//! If every use of `phi[k]` is one sum `phi[k] + s`, where `s` holds no random effect and is constant within a
//! subject, then the sum itself can be the individual Gaussian parameter: its mean is `mean[k] + s`, its covariance
//! is unchanged, and the program reads it instead. `exp(tka + eta)` and a mean inside `mvnormal()` become the same.

use super::graph::{Graph, Node, Op};
use super::level::{Extent, NodeLevels};
use super::op::Binary;

/// The program after the change of variable.
pub struct Referenced {
    pub graph: Graph,
    /// Where each node of the old graph went.
    pub moved: Vec<Node>,
    /// For each effect the shift: `new phi = old phi + shift` (a node of the new graph).
    pub shifts: Vec<Node>,
}

/// What may be done with an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// Take in what it is added to; the grouping whose levels it has.
    Join(usize),
    /// Put its mean, this node, outside: the other way round, so that the deviation alone is left.
    Leave(Node),
}

/// Shift every effect as it allows; `roots` are what the likelihood needs.
///
/// `levels`: one for each grouping. `effects`: one for each effect.
pub fn reference(
    graph: &Graph,
    levels: &mut [NodeLevels],
    roots: &[Node],
    effects: &[Change],
) -> Referenced {
    let needed = graph.reachable(roots);
    let carried = graph.carries().iter().flat_map(|c| [c.initial, c.next]);
    let roots: Vec<Node> = roots.iter().copied().chain(carried).collect();
    let uses = Uses {
        users: users(graph, &needed),
        random: graph.depends(|op| matches!(op, Op::Phi(_))),
        roots: &roots,
    };
    let mut carriers = vec![None; graph.len()];
    let mut sums: Vec<Vec<(Node, f64)>> = vec![Vec::new(); effects.len()];
    for node in graph.nodes().filter(|node| needed[node.index()]) {
        if let Op::Phi(k) = graph.op(node) {
            let group = match effects[k as usize] {
                Change::Keep => continue,
                Change::Join(group) => group,
                Change::Leave(mean) => {
                    sums[k as usize] = vec![(mean, -1.0)];
                    continue;
                }
            };
            let (carrier, terms) = follow(graph, &mut levels[group], &uses, node);
            if !terms.is_empty() {
                carriers[carrier.index()] = Some(k);
                sums[k as usize] = terms;
            }
        }
    }
    rebuild(graph, &uses.random, &carriers, &sums)
}

/// Who reads each value, and which values hold random effects.
struct Uses<'a> {
    users: Vec<Vec<Node>>,
    random: Vec<bool>,
    roots: &'a [Node],
}

pub fn users(graph: &Graph, needed: &[bool]) -> Vec<Vec<Node>> {
    let mut users = vec![Vec::new(); graph.len()];
    for node in graph.nodes().filter(|node| needed[node.index()]) {
        for operand in graph.operands(node) {
            users[operand.index()].push(node);
        }
    }
    users
}

/// Walk from `phi` through sums while each value has a single user.
fn follow(
    graph: &Graph,
    levels: &mut NodeLevels,
    uses: &Uses,
    phi: Node,
) -> (Node, Vec<(Node, f64)>) {
    let mut carrier = phi;
    let mut terms = Vec::new();
    while let [user] = uses.users[carrier.index()].as_slice() {
        if uses.roots.contains(&carrier) {
            break;
        }
        let (other, sign) = match graph.op(*user) {
            Op::Binary(Binary::Add, a, b) if a == carrier => (b, 1.0),
            Op::Binary(Binary::Add, a, b) if b == carrier => (a, 1.0),
            Op::Binary(Binary::Sub, a, b) if a == carrier => (b, -1.0),
            _ => break,
        };
        let level = levels.of(graph, other);
        if uses.random[other.index()] || level.extent > Extent::Subject {
            break;
        }
        terms.push((other, sign));
        carrier = *user;
    }
    (carrier, terms)
}

fn rebuild(
    graph: &Graph,
    random: &[bool],
    carriers: &[Option<u32>],
    sums: &[Vec<(Node, f64)>],
) -> Referenced {
    let mut new = Graph::new();
    let zero = new.constant(0.0);
    let mut shifts = vec![zero; sums.len()];
    let mut moved = vec![zero; graph.len()];
    // Shifts hold no random effect, so they can be copied first.
    for node in graph.nodes() {
        if !random[node.index()] {
            moved[node.index()] = new.copy(graph, node, &moved);
        }
    }
    for (shift, terms) in shifts.iter_mut().zip(sums) {
        for (term, sign) in terms {
            let signed = new.scale(*sign, moved[term.index()]);
            *shift = new.add(*shift, signed);
        }
    }
    for node in graph.nodes() {
        moved[node.index()] = match (carriers[node.index()], graph.op(node)) {
            (Some(k), _) => new.phi(k),
            (None, Op::Phi(k)) => {
                let phi = new.phi(k);
                new.sub(phi, shifts[k as usize])
            }
            (None, _) => new.copy(graph, node, &moved),
        };
    }
    new.copy_carries(graph, &moved);
    Referenced {
        graph: new,
        moved,
        shifts,
    }
}

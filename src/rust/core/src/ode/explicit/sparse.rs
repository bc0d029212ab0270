//! Find the derivatives that are zero whatever happens: of an amount that waits for absorption by what eliminates it.

use crate::ir::graph::Op;
use crate::ode::system::System;
use crate::ode::tangent::NO_INPUT;

/// For each column of values and directions whether it is always zero.
pub fn zeros(system: &System, directions: &[usize]) -> Vec<bool> {
    let n = system.states.len();
    let mut zeros = vec![false; n * (1 + directions.len())];
    if system.varied {
        return zeros;
    }
    let reads: Vec<CourseReads> = (0..n).map(|k| CourseReads::of(system, k)).collect();
    let mut beginnings = 0..n;
    for (j, input) in directions.iter().enumerate() {
        let own = (*input == NO_INPUT).then(|| beginnings.next()).flatten();
        let mut moves: Vec<bool> = (0..n)
            .map(|k| own == Some(k) || reads[k].inputs.contains(input))
            .collect();
        if !moves.contains(&true) {
            continue;
        }
        // What moves a state moves those that read it.
        while let Some(k) =
            (0..n).find(|k| !moves[*k] && reads[*k].states.iter().any(|i| moves[*i]))
        {
            moves[k] = true;
        }
        for (k, moves) in moves.iter().enumerate() {
            zeros[n * (1 + j) + k] = !moves;
        }
    }
    zeros
}

/// What the course of one state depends on.
struct CourseReads {
    states: Vec<usize>,
    inputs: Vec<usize>,
}

impl CourseReads {
    fn of(system: &System, k: usize) -> Self {
        let graph = &system.graph;
        let flow = system.flow.get(k).copied().flatten();
        let nodes: Vec<_> = flow.into_iter().chain([system.rhs[k]]).collect();
        let needed = graph.reachable(&nodes);
        let dosing = system.dosing.get(k).copied().unwrap_or_default();
        let given = [
            dosing.fraction,
            dosing.lag,
            dosing.rate,
            dosing.duration,
            system.initial[k],
        ];
        let mut reads = Self {
            states: Vec::new(),
            inputs: given.into_iter().flatten().collect(),
        };
        for node in graph.nodes().filter(|node| needed[node.index()]) {
            match graph.op(node) {
                Op::State(i) => reads.states.push(i as usize),
                Op::Theta(i) => reads.states.push(i as usize),
                Op::Phi(j) => reads.inputs.push(j as usize),
                _ => {}
            }
        }
        reads
    }
}

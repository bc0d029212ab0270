//! What is recognized as linear, and how the rest reads it.

use super::systems::{compartments, exactly, system, values, Flow, Point};
use crate::common::data::Generator;
use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ir::op::Unary;
use nlmers_core::ode::linear::{by_matrix, linearize};
use nlmers_core::ode::system::{SIGNALS, TIME};
use nlmers_core::ode::System;

fn linear(system: &System) -> Vec<usize> {
    let Some(found) = linearize(system, &vec![true; system.states.len()]) else {
        return Vec::new();
    };
    (0..system.states.len())
        .filter(|k| found.flow[*k].is_some())
        .collect()
}

/// One state with `rhs(x)`.
fn one(write: impl FnOnce(&mut Graph, Node) -> Node) -> Vec<usize> {
    linear(&system(1, 3, |g| {
        let x = g.state(0);
        vec![write(g, x)]
    }))
}

#[test]
fn sums_products_and_choices_of_steady_values_are_linear() {
    assert_eq!(
        one(|g, x| {
            let k = g.phi(0);
            let kx = g.mul(k, x);
            g.neg(kx)
        }),
        [0]
    );
    assert_eq!(
        one(|g, x| {
            let [cl, v] = [g.phi(0), g.phi(1)];
            let c = g.div(x, v);
            let out = g.mul(cl, c);
            let kin = g.phi(2);
            g.sub(kin, out)
        }),
        [0]
    );
    assert_eq!(
        one(|g, x| {
            let (k, w) = (g.phi(0), g.data(SIGNALS));
            let e = g.exp(w);
            let ke = g.mul(k, e);
            g.mul(ke, x)
        }),
        [0]
    );
    assert_eq!(
        one(|g, x| {
            let (c, k) = (g.phi(0), g.phi(1));
            let kx = g.mul(k, x);
            let two = g.scale(-2.0, x);
            g.select(c, kx, two)
        }),
        [0]
    );
    assert_eq!(
        one(|g, x| {
            let (a, b) = (g.phi(0), g.phi(1));
            let sum = g.add(a, b);
            let r = g.unary(Unary::Recip, sum);
            g.mul(r, x)
        }),
        [0]
    );
    assert_eq!(one(|g, _| g.phi(0)), [0]);
    assert_eq!(one(|g, _| g.constant(0.0)), [0]);
}

#[test]
fn what_moves_or_bends_is_not() {
    assert!(one(|g, x| {
        let (k, t) = (g.phi(0), g.data(TIME));
        let kt = g.mul(k, t);
        g.mul(kt, x)
    })
    .is_empty());
    assert!(one(|g, _| g.data(TIME)).is_empty());
    assert!(one(|g, x| {
        let smooth = g.data(SIGNALS + 1);
        g.mul(smooth, x)
    })
    .is_empty());
    assert!(one(|g, x| {
        let (vm, km) = (g.phi(0), g.phi(1));
        let above = g.mul(vm, x);
        let below = g.add(km, x);
        g.div(above, below)
    })
    .is_empty());
    assert!(one(|g, x| g.square(x)).is_empty());
    assert!(one(|g, x| {
        let k = g.phi(0);
        g.div(k, x)
    })
    .is_empty());
    assert!(one(|g, x| {
        let (a, b) = (g.phi(0), g.phi(1));
        let ax = g.mul(a, x);
        g.select(x, ax, b)
    })
    .is_empty());
    assert!(one(|g, x| {
        let m = g.unary(Unary::Neg, x);
        g.unary(Unary::Abs, m)
    })
    .is_empty());
}

/// A depot feeds Michaelis-Menten elimination, which feeds a linear state: only the depot is linear.
fn mixed() -> System {
    system(3, 4, |g| {
        let [depot, central, effect] = [g.state(0), g.state(1), g.state(2)];
        let [ka, vm, km, ke] = [g.phi(0), g.phi(1), g.phi(2), g.phi(3)];
        let absorbed = g.mul(ka, depot);
        let (above, below) = (g.mul(vm, central), g.add(km, central));
        let out = g.div(above, below);
        let (to, from) = (g.mul(ke, central), g.mul(ke, effect));
        vec![g.neg(absorbed), g.sub(absorbed, out), g.sub(to, from)]
    })
}

#[test]
fn the_rest_reads_linear_states_where_they_are() {
    let plain = mixed();
    assert_eq!(linear(&plain), [0]);
    let found = linearize(&plain, &[false; 3]).unwrap();
    let at = Point {
        states: vec![5.0, 2.0, 1.0],
        inputs: vec![0.8, 3.0, 4.0, 0.5],
        elapsed: 1.5,
        ..Point::default()
    };
    let now = values(&found.graph, &found.rhs, &at);
    let depot = 5.0 * (-0.8f64 * 1.5).exp();
    let exact = [-4.0, 0.8 * depot - 6.0 / 6.0, 0.5];
    for (x, y) in now.iter().zip(exact) {
        assert!((x - y).abs() < 1e-14, "{x} {y}");
    }
}

/// Rates that no one asked for cost nothing.
#[test]
fn only_infused_states_read_rates() {
    let plain = compartments(2, &[(0, None, 0), (1, Some(0), 1)]);
    let reads = |infused: [bool; 2]| {
        let found = linearize(&plain, &infused).unwrap();
        let roots: Vec<Node> = found.flow.iter().map(|f| f.unwrap()).collect();
        let needed = found.graph.reachable(&roots);
        let is_rate = |n: &Node| matches!(found.graph.op(*n), nlmers_core::ir::graph::Op::Theta(_));
        found
            .graph
            .nodes()
            .filter(|n| needed[n.index()] && is_rate(n))
            .count()
    };
    assert_eq!(
        [
            reads([false, false]),
            reads([true, false]),
            reads([true, true])
        ],
        [0, 1, 2]
    );
}

/// Long chains have a matrix, up to 40 states, and only where all equations are linear; in steps, what does not read them
/// has its closed form.
#[test]
fn long_chains_are_left() {
    let chain = |n: usize| -> Vec<Flow> {
        (0..n)
            .map(|k| (k, (k + 1 < n).then_some(k + 1), k as u32))
            .collect()
    };
    for n in [10, 40] {
        let system = compartments(n, &chain(n));
        assert_eq!(
            by_matrix(&system).unwrap().matrix.unwrap().0.len(),
            2 * n - 1
        );
        assert_eq!(linear(&system), [0, 1, 2]);
    }
    assert!(by_matrix(&compartments(41, &chain(41))).is_none());
    let mut beside = compartments(10, &chain(10));
    let g = &mut beside.graph;
    let (x, y) = (g.state(9), g.state(10));
    let fall = g.mul(x, y);
    beside.rhs.push(g.neg(fall));
    beside.states.push("y".into());
    beside.flow.push(None);
    beside.initial.push(None);
    beside.dosing.push(Default::default());
    assert_eq!(linear(&beside), [0, 1, 2]);
    assert!(by_matrix(&beside).is_none());
}

/// An oscillator has complex rates: it takes the matrix exponential.
#[test]
fn an_oscillator_turns() {
    let plain = system(2, 1, |g| {
        let (w, x, y) = (g.phi(0), g.state(0), g.state(1));
        let wx = g.mul(w, x);
        vec![g.mul(w, y), g.neg(wx)]
    });
    let found = exactly(&plain, &[false; 2]).unwrap();
    for t in [0.1, 2.0, 40.0] {
        let at = Point {
            states: vec![0.0, 1.0],
            inputs: vec![1.3],
            elapsed: t,
            ..Point::default()
        };
        let found = super::systems::flow(&found, &at);
        let angle = 1.3 * t;
        assert!(
            (found[0] - angle.sin()).abs() < 1e-12 && (found[1] - angle.cos()).abs() < 1e-12,
            "{t}"
        );
    }
}

/// Names and order of the states do not matter.
#[test]
fn states_may_stand_in_any_order() {
    let mut draw = Generator(2);
    let flows: Vec<Flow> = vec![
        (0, None, 0),
        (0, Some(1), 1),
        (1, Some(0), 2),
        (0, Some(2), 3),
        (2, Some(0), 4),
        (3, Some(0), 5),
    ];
    let inputs: Vec<f64> = (0..6).map(|_| draw.between(0.1, 1.0)).collect();
    let values_in = |order: [usize; 4]| {
        let moved: Vec<Flow> = flows
            .iter()
            .map(|(from, to, j)| (order[*from], to.map(|to| order[to]), *j))
            .collect();
        let found = exactly(&compartments(4, &moved), &[false; 4]).unwrap();
        let mut at = Point {
            states: vec![0.0; 4],
            inputs: inputs.clone(),
            elapsed: 2.7,
            ..Point::default()
        };
        for (k, x) in [3.0, 1.0, 0.5, 4.0].iter().enumerate() {
            at.states[order[k]] = *x;
        }
        let ends = super::systems::flow(&found, &at);
        order.map(|k| ends[k])
    };
    let first = values_in([0, 1, 2, 3]);
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
        for (x, y) in values_in(order).iter().zip(&first) {
            assert!((x - y).abs() < 1e-13 * y, "{order:?}");
        }
    }
}

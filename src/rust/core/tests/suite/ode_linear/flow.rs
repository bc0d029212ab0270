//! The flow nodes of many structures against the reference, at random and at coinciding, zero and extreme rates.

use super::reference::{exponential, solution};
use super::systems::{compartments, exactly, flow, matrix, Flow, Point};
use crate::common::data::Generator;

const OUT: Option<usize> = None;

/// Names, states and flows.
pub fn structures() -> Vec<(&'static str, usize, Vec<Flow>)> {
    let two = [(0, OUT, 0), (0, Some(1), 1), (1, Some(0), 2)];
    let three = [two.as_slice(), &[(0, Some(2), 3), (2, Some(0), 4)]].concat();
    let chain = |n: usize, equal: bool| -> Vec<Flow> {
        let rate = |k: usize| if equal { 0 } else { k as u32 };
        (0..n)
            .map(|k| (k, (k + 1 < n).then_some(k + 1), rate(k)))
            .collect()
    };
    vec![
        ("one", 1, vec![(0, OUT, 0)]),
        ("two", 2, two.to_vec()),
        ("three", 3, three.clone()),
        (
            "catenary",
            3,
            vec![
                (0, OUT, 0),
                (0, Some(1), 1),
                (1, Some(0), 2),
                (1, Some(2), 3),
                (2, Some(1), 4),
            ],
        ),
        (
            "leaky",
            3,
            [three.as_slice(), &[(1, OUT, 5), (2, OUT, 6)]].concat(),
        ),
        ("oral one", 2, vec![(1, Some(0), 1), (0, OUT, 0)]),
        ("oral two", 3, [two.as_slice(), &[(2, Some(0), 3)]].concat()),
        (
            "oral three",
            4,
            [three.as_slice(), &[(3, Some(0), 5)]].concat(),
        ),
        (
            "two depots",
            3,
            vec![(1, Some(0), 1), (2, Some(0), 2), (0, OUT, 0)],
        ),
        (
            "metabolite",
            3,
            vec![(0, Some(1), 0), (1, Some(2), 1), (2, OUT, 2)],
        ),
        (
            "fork",
            4,
            vec![
                (0, Some(1), 0),
                (0, OUT, 3),
                (1, Some(2), 1),
                (1, Some(3), 4),
                (2, OUT, 2),
                (3, OUT, 5),
            ],
        ),
        (
            "two and metabolite",
            3,
            [two.as_slice(), &[(0, Some(2), 3), (2, OUT, 4)]].concat(),
        ),
        ("area", 2, vec![(0, Some(1), 0)]),
        (
            "cycle",
            3,
            vec![
                (0, Some(1), 0),
                (1, Some(2), 1),
                (2, Some(0), 2),
                (0, OUT, 3),
            ],
        ),
        (
            "enterohepatic",
            4,
            vec![
                (3, Some(0), 4),
                (0, Some(1), 0),
                (1, Some(2), 1),
                (2, Some(0), 2),
                (0, OUT, 3),
            ],
        ),
        (
            "four",
            4,
            [three.as_slice(), &[(2, Some(3), 5), (3, Some(2), 6)]].concat(),
        ),
        ("transit", 8, chain(8, false)),
        ("equal transit", 8, chain(8, true)),
        ("long transit", 15, chain(15, false)),
        ("long equal transit", 30, chain(30, true)),
        ("mammillary", 13, mammillary(13)),
        ("organs", 16, organs(16)),
        ("ring", 12, ring(12)),
    ]
}

/// A center that exchanges with all others.
fn mammillary(n: usize) -> Vec<Flow> {
    let pair = |k: usize| [(0, Some(k), 2 * k as u32 - 1), (k, Some(0), 2 * k as u32)];
    let pairs = (1..n).flat_map(pair);
    std::iter::once((0, OUT, 0)).chain(pairs).collect()
}

/// Arterial blood (0) feeds organs, which drain into venous blood (1), that goes through the lungs (2); two organs eliminate,
/// one drains through another.
fn organs(n: usize) -> Vec<Flow> {
    let mut flows = vec![(1, Some(2), 0), (2, Some(0), 1), (3, OUT, 2), (4, OUT, 3)];
    for k in 3..n {
        let rate = flows.len() as u32;
        flows.push((0, Some(k), rate));
        flows.push((k, Some(if k == 5 { 3 } else { 1 }), rate + 1));
    }
    flows
}

/// Neighbors that exchange, the last with the first.
fn ring(n: usize) -> Vec<Flow> {
    let both = |k: usize| {
        let next = (k + 1) % n;
        [
            (k, Some(next), 2 * k as u32),
            (next, Some(k), 2 * k as u32 + 1),
        ]
    };
    (0..n).flat_map(both).collect()
}

/// Rates that are alike, zero, or decades apart.
fn inputs(draw: &mut Generator, n: usize, kind: usize) -> Vec<f64> {
    let base = draw.between(0.05, 2.0);
    let mut one = |k: usize| match kind {
        0 => draw.between(0.02, 2.0),
        1 => base,
        2 => base * (1.0 + draw.between(-1e-9, 1e-9)),
        3 => base * (1.0 + draw.between(-1e-3, 1e-3)),
        4 if k.is_multiple_of(2) => 0.0,
        5 if k % 2 == 1 => 0.0,
        6 => 10f64.powf(draw.between(-6.0, 2.0)),
        7 => 0.0,
        8 if k > 0 => 0.0,
        _ => draw.between(0.02, 2.0),
    };
    (0..n).map(&mut one).collect()
}

#[test]
fn flows_agree_with_the_matrix_exponential() {
    let mut draw = Generator(11);
    for (name, n, flows) in structures() {
        let plain = compartments(n, &flows);
        let infused = vec![true; n];
        let system = exactly(&plain, &infused).unwrap();
        let mut worst = (0.0f64, String::new());
        // Each kind of rates over each of the times; the reference of many states takes long.
        let cases = if n > 10 { 54 } else { 360 };
        for case in 0..cases {
            let inputs = inputs(&mut draw, plain.n_inputs, case % 9);
            let elapsed = [1e-9, 1e-3, 0.3, 2.0, 24.0, 300.0][case / 9 % 6];
            let some = |draw: &mut Generator| -> Vec<f64> {
                (0..n)
                    .map(|_| {
                        if draw.between(0.0, 1.0) < 0.4 {
                            0.0
                        } else {
                            draw.between(0.0, 10.0)
                        }
                    })
                    .collect()
            };
            let (states, rates) = (some(&mut draw), some(&mut draw));
            let a = matrix(n, &flows, &inputs);
            let truth = solution(&a, &rates, &states, elapsed);
            // A slow mode that is not excited leaves its rounding errors.
            let slow = exponential(&a, elapsed)
                .into_iter()
                .flatten()
                .fold(0.0f64, f64::max);
            let given = |x: &[f64]| x.iter().fold(1e-300f64, |m, x| m.max(*x));
            let start = given(&states) + given(&rates) * elapsed;
            // Scaling and squaring loses digits as an exponential does.
            let norm = a.iter().flatten().fold(0.0f64, |m, x| m.max(x.abs())) * elapsed;
            let scale = (norm / 3000.0).max(1.0)
                * truth
                    .iter()
                    .fold((slow * start).max(1e-290), |m, x| m.max(x.abs()));
            let at = Point {
                states,
                inputs,
                rates,
                elapsed,
                ..Point::default()
            };
            for (k, (x, y)) in flow(&system, &at).iter().zip(&truth).enumerate() {
                let error = (x - y).abs() / scale;
                if error.is_nan() || error > worst.0 {
                    worst = (error, format!("state {k}: {x} {y} at {at:?}"));
                }
            }
        }
        eprintln!("{name}: {:.1e} nodes {}", worst.0, system.graph.len());
        assert!(worst.0 < 1e-12, "{name}: {:.1e} {}", worst.0, worst.1);
    }
}

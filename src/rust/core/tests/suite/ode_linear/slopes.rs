//! Derivatives by inputs against central differences, and at rates that coincide exactly.

use super::dosing::{kinds, system, times, ROUTES};
use super::lanes::{additional, course, dose, solve, steadily, Case};
use super::systems::{compartments, exactly, Flow};
use crate::common::data::Generator;
use nlmers_core::ode::{Administration, Deliveries, Dosing, DosingSchedule, System};

/// Every derivative of the states wanted, the worst error relative to the largest value of its kind in the course.
fn worst(system: &System, cases: &[Case], wanted: &Deliveries) -> f64 {
    let all = solve(system, cases, wanted);
    let mut worst = 0.0f64;
    for (j, input) in wanted.inputs.iter().enumerate() {
        let moved = |factor: f64| -> Vec<Case> {
            let step = |case: &Case| {
                let mut moved = case.clone();
                moved.inputs[*input] += factor * width(case.inputs[*input]);
                moved
            };
            cases.iter().map(step).collect()
        };
        for (s, state) in wanted.states.iter().enumerate() {
            let at: Vec<Vec<Vec<f64>>> = [1.0, -1.0, 2.0, -2.0]
                .iter()
                .map(|f| course(system, &moved(*f), *state))
                .collect();
            for (c, case) in cases.iter().enumerate() {
                assert_eq!(all[c].1, None);
                let h = width(case.inputs[*input]);
                let numeric = |r: usize| {
                    (8.0 * (at[0][c][r] - at[1][c][r]) - (at[2][c][r] - at[3][c][r])) / (12.0 * h)
                };
                let n = case.times.len();
                let size = |r: usize| all[c].0[r][s].abs() / case.inputs[*input].abs().max(0.05);
                let scale = (0..n)
                    .map(|r| numeric(r).abs().max(1e-2 * size(r)))
                    .fold(1e-9, f64::max);
                for (r, row) in all[c].0.iter().enumerate() {
                    let error = (row[wanted.slope(s, j)] - numeric(r)).abs() / scale;
                    if error.is_nan() || error > worst {
                        worst = error;
                        eprintln!(
                            "case {c} input {input} state {state} row {r}: {} {} {error:.1e}",
                            row[wanted.slope(s, j)],
                            numeric(r)
                        );
                    }
                }
            }
        }
    }
    worst
}

fn width(x: f64) -> f64 {
    3e-4 * x.abs().max(0.1)
}

#[test]
fn slopes_of_all_kinds_of_doses_agree_with_differences() {
    let inputs = vec![0.21, 0.34, 0.17, 0.09, 0.023, 1.3, 0.83, 0.73, 15.0, 3.3];
    for route in ROUTES {
        let system = system(route, true, true);
        let n = system.states.len();
        let cases: Vec<Case> = kinds(if route.1 { n - 1 } else { 0 })
            .into_iter()
            .map(|(_, events)| Case {
                schedule: DosingSchedule { start: 0.0, events },
                times: times(),
                inputs: inputs.clone(),
                ..Case::default()
            })
            .collect();
        let wanted = Deliveries {
            states: vec![0, n - 1],
            inputs: (0..10).collect(),
        };
        let worst = worst(&system, &cases, &wanted);
        assert!(worst < 1e-7, "{route:?}: {worst:.1e}");
    }
}

/// `ka = k`, two depots alike, a component without exchange, no elimination: differences go across the coincidence.
#[test]
fn slopes_at_coinciding_rates_agree_with_differences() {
    let out: Option<usize> = None;
    let two: Vec<Flow> = vec![
        (0, out, 0),
        (0, Some(1), 1),
        (1, Some(0), 2),
        (2, Some(0), 3),
    ];
    let chain: Vec<Flow> = vec![(0, Some(1), 0), (1, Some(2), 1), (2, out, 2)];
    let cycle: Vec<Flow> = vec![
        (0, Some(1), 0),
        (1, Some(2), 1),
        (2, Some(0), 2),
        (0, out, 3),
    ];
    let three = [two.as_slice(), &[(0, Some(3), 4), (3, Some(0), 5)]].concat();
    let all: [(usize, Vec<Flow>, Vec<Vec<f64>>); 5] = [
        (
            2,
            vec![(0, out, 0), (1, Some(0), 1)],
            vec![vec![0.3, 0.3], vec![0.0, 0.4], vec![0.4, 1e-9]],
        ),
        (
            3,
            two,
            vec![
                vec![0.3, 0.2, 0.4, 0.4],
                vec![0.3, 0.2, 0.4, 0.9],
                vec![0.0, 0.2, 0.4, 0.6],
            ],
        ),
        (
            4,
            three,
            vec![
                vec![0.3, 0.2, 0.4, 0.4, 0.2, 0.4],
                vec![0.2, 0.3, 0.4, 0.5, 0.3, 0.4],
            ],
        ),
        (
            3,
            chain,
            vec![vec![0.3; 3], vec![0.3, 0.3, 0.5], vec![0.5, 0.3, 0.3]],
        ),
        (3, cycle, vec![vec![0.3; 4], vec![0.3, 0.3, 0.5, 0.0]]),
    ];
    for (n, flows, sets) in all {
        let plain = compartments(n, &flows);
        let system = exactly(&plain, &vec![true; n]).unwrap();
        let mut cases = Vec::new();
        for inputs in sets {
            let bolus = dose(0.0, 0, n - 1, 10.0, Administration::Bolus);
            let infusion = dose(1.0, 1, 0, 12.0, Administration::Rate(4.0));
            let events = [
                vec![bolus.clone()],
                additional(&bolus, 2, 5.0),
                vec![infusion],
            ]
            .concat();
            cases.push(Case {
                schedule: DosingSchedule { start: 0.0, events },
                times: (0..14).map(|i| 0.3 + f64::from(i)).collect(),
                inputs,
                ..Case::default()
            });
        }
        for case in &mut cases {
            case.schedule
                .events
                .sort_by(|a, b| a.time.total_cmp(&b.time));
        }
        let wanted = Deliveries {
            states: (0..n).collect(),
            inputs: (0..plain.n_inputs).collect(),
        };
        let worst = worst(&system, &cases, &wanted);
        assert!(worst < 1e-7, "{n} states: {worst:.1e}");
    }
}

/// Random schedules, initial values that are inputs, dense structures: a chain, and one that goes around.
#[test]
fn slopes_of_random_schedules_agree_with_differences() {
    let chain: Vec<Flow> = (0..5)
        .map(|k| (k, (k < 4).then_some(k + 1), k as u32))
        .collect();
    let around: Vec<Flow> = (chain.iter().copied())
        .chain([(4, Some(0), 2), (3, Some(1), 0)])
        .collect();
    for flows in [chain, around] {
        slopes_of_random_schedules(&flows);
    }
}

fn slopes_of_random_schedules(flows: &[Flow]) {
    let mut draw = Generator(5);
    let mut plain = compartments(5, flows);
    plain.n_inputs = 9;
    plain.initial[2] = Some(5);
    plain.dosing[0] = Dosing {
        fraction: Some(6),
        lag: Some(7),
        rate: None,
        duration: Some(8),
    };
    let system = exactly(&plain, &[true; 5]).unwrap();
    let mut cases = Vec::new();
    for _ in 0..20 {
        let mut events = Vec::new();
        for record in 0..4 {
            let time = 4.0 * record as f64 + draw.between(0.0, 0.5);
            let course = [
                Administration::Bolus,
                Administration::ModeledDuration,
                Administration::Rate(30.0),
            ][draw.below(3)];
            let event = dose(time, record, 0, draw.between(5.0, 50.0), course);
            let steady = draw.below(4) == 0;
            let adds = draw.below(2) == 0;
            events.push(if steady {
                steadily(event, draw.between(2.0, 9.0), adds)
            } else {
                event
            });
        }
        let mut inputs: Vec<f64> = (0..5).map(|_| draw.between(0.1, 1.5)).collect();
        inputs.extend([draw.between(0.0, 9.0), 0.7, 0.61, 2.77]);
        cases.push(Case {
            schedule: DosingSchedule { start: 0.0, events },
            times: (0..10).map(|i| 0.17 + 2.03 * f64::from(i)).collect(),
            inputs,
            ..Case::default()
        });
    }
    let wanted = Deliveries {
        states: vec![4, 1],
        inputs: (0..9).collect(),
    };
    let worst = worst(&system, &cases, &wanted);
    assert!(worst < 1e-7, "{worst:.1e}");
}

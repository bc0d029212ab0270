//! Check derivatives of the explicit solver: forward, backward and against differences.

use crate::common::systems::{self, *};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::{Act, InputSlopes, Signals, Stop, Stops, System};

/// Derivatives against central differences at tight tolerances: doses, fractions, lags, infusions whose ends move, a reset.
#[test]
fn derivatives_are_differences() {
    let system = tight(dosed(), 1e-12);
    let base = vec![1.1, 40.0, 4.0, 20.0, 0.3, 0.2, 0.8, 0.4, 3.5, 5.0];
    let times = [0.2, 1.0, 4.0, 5.0, 9.0, 12.0, 20.0];
    let slopes: Vec<usize> = (0..base.len()).collect();
    let case = Case {
        inputs: &slopes,
        ..Case::new(&system, &[0, 1, 2])
    };
    let rows = case.solve(std::slice::from_ref(&base), &[moving(&base, &times)]);
    for j in 0..base.len() {
        let h = 1e-4 * base[j];
        let shifted = |sign: f64| {
            let mut set = base.clone();
            set[j] += sign * h;
            case.solve(&[set.clone()], &[moving(&set, &times)])
        };
        let (up, down) = (shifted(1.0), shifted(-1.0));
        for row in 0..times.len() {
            for s in 0..3 {
                let difference = (up.at(row, s, 0) - down.at(row, s, 0)) / (2.0 * h);
                let slope = rows.at(row, 3 + s * base.len() + j, 0);
                close(
                    slope,
                    difference,
                    1e-6,
                    &format!("input {j} row {row} state {s}"),
                );
            }
        }
    }
}

/// Seeds that differ in every row, state and lane.
fn seeds(rows: usize, states: usize) -> Vec<Column> {
    let value = |i: usize, l: usize| (1.0 + 0.3 * i as f64 + 0.1 * l as f64).sin();
    (0..rows * states)
        .map(|i| Column(std::array::from_fn(|l| value(i, l))))
        .collect()
}

/// The adjoint against the derivatives that run forward, all of them along the same steps.
fn both_ways(case: &Case, sets: &[Vec<f64>], courses: &[Stops]) {
    let n = case.system.n_inputs;
    let slopes: Vec<usize> = (0..n).collect();
    let forward = Case {
        inputs: &slopes,
        ..*case
    };
    let rows = forward.solve(sets, courses);
    let states = case.states.len();
    let seeds = seeds(systems::rows(courses), states);
    let (values, gradients, _) = case.adjoint(sets, courses, &seeds);
    for l in 0..sets.len() {
        for j in 0..n {
            let (mut sum, mut size) = (0.0, 0.0f64);
            for (i, seed) in seeds.iter().enumerate() {
                let (row, s) = (i / states, i % states);
                close(values.at(row, s, l), rows.at(row, s, l), 1e-12, "value");
                let term = seed.0[l] * rows.at(row, states + s * n + j, l);
                (sum, size) = (sum + term, size.max(term.abs()));
            }
            let found = gradients[j].0[l];
            assert!(
                (found - sum).abs() <= 1e-9 * size.max(1e-3),
                "input {j} lane {l}: {found} backward, {sum} forward"
            );
        }
    }
    let unused = gradients.iter().flat_map(|c| &c.0[sets.len()..]);
    assert!(unused.into_iter().all(|x| *x == 0.0));
}

#[test]
fn derivatives_agree_either_way() {
    let system = dosed();
    let base = [1.1, 40.0, 4.0, 20.0, 0.3, 0.2, 0.8, 0.4, 3.5, 5.0];
    let times = [0.2, 1.0, 1.1, 4.0, 5.0, 9.0, 12.0, 20.0];
    let sets: Vec<Vec<f64>> = (0..11)
        .map(|l| base.iter().map(|x| x * (1.0 + 0.03 * l as f64)).collect())
        .collect();
    let courses: Vec<Stops> = sets.iter().map(|set| moving(set, &times)).collect();
    both_ways(&Case::new(&system, &[1, 0, 2]), &sets, &courses);
}

#[test]
fn derivatives_of_closed_forms_agree_either_way() {
    // Stops move with inputs of which the system does not say so.
    let system = System {
        varied: true,
        ..effect(true)
    };
    let sets = [vec![1.3, 0.2, 0.5, 2.0], vec![0.9, 0.3, 0.4, 1.0]];
    let times = [0.0, 0.5, 2.0, 6.0, 8.0, 8.5, 15.0, 30.0];
    let events = [
        bolus(0.0, 0, 100.0),
        moved(rate(6.0, 1, 5.0), 3, 1.0),
        bolus(8.0, 0, 30.0),
        rate(12.0, 1, -5.0),
        moved(bolus(12.0, 2, 1.0), 1, 0.5),
    ];
    let stops = course(&events, &times);
    both_ways(&Case::new(&system, &[0, 1, 2]), &sets, &vec![stops; 2]);
}

/// Derivatives that are always zero are left out and delivered as zeros.
#[test]
fn derivatives_that_are_zero_change_no_other() {
    let cycle = [bolus(0.0, 0, 50.0)];
    let events = [steady(0.0, 12.0, &cycle, false), bolus(0.5, 0, 100.0)];
    let inputs = [0, 1, 2, 3];
    for (system, set) in [
        (saturable(), vec![1.1, 40.0, 4.0, 20.0, 0.3, 0.2]),
        (effect(true), vec![1.3, 0.2, 0.5, 2.0]),
        (effect(false), vec![1.3, 0.2, 0.5, 2.0]),
    ] {
        let all = System {
            varied: true,
            ..system.clone()
        };
        let of = |system| {
            let case = Case {
                inputs: &inputs,
                ..Case::new(system, &[0, 1, 2])
            };
            case.solve(
                std::slice::from_ref(&set),
                &[course(&events, &[0.0, 0.2, 1.0, 20.0])],
            )
        };
        let (few, many) = (of(&system), of(&all));
        assert_eq!(
            (few.failures, many.failures),
            ([None; LANES], [None; LANES])
        );
        for row in 0..4 {
            for column in 0..15 {
                let (few, many) = (few.at(row, column, 0), many.at(row, column, 0));
                close(few, many, 1e-12, "derivative");
            }
            // The depot knows its own rate alone.
            assert!((1..4).all(|j| few.at(row, 3 + j, 0) == 0.0));
            assert!(few.at(row, 3, 0) != 0.0);
        }
    }
}

#[test]
fn derivatives_of_steady_states_agree_either_way() {
    let system = tight(dosed(), 1e-10);
    let base = [1.1, 40.0, 4.0, 20.0, 0.3, 0.2, 0.8, 0.4, 3.5, 5.0];
    let sets = [base.to_vec(), base.iter().map(|x| 0.9 * x).collect()];
    let times = [24.0, 25.0, 31.0];
    let course = |set: &Vec<f64>, adds: bool| {
        let end = InputSlopes {
            input: 8,
            slope: -30.0 / (set[8] * set[8]),
        };
        let flow = |time: f64, sign: f64, moves: Vec<InputSlopes>| Stop {
            moves,
            ..stop(
                time,
                Act::Rate {
                    state: 1,
                    change: sign * set[8],
                    slopes: vec![InputSlopes {
                        input: 8,
                        slope: sign,
                    }],
                },
            )
        };
        let cycle = [
            flow(0.0, 1.0, Vec::new()),
            flow(30.0 / set[8], -1.0, vec![end]),
            bolus(0.4, 0, 50.0),
        ];
        let events = [
            bolus(0.0, 0, 100.0),
            steady(24.0, 12.0, &cycle, adds),
            bolus(24.4, 0, 50.0),
        ];
        after(systems::course(&events, &times))
    };
    for adds in [false, true] {
        let courses: Vec<Stops> = sets.iter().map(|set| course(set, adds)).collect();
        both_ways(&Case::new(&system, &[1, 2]), &sets, &courses);
    }
    let endless = |set: &Vec<f64>| {
        let on = stop(
            0.0,
            Act::Rate {
                state: 1,
                change: set[8],
                slopes: vec![InputSlopes {
                    input: 8,
                    slope: 1.0,
                }],
            },
        );
        let events = [steady(1.0, f64::INFINITY, &[on], false)];
        after(systems::course(&events, &[0.5, 1.0, 4.0]))
    };
    let courses: Vec<Stops> = sets.iter().map(endless).collect();
    both_ways(&Case::new(&system, &[1, 2]), &sets, &courses);
}

#[test]
fn derivatives_with_signals_agree_either_way() {
    let system = driven();
    let kinds = [Interpolation::Constant, Interpolation::CubicSpline];
    let values = [vec![1.0, 1.0, 3.0], vec![0.0, 2.0, 2.0]];
    let (signals, from) = Signals::new(&kinds, &[0.0, 2.0, 5.0], &values);
    let events: Vec<_> = from.iter().map(|l| stop(l.time, Act::Signals(1))).collect();
    let case = Case {
        signals: &signals,
        ..Case::new(&system, &[0, 1])
    };
    let stops = course(&events, &[1.0, 4.0, 7.0]);
    both_ways(&case, &[vec![2.0]], &[stops]);
}

/// At fixed steps, differences of the solution are those of a smooth function.
#[test]
fn derivatives_are_differences_at_fixed_steps() {
    let system = dosed();
    let base = vec![1.1, 40.0, 4.0, 20.0, 0.3, 0.2, 0.8, 0.4, 3.5, 5.0];
    let times = [0.2, 1.0, 4.0, 5.0, 9.0, 12.0, 20.0];
    let still = |stops: Stops| -> Stops {
        let stay = |stop: Stop| Stop {
            moves: Vec::new(),
            ..stop
        };
        stops.into_iter().map(stay).collect()
    };
    // Stops do not move: their times are those of the base.
    let at = |set: &[f64]| {
        let mut stops = moving(&base, &times);
        for stop in &mut stops {
            if let Act::Rate { change, .. } = &mut stop.act {
                *change *= set[8] / base[8];
            }
        }
        still(stops)
    };
    let case = Case::new(&system, &[1, 2]);
    let seeds = seeds(times.len(), 2);
    let (_, gradients, record) = case.adjoint(std::slice::from_ref(&base), &[at(&base)], &seeds);
    let total = |set: Vec<f64>| -> f64 {
        let rows = case.replay(std::slice::from_ref(&set), &[at(&set)], &record);
        let each = rows.out.iter().zip(&seeds);
        each.map(|(row, seed)| row.0[0] * seed.0[0]).sum()
    };
    for j in 0..base.len() {
        let h = 1e-3 * base[j];
        let shifted = |steps: f64| {
            let mut set = base.clone();
            set[j] += steps * h;
            total(set)
        };
        // Central differences of sixth order.
        let weights = [(1.0, 45.0), (2.0, -9.0), (3.0, 1.0)];
        let sum = weights.map(|(k, w)| w * (shifted(k) - shifted(-k)));
        let difference = sum.iter().sum::<f64>() / (60.0 * h);
        let found = gradients[j].0[0];
        assert!(
            (found - difference).abs() <= 1e-7 * difference.abs().max(1e-2),
            "input {j}: {found} {difference}"
        );
    }
}

#[test]
fn slopes_name_inputs() {
    let Act::Rate { slopes, .. } = moving(&[0.5; 10], &[1.0])
        .into_iter()
        .find_map(|stop| matches!(stop.act, Act::Rate { .. }).then_some(stop.act))
        .unwrap()
    else {
        panic!("a rate");
    };
    assert_eq!(
        slopes,
        [InputSlopes {
            input: 8,
            slope: 1.0
        }]
    );
}

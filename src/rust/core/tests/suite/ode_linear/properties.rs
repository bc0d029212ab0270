//! Laws of linear equations on random schedules: shifts of time, scaled doses, sums of doses; signals with steps.

use super::dosing::ROUTES;
use super::lanes::{course, dose, steadily, Case};
use super::reference::solution;
use super::systems::{compartments, exactly, system, Flow};
use super::textbook::{Given, Response};
use crate::common::data::Generator;
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::linear::linearize;
use nlmers_core::ode::system::SIGNALS;
use nlmers_core::ode::{Administration, DosingSchedule, Event, EventKind, Signals, System};

fn random(draw: &mut Generator, n: usize) -> Vec<Event> {
    let mut events: Vec<Event> = (0..6)
        .map(|record| {
            let time = (draw.between(0.0, 20.0) * 8.0).round() / 8.0;
            let amount = draw.between(1.0, 30.0);
            let infusion = Administration::Rate(draw.between(2.0, 20.0));
            let way = if draw.below(2) == 0 {
                Administration::Bolus
            } else {
                infusion
            };
            let event = dose(time, record, draw.below(n), amount, way);
            if draw.below(5) == 0 {
                steadily(event, draw.between(3.0, 12.0), true)
            } else {
                event
            }
        })
        .collect();
    events.sort_by(|a, b| a.time.total_cmp(&b.time));
    events
}

fn case(start: f64, events: Vec<Event>, inputs: &[f64]) -> Case {
    Case {
        schedule: DosingSchedule { start, events },
        times: (0..15).map(|i| start + 0.25 + 2.0 * f64::from(i)).collect(),
        inputs: inputs.to_vec(),
        ..Case::default()
    }
}

fn close(a: &[f64], b: &[f64], what: &str) {
    let peak = b.iter().fold(1e-300f64, |m, x| m.max(x.abs()));
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= 1e-12 * peak, "{what}: {x} {y}");
    }
}

fn systems() -> Vec<System> {
    let routes = ROUTES
        .iter()
        .map(|route| super::dosing::system(*route, false, false));
    let cycle = compartments(
        3,
        &[
            (0, Some(1), 0),
            (1, Some(2), 1),
            (2, Some(0), 2),
            (0, None, 3),
        ],
    );
    routes.chain(exactly(&cycle, &[true; 3])).collect()
}

#[test]
fn shifted_scaled_and_added_doses_give_shifted_scaled_and_added_courses() {
    let mut draw = Generator(3);
    for system in systems() {
        for _ in 0..20 {
            let n = system.states.len();
            let inputs: Vec<f64> = (0..system.n_inputs)
                .map(|_| draw.between(0.05, 1.5))
                .collect();
            let (events, others) = (random(&mut draw, n), random(&mut draw, n));
            let shifted: Vec<Event> = events
                .iter()
                .map(|e| Event {
                    time: e.time + 64.0,
                    ..e.clone()
                })
                .collect();
            let mut scaled = events.clone();
            for event in &mut scaled {
                if let EventKind::Dose { amount, course, .. } = &mut event.kind {
                    *amount *= 2.5;
                    if let Administration::Rate(rate) = course {
                        *rate *= 2.5;
                    }
                }
            }
            let mut both = [events.clone(), others.clone()].concat();
            both.sort_by(|a, b| a.time.total_cmp(&b.time));
            let cases = [
                case(0.0, events, &inputs),
                case(64.0, shifted, &inputs),
                case(0.0, scaled, &inputs),
                case(0.0, others, &inputs),
                case(0.0, both, &inputs),
            ];
            let all = course(&system, &cases, 0);
            close(&all[1], &all[0], "shifted");
            let larger: Vec<f64> = all[0].iter().map(|x| 2.5 * x).collect();
            close(&all[2], &larger, "scaled");
            let sum: Vec<f64> = all[0].iter().zip(&all[3]).map(|(x, y)| x + y).collect();
            close(&all[4], &sum, "added");
        }
    }
}

/// Lanes of one block do not disturb each other.
#[test]
fn a_lane_has_the_bits_it_has_alone() {
    let cycle: Vec<Flow> = (0..4)
        .map(|k| (k, Some((k + 1) % 4), k as u32))
        .chain([(0, None, 4)])
        .collect();
    let by_matrix = exactly(&compartments(4, &cycle), &[true; 4]).unwrap();
    assert!(by_matrix.matrix.is_some());
    for system in [super::dosing::system((1, true), false, false), by_matrix] {
        alone_as_together(&system);
    }
}

fn alone_as_together(system: &System) {
    let mut draw = Generator(8);
    let cases: Vec<Case> = (0..70)
        .map(|i| {
            let inputs: Vec<f64> = (0..10).map(|_| draw.between(0.05, 1.5)).collect();
            let mut case = case(0.0, random(&mut draw, 3), &inputs);
            case.times.truncate(1 + i % 15);
            case
        })
        .collect();
    let together = course(system, &cases, 0);
    for (alone, with) in cases.iter().zip(&together) {
        assert_eq!(&course(system, std::slice::from_ref(alone), 0)[0], with);
    }
}

/// `dx/dt = kin signal - kout x` from an initial value, the signal jumping.
#[test]
fn signals_jump_and_initial_values_hold() {
    let mut turnover = system(1, 3, |g| {
        let [kin, kout, x] = [g.phi(0), g.phi(1), g.state(0)];
        let signal = g.data(SIGNALS);
        let (inflow, outflow) = (g.mul(kin, signal), g.mul(kout, x));
        vec![g.sub(inflow, outflow)]
    });
    turnover.initial[0] = Some(2);
    turnover.signals = vec![Interpolation::Constant];
    let linear = linearize(&turnover, &[false]).unwrap();
    let (signals, lines) = Signals::new(&turnover.signals, &[0.0, 2.0, 5.0], &[[1.0, 4.0, 0.5]]);
    let case = Case {
        schedule: DosingSchedule::default(),
        times: vec![0.0, 1.0, 2.0, 3.0, 5.0, 9.0],
        inputs: vec![1.5, 0.4, 7.0],
        signals,
        lines,
    };
    let found = course(&linear, std::slice::from_ref(&case), 0);
    let after = |x: f64, signal: f64, t: f64| solution(&[vec![-0.4]], &[1.5 * signal], &[x], t)[0];
    let (two, five) = (after(7.0, 1.0, 2.0), after(after(7.0, 1.0, 2.0), 4.0, 3.0));
    let exact = [
        7.0,
        after(7.0, 1.0, 1.0),
        two,
        after(two, 4.0, 1.0),
        five,
        after(five, 0.5, 4.0),
    ];
    close(&found[0], &exact, "turnover");
}

/// A schedule of the textbook's: the response itself is right where rates nearly coincide.
#[test]
fn nearly_equal_rates_are_a_limit() {
    let system = super::dosing::system((0, true), false, false);
    let event = vec![dose(0.0, 0, 1, 10.0, Administration::Bolus)];
    for gap in [1e-1, 1e-3, 1e-6, 1e-9, 1e-13, 0.0] {
        let inputs: Vec<f64> = vec![0.5, 0.0, 0.0, 0.0, 0.0, 0.5 * (1.0 + gap)];
        let found = course(&system, &[case(0.0, event.clone(), &inputs)], 0);
        let given = Given {
            record: 0.0,
            at: 0.0,
            amount: 10.0,
            duration: 0.0,
            interval: None,
        };
        let exact: Vec<f64> = (0..15)
            .map(|i| {
                let t = 0.25 + 2.0 * f64::from(i);
                // Beyond a relative gap of 1e-3 the textbook's formula has no digits: the limit with its first correction.
                if gap > 1e-4 {
                    Response::new(0.5, &[], Some(inputs[5])).after(&given, t)
                } else {
                    let z = 0.5 * gap * t;
                    10.0 * inputs[5] * t * (-0.5 * t).exp() * (1.0 - z / 2.0 + z * z / 6.0)
                }
            })
            .collect();
        close(&found[0], &exact, &format!("gap {gap}"));
    }
}

//! Doses of every kind against textbook formulas: routes, events, lags, bioavailability, steady states.

use super::lanes::{additional, course, dose, solve, steadily, Case};
use super::systems::{compartments, exactly, Flow};
use super::textbook::{Given, Response};
use nlmers_core::ode::linear::linearize;
use nlmers_core::ode::{
    Administration, Deliveries, Dosing, DosingSchedule, Event, EventKind, Failure, System,
};

const OUT: Option<usize> = None;

/// Inputs: k, k12, k21, k13, k31, ka; then bioavailability, lag, rate, duration.
const RATES: [f64; 6] = [0.21, 0.34, 0.17, 0.09, 0.023, 1.3];
const F: usize = 6;
const LAG: usize = 7;
const RATE: usize = 8;
const DURATION: usize = 9;

/// A route: peripheral compartments, depot.
pub const ROUTES: [(usize, bool); 6] = [
    (0, false),
    (1, false),
    (2, false),
    (0, true),
    (1, true),
    (2, true),
];

/// Central is state 0, the depot the last one.
pub fn system((peripheral, depot): (usize, bool), has_f: bool, has_lag: bool) -> System {
    let mut flows: Vec<Flow> = vec![(0, OUT, 0)];
    for p in 0..peripheral {
        flows.push((0, Some(p + 1), 1 + 2 * p as u32));
        flows.push((p + 1, Some(0), 2 + 2 * p as u32));
    }
    let n = 1 + peripheral + usize::from(depot);
    if depot {
        flows.push((n - 1, Some(0), 5));
    }
    let mut system = compartments(n, &flows);
    system.n_inputs = 10;
    system.dosing[if depot { n - 1 } else { 0 }] = Dosing {
        fraction: has_f.then_some(F),
        lag: has_lag.then_some(LAG),
        rate: Some(RATE),
        duration: Some(DURATION),
    };
    exactly(&system, &vec![true; n]).unwrap()
}

pub fn response(rates: &[f64], (peripheral, depot): (usize, bool)) -> Response {
    let exchange: Vec<(f64, f64)> = (0..peripheral)
        .map(|p| (rates[1 + 2 * p], rates[2 + 2 * p]))
        .collect();
    Response::new(rates[0], &exchange, depot.then_some(rates[5]))
}

/// Events of one kind into a state.
pub fn kinds(state: usize) -> Vec<(&'static str, Vec<Event>)> {
    let bolus = |time: f64, record: usize| dose(time, record, state, 100.0, Administration::Bolus);
    let infusion =
        |time: f64, record: usize| dose(time, record, state, 90.0, Administration::Rate(20.0));
    let reset = Event {
        time: 9.0,
        record: 5,
        additional: false,
        kind: EventKind::Reset,
    };
    let often =
        |event: Event, n: usize, ii: f64| [vec![event.clone()], additional(&event, n, ii)].concat();
    let mut all = vec![
        ("bolus", vec![bolus(0.0, 0)]),
        ("bolus, late", vec![bolus(2.5, 0), bolus(3.0, 1)]),
        ("additional boluses", often(bolus(0.0, 0), 6, 3.0)),
        ("infusion", vec![infusion(1.0, 0)]),
        ("overlapping infusions", often(infusion(0.0, 0), 4, 2.0)),
        (
            "modeled rate",
            vec![dose(0.5, 0, state, 60.0, Administration::ModeledRate)],
        ),
        (
            "modeled duration",
            often(
                dose(0.5, 0, state, 60.0, Administration::ModeledDuration),
                2,
                2.0,
            ),
        ),
        (
            "reset",
            [
                often(infusion(0.0, 0), 5, 3.0),
                vec![reset.clone(), bolus(9.0, 6)],
            ]
            .concat(),
        ),
        (
            "steady boluses",
            often(steadily(bolus(0.0, 0), 6.0, false), 2, 6.0),
        ),
        (
            "steady, late",
            vec![bolus(0.0, 0), steadily(bolus(8.0, 1), 4.0, false)],
        ),
        (
            "steady, added",
            vec![bolus(0.0, 0), steadily(bolus(8.0, 1), 4.0, true)],
        ),
        (
            "steady infusions",
            vec![steadily(infusion(0.0, 0), 8.0, false)],
        ),
        (
            "steady infusions, added",
            vec![infusion(0.0, 0), steadily(infusion(5.0, 1), 8.0, true)],
        ),
        (
            "steady overlapping infusions",
            vec![steadily(infusion(1.0, 0), 2.0, false)],
        ),
        (
            "steady modeled duration",
            vec![steadily(
                dose(1.0, 0, state, 40.0, Administration::ModeledDuration),
                7.0,
                false,
            )],
        ),
        (
            "endless",
            vec![
                bolus(0.0, 0),
                steadily(
                    dose(4.0, 1, state, 0.0, Administration::Endless(7.0)),
                    f64::INFINITY,
                    false,
                ),
            ],
        ),
    ];
    for (_, events) in &mut all {
        events.sort_by(|a, b| a.time.total_cmp(&b.time));
    }
    all
}

pub fn times() -> Vec<f64> {
    (0..24).map(|i| 0.35 + 1.01 * f64::from(i)).collect()
}

/// What all doses leave at a time.
fn truth(
    response: &Response,
    events: &[Event],
    inputs: &[f64],
    (has_f, has_lag): (bool, bool),
    t: f64,
) -> f64 {
    let f = if has_f { inputs[F] } else { 1.0 };
    let lag = if has_lag { inputs[LAG] } else { 0.0 };
    let cancels = events.iter().filter(|e| e.kind.cancels() && e.time <= t);
    let from = cancels.map(|e| e.record).max().unwrap_or(0);
    let mut sum = 0.0;
    for event in events.iter().filter(|e| e.record >= from) {
        let EventKind::Dose {
            amount,
            course,
            steady,
            ..
        } = &event.kind
        else {
            continue;
        };
        if let Administration::Endless(flow) = course {
            sum += if t >= event.time {
                response.after_rest(*flow, event.time, t)
            } else {
                0.0
            };
            continue;
        }
        let duration = match course {
            Administration::Rate(rate) => f * amount / rate,
            Administration::ModeledRate => f * amount / inputs[RATE],
            Administration::ModeledDuration => inputs[DURATION],
            _ => 0.0,
        };
        let given = Given {
            record: event.time,
            at: event.time + lag,
            amount: f * amount,
            duration,
            interval: steady.map(|s| s.interval),
        };
        sum += response.after(&given, t);
    }
    sum
}

#[test]
fn doses_agree_with_textbook_formulas() {
    let (mut n, mut worst) = (0, 0.0f64);
    // The second set washes out within a hundred intervals.
    let slow = [0.001, 0.4, 0.3, 0.2, 0.09, 0.8];
    for (rates, tolerance) in [(RATES, 1e-11), (slow, 1e-10)] {
        for route in ROUTES {
            for (has_f, has_lag) in [(false, false), (true, false), (false, true), (true, true)] {
                let system = system(route, has_f, has_lag);
                let state = if route.1 { system.states.len() - 1 } else { 0 };
                let inputs = [rates.as_slice(), &[0.83, 0.73, 15.0, 3.3]].concat();
                let kinds = kinds(state);
                let cases: Vec<Case> = kinds
                    .iter()
                    .map(|(_, events)| Case {
                        schedule: DosingSchedule {
                            start: 0.0,
                            events: events.clone(),
                        },
                        times: times(),
                        inputs: inputs.clone(),
                        ..Case::default()
                    })
                    .collect();
                let courses = course(&system, &cases, 0);
                let response = response(&rates, route);
                for ((name, events), course) in kinds.iter().zip(courses) {
                    let exact: Vec<f64> = times()
                        .iter()
                        .map(|t| truth(&response, events, &inputs, (has_f, has_lag), *t))
                        .collect();
                    let peak = exact.iter().fold(0.0f64, |m, x| m.max(*x));
                    assert!(peak > 1.0, "{name}");
                    for ((x, y), t) in course.iter().zip(&exact).zip(times()) {
                        let error = (x - y).abs() / peak;
                        worst = worst.max(error);
                        assert!(
                            error < tolerance,
                            "{name} {route:?} F {has_f} lag {has_lag} at {t}: {x} {y}"
                        );
                    }
                    n += 1;
                }
            }
        }
    }
    eprintln!("{n} cases, {worst:.1e}");
    assert!(n >= 60);
}

/// Against the doses written out, where the washout lets 200 of them come to the steady state.
#[test]
fn a_steady_state_is_two_hundred_doses() {
    for route in ROUTES {
        let system = system(route, true, true);
        let state = if route.1 { system.states.len() - 1 } else { 0 };
        let inputs = [RATES.as_slice(), &[0.83, 1.73, 15.0, 3.3]].concat();
        for (course_of, interval) in [
            (Administration::Bolus, 12.0),
            (Administration::Rate(20.0), 12.0),
            (Administration::ModeledDuration, 8.0),
        ] {
            let last = dose(0.0, 0, state, 100.0, course_of);
            let mut first = last.clone();
            first.time = -199.0 * interval;
            let mut before = vec![first.clone()];
            before.extend(additional(&first, 199, interval));
            let steady = vec![steadily(last, interval, false)];
            let case = |start: f64, events: Vec<Event>| Case {
                schedule: DosingSchedule { start, events },
                times: (0..12).map(|i| 2.0 + f64::from(i)).collect(),
                inputs: inputs.clone(),
                ..Case::default()
            };
            let cases = [case(0.0, steady), case(-199.0 * interval, before)];
            let courses = course(&system, &cases, 0);
            for (x, y) in courses[0].iter().zip(&courses[1]) {
                assert!(
                    (x - y).abs() < 1e-8 * y.abs(),
                    "{route:?} {course_of:?}: {x} {y}"
                );
            }
        }
    }
}

/// An area under the curve never comes to rest; the others do.
#[test]
fn what_only_grows_has_no_steady_state() {
    let system = linearize(&compartments(2, &[(0, Some(1), 0)]), &[true, true]).unwrap();
    let wanted = Deliveries {
        states: vec![0],
        inputs: vec![0],
    };
    let event = steadily(dose(0.0, 0, 0, 10.0, Administration::Bolus), 4.0, false);
    let plain = dose(0.0, 0, 0, 10.0, Administration::Bolus);
    let case = |event: &Event, k: f64| Case {
        schedule: DosingSchedule {
            start: 0.0,
            events: vec![event.clone()],
        },
        times: vec![1.0, 2.0],
        inputs: vec![k],
        ..Case::default()
    };
    let cases = [
        case(&event, 0.3),
        case(&plain, 0.3),
        case(&plain, f64::NAN),
        case(&plain, -900.0),
    ];
    let all = solve(&system, &cases, &wanted);
    assert_eq!(all[0].1, Some(Failure::NoSteadyState));
    assert_eq!(all[1].1, None);
    assert_eq!(all[2].1, Some(Failure::NotFinite));
    assert_eq!(all[3].1, Some(Failure::NotFinite));
    for failed in [0, 2, 3] {
        assert!(
            all[failed].0.iter().flatten().all(|x| x.is_nan()),
            "{failed} {:?}",
            all[failed]
        );
    }
    let exact = 10.0 * (-0.6f64).exp();
    assert!((all[1].0[1][0] - exact).abs() < 1e-13);
}

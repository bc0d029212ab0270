//! Lanes that meet their rows in different orders, and what is left behind a failure.

use super::systems::compartments;
use nlmers_core::ir::column::Column;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::ode::linear::{linearize, March, StepPlan};
use nlmers_core::ode::{Act, Deliveries, Failure, LaneTask, Signals, Stop, Stops, Task};

fn stop(time: f64, act: Act) -> Stop {
    Stop {
        time,
        act,
        moves: Vec::new(),
    }
}

/// Rows of each lane, one state at the rate of its own lane, from one unit at time 0.
fn rows(lanes: &[(f64, Stops)], n_rows: usize) -> Vec<(Vec<f64>, Option<Failure>)> {
    let system = linearize(&compartments(1, &[(0, None, 0)]), &[false]).unwrap();
    let wanted = Deliveries {
        states: vec![0],
        inputs: Vec::new(),
    };
    let march = March::new(&system, &wanted).unwrap();
    let signals = Signals::default();
    let mut rates = Column::ZERO;
    let tasks: Vec<LaneTask> = lanes
        .iter()
        .enumerate()
        .map(|(l, (rate, stops))| {
            rates.0[l] = *rate;
            LaneTask {
                start: 0.0,
                stops,
                signals: &signals,
            }
        })
        .collect();
    let task = Task {
        inputs: &[rates],
        lanes: &tasks,
    };
    let mut out = vec![Column::splat(-7.0); n_rows];
    let plan = StepPlan::new(&tasks);
    let outcome = march.solve(Isa::detect(), &plan, &task, &mut out, &mut march.scratch());
    (0..lanes.len())
        .map(|l| {
            let row = out.iter().map(|column| column.0[l]).collect();
            (row, outcome.failures[l])
        })
        .collect()
}

fn unit() -> Stop {
    let act = Act::Bolus {
        state: 0,
        amount: 1.0,
        fraction: None,
    };
    stop(0.0, act)
}

#[test]
fn rows_may_come_in_any_order() {
    let observe = |time: f64, row: usize| stop(time, Act::Observe(row));
    let backward = vec![unit(), observe(1.0, 1), observe(2.0, 0)];
    let mut later = unit();
    later.time = 1.5;
    let forward = vec![unit(), observe(1.0, 0), later, observe(2.0, 1)];
    let found = rows(&[(0.3, backward), (0.4, forward), (0.5, vec![])], 2);
    let e = |x: f64| (-x).exp();
    let exact = [[e(0.6), e(0.3)], [e(0.4), e(0.8) + e(0.2)], [0.0, 0.0]];
    for ((row, failure), exact) in found.iter().zip(exact) {
        assert_eq!(*failure, None);
        for (x, y) in row.iter().zip(exact) {
            assert!((x - y).abs() < 1e-15, "{row:?} {exact:?}");
        }
    }
}

/// A reset brings finite values again; the lane has failed all the same.
#[test]
fn rows_behind_a_failure_are_not_numbers() {
    let stops = |rate: f64| {
        let observe = |time: f64, row: usize| stop(time, Act::Observe(row));
        let stops = vec![
            unit(),
            observe(0.1, 0),
            observe(1.0, 1),
            stop(1.5, Act::Reset),
            observe(2.0, 2),
        ];
        (rate, stops)
    };
    let found = rows(&[stops(-900.0), stops(0.2)], 3);
    assert_eq!(found[0].1, Some(Failure::NotFinite));
    assert!(found[0].0[0].is_finite());
    assert!(found[0].0[1].is_nan() && found[0].0[2].is_nan());
    assert_eq!((found[1].1, found[1].0[2]), (None, 0.0));
}

//! Check the explicit solver against exact solutions.

use crate::common::systems::*;
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::{Act, Failure, Signals, Solver, System};

/// Amount in the central compartment after one dose into the depot.
fn oral_amount(dose: f64, ka: f64, ke: f64, t: f64) -> f64 {
    if t < 0.0 {
        return 0.0;
    }
    dose * ka / (ka - ke) * ((-ke * t).exp() - (-ka * t).exp())
}

#[test]
fn one_compartment_has_its_formula() {
    let system = tight(oral(), 1e-10);
    let times = [0.0, 0.3, 1.0, 2.5, 7.0, 12.0, 24.0, 60.0];
    let stops = course(&[bolus(0.0, 0, 100.0)], &times);
    let inputs: Vec<Vec<f64>> = (0..37)
        .map(|l| vec![0.8 + 0.05 * l as f64, 0.05 + 0.01 * l as f64])
        .collect();
    let rows = solve(&system, &[1], &inputs, &vec![stops; 37]);
    for (l, set) in inputs.iter().enumerate() {
        for (row, t) in times.iter().enumerate() {
            let truth = oral_amount(100.0, set[0], set[1], *t);
            close(rows.at(row, 0, l), truth, 1e-9, "amount");
        }
    }
}

#[test]
fn doses_add_up_and_infusions_run() {
    let system = tight(oral(), 1e-10);
    let times = [3.0, 8.0, 8.0, 12.5, 16.0, 30.0];
    // A bolus at an observation that comes before it, an infusion that crosses another dose.
    let events = [
        bolus(0.0, 0, 100.0),
        bolus(8.0, 0, 50.0),
        rate(9.0, 1, 7.0),
        bolus(12.0, 1, 20.0),
        rate(15.0, 1, -7.0),
    ];
    let (ka, ke) = (1.3, 0.2);
    let mut stops = course(&events, &times);
    let at = |wanted: &Act| stops.iter().position(|stop| stop.act == *wanted).unwrap();
    let (dose, seen) = (at(&events[1].act), at(&Act::Observe(1)));
    stops.swap(dose, seen);
    let rows = solve(&system, &[1, 0], &[vec![ka, ke]], &[stops]);
    let infused = |t: f64| {
        let on = (t - 9.0).max(0.0);
        let off = (t - 15.0).max(0.0);
        7.0 / ke * ((-ke * off).exp() - (-ke * on).exp())
    };
    for (row, t) in times.iter().enumerate() {
        let bolus = if *t >= 12.0 {
            20.0 * (-ke * (t - 12.0)).exp()
        } else {
            0.0
        };
        let oral = oral_amount(100.0, ka, ke, *t) + oral_amount(50.0, ka, ke, t - 8.0);
        close(
            rows.at(row, 0, 0),
            oral + bolus + infused(*t),
            1e-9,
            "amount",
        );
    }
    let before = 100.0 * (-ka * 8.0f64).exp();
    close(rows.at(1, 1, 0), before, 1e-9, "before the dose");
    close(rows.at(2, 1, 0), before + 50.0, 1e-9, "after the dose");
}

#[test]
fn resets_return_to_the_beginning() {
    let system = tight(logistic(), 1e-10);
    let events = [rate(1.0, 0, 0.5), reset(4.0)];
    let times = [0.5, 4.0, 6.0];
    let inputs = [vec![0.3, 0.9, 2.0], vec![0.1, 1.4, 1.0]];
    let rows = solve(&system, &[0], &inputs, &vec![course(&events, &times); 2]);
    for (l, set) in inputs.iter().enumerate() {
        let grown = |t: f64| {
            let (x0, r, k) = (set[0], set[1], set[2]);
            k / (1.0 + (k / x0 - 1.0) * (-r * t).exp())
        };
        close(rows.at(0, 0, l), grown(0.5), 1e-9, "growth");
        close(rows.at(2, 0, l), grown(2.0), 1e-9, "after the reset");
    }
}

/// `x' = a cos(t) - s` with a signal that steps, and `y' = line(t)` with one that runs straight.
#[test]
fn time_and_signals_enter() {
    let system = tight(driven(), 1e-11);
    let kinds = [Interpolation::Constant, Interpolation::Linear];
    let values = [vec![1.0, 1.0, 3.0], vec![0.0, 2.0, 2.0]];
    let (signals, from) = Signals::new(&kinds, &[0.0, 2.0, 5.0], &values);
    let events: Vec<_> = from
        .iter()
        .enumerate()
        .map(|(i, line)| stop(line.time, Act::Signals(i + 1)))
        .chain([stop(2.0, Act::Signals(0))])
        .collect();
    let times = [1.0, 4.0, 7.0];
    let case = Case {
        signals: &signals,
        ..Case::new(&system, &[0, 1])
    };
    let rows = case.solve(&[vec![2.0]], &[course(&sorted(events), &times)]);
    for (row, t) in times.iter().enumerate() {
        let steps = t + 2.0 * (t - 5.0).max(0.0);
        close(rows.at(row, 0, 0), 2.0 * t.sin() - steps, 1e-9, "steps");
        let line = if *t < 2.0 {
            0.5 * t * t
        } else {
            2.0 + 2.0 * (t - 2.0)
        };
        close(rows.at(row, 1, 0), line, 1e-9, "line");
    }
}

#[test]
fn lanes_fail_alone() {
    let times = [0.1, 5.0];
    // The second lane grows to infinity at t = 1, the third has no initial value.
    let explosion = quadratic();
    let rows = solve(
        &explosion,
        &[0],
        &[vec![0.1], vec![1.0], vec![f64::NAN], vec![-1.0]],
        &vec![course(&[], &times); 4],
    );
    let exact = |x: f64, t: f64| x / (1.0 - x * t);
    close(rows.at(1, 0, 0), exact(0.1, 5.0), 1e-5, "good lane");
    close(rows.at(0, 0, 1), exact(1.0, 0.1), 1e-5, "before it bursts");
    close(rows.at(1, 0, 3), exact(-1.0, 5.0), 1e-5, "good lane");
    assert!(rows.at(1, 0, 1).is_nan() && rows.at(0, 0, 2).is_nan());
    assert!(rows.failures[1].is_some());
    assert_eq!(rows.failures[2], Some(Failure::NotFinite));
    assert_eq!((rows.failures[0], rows.failures[3]), (None, None));
    let stiff = vec![2e3, 1.0];
    let kind = [vec![1.0, 0.1], stiff.clone()];
    for (solver, failure) in [
        (Solver::Explicit, Failure::TooManySteps),
        (Solver::Auto, Failure::LooksStiff),
    ] {
        let mut system = oral();
        (system.control.solver, system.control.max_steps) = (solver, 500);
        system.control.stiff_after = 300;
        let stops = course(&[bolus(0.0, 0, 1.0)], &[1e-3, 24.0]);
        let rows = solve(&system, &[1], &kind, &vec![stops; 2]);
        assert_eq!(rows.failures[..2], [None, Some(failure)]);
        assert!(rows.at(0, 0, 1).is_finite() && rows.at(1, 0, 1).is_nan());
    }
}

/// The bits of a lane do not depend on its neighbors, and unused lanes hold zeros.
#[test]
fn lanes_do_not_see_each_other() {
    let system = saturable();
    let inputs = |l: usize| {
        let u = |k: usize| ((l * 13 + k * 7) as f64 * 0.7).sin();
        vec![
            1.2 * u(0).exp(),
            30.0 * u(1).exp(),
            4.0,
            20.0 * u(2).exp(),
            0.3 * u(3).exp(),
            0.2,
        ]
    };
    let stops = |l: usize| {
        let cycle = [bolus(0.0, 0, 20.0 + l as f64)];
        let events = sorted(vec![
            steady(0.0, 12.0 + (l % 5) as f64, &cycle, false),
            bolus(0.0, 0, 100.0 + l as f64),
            rate(2.0 + l as f64 / 7.0, 1, 5.0),
            bolus(12.0, 0, 50.0),
            rate(20.0, 1, -5.0),
        ]);
        let times: Vec<f64> = (0..3 + l % 6).map(|i| 0.3 + 4.1 * i as f64).collect();
        course(&events, &times)
    };
    let slopes = [0, 1, 3];
    let case = Case {
        inputs: &slopes,
        ..Case::new(&system, &[1])
    };
    let all: Vec<_> = (0..LANES).map(inputs).collect();
    let courses: Vec<_> = (0..LANES).map(stops).collect();
    let together = case.solve(&all, &courses);
    for l in [0, 1, 7, 30, 63] {
        let alone = case.solve(&[inputs(l)], &[stops(l)]);
        for (a, b) in together.out.iter().zip(&alone.out) {
            assert_eq!(a.0[l].to_bits(), b.0[0].to_bits(), "lane {l}");
        }
        assert!(alone.out.iter().all(|c| c.0[1..].iter().all(|x| *x == 0.0)));
    }
}

/// Depot and central in closed form, an effect driven by them.
#[test]
fn states_in_closed_form_give_the_same() {
    let (whole, partly) = (tight(effect(false), 1e-11), tight(effect(true), 1e-11));
    let set = vec![1.3, 0.2, 0.5, 2.0];
    let times = [0.0, 0.5, 2.0, 6.0, 8.0, 8.5, 15.0, 30.0];
    let events = [
        bolus(0.0, 0, 100.0),
        moved(rate(6.0, 1, 5.0), 3, 1.0),
        bolus(8.0, 0, 30.0),
        rate(12.0, 1, -5.0),
        bolus(12.0, 2, 1.0),
    ];
    let slopes = [0, 1, 2, 3];
    let rows = |system: &System| {
        let case = Case {
            inputs: &slopes,
            ..Case::new(system, &[0, 1, 2])
        };
        case.solve(std::slice::from_ref(&set), &[course(&events, &times)])
    };
    let (a, b) = (rows(&whole), rows(&partly));
    for row in 0..times.len() {
        for column in 0..15 {
            let what = format!("row {row} column {column}");
            close(b.at(row, column, 0), a.at(row, column, 0), 1e-8, &what);
        }
    }
}

/// Every instruction set gives the same up to rounding.
#[test]
fn instruction_sets_agree() {
    let system = saturable();
    let set = vec![1.1, 40.0, 4.0, 20.0, 0.3, 0.2];
    let stops = course(&[bolus(0.0, 0, 100.0)], &[1.0, 7.0, 20.0]);
    let mut found: Vec<Vec<Column>> = Vec::new();
    for isa in Isa::available() {
        let case = Case {
            isa,
            ..Case::new(&system, &[1])
        };
        found.push(
            case.solve(std::slice::from_ref(&set), std::slice::from_ref(&stops))
                .out,
        );
    }
    for other in &found {
        for (a, b) in other.iter().zip(&found[0]) {
            close(a.0[0], b.0[0], 1e-9, "instruction set");
        }
    }
}

//! Steady states of the explicit solver: repeated doses, infusions without end, and where there is none.

use crate::common::data::Generator;
use crate::common::systems::{self, *};
use nlmers_core::ode::{Failure, Solver, Stop, Stops};

#[test]
fn steady_state_is_many_doses() {
    let mut system = tight(saturable(), 1e-11);
    system.control.max_steps = 1_000_000;
    let inputs = [
        vec![1.1, 40.0, 4.0, 20.0, 0.3, 0.2],
        vec![0.7, 60.0, 6.0, 25.0, 0.2, 0.3],
    ];
    let times = [2400.0, 2401.0, 2406.0, 2411.5];
    let infusion = |t: f64| [rate(t, 1, 20.0), rate(t + 3.0, 1, -20.0)];
    let many: Vec<_> = (0..=200)
        .flat_map(|i| {
            let t = 12.0 * f64::from(i);
            [vec![bolus(t, 0, 100.0)], infusion(t).to_vec()].concat()
        })
        .collect();
    let cycle = [vec![bolus(0.0, 0, 100.0)], infusion(0.0).to_vec()].concat();
    let last = [vec![bolus(2400.0, 0, 100.0)], infusion(2400.0).to_vec()].concat();
    let mut once = vec![steady(2400.0, 12.0, &cycle, false)];
    once.extend(last);
    let slopes: Vec<usize> = (0..6).collect();
    let case = Case {
        inputs: &slopes,
        ..Case::new(&system, &[0, 1, 2])
    };
    let long = case.solve(&inputs, &vec![after(course(&many, &times)); 2]);
    let short = case.solve(&inputs, &vec![after(course(&once, &times)); 2]);
    for l in 0..2 {
        for row in 0..times.len() {
            for column in 0..21 {
                let (a, b) = (short.at(row, column, l), long.at(row, column, l));
                close(a, b, 1e-8, "steady state");
            }
        }
    }
}

/// `SS = 2`: for linear equations the course without it and the steady course alone add up.
#[test]
fn a_steady_state_can_be_added() {
    let system = tight(oral(), 1e-11);
    let inputs = [vec![1.1, 0.15]];
    let times = [24.0, 25.0, 33.0];
    let cycle = [bolus(2.0, 0, 50.0)];
    let course = |first: bool, second: Option<bool>| {
        let mut events = Vec::new();
        if first {
            events.extend([bolus(0.0, 0, 100.0), rate(3.0, 1, 4.0)]);
        }
        if let Some(adds) = second {
            events.push(steady(24.0, 8.0, &cycle, adds));
            events.push(bolus(26.0, 0, 50.0));
        }
        systems::course(&events, &times)
    };
    let rows = |events: Stops| solve(&system, &[1], &inputs, &[after(events)]);
    let both = rows(course(true, Some(true)));
    let one = rows(course(true, None));
    let other = rows(course(false, Some(false)));
    for row in 0..3 {
        let sum = one.at(row, 0, 0) + other.at(row, 0, 0);
        close(both.at(row, 0, 0), sum, 1e-8, "sum");
    }
    let replaced = rows(course(true, Some(false)));
    close(
        replaced.at(2, 0, 0),
        other.at(2, 0, 0),
        1e-8,
        "in its place",
    );
}

#[test]
fn an_endless_infusion_comes_to_rest() {
    let system = tight(saturable(), 1e-9);
    let (vm, km, v, k12, k21) = (40.0, 4.0, 20.0, 0.3, 0.2);
    let inputs = [vec![1.1, vm, km, v, k12, k21]];
    let on = [rate(0.0, 1, 25.0)];
    let events = [steady(0.0, f64::INFINITY, &on, false)];
    let slopes: Vec<usize> = (0..6).collect();
    let case = Case {
        inputs: &slopes,
        ..Case::new(&system, &[1, 2])
    };
    let rows = case.solve(&inputs, &[course(&events, &[0.0])]);
    // vm c / (km + c) = rate
    let conc = 25.0 * km / (vm - 25.0);
    close(rows.at(0, 0, 0), v * conc, 1e-10, "central");
    close(rows.at(0, 1, 0), v * conc * k12 / k21, 1e-10, "tissue");
    let slope = |s: usize, j: usize| rows.at(0, 2 + 6 * s + j, 0);
    close(slope(0, 1), -v * 25.0 * km / (15.0 * 15.0), 1e-9, "d/dvm");
    close(slope(0, 3), conc, 1e-9, "d/dv");
    close(slope(1, 4), v * conc / k21, 1e-9, "d/dk12");
    close(slope(1, 0), 0.0, 1e-9, "d/dka");
}

#[test]
fn no_steady_state_is_said_to_be_none() {
    let system = oral();
    let cycle = [bolus(0.0, 0, 1.0)];
    let events = [steady(0.0, 12.0, &cycle, false)];
    let sets = [vec![1.0, 0.1], vec![1.0, 0.0]];
    let rows = solve(&system, &[1], &sets, &vec![course(&events, &[1.0]); 2]);
    assert_eq!(rows.failures[..2], [None, Some(Failure::NoSteadyState)]);
}

/// Elimination that saturates: doses below its capacity come to the state that repeated doses lead to, others to none.
#[test]
fn repeated_doses_lead_to_the_steady_state_or_there_is_none() {
    let mut draw = Generator(8);
    let mut system = tight(saturable(), 1e-10);
    (system.control.solver, system.control.max_steps) = (Solver::Explicit, 1_000_000);
    let (dose, interval) = (100.0, 12.0);
    let mut spread = |value: f64, by: f64| value * (by * (draw.uniform() - 0.5)).exp();
    // From half of the capacity to three halves of it.
    let fills: Vec<f64> = (0..40).map(|l| 0.5125 + 0.025 * f64::from(l)).collect();
    let sets: Vec<Vec<f64>> = (fills.iter())
        .map(|fill| {
            let capacity = dose / interval / fill;
            let [ka, km, v] = [spread(1.0, 2.0), spread(4.0, 3.0), spread(20.0, 2.0)];
            vec![ka, capacity, km, v, spread(0.3, 2.0), spread(0.2, 2.0)]
        })
        .collect();
    let cycle = [bolus(0.0, 0, dose)];
    let events = [steady(0.0, interval, &cycle, false)];
    let steady = solve(&system, &[1, 2], &sets, &vec![course(&events, &[0.0]); 40]);
    let doses: Vec<Stop> = (0..400)
        .map(|i| bolus(f64::from(i) * interval, 0, dose))
        .collect();
    let long = after(course(&doses, &[398.0 * interval, 399.0 * interval]));
    let long = solve(&system, &[1, 2], &sets, &vec![long; 40]);
    for (l, fill) in fills.iter().enumerate() {
        if *fill > 1.0 {
            assert_eq!(steady.failures[l], Some(Failure::NoSteadyState), "{fill}");
            continue;
        }
        let moved = (long.at(1, 0, l) / long.at(0, 0, l) - 1.0).abs();
        assert_eq!(
            (steady.failures[l], long.failures[l]),
            (None, None),
            "{fill}"
        );
        // Near the capacity 400 doses are not enough.
        if moved > 1e-11 {
            continue;
        }
        for state in 0..2 {
            close(
                steady.at(0, state, l),
                long.at(1, state, l),
                1e-7,
                "steady state",
            );
        }
    }
}

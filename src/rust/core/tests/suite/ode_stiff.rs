//! The implicit solver against exact solutions, published values and itself at tighter tolerances.

use crate::common::data::Generator;
use crate::common::stiff_models::*;
use crate::common::systems;
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::interpolate::Interpolant;
use nlmers_core::ode::stiff::AVAILABLE;
use nlmers_core::ode::{Act, Failure, Signals, Stops};

#[track_caller]
fn close(got: f64, truth: f64, relative: f64, absolute: f64) {
    assert!(
        (got - truth).abs() <= relative * truth.abs() + absolute,
        "{got:e} is not {truth:e}: {:e} relative",
        (got / truth - 1.0).abs()
    );
}

#[track_caller]
fn all_close(got: &[Vec<f64>], truth: &[Vec<f64>], relative: f64, absolute: f64) {
    assert_eq!(got.len(), truth.len());
    for (got, truth) in got.iter().zip(truth) {
        for (got, truth) in got.iter().zip(truth) {
            close(*got, *truth, relative, absolute);
        }
    }
}

/// Hairer & Wanner (1996, IV.10) to `t = 40`; the test set of Mazzia & Magherini (2008) at `t = 1e11`.
#[test]
fn robertson_is_the_published_solution() {
    let stops = observed(vec![], &[0.4, 4.0, 40.0, 4e5, 1e11]);
    let tight = solve(&robertson((1e-11, 1e-20)), &ROBERTSON, &stops, &[]);
    let published = [0.7158270687, 0.9185534764e-5, 0.2841637457];
    for (got, truth) in tight.rows[2].iter().zip(published) {
        close(*got, truth, 1e-8, 0.0);
    }
    let late = [
        0.2083340149701255e-7,
        0.8333360770334713e-13,
        0.999_999_979_166_505,
    ];
    for (got, truth) in tight.rows[4].iter().zip(late) {
        close(*got, truth, 1e-7, 0.0);
    }
    let got = solve(&robertson((1e-6, 1e-14)), &ROBERTSON, &stops, &[]);
    all_close(&got.rows[..4], &tight.rows[..4], 1e-6, 0.0);
}

/// Test set of Mazzia & Magherini (2008). An error of time is multiplied by the slope.
#[test]
fn van_der_pol_keeps_its_phase() {
    let stops = observed(vec![], &[2000.0]);
    let got = solve(&van_der_pol((1e-6, 1e-8)), &[1000.0, 2.0], &stops, &[]);
    close(got.rows[0][0], 1.706167732170483, 1e-5, 0.0);
    close(got.rows[0][1], -0.8928097010247975e-3, 1e-5, 0.0);
}

/// Doses of 100 at 0 and 24 into the drug, an infusion in between, and a reset at 60.
fn regimen() -> Stops {
    vec![
        bolus(0.0, 0, 100.0),
        rate(10.0, 0, 5.0),
        rate(16.0, 0, -5.0),
        bolus(24.0, 0, 100.0),
        stop(60.0, Act::Reset),
        bolus(61.0, 0, 3.0),
    ]
}

const TIMES: [f64; 12] = [
    0.001, 0.1, 1.0, 9.0, 12.0, 20.0, 24.0, 24.5, 48.0, 60.0, 62.0, 240.0,
];

#[test]
fn fast_binding_is_met_to_the_tolerance() {
    let stops = observed(regimen(), &TIMES);
    let tight = solve(&tmdd((1e-11, 1e-15)), &TMDD, &stops, &[]);
    let got = solve(&tmdd((1e-6, 1e-10)), &TMDD, &stops, &[]);
    assert_eq!(got.failure, None);
    all_close(&got.rows, &tight.rows, 1e-6, 1e-9);
    // After the reset and before the dose everything is as at the start.
    assert_eq!(got.rows[9], [0.0, 10.0, 0.0, 0.0]);
}

/// Absorption at 1e6, elimination at 1e-2: `x = k / (k - e) (exp(-e t) - exp(-k t))` and its derivatives.
#[test]
fn rates_eight_orders_apart_follow_the_exact_solution() {
    let (k, e): (f64, f64) = (1e6, 1e-2);
    let times = [1e-7, 1e-6, 1e-5, 1.0, 30.0, 100.0, 400.0];
    let stops = observed(vec![bolus(0.0, 0, 1.0), bolus(50.0, 0, 2.0)], &times);
    let got = solve(&oral((1e-9, 1e-13)), &[k, e], &stops, &[0, 1]);
    for (row, t) in got.rows.iter().zip(times) {
        let mut truth = [0.0; 4];
        for (begin, dose) in [(0.0, 1.0), (50.0, 2.0)] {
            if t < begin {
                continue;
            }
            let s: f64 = t - begin;
            let (slow, fast) = ((-e * s).exp(), (-k * s).exp());
            truth[0] += dose * fast;
            truth[1] += dose * k / (k - e) * (slow - fast);
            let by_k = -e / (k - e).powi(2) * (slow - fast) + k / (k - e) * s * fast;
            let by_e = k / (k - e).powi(2) * (slow - fast) - k / (k - e) * s * slow;
            truth[2] += dose * by_k;
            truth[3] += dose * by_e;
        }
        close(row[0], truth[0], 1e-8, 1e-11);
        close(row[1], truth[1], 1e-8, 1e-11);
        close(row[4], truth[2], 1e-6, 1e-16);
        close(row[5], truth[3], 1e-7, 1e-10);
    }
}

/// Derivatives of a course whose doses move and scale with inputs: binding (1), fraction (4), lag and duration (5),
/// receptors at the start (6).
#[test]
fn derivatives_at_moving_doses_agree_with_differences() {
    let stops_at = |p: &[f64]| {
        let into = |fraction| Act::Bolus {
            state: 0,
            amount: 50.0,
            fraction,
        };
        let flow = |sign: f64| Act::Rate {
            state: 0,
            change: sign * 20.0 / p[5],
            slopes: slopes(&[(5, -sign * 20.0 / p[5].powi(2))]),
        };
        let stops = vec![
            moving(p[5], into(Some(4)), &[(5, 1.0)]),
            stop(4.0, flow(1.0)),
            moving(4.0 + 2.0 * p[5], flow(-1.0), &[(5, 2.0)]),
            stop(30.0, Act::Reset),
            moving(30.0 + p[5], into(None), &[(5, 1.0)]),
        ];
        observed(stops, &[0.2, 1.0, 4.3, 6.0, 20.0, 29.0, 31.0, 48.0])
    };
    let system = tmdd((1e-10, 1e-14));
    let all: Vec<usize> = (0..7).collect();
    let got = solve(&system, &TMDD, &stops_at(&TMDD), &all);
    assert_eq!(got.failure, None);
    let at = |p: &[f64]| solve(&system, p, &stops_at(p), &[]);
    for j in 0..7 {
        let truth = differences(&at, &TMDD, j);
        for (row, truth) in truth.iter().enumerate() {
            for (k, truth) in truth.iter().enumerate() {
                let size = got.rows[row][k].abs() / TMDD[j];
                close(got.slope(row, k, j), *truth, 1e-5, 1e-6 * size + 1e-9);
            }
        }
    }
}

fn cycle(interval: f64, cycle: Stops, adds: bool) -> Act {
    Act::Steady {
        interval,
        cycle,
        adds,
    }
}

/// `x = D exp(-e tau) / (1 - exp(-e tau))` before a dose.
#[test]
fn repeated_doses_come_to_the_geometric_series() {
    let (e, tau) = (0.1, 12.0);
    let steady = cycle(tau, vec![bolus(0.0, 1, 100.0)], false);
    let stops = observed(vec![bolus(0.0, 1, 7.0), stop(1.0, steady)], &[1.0, 3.0]);
    let got = solve(&oral((1e-10, 1e-12)), &[1.0, e], &stops, &[1]);
    let q = (-e * tau).exp();
    let (level, slope) = (100.0 * q / (1.0 - q), -100.0 * tau * q / (1.0 - q).powi(2));
    close(got.rows[0][1], level, 1e-9, 0.0);
    close(got.slope(0, 1, 0), slope, 1e-8, 0.0);
    close(got.rows[1][1], level * (-e * 2.0_f64).exp(), 1e-9, 0.0);
}

#[test]
fn steady_state_of_fast_binding_is_that_of_many_doses() {
    let system = tmdd((1e-9, 1e-13));
    let dose = vec![rate(0.0, 0, 30.0), rate(2.0, 0, -30.0)];
    let steady = observed(vec![stop(0.0, cycle(24.0, dose, false))], &[0.0, 5.0]);
    let mut many = Stops::new();
    for i in 0..200 {
        let t = 24.0 * f64::from(i);
        many.extend([rate(t, 0, 30.0), rate(t + 2.0, 0, -30.0)]);
    }
    let many = observed(many, &[4800.0, 4805.0]);
    let all: Vec<usize> = (0..6).collect();
    let got = solve(&system, &TMDD, &steady, &all);
    let mut patient = system.clone();
    patient.control.max_steps = 10_000_000;
    let truth = solve(&patient, &TMDD, &many, &all);
    assert_eq!((got.failure, truth.failure), (None, None));
    all_close(&got.rows, &truth.rows, 1e-7, 1e-9);
}

/// What was there stays and decays beside the steady state: the equations are linear.
#[test]
fn a_steady_state_that_adds_leaves_what_is_there() {
    let tau = 12.0;
    let adding = cycle(tau, vec![bolus(0.0, 1, 100.0)], true);
    let before = vec![rate(0.0, 1, 3.0), stop(5.0, adding)];
    let stops = observed(before, &[5.0, 9.0]);
    let got = solve(&oral((1e-10, 1e-12)), &[1.0, 0.1], &stops, &[]);
    let q = (-0.1 * tau).exp();
    let at = |t: f64| 30.0 * (1.0 - (-0.1 * t).exp());
    let level = 100.0 * q / (1.0 - q);
    close(got.rows[0][1], at(5.0) + level, 1e-9, 0.0);
    let later = at(9.0) + level * (-0.4_f64).exp();
    close(got.rows[1][1], later, 1e-9, 0.0);
}

/// An infusion without end: `rate = e x`, and binding is at rest.
#[test]
fn an_infusion_without_end_comes_to_rest() {
    let endless = |change: f64| cycle(f64::INFINITY, vec![rate(0.0, 0, change)], false);
    let stops = observed(vec![stop(0.0, endless(5.0))], &[0.0]);
    let got = solve(&oral((1e-8, 1e-10)), &[2.0, 0.1], &stops, &[1]);
    all_close(&got.rows, &[vec![2.5, 50.0, 0.0, -500.0]], 1e-10, 1e-10);
    let system = tmdd((1e-9, 1e-13));
    let all: Vec<usize> = (0..6).collect();
    let stops = observed(vec![stop(0.0, endless(5.0))], &[0.0]);
    let got = solve(&system, &TMDD, &stops, &all);
    let long = observed(vec![rate(0.0, 0, 5.0)], &[1e5]);
    let truth = solve(&system, &TMDD, &long, &all);
    assert_eq!((got.failure, truth.failure), (None, None));
    all_close(&got.rows, &truth.rows, 1e-7, 1e-9);
}

/// Both ways to rest, neither of them in time, end where the solution ends after a long time, over random receptors: no
/// other root of the equations is taken for it.
#[test]
fn rest_is_where_time_leads() {
    let mut draw = Generator(21);
    let mut spread = |value: f64| value * (2.0 * (draw.uniform() - 0.5) * 2.3).exp();
    let system = tmdd((1e-9, 1e-13));
    let sets: Vec<Vec<f64>> = (0..40).map(|_| TMDD.map(&mut spread).to_vec()).collect();
    let rates: Vec<f64> = (0..40).map(|_| spread(2.0)).collect();
    let endless = |change: &f64| {
        let act = cycle(f64::INFINITY, vec![rate(0.0, 0, *change)], false);
        observed(vec![stop(0.0, act)], &[0.0])
    };
    let courses: Vec<Stops> = rates.iter().map(endless).collect();
    let explicit = systems::solve(&system, &[0, 1, 2, 3], &sets, &courses);
    for (l, set) in sets.iter().enumerate() {
        let long = observed(vec![rate(0.0, 0, rates[l])], &[1e6]);
        let truth = solve(&system, set, &long, &[]);
        let implicit = solve(&system, set, &courses[l], &[]);
        let failures = (truth.failure, implicit.failure, explicit.failures[l]);
        assert_eq!(failures, (None, None, None), "{set:?}");
        let explicit: Vec<f64> = (0..4).map(|k| explicit.at(0, k, l)).collect();
        all_close(&implicit.rows, &truth.rows, 1e-6, 1e-9);
        all_close(&[explicit], &truth.rows, 1e-6, 1e-9);
    }
}

/// Elimination that saturates, at 65 to 165 % of its capacity; the explicit solver is judged in its own tests.
#[test]
fn repeated_doses_have_a_steady_state_below_the_capacity_alone() {
    let system = systems::tight(systems::saturable(), 1e-9);
    let (dose, interval) = (100.0, 12.0);
    for l in 0..11 {
        let fill = 0.65 + 0.1 * f64::from(l);
        let inputs = [1.0, dose / interval / fill, 4.0, 20.0, 0.3, 0.2];
        let stops = observed(
            vec![stop(0.0, cycle(interval, vec![bolus(0.0, 0, dose)], false))],
            &[0.0],
        );
        let got = solve(&system, &inputs, &stops, &[]);
        if fill > 0.99 {
            assert_eq!(
                got.failure,
                Some(Failure::NoSteadyState),
                "{fill} {:?}",
                got.rows
            );
        } else {
            let explicit = systems::solve(&system, &[0, 1, 2], &[inputs.to_vec()], &[stops]);
            assert_eq!((got.failure, explicit.failures[0]), (None, None));
            let explicit = (0..3).map(|k| explicit.at(0, k, 0)).collect();
            all_close(&got.rows, &[explicit], 1e-6, 1e-9);
        }
    }
}

/// `x' = s(t) - x` for a straight line `s = t` and for steps.
#[test]
fn signals_are_read_at_their_times() {
    let lines = vec![vec![0.0], vec![10.0], vec![10.0]];
    let course = Interpolant::new(Interpolation::Linear, &[0.0, 10.0], &[0.0, 10.0]);
    let smooth = Signals {
        lines: lines.clone(),
        courses: vec![(0, course)],
    };
    let stops = observed(
        vec![stop(2.0, Act::Signals(1)), stop(3.0, Act::Signals(2))],
        &[1.0, 5.0],
    );
    let system = followed(Interpolation::Linear);
    let got = solve_with(&system, &[0.0, 1.0], &stops, &[], &smooth);
    for (row, t) in got.rows.iter().zip([1.0_f64, 5.0]) {
        close(row[0], t - 1.0 + (-t).exp(), 1e-8, 0.0);
    }
    let steps = Signals {
        lines,
        courses: vec![],
    };
    let got = solve_with(&system, &[0.0, 1.0], &stops, &[], &steps);
    assert_eq!(got.rows[0][0], 0.0);
    close(got.rows[1][0], 10.0 * (1.0 - (-3.0_f64).exp()), 1e-8, 0.0);
    // The time itself is read: x' = t - x.
    let got = solve(&system, &[1.0, 1.0], &observed(vec![], &[4.0]), &[0]);
    let truth = 3.0 + (-4.0_f64).exp();
    close(got.rows[0][0], truth, 1e-8, 0.0);
    close(got.slope(0, 0, 0), truth, 1e-8, 0.0);
}

#[test]
fn what_has_no_solution_is_a_failure() {
    const { assert!(AVAILABLE) };
    let stops = observed(vec![bolus(1.0, 0, 1.0)], &[0.5, 2.0]);
    let fails = |system, inputs: &[f64], stops: &Stops| {
        let solution = solve(&system, inputs, stops, &[0]);
        let unreached = solution.rows.last().unwrap();
        assert!(unreached.iter().all(|value| value.is_nan()));
        solution.failure
    };
    let not_finite = Some(Failure::NotFinite);
    let oral_at = || oral((1e-6, 1e-8));
    assert_eq!(fails(oral_at(), &[f64::NAN, 1.0], &stops), not_finite);
    assert_eq!(fails(oral_at(), &[f64::INFINITY, 1.0], &stops), not_finite);
    let logarithm = || {
        single(|g, x, p| {
            let log = g.ln(x[0]);
            vec![g.mul(p[1], log)]
        })
    };
    assert_eq!(fails(logarithm(), &[-1.0, 1.0], &stops), not_finite);
    // 1 / (1 / x - t): without bound at 1 / x.
    let explosion = || single(|g, x, _| vec![g.square(x[0])]);
    let grown = fails(explosion(), &[2.0, 0.0], &stops);
    assert!(grown.is_some());
    let overflow = bolus(0.0, 0, f64::INFINITY);
    let stops_at = observed(vec![overflow], &[1.0]);
    assert_eq!(fails(oral_at(), &[1.0, 1.0], &stops_at), not_finite);
    let mut short = tmdd((1e-6, 1e-8));
    short.control.max_steps = 20;
    let long = observed(vec![bolus(0.0, 0, 100.0)], &[0.0, 200.0]);
    assert_eq!(fails(short, &TMDD, &long), Some(Failure::TooManySteps));
    let kept = |act| observed(vec![stop(0.0, act)], &[1.0]);
    let steady = kept(cycle(24.0, vec![bolus(0.0, 1, 1.0)], false));
    assert_eq!(
        fails(oral_at(), &[1.0, 0.0], &steady),
        Some(Failure::NoSteadyState)
    );
    let endless = kept(cycle(f64::INFINITY, vec![rate(0.0, 1, 1.0)], false));
    assert_eq!(
        fails(oral_at(), &[1.0, 0.0], &endless),
        Some(Failure::NoSteadyState)
    );
}

/// Observations of one time stand before or behind a dose as they come.
#[test]
fn order_at_one_time_is_kept() {
    let see = |row| stop(1.0, Act::Observe(row));
    let stops = vec![
        stop(0.0, Act::Observe(0)),
        see(1),
        bolus(1.0, 1, 5.0),
        see(2),
        bolus(1.0, 1, 5.0),
        see(3),
    ];
    let got = solve(&oral((1e-6, 1e-8)), &[1.0, 1.0], &stops, &[]);
    let levels: Vec<f64> = got.rows.iter().map(|row| row[1]).collect();
    assert_eq!(levels, [0.0, 0.0, 5.0, 10.0]);
}

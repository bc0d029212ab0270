//! Courses of a state that decays, against sums over single doses.

use super::{FULL, PLAIN};
use crate::common::data::Generator;
use crate::common::dosing::{left_of, stops, Decay};
use nlmers_core::ode::{Act, Dosing, Stops};

const K: f64 = 0.3;

/// Values at all rows of the frame, in the order of time, of a state that begins at 0.
fn course(columns: &[(&str, &[f64])], dosing: [Dosing; 2], inputs: &[f64]) -> Vec<f64> {
    let start = columns.iter().find(|(name, _)| *name == "time").unwrap().1;
    let start = start.iter().copied().fold(f64::INFINITY, f64::min);
    Decay::new(K, 0.0, inputs).rows(start, &stops(columns, dosing, inputs))
}

#[track_caller]
fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (x, y) in found.iter().zip(expected) {
        assert!(
            (x - y).abs() <= 1e-10 * (1.0 + y.abs()),
            "{found:?}, not {expected:?}"
        );
    }
}

/// Each observed `since` after a dose.
fn after(amount: f64, duration: f64, since: &[f64]) -> Vec<f64> {
    since
        .iter()
        .map(|t| left_of(amount, duration, *t, K))
        .collect()
}

#[test]
fn a_row_with_an_amount_is_a_dose_without_evid() {
    let found = course(
        &[("time", &[0.0, 1.0, 4.0]), ("amt", &[100.0, 0.0, f64::NAN])],
        PLAIN,
        &[],
    );
    near(&found, &after(100.0, 0.0, &[0.0, 1.0, 4.0]));
}

#[test]
fn every_kind_of_record_does_its_part() {
    let time = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let found = course(
        &[
            ("time", &time),
            ("evid", &[1.0, 0.0, 2.0, 3.0, 0.0, 4.0]),
            ("amt", &[100.0, 0.0, 0.0, 0.0, 0.0, 50.0]),
        ],
        PLAIN,
        &[],
    );
    let first = after(100.0, 0.0, &[0.0, 1.0, 2.0]);
    near(&found, &[first[0], first[1], first[2], 0.0, 0.0, 50.0]);
}

#[test]
fn infusions_overlap_and_end_at_a_reset() {
    let time = [0.0, 1.0, 2.0, 6.0, 7.0, 8.0];
    let found = course(
        &[
            ("time", &time),
            ("evid", &[1.0, 1.0, 0.0, 0.0, 3.0, 0.0]),
            ("amt", &[100.0, 60.0, 0.0, 0.0, 0.0, 0.0]),
            ("rate", &[10.0, 20.0, 0.0, 0.0, 0.0, 0.0]),
        ],
        PLAIN,
        &[],
    );
    let sum = |t: f64| left_of(100.0, 10.0, t, K) + left_of(60.0, 3.0, t - 1.0, K);
    near(&found, &[0.0, sum(1.0), sum(2.0), sum(6.0), 0.0, 0.0]);
}

#[test]
fn rates_and_durations_of_the_model() {
    let (f, lag, rate, duration) = (0.8, 0.5, 25.0, 4.0);
    let time = [0.0, 0.5, 1.0, 3.0, 8.0];
    for (code, long) in [
        (-1.0, f * 100.0 / rate),
        (-2.0, duration),
        (20.0, f * 100.0 / 20.0),
    ] {
        let found = course(
            &[
                ("time", &time),
                ("amt", &[100.0, 0.0, 0.0, 0.0, 0.0]),
                ("rate", &[code, 0.0, 0.0, 0.0, 0.0]),
            ],
            [FULL, PLAIN[0]],
            &[f, lag, rate, duration],
        );
        let expected: Vec<f64> = time
            .iter()
            .map(|t| left_of(f * 100.0, long, t - lag, K))
            .collect();
        near(&found, &expected);
    }
}

/// 200 doses before stand for all.
fn repeated(amount: f64, duration: f64, interval: f64, since: f64) -> f64 {
    (0..=200)
        .map(|n| left_of(amount, duration, since + f64::from(n) * interval, K))
        .sum()
}

#[test]
fn steady_states_are_those_of_infinitely_many_doses() {
    // Amounts, rates, intervals, fractions and lags: infusions shorter, as long and longer than the interval.
    for (rate, f, lag) in [
        (0.0, 1.0, 0.0),
        (0.0, 0.7, 2.0),
        (0.0, 1.0, 12.0),
        (0.0, 1.0, 30.0),
        (25.0, 1.0, 0.0),
        (25.0, 0.5, 11.0),
        (100.0 / 12.0, 1.0, 0.0),
        (100.0 / 12.0, 1.0, 5.0),
        (100.0 / 24.0, 1.0, 0.0),
        (3.0, 1.0, 0.0),
        (3.0, 0.9, 7.3),
        (2.0, 1.0, 40.0),
    ] {
        let time = [24.0, 24.5, 30.0, 35.9, 36.1, 50.0, 90.0];
        let amt = [100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let mark = |value: f64| amt.map(|a| if a > 0.0 { value } else { 0.0 });
        let long = if rate > 0.0 { f * 100.0 / rate } else { 0.0 };
        let found = course(
            &[
                ("time", &time),
                ("amt", &amt),
                ("rate", &mark(rate)),
                ("ii", &mark(12.0)),
                ("ss", &mark(1.0)),
            ],
            [FULL, PLAIN[0]],
            &[f, lag, 1.0, 1.0],
        );
        let expected: Vec<f64> = time
            .iter()
            .map(|t| repeated(f * 100.0, long, 12.0, t - 24.0 - lag))
            .collect();
        near(&found, &expected);
    }
}

#[test]
fn a_constant_infusion_at_steady_state_ends_at_its_record() {
    for (evid, x0) in [(1.0, 0.0), (4.0, 0.0)] {
        let columns: [(&str, &[f64]); 5] = [
            ("time", &[0.0, 5.0, 7.0]),
            ("evid", &[1.0, evid, 0.0]),
            ("amt", &[1000.0, 0.0, 0.0]),
            ("rate", &[0.0, 6.0, 0.0]),
            ("ss", &[0.0, 1.0, 0.0]),
        ];
        // Neither lag nor fraction touches it.
        let stops = stops(&columns, [FULL, PLAIN[0]], &[0.5, 0.0, 1.0, 1.0]);
        let found = Decay::new(K, x0, &[0.5]).rows(0.0, &stops);
        near(&found, &[500.0, 6.0 / K, 6.0 / K * (-2.0 * K).exp()]);
    }
    let modeled: [(&str, &[f64]); 4] = [
        ("time", &[0.0, 2.0]),
        ("amt", &[0.0, 0.0]),
        ("rate", &[-1.0, 0.0]),
        ("ss", &[1.0, 0.0]),
    ];
    let found = course(&modeled, [FULL, PLAIN[0]], &[0.5, 3.0, 8.0, 1.0]);
    near(&found, &[8.0 / K, 8.0 / K * (-2.0 * K).exp()]);
}

#[test]
fn ss_1_replaces_and_ss_2_adds() {
    let time = [0.0, 10.0, 11.0];
    for (ss, kept) in [(1.0, 0.0), (2.0, 1.0)] {
        let found = course(
            &[
                ("time", &time),
                ("amt", &[300.0, 100.0, 0.0]),
                // The first infusion is still under way at the second record.
                ("rate", &[20.0, 0.0, 0.0]),
                ("ii", &[0.0, 8.0, 0.0]),
                ("ss", &[0.0, ss, 0.0]),
            ],
            PLAIN,
            &[],
        );
        let steady = |t: f64| repeated(100.0, 0.0, 8.0, t - 10.0);
        let before = |t: f64| kept * left_of(300.0, 15.0, t, K);
        near(
            &found,
            &[
                0.0,
                steady(10.0) + before(10.0),
                steady(11.0) + before(11.0),
            ],
        );
    }
}

#[test]
fn additional_doses_follow_a_steady_state() {
    let columns: [(&str, &[f64]); 5] = [
        ("time", &[0.0, 7.0, 13.0, 40.0]),
        ("amt", &[100.0, 0.0, 0.0, 0.0]),
        ("ii", &[6.0, 0.0, 0.0, 0.0]),
        ("ss", &[1.0, 0.0, 0.0, 0.0]),
        ("addl", &[2.0, 0.0, 0.0, 0.0]),
    ];
    let expected: Vec<f64> = [0.0, 7.0, 13.0, 40.0]
        .iter()
        .map(|t| {
            repeated(100.0, 0.0, 6.0, *t)
                + left_of(100.0, 0.0, t - 6.0, K)
                + left_of(100.0, 0.0, t - 12.0, K)
        })
        .collect();
    near(&course(&columns, PLAIN, &[]), &expected);
}

/// Random regimens against sums over single doses: a model of its own of what is given and what is cancelled.
#[test]
fn random_regimens_superpose() {
    let mut random = Generator(41);
    for _ in 0..200 {
        let inputs = [
            random.between(0.3, 1.0),
            random.between(0.0, 20.0) * f64::from(u8::from(random.uniform() < 0.7)),
            random.between(2.0, 60.0),
            random.between(0.5, 30.0),
        ];
        let n = 12;
        let mut time: Vec<f64> = (0..n)
            .map(|_| (random.between(0.0, 60.0) * 8.0).round() / 8.0)
            .collect();
        time.sort_by(f64::total_cmp);
        let column = || vec![0.0; n];
        let (mut evid, mut amt, mut rate) = (column(), column(), column());
        let (mut ii, mut addl, mut ss) = (column(), column(), column());
        for row in 0..n {
            let kind = random.uniform();
            if kind < 0.5 {
                continue;
            }
            evid[row] = if kind < 0.55 {
                3.0
            } else if kind < 0.6 {
                4.0
            } else {
                1.0
            };
            if evid[row] == 3.0 {
                continue;
            }
            amt[row] = random.between(10.0, 200.0);
            rate[row] = [0.0, random.between(5.0, 80.0), -1.0, -2.0][random.below(4)];
            addl[row] = [0.0, 0.0, 1.0, 3.0][random.below(4)];
            ss[row] = [0.0, 0.0, 1.0, 2.0][random.below(4)];
            if addl[row] + ss[row] > 0.0 {
                ii[row] = random.between(3.0, 15.0);
            }
        }
        let found = course(
            &[
                ("time", &time),
                ("evid", &evid),
                ("amt", &amt),
                ("rate", &rate),
                ("ii", &ii),
                ("addl", &addl),
                ("ss", &ss),
            ],
            [FULL, PLAIN[0]],
            &inputs,
        );
        let dose = |row: usize| {
            let amount = inputs[0] * amt[row];
            let long = match rate[row] {
                0.0 => 0.0,
                -1.0 => amount / inputs[2],
                -2.0 => inputs[3],
                given => amount / given,
            };
            (amount, long)
        };
        let expected = |at: usize| -> f64 {
            let cancels = |row: &usize| evid[*row] >= 3.0 || ss[*row] == 1.0;
            let from = (0..=at).rev().find(cancels).unwrap_or(0);
            let mut sum = 0.0;
            for row in (from..=at).filter(|row| amt[*row] > 0.0) {
                let (amount, long) = dose(row);
                let since = time[at] - time[row] - inputs[1];
                let past = if ss[row] > 0.0 { 300 } else { 0 };
                for k in -past..=(addl[row] as i32) {
                    sum += left_of(amount, long, since - f64::from(k) * ii[row], K);
                }
            }
            sum
        };
        let expected: Vec<f64> = (0..n).map(expected).collect();
        // A dose to the last bit at the time of a record is before or behind it.
        for (row, (x, y)) in found.iter().zip(&expected).enumerate() {
            assert!(
                (x - y).abs() < 1e-8 * (1.0 + y.abs()),
                "row {row}: {x}, not {y}"
            );
        }
    }
}

#[test]
fn additional_doses_are_doses_written_out() {
    let mut random = Generator(7);
    for _ in 0..50 {
        let (n, interval) = (1 + random.below(6), random.between(1.0, 9.0));
        let (amount, first) = (random.between(1.0, 100.0), random.between(0.0, 5.0));
        let rate = [0.0, -2.0, random.between(1.0, 50.0)][random.below(3)];
        let inputs = [
            0.9,
            random.between(0.0, 3.0),
            1.0,
            random.between(0.5, 12.0),
        ];
        let last = 80.0;
        let short = stops(
            &[
                ("time", &[first, last]),
                ("amt", &[amount, 0.0]),
                ("rate", &[rate, 0.0]),
                ("ii", &[interval, 0.0]),
                ("addl", &[n as f64, 0.0]),
            ],
            [FULL, PLAIN[0]],
            &inputs,
        );
        let mut time: Vec<f64> = (0..=n).map(|k| first + k as f64 * interval).collect();
        time.push(last);
        let given = |value: f64| -> Vec<f64> {
            (0..=n + 1)
                .map(|k| if k <= n { value } else { 0.0 })
                .collect()
        };
        let long = stops(
            &[
                ("time", &time),
                ("amt", &given(amount)),
                ("rate", &given(rate)),
            ],
            [FULL, PLAIN[0]],
            &inputs,
        );
        let doses = |stops: Stops| -> Stops {
            stops
                .into_iter()
                .filter(|s| !matches!(s.act, Act::Observe(_)))
                .collect()
        };
        assert_eq!(doses(short), doses(long));
    }
}

#[test]
fn without_doses_the_initial_values_drive_the_system() {
    let stops = stops(&[("time", &[1.0, 2.0])], PLAIN, &[]);
    assert_eq!(stops.len(), 2);
    near(
        &Decay::new(K, 4.0, &[]).rows(1.0, &stops),
        &[4.0, 4.0 * (-K).exp()],
    );
}

//! Dosing records: what they say of the course of a subject, in which order, and what they cannot say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::data::Generator;
use common::dosing::{error, events, frame, left_of, model, stops, try_stops, Decay};
use common::errors::{field, is};
use nlmers_core::data::{Frame, Records};
use nlmers_core::ode::{Act, Agenda, Course, Dosing, EventKind, Failure, Planner, Steady, Stops};

const PLAIN: [Dosing; 2] = [Dosing {
    fraction: None,
    lag: None,
    rate: None,
    duration: None,
}; 2];

/// Inputs 0 to 3: fraction, lag, rate, duration of doses into the first state.
const FULL: Dosing = Dosing {
    fraction: Some(0),
    lag: Some(1),
    rate: Some(2),
    duration: Some(3),
};

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

/// Kinds of the stops at a time.
fn at(stops: &Stops, time: f64) -> String {
    let letter = |act: &Act| match act {
        Act::Observe(row) => row.to_string(),
        Act::Bolus { .. } => "b".into(),
        Act::Rate { change, .. } if *change > 0.0 => "+".into(),
        Act::Rate { .. } => "-".into(),
        Act::Reset => "r".into(),
        Act::Signals(line) => format!("s{line}"),
        Act::Steady { .. } => "S".into(),
    };
    let there = stops.iter().filter(|s| s.time == time);
    there.map(|s| letter(&s.act)).collect::<Vec<_>>().join(" ")
}

#[test]
fn records_of_one_time_keep_the_order_of_the_data_frame() {
    // Written out of order, the observation before the dose and the one behind it.
    let rows: [(&str, &[f64]); 2] = [
        ("time", &[2.0, 1.0, 1.0, 1.0, 0.0]),
        ("amt", &[0.0, 0.0, 5.0, 0.0, 0.0]),
    ];
    let stops = stops(&rows, PLAIN, &[]);
    assert_eq!(at(&stops, 1.0), "1 b 2 3");
    assert_eq!((at(&stops, 0.0), at(&stops, 2.0)), ("0".into(), "4".into()));
}

#[test]
fn doses_without_a_record_come_before_the_records_of_their_time() {
    // An additional dose at 1.5 = 3 * 0.5; at 3 an infusion ends, at 0 a lag of nothing changes nothing.
    let columns: [(&str, &[f64]); 5] = [
        ("time", &[0.0, 0.0, 1.5, 3.0]),
        ("amt", &[0.0, 5.0, 0.0, 0.0]),
        ("rate", &[0.0, 10.0 / 3.0, 0.0, 0.0]),
        ("ii", &[0.0, 0.5, 0.0, 0.0]),
        ("addl", &[0.0, 3.0, 0.0, 0.0]),
    ];
    let plain = stops(&columns, PLAIN, &[]);
    assert_eq!(at(&plain, 0.0), "0 + 1");
    assert_eq!(at(&plain, 1.5), "- + 2");
    assert_eq!(at(&plain, 3.0), "- 3");
    let lagged = stops(&columns[..2], [FULL, PLAIN[0]], &[1.0, 1.5]);
    assert_eq!(
        (at(&lagged, 0.0), at(&lagged, 1.5)),
        ("0 1".into(), "b 2".into())
    );
    let prompt = stops(&columns[..2], [FULL, PLAIN[0]], &[1.0, 0.0]);
    assert_eq!(at(&prompt, 0.0), "0 b 1");
}

#[test]
fn a_reset_takes_back_what_is_still_to_come() {
    let columns: [(&str, &[f64]); 6] = [
        ("time", &[0.0, 10.0, 10.0, 40.0]),
        ("evid", &[1.0, 0.0, 4.0, 0.0]),
        ("amt", &[100.0, 0.0, 30.0, 0.0]),
        ("rate", &[20.0, 0.0, 0.0, 0.0]),
        ("ii", &[5.0, 0.0, 10.0, 0.0]),
        ("addl", &[9.0, 0.0, 1.0, 0.0]),
    ];
    let plain = stops(&columns, PLAIN, &[]);
    // The additional dose of time 10 is seen by the observation before the reset.
    assert_eq!(at(&plain, 10.0), "- + 1 r b 2");
    let times: Vec<f64> = plain.iter().map(|s| s.time).collect();
    assert_eq!(&times[times.len() - 2..], &[20.0, 40.0]);
    let lagged = stops(&columns, [FULL, PLAIN[0]], &[1.0, 7.0]);
    let later: Vec<f64> = lagged
        .iter()
        .map(|s| s.time)
        .filter(|t| *t > 10.0)
        .collect();
    assert_eq!(later, [17.0, 27.0, 40.0]);
}

/// `d time / d input` and `d rate / d input` against differences of the stops themselves.
#[test]
fn stops_move_with_the_inputs_as_their_slopes_say() {
    for (rate, ii, ss, lag) in [
        (0.0, 0.0, 0.0, 0.6),
        (20.0, 0.0, 0.0, 0.6),
        (-1.0, 0.0, 0.0, 0.6),
        (-2.0, 0.0, 0.0, 0.6),
        (-1.0, 6.0, 1.0, 2.0),
        (-2.0, 1.7, 1.0, 2.0),
        (3.0, 6.0, 2.0, 8.0),
        (0.0, 6.0, 1.0, 8.0),
    ] {
        let columns: [(&str, &[f64]); 6] = [
            ("time", &[0.0, 90.0]),
            ("evid", &[1.0, 0.0]),
            ("amt", &[100.0, 0.0]),
            ("rate", &[rate, 0.0]),
            ("ii", &[ii, 0.0]),
            ("ss", &[ss, 0.0]),
        ];
        let inputs = [0.8, lag, 30.0, 4.0];
        let at = |inputs: &[f64]| flat(&stops(&columns, [FULL, PLAIN[0]], inputs));
        let middle = at(&inputs);
        for j in 0..4 {
            let h = 1e-5;
            let (mut up, mut down) = (inputs, inputs);
            (up[j], down[j]) = (up[j] + h, down[j] - h);
            let (up, down) = (at(&up), at(&down));
            for (i, (value, slopes)) in middle.iter().enumerate() {
                let slope = slopes.iter().find(|s| s.0 == j).map_or(0.0, |s| s.1);
                let difference = (up[i].0 - down[i].0) / (2.0 * h);
                assert!(
                    (slope - difference).abs() < 1e-6 * (1.0 + difference.abs()),
                    "RATE {rate}, SS {ss}, number {i} = {value}: {slope}, not {difference} by input {j}"
                );
            }
        }
    }
}

type Number = (f64, Vec<(usize, f64)>);

/// Times and changes of rates of all stops, those of cycles too.
fn flat(stops: &Stops) -> Vec<Number> {
    let mut numbers = Vec::new();
    for stop in stops {
        let pairs = |slopes: &[nlmers_core::ode::Slope]| {
            slopes.iter().map(|s| (s.input, s.slope)).collect()
        };
        numbers.push((stop.time, pairs(&stop.moves)));
        match &stop.act {
            Act::Rate { change, slopes, .. } => numbers.push((*change, pairs(slopes))),
            Act::Steady { cycle, .. } => numbers.extend(flat(cycle)),
            _ => {}
        }
    }
    numbers
}

#[test]
fn doses_that_cannot_be_given_are_failures_not_numbers() {
    let columns: [(&str, &[f64]); 3] = [
        ("time", &[0.0, 9.0]),
        ("amt", &[100.0, 0.0]),
        ("rate", &[-1.0, 0.0]),
    ];
    let dosing = [FULL, PLAIN[0]];
    let read = events(&model(dosing), &frame(&columns));
    for (inputs, failure) in [
        ([1.0, -0.1, 5.0, 1.0], Failure::ImpossibleDose),
        ([-1.0, 0.0, 5.0, 1.0], Failure::ImpossibleDose),
        ([1.0, 0.0, 0.0, 1.0], Failure::ImpossibleDose),
        ([1.0, 0.0, -5.0, 1.0], Failure::ImpossibleDose),
        ([1.0, f64::NAN, 5.0, 1.0], Failure::NotFinite),
        ([f64::INFINITY, 0.0, 5.0, 1.0], Failure::NotFinite),
        ([1.0, 0.0, f64::NAN, 1.0], Failure::NotFinite),
    ] {
        assert_eq!(
            try_stops(&read, dosing, &inputs),
            Err(failure),
            "{inputs:?}"
        );
    }
    // A lag without end: nothing is given.
    let late = try_stops(&read, dosing, &[1.0, 1e300, 5.0, 1.0]).unwrap();
    assert_eq!(late.len(), 2);
}

#[test]
fn a_planner_that_is_used_again_makes_the_same_stops() {
    let columns: [(&str, &[f64]); 5] = [
        ("time", &[0.0, 3.0, 50.0]),
        ("amt", &[100.0, 20.0, 0.0]),
        ("rate", &[-2.0, 0.0, 0.0]),
        ("ii", &[5.0, 0.0, 0.0]),
        ("ss", &[1.0, 0.0, 0.0]),
    ];
    let dosing = [FULL, PLAIN[0]];
    let read = events(&model(dosing), &frame(&columns));
    let observations = read.observations(&[0, 1, 2]);
    let agenda = Agenda {
        schedule: &read.schedules[0],
        observations: &observations,
        lines: &[1.0],
        dosing: &dosing,
        variants: &[],
    };
    let (mut planner, mut again) = (Planner::default(), Stops::new());
    let inputs = [
        [0.9, 1.0, 2.0, 13.0],
        [0.5, 7.0, 2.0, 1.0],
        [0.9, 1.0, 2.0, -1.0],
    ];
    for k in [0, 1, 2, 0] {
        let mut fresh = Stops::new();
        let one = Planner::default().plan(&agenda, |j| inputs[k][j], &mut fresh);
        assert_eq!(planner.plan(&agenda, |j| inputs[k][j], &mut again), one);
        assert_eq!(again, fresh);
    }
    assert_eq!(at(&again, 1.0), "s1 +");
}

#[test]
fn it_is_known_which_stops_do_not_depend_on_inputs() {
    let only = |change: fn(&mut Dosing)| {
        let mut dosing = Dosing::default();
        change(&mut dosing);
        dosing
    };
    let fraction = only(|d| d.fraction = Some(0));
    let lag = only(|d| d.lag = Some(0));
    let modeled = only(|d| d.rate = Some(0));
    for (dosing, rate, endless, expected) in [
        (Dosing::default(), 0.0, false, true),
        (Dosing::default(), 5.0, false, true),
        (fraction, 0.0, false, true),
        (fraction, 5.0, false, false),
        (lag, 0.0, false, false),
        (lag, 5.0, false, false),
        (lag, 5.0, true, true),
        (modeled, 5.0, false, true),
        (modeled, -1.0, false, false),
        (modeled, -1.0, true, false),
    ] {
        let amount = if endless { 0.0 } else { 10.0 };
        let ss = f64::from(u8::from(endless));
        let frame = frame(&[
            ("time", &[0.0, 1.0]),
            ("amt", &[amount, 0.0]),
            ("rate", &[rate, 0.0]),
            ("ss", &[ss, 0.0]),
        ]);
        let dosing = [dosing, Dosing::default()];
        let read = events(&model(dosing), &frame);
        let agenda = Agenda {
            schedule: &read.schedules[0],
            observations: &[],
            lines: &[],
            dosing: &dosing,
            variants: &[],
        };
        assert_eq!(
            agenda.is_constant(),
            expected,
            "{dosing:?} {rate} {endless}"
        );
    }
}

#[test]
fn compartments_are_states_and_the_first_is_the_default() {
    let read = events(
        &model(PLAIN),
        &frame(&[
            ("time", &[0.0, 1.0, 2.0, 3.0]),
            ("amt", &[1.0, 2.0, 3.0, 0.0]),
            ("cmt", &[0.0, 2.0, f64::NAN, 9.0]),
            ("ii", &[0.0, 0.0, 4.0, 0.0]),
            ("ss", &[0.0, 0.0, 2.0, 0.0]),
        ]),
    );
    let doses: Vec<(usize, f64, Option<Steady>)> = read.schedules[0]
        .events
        .iter()
        .map(|event| match &event.kind {
            EventKind::Dose {
                state,
                amount,
                course: Course::Bolus,
                steady,
            } => (*state, *amount, *steady),
            other => panic!("{other:?}"),
        })
        .collect();
    let steady = Steady {
        interval: 4.0,
        adds: true,
    };
    assert_eq!(
        doses,
        [(0, 1.0, None), (1, 2.0, None), (0, 3.0, Some(steady))]
    );
}

#[test]
fn rows_of_doses_hold_no_outcome() {
    let model = model(PLAIN);
    let mut frame = frame(&[
        ("time", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("evid", &[1.0, 0.0, 2.0, 3.0, 4.0, 0.0]),
        ("amt", &[9.0, 0.0, 0.0, 0.0, 9.0, 0.0]),
        ("mdv", &[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        ("y", &[0.0, 3.0, 0.0, 0.0, 0.0, 0.0]),
    ]);
    frame.labels.push("8".into());
    frame.codes[5] = 1;
    let records = Records::all(&model, &frame, true).unwrap();
    let seen: Vec<bool> = records[0].columns[records[0].outcomes[0]]
        .iter()
        .map(|y| !y.is_nan())
        .collect();
    assert_eq!(seen, [false, true, false, false, false, false]);
    assert_eq!(records[0].n_obs(), 1);
    assert_eq!(records[0].events.as_ref().unwrap().observed, seen);
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

#[test]
fn a_model_without_equations_reads_no_events() {
    let mut model = model(PLAIN);
    model.equations.clear();
    let frame = frame(&[("time", &[0.0, 1.0]), ("evid", &[77.0, 0.0])]);
    assert!(Records::all(&model, &frame, false).unwrap()[0]
        .events
        .is_none());
}

type Case = (
    &'static str,
    &'static [(&'static str, f64)],
    &'static str,
    &'static str,
    &'static str,
);

/// What the second row says; reason, words of the problem, words of the hint.
const WRONG: &[Case] = &[
    (
        "EVID",
        &[("evid", 5.0)],
        "unknown_evid",
        "`EVID` is 5",
        "4: reset, then dose",
    ),
    (
        "EVID",
        &[("evid", 0.5)],
        "unknown_evid",
        "`EVID` is 0.5",
        "0: observation",
    ),
    (
        "AMT",
        &[("evid", 0.0), ("amt", 5.0)],
        "bad_dose",
        "`AMT` is 5, but the row is an observation",
        "amt = NA",
    ),
    (
        "AMT",
        &[("evid", 3.0), ("amt", 5.0)],
        "bad_dose",
        "the row is a reset",
        "",
    ),
    (
        "SS",
        &[("evid", 2.0), ("ss", 1.0)],
        "bad_dose",
        "`SS` is 1, but the row is no dose",
        "",
    ),
    (
        "RATE",
        &[("rate", 5.0)],
        "bad_dose",
        "`RATE` is 5, but the row is an observation",
        "rate = NA",
    ),
    (
        "CMT",
        &[("evid", 2.0), ("cmt", -2.0)],
        "unknown_state",
        "cannot be switched off",
        "covariate",
    ),
    (
        "CMT",
        &[("amt", 5.0), ("cmt", 3.0)],
        "unknown_state",
        "`CMT` is 3",
        "1 `depot`, 2 `center`",
    ),
    (
        "CMT",
        &[("amt", 5.0), ("cmt", 1.5)],
        "unknown_state",
        "`CMT` is 1.5",
        "",
    ),
    (
        "AMT",
        &[("amt", -5.0)],
        "bad_dose",
        "`AMT` is -5",
        "equation",
    ),
    (
        "AMT",
        &[("amt", f64::INFINITY)],
        "bad_event",
        "`AMT` is infinite",
        "",
    ),
    (
        "RATE",
        &[("amt", 5.0), ("rate", -3.0)],
        "bad_dose",
        "`RATE` is -3",
        "-1: the rate is `rate(state)`",
    ),
    (
        "RATE",
        &[("amt", 5.0), ("rate", -0.5)],
        "bad_dose",
        "`RATE` is -0.5",
        "",
    ),
    (
        "RATE",
        &[("amt", 5.0), ("rate", -1.0)],
        "bad_dose",
        "does not say the rate of doses into `depot`",
        "rate(depot) <-",
    ),
    (
        "RATE",
        &[("amt", 5.0), ("rate", -2.0)],
        "bad_dose",
        "does not say the duration",
        "dur(depot) <-",
    ),
    (
        "RATE",
        &[("evid", 1.0), ("rate", 5.0)],
        "bad_dose",
        "there is no amount (`AMT`)",
        "SS = 1",
    ),
    (
        "II",
        &[("amt", 5.0), ("addl", 2.0)],
        "bad_dose",
        "`ADDL` is 2, but `II` is 0",
        "time between",
    ),
    (
        "II",
        &[("amt", 5.0), ("ss", 1.0)],
        "bad_dose",
        "`SS` is 1, but `II` is 0",
        "time between",
    ),
    (
        "II",
        &[("amt", 5.0), ("ii", -1.0), ("ss", 1.0)],
        "bad_dose",
        "`II` is -1",
        "",
    ),
    (
        "II",
        &[("amt", 5.0), ("ii", 12.0)],
        "bad_dose",
        "nothing is repeated",
        "ADDL",
    ),
    (
        "II",
        &[("rate", 5.0), ("ii", 12.0), ("ss", 1.0)],
        "bad_dose",
        "never pauses",
        "II is 0",
    ),
    (
        "ADDL",
        &[("amt", 5.0), ("ii", 12.0), ("addl", -1.0)],
        "bad_dose",
        "`ADDL` is -1",
        "",
    ),
    (
        "ADDL",
        &[("amt", 5.0), ("ii", 12.0), ("addl", 1.5)],
        "bad_dose",
        "`ADDL` is 1.5",
        "",
    ),
    (
        "ADDL",
        &[("rate", 5.0), ("ss", 1.0), ("addl", 1.0)],
        "bad_dose",
        "which ends there",
        "records of their own",
    ),
    (
        "RATE",
        &[("rate", -2.0), ("ss", 1.0)],
        "bad_dose",
        "no duration",
        "",
    ),
    (
        "SS",
        &[("amt", 5.0), ("ii", 12.0), ("ss", 3.0)],
        "bad_dose",
        "`SS` is 3",
        "2: they are added",
    ),
    (
        "MDV",
        &[("mdv", 2.0)],
        "bad_event",
        "`MDV` is 2",
        "0: the row holds",
    ),
];

#[test]
fn every_record_that_cannot_be_is_named() {
    for (column, items, reason, problem, hint) in WRONG {
        let values: Vec<[f64; 2]> = items.iter().map(|(_, value)| [0.0, *value]).collect();
        let mut columns: Vec<(&str, &[f64])> = vec![("time", &[0.0, 1.0])];
        columns.extend(
            items
                .iter()
                .zip(&values)
                .map(|((name, _), v)| (*name, v.as_slice())),
        );
        let error = error(&model(PLAIN), &columns);
        is(&error, reason, "id 7, row 2", problem, hint);
        assert!(error.hint.is_some() || *reason == "bad_event", "{error}");
        assert_eq!(field(&error, "column"), *column, "{error}");
        assert_eq!(
            (field(&error, "row"), field(&error, "subject")),
            ("2".into(), "7".into())
        );
    }
}

#[test]
fn columns_have_the_names_of_the_user() {
    let mut frame = frame(&[("time", &[0.0]), ("amt", &[-1.0])]);
    frame.events = vec![("AMT".into(), "dose".into())];
    let error = common::dosing::try_events(&model(PLAIN), &frame).unwrap_err();
    is(&error, "bad_dose", "row 1", "`dose` (AMT) is -1", "");
    assert_eq!(field(&error, "column"), "dose");
}

#[test]
fn every_record_needs_its_time() {
    let model = model(PLAIN);
    for (time, reason) in [(f64::NAN, "missing_time"), (f64::INFINITY, "infinite_time")] {
        let error = error(&model, &[("time", &[0.0, time]), ("amt", &[0.0, 1.0])]);
        is(&error, reason, "id 7, row 2", "`time`", "needs its time");
    }
    let timeless = Frame {
        time: None,
        ..frame(&[("amt", &[1.0])])
    };
    let error = common::dosing::try_events(&model, &timeless).unwrap_err();
    is(&error, "no_time", "d/dt(depot)", "no time column", "time =");
}

#[test]
fn time_does_not_begin_anew_at_a_reset() {
    let error = error(
        &model(PLAIN),
        &[
            ("time", &[0.0, 48.0, 0.0, 24.0]),
            ("evid", &[1.0, 0.0, 4.0, 0.0]),
            ("amt", &[5.0, 0.0, 5.0, 0.0]),
        ],
    );
    is(
        &error,
        "time_goes_back",
        "id 7, row 3",
        "at time 0, before the row above it (48 in row 2)",
        "48 or later",
    );
}

//! Stops of a subject: their order, how they move with inputs, and which cannot be.

use super::{FULL, PLAIN};
use crate::common::dosing::{events, frame, model, stops, try_stops};
use nlmers_core::ode::{Act, Agenda, Dosing, Failure, Line, Planner, Stops};

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
        let pairs = |slopes: &[nlmers_core::ode::InputSlopes]| {
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
    let line = Line {
        time: 1.0,
        behind: false,
    };
    let agenda = Agenda {
        schedule: &read.schedules[0],
        observations: &observations,
        lines: &[line],
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

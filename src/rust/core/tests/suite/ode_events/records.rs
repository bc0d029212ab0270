//! Records as the data frame has them, and messages about those that cannot be.

use super::PLAIN;
use crate::common::dosing::{error, events, frame, model, try_events};
use crate::common::errors::{field, is};
use nlmers_core::data::{Frame, Records};
use nlmers_core::ode::{Administration, EventKind, Steady};

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
                course: Administration::Bolus,
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
    let error = try_events(&model(PLAIN), &frame).unwrap_err();
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
    let error = try_events(&model, &timeless).unwrap_err();
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

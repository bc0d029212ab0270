//! What the records use of the equations: properties of doses that none has, and equations in which nothing happens.

use super::PLAIN;
use crate::common::data::Data;
use crate::common::dosing::{events, frame, model};
use crate::common::errors::is;
use crate::common::try_problem;
use nlmers_core::data::event_use::unused;
use nlmers_core::ode::Dosing;
use nlmers_core::problem::Given;

#[test]
fn properties_of_doses_without_a_record_are_named() {
    let all = Dosing {
        fraction: Some(0),
        lag: Some(0),
        rate: Some(0),
        duration: Some(0),
    };
    let plain = model(PLAIN);
    let model = model([all, all]);
    let read = |rate: [f64; 2], cmt: f64| {
        unused(
            &model,
            &events(
                &model,
                &frame(&[
                    ("time", &[0.0, 1.0]),
                    ("amt", &[1.0, 1.0]),
                    ("rate", &rate),
                    ("cmt", &[1.0, cmt]),
                ]),
            ),
        )
    };
    assert_eq!(
        read([0.0, -1.0], 1.0),
        [
            "`dur(depot)` changes nothing: no record gives a dose into `depot` with the rate -2.",
            "`f(center)` changes nothing: no record gives a dose into `center`.",
            "`alag(center)` changes nothing: no record gives a dose into `center`.",
            "`rate(center)` changes nothing: no record gives a dose into `center` with the rate -1.",
            "`dur(center)` changes nothing: no record gives a dose into `center` with the rate -2.",
        ]
    );
    assert_eq!(read([-1.0, -2.0], 1.0).len(), 4);
    assert_eq!(
        read([-2.0, -1.0], 2.0),
        [
            "`rate(depot)` changes nothing: no record gives a dose into `depot` with the rate -1.",
            "`dur(center)` changes nothing: no record gives a dose into `center` with the rate -2.",
        ]
    );
    assert!(unused(&plain, &events(&model, &frame(&[("time", &[0.0])]))).is_empty());
}

const HEAD: &str = "
    fixed k = positive(0.5)
    fixed o = positive(0.5)
    fixed s = positive(0.4)
    random e ~ normal(0, o) | id
    y ~ normal(a, s)
";

/// Twelve observations, no dose.
fn undosed() -> Data {
    Data::new(3, |_| 4)
        .with("t", |row, _| (row % 4) as f64)
        .with("x", |_, _| 2.0)
        .with("y", |row, _| 1.0 + row as f64)
        .timed("t")
}

#[test]
fn equations_in_which_nothing_happens_are_refused() {
    let tried = |lines: &str| {
        let (before, outcome) = HEAD.rsplit_once("    y ~").unwrap();
        let text = format!("{before}{lines}\ny ~{outcome}");
        try_problem(&text, &undosed(), &Given::default())
    };
    for lines in [
        "d/dt(a) <- -k * a",
        "d/dt(a) <- -a * x / (k + a)",
        "d/dt(b) <- -k * b\nd/dt(a) <- k * b - exp(e) * a",
    ] {
        let error = tried(lines).err().unwrap();
        let first = lines.lines().next().unwrap();
        is(
            &error,
            "no_dose",
            first,
            "No record gives a dose, and all states begin at zero: they stay there.",
            "or say what a state holds at the beginning",
        );
    }
    for lines in [
        "d/dt(a) <- -k * a\na(0) <- x",
        "d/dt(a) <- x - k * a",
        "d/dt(a) <- exp(e) - k * a",
        "d/dt(a) <- (t > 1) * (t < 1.2) - k * a",
        "d/dt(a) <- max(x - 3, 0) - k * a",
    ] {
        assert!(tried(lines).is_ok(), "{lines}");
    }
}

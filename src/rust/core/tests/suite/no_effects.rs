//! Models without random effects: what is maximized is the likelihood itself.

use serde_json::json;

use crate::common;
use crate::common::data::{Data, Generator};
use nlmers_core::error::Result;
use nlmers_core::monitor::Silent;
use nlmers_core::reply::ReplyValue;
use nlmers_core::request::run;

const LINE: &str = "fixed a = 1\nfixed b = 0\nfixed s = positive(1)\ny ~ normal(a + b * x, s)";

fn try_fit(model: &str, data: &Data, method: &str) -> Result<ReplyValue> {
    let mut request = common::request_json("fit", model, data);
    request["method"] = json!({"name": method});
    request["seed"] = json!(1);
    run(&common::sent(&request), data.request_columns(), &Silent)
}

fn fit(model: &str, data: &Data, method: &str) -> ReplyValue {
    try_fit(model, data, method).unwrap_or_else(|error| panic!("{error}"))
}

fn get<'v>(value: &'v ReplyValue, path: &str) -> &'v ReplyValue {
    path.split('.').fold(value, |value, name| match value {
        ReplyValue::List(entries) => {
            let found = entries.iter().find(|(known, _)| known == name);
            &found.unwrap_or_else(|| panic!("no `{name}`")).1
        }
        other => panic!("no list: {other:?}"),
    })
}

fn numbers(value: &ReplyValue, path: &str) -> Vec<f64> {
    match get(value, path) {
        ReplyValue::Numbers(list) => list.clone(),
        ReplyValue::Number(x) => vec![*x],
        ReplyValue::Matrix { data, .. } => data.clone(),
        other => panic!("no numbers: {other:?}"),
    }
}

fn text(value: &ReplyValue, path: &str) -> String {
    match get(value, path) {
        ReplyValue::Text(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}

/// One row a level.
fn scatter(n: usize) -> Data {
    let mut random = Generator(7);
    let x: Vec<f64> = (0..n).map(|_| random.between(-1.0, 3.0)).collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| 2.0 - 0.7 * x + 0.4 * random.normal())
        .collect();
    Data::new(n, |_| 1)
        .with("x", |row, _| x[row])
        .with("y", |row, _| y[row])
}

/// Least squares: intercept, slope, and the maximum likelihood estimate of the SD.
fn least_squares(data: &Data) -> [f64; 3] {
    let (x, y) = (data.column("x"), data.column("y"));
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sxx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    let sxy: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let b = sxy / sxx;
    let a = my - b * mx;
    let rss: f64 = x.iter().zip(y).map(|(x, y)| (y - a - b * x).powi(2)).sum();
    [a, b, (rss / n).sqrt()]
}

fn near(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (a, b) in found.iter().zip(wanted) {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1e-300),
            "{found:?}\n{wanted:?}"
        );
    }
}

#[test]
fn a_line_is_that_of_least_squares_whatever_the_estimator() {
    let data = scatter(40);
    let [a, b, s] = least_squares(&data);
    for method in ["saem", "vem"] {
        let found = fit(LINE, &data, method);
        near(&numbers(&found, "parameters.natural"), &[a, b, s], 1e-7);
        assert_eq!(text(&found, "status.code"), "converged");
        assert_eq!(text(&found, "log_lik.method"), "exact");
        let n = 40.0f64;
        let exact = -0.5 * n * ((std::f64::consts::TAU * s * s).ln() + 1.0);
        near(&numbers(&found, "log_lik.value"), &[exact], 1e-12);
        let covariance = numbers(&found, "uncertainty.natural");
        let x = data.column("x");
        let mx = x.iter().sum::<f64>() / n;
        let sxx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
        near(
            &[covariance[4], covariance[8]],
            &[s * s / sxx, s * s / (2.0 * n)],
            1e-5,
        );
    }
}

#[test]
fn rows_of_one_level_or_of_several_say_the_same() {
    let data = scatter(60);
    let [a, b, s] = least_squares(&data);
    let one = Data {
        subject: vec![0; 60],
        ..data.clone()
    };
    let some = Data {
        subject: (0..60).map(|i| i / 7).collect(),
        ..data
    };
    for data in [one, some] {
        let found = fit(LINE, &data, "saem");
        near(&numbers(&found, "parameters.natural"), &[a, b, s], 1e-6);
        let covariance = numbers(&found, "uncertainty.natural");
        near(&[covariance[8]], &[s * s / 120.0], 1e-3);
    }
}

#[test]
fn units_of_an_outcome_do_not_matter() {
    for unit in [1e-6, 1e6] {
        let plain = scatter(40);
        let data = plain
            .clone()
            .with("y", |row, _| unit * plain.column("y")[row]);
        let [a, b, s] = least_squares(&data);
        let found = fit(LINE, &data, "saem");
        near(&numbers(&found, "parameters.natural"), &[a, b, s], 1e-6);
        assert_eq!(text(&found, "status.code"), "converged");
    }
}

#[test]
fn what_the_data_do_not_tell_is_said() {
    let model = LINE
        .replace("a + b * x", "a + b * b2")
        .replace("fixed s", "fixed b2 = 2\nfixed s");
    let model = model.replace("a + b * b2", "a + b * b2 * x");
    let found = fit(&model, &scatter(40), "saem");
    assert_eq!(text(&found, "status.code"), "stalled");
    let ReplyValue::Texts(evidence) = get(&found, "status.evidence") else {
        panic!("no evidence");
    };
    assert!(
        evidence
            .iter()
            .any(|line| line.contains("`b`") && line.contains("`b2`")),
        "{evidence:?}"
    );
}

#[test]
fn distant_starts_reach_the_maximum() {
    let mut random = Generator(3);
    let t: Vec<f64> = (0..30).map(|i| 0.1 + f64::from(i) * 0.3).collect();
    let y: Vec<f64> = t
        .iter()
        .map(|t| 10.0 * (-0.6 * t).exp() + 0.1 * random.normal())
        .collect();
    let data = Data::new(30, |_| 1)
        .with("t", |row, _| t[row])
        .with("y", |row, _| y[row]);
    let of = |a: f64, k: f64| {
        let model = format!(
            "fixed a = {a}\nfixed k = positive({k})\nfixed s = positive(1)\ny ~ normal(a * exp(-k * t), s)"
        );
        numbers(&fit(&model, &data, "saem"), "parameters.natural")
    };
    let known = of(10.0, 0.6);
    for (a, k) in [
        (30.0, 1.8),
        (3.0, 0.2),
        (30.0, 0.2),
        (3.0, 1.8),
        (0.1, 5.0),
        (1000.0, 0.01),
    ] {
        near(&of(a, k), &known, 1e-6);
    }
}

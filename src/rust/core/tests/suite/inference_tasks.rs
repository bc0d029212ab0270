//! The tasks after a fit: log-likelihoods, covariances and weights, as a front end asks for them.

use crate::common::data::{Data, Generator};
use crate::common::numeric::relative;
use crate::common::{pharmacokinetics, request_json, sent};
use nlmers_core::error::Error;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::reply::ReplyValue;
use nlmers_core::request;
use serde_json::{json, Value as Json};

fn ask(model: &str, data: &Data, task: &str, fields: &Json) -> Result<ReplyValue, Error> {
    let mut request = request_json(task, model, data);
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request::run(&sent(&request), data.request_columns(), &Silent)
}

fn field<'v>(value: &'v ReplyValue, name: &str) -> &'v ReplyValue {
    let ReplyValue::List(entries) = value else {
        panic!("{value:?}")
    };
    let found = entries.iter().find(|(known, _)| known == name);
    &found
        .unwrap_or_else(|| panic!("no `{name}`: {entries:?}"))
        .1
}

fn number(value: &ReplyValue, name: &str) -> f64 {
    match field(value, name) {
        ReplyValue::Number(x) => *x,
        ReplyValue::Integers(x) => f64::from(x[0]),
        other => panic!("{other:?}"),
    }
}

fn numbers<'v>(value: &'v ReplyValue, name: &str) -> &'v [f64] {
    match field(value, name) {
        ReplyValue::Numbers(x) => x,
        ReplyValue::Matrix { data, .. } => data,
        other => panic!("{other:?}"),
    }
}

fn texts<'v>(value: &'v ReplyValue, name: &str) -> &'v [String] {
    match field(value, name) {
        ReplyValue::Texts(x) => x,
        other => panic!("{other:?}"),
    }
}

fn absorption() -> Json {
    json!({
        "parameters": {"lka": [0.46], "lv": [3.45], "lcl": [1.01], "o": [0.3844, 0.0169, 0.0676], "s": [0.74]},
        "seed": 3,
    })
}

fn with(mut fields: Json, more: &Json) -> Json {
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

fn log_likelihood(more: &Json) -> Result<ReplyValue, Error> {
    let fields = with(absorption(), more);
    ask(
        pharmacokinetics::MODEL,
        &pharmacokinetics::data(),
        "log_likelihood",
        &fields,
    )
}

#[test]
fn the_log_likelihood_is_computed_as_it_is_asked_for() {
    let joint = pharmacokinetics::problem();
    let exact = |nodes| {
        quadrature(joint.main(), &joint.theta.start, nodes)
            .unwrap()
            .log_lik
    };
    let plain = log_likelihood(&json!({})).unwrap();
    assert_eq!(
        field(&plain, "method"),
        &ReplyValue::Text("quadrature".into())
    );
    let miss = (number(&plain, "value") - exact(15)).abs();
    assert!(miss < 2e-3 && number(&plain, "error") < 0.005, "{miss}");
    let given = log_likelihood(&json!({"nodes": 11})).unwrap();
    assert_eq!(number(&given, "nodes"), 11.0);
    assert!(relative(number(&given, "value"), exact(11), 1.0) < 1e-9);
    assert!(number(&given, "error") < 1e-3);
    let laplace = log_likelihood(&json!({"log_lik": "laplace"})).unwrap();
    assert_eq!(
        field(&laplace, "method"),
        &ReplyValue::Text("laplace".into())
    );
    assert_eq!(number(&laplace, "nodes"), 1.0);
    assert!(relative(number(&laplace, "value"), exact(1), 1.0) < 1e-9);
    let drawn = log_likelihood(&json!({"log_lik": "importance", "draws": 801})).unwrap();
    assert_eq!(number(&drawn, "draws"), 804.0);
    let (miss, error) = (
        (number(&drawn, "value") - exact(11)).abs(),
        number(&drawn, "mc_error"),
    );
    assert!(miss < 4.0 * error && error < 0.05, "{miss} {error}");
    assert!(
        relative(
            numbers(&drawn, "subjects").iter().sum(),
            number(&drawn, "value"),
            1.0
        ) < 1e-12
    );
    assert_eq!(
        field(&drawn, "converged"),
        &ReplyValue::Flags(vec![true; 12])
    );
    let linear = log_likelihood(&json!({"log_lik": "linear"})).unwrap();
    assert_eq!(field(&linear, "method"), &ReplyValue::Text("linear".into()));
    assert_eq!(numbers(&linear, "subjects").len(), 12);
    assert!((number(&linear, "value") - exact(11)).abs() < 3.0);
}

#[test]
fn draws_are_those_of_the_seed() {
    let value = |seed: u64| {
        let asked = json!({"log_lik": "importance", "draws": 100, "seed": seed});
        number(&log_likelihood(&asked).unwrap(), "value").to_bits()
    };
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
}

#[test]
fn weights_have_an_entry_for_every_batch() {
    let fields = with(absorption(), &json!({"draws": 400}));
    let data = pharmacokinetics::data();
    let found = ask(pharmacokinetics::MODEL, &data, "importance", &fields).unwrap();
    for name in ["log_lik", "mc_error", "ess", "khat"] {
        assert_eq!(numbers(&found, name).len(), 12, "{name}");
    }
    assert_eq!(number(&found, "draws"), 400.0);
    let total: f64 = numbers(&found, "log_lik").iter().sum();
    let asked = json!({"log_lik": "importance", "draws": 400});
    assert_eq!(total, number(&log_likelihood(&asked).unwrap(), "value"));
}

fn uncertainty(more: &Json) -> ReplyValue {
    let fields = with(absorption(), more);
    ask(
        pharmacokinetics::MODEL,
        &pharmacokinetics::data(),
        "uncertainty",
        &fields,
    )
    .unwrap()
}

/// Natural standard errors by name.
fn standard_errors(value: &ReplyValue) -> Vec<(String, f64)> {
    let names = texts(value, "name");
    let (natural, p) = (numbers(value, "natural"), names.len());
    let each = names.iter().enumerate();
    each.map(|(k, name)| (name.clone(), natural[k * p + k].sqrt()))
        .collect()
}

#[test]
fn covariances_are_those_of_their_method() {
    let of = |method: &str| uncertainty(&json!({"se": method, "draws": 1000}));
    let louis = of("louis");
    assert_eq!(field(&louis, "method"), &ReplyValue::Text("louis".into()));
    let by_default = uncertainty(&json!({"draws": 1000}));
    assert_eq!(standard_errors(&louis), standard_errors(&by_default));
    assert_eq!(texts(&louis, "coordinates").len(), 7);
    let (louis, linear, sandwich) = (
        standard_errors(&louis),
        standard_errors(&of("linear")),
        standard_errors(&of("sandwich")),
    );
    for ((name, louis), ((_, linear), (_, sandwich))) in
        louis.iter().zip(linear.iter().zip(&sandwich))
    {
        // Twelve subjects of the model itself, near its maximum: three estimates of the same.
        assert!(
            relative(*louis, *linear, 0.0) < 0.4,
            "{name}: {louis} {linear}"
        );
        assert!(
            relative(*louis, *sandwich, 0.0) < 0.7,
            "{name}: {louis} {sandwich}"
        );
        assert!(louis != linear && louis != sandwich, "{name}");
    }
    // The residual error is positive: its natural standard error is that of the logarithm times the value.
    let all = of("louis");
    let transformed = numbers(&all, "transformed")[7 * 7 - 1].sqrt();
    assert!(relative(louis[6].1, 0.74 * transformed, 0.0) < 1e-12);
}

#[test]
fn what_the_fit_held_has_no_standard_error() {
    let found = uncertainty(&json!({"fix": {"o": [0.3844, 0.0169, 0.0676], "s": null}}));
    assert_eq!(texts(&found, "name"), ["lka", "lv", "lcl"]);
}

const COUNTS: &str = "
    fixed a = 0.5
    fixed o = positive(0.8)
    random e ~ normal(a, o) | id
    y ~ poisson(exp(e))";

fn counts() -> Data {
    let mut draw = Generator(4);
    Data::new(20, |_| 3).with("y", |_, i| draw.poisson((0.1 * i as f64).exp()))
}

#[test]
fn a_linearized_model_of_counts_is_refused_with_what_to_ask_instead() {
    let fields =
        json!({"parameters": {"a": [0.5], "o": [0.8]}, "log_lik": "linear", "se": "linear"});
    let error = ask(COUNTS, &counts(), "log_likelihood", &fields).unwrap_err();
    assert_eq!(
        error.problem,
        "A linearized model needs normal outcomes: `y` is poisson."
    );
    assert!(error
        .hint
        .unwrap()
        .contains("\"importance\" or \"quadrature\""));
    let error = ask(COUNTS, &counts(), "uncertainty", &fields).unwrap_err();
    assert!(error.hint.unwrap().contains("\"louis\" or \"sandwich\""));
}

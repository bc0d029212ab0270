//! A large model costs no more than its size: guards against work that grows with its square.

use std::fmt::Write;
use std::time::Duration;

use crate::common::data::Data;
use crate::common::{asked, request_json, sent, text};
use cpu_time::ThreadTime;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Given, Joint};
use nlmers_core::request::run;
use serde_json::json;

/// CPU time of compiling a model and binding it to data.
fn cost(model: &str, data: &Data) -> Duration {
    let request = request_json("fit", model, data);
    let start = ThreadTime::now();
    let request = asked(&request).unwrap();
    let frame = request.frame(data.request_columns()).unwrap();
    let problem = Joint::new(&request.compiled().unwrap(), &frame, &Given::default()).unwrap();
    assert!(problem.main().n_subjects() == data.n_subjects());
    start.elapsed()
}

fn data() -> Data {
    Data::new(20, |_| 5)
        .with("x", |row, _| (row as f64).sin())
        .with("y", |row, _| (row as f64).cos())
}

/// `n` statements that read two parameters each and the one before, and half as many parameters again.
fn long(n: usize) -> String {
    let mut text = String::from("fixed s = positive(1)\nrandom e ~ normal(0, 1) | id\n");
    for i in 0..n {
        writeln!(text, "fixed a{i} = 0.1\nfixed b{i} = positive(0.2)").unwrap();
    }
    for i in 0..n / 2 {
        writeln!(text, "fixed c{i} = real(0.3)").unwrap();
    }
    writeln!(text, "v0 <- e").unwrap();
    for i in 0..n {
        let (last, c) = (i, i / 2);
        writeln!(
            text,
            "v{} <- tanh(v{last} * b{i} + a{i} * x) + exp(-c{c} * x^2)",
            i + 1
        )
        .unwrap();
    }
    format!("{text}y ~ normal(v{n}, s)")
}

#[test]
fn two_hundred_statements_and_five_hundred_parameters_compile_in_half_a_second() {
    let model = long(200);
    let specification = text::model(&model);
    assert!(specification["parameters"].as_array().unwrap().len() >= 500);
    assert!(specification["statements"].as_array().unwrap().len() >= 200);
    let time = cost(&model, &data());
    assert!(time < Duration::from_millis(500), "{time:?}");
}

/// CPU time of what building a model in R asks for, without the parsing of R's code; the best of five.
fn described(model: &str) -> Duration {
    let request = sent(&json!({"task": "describe", "model": text::model(model)}));
    let times = (0..5).map(|_| {
        let start = ThreadTime::now();
        run(&request, Vec::new(), &Silent).unwrap();
        start.elapsed()
    });
    times.min().unwrap()
}

/// 50 ms in a release build; here the compiler optimizes less. Twice the model takes about twice the time.
#[test]
fn a_large_model_is_described_at_once() {
    let (half, whole) = (described(&long(100)), described(&long(200)));
    println!("describe: {half:?} and {whole:?}");
    assert!(whole < Duration::from_millis(100), "{whole:?}");
    assert!(whole < 4 * half, "{half:?} {whole:?}");
}

/// Each statement reads the one before twice: walking every path would take `2^n` steps.
#[test]
fn shared_values_are_walked_once() {
    for step in [
        "v{} * (v{} * a)",
        "v{} + (v{} + a)",
        "v{} + (v{} + wt * a)",
        "v{} * (v{} * b) / wt",
    ] {
        let mut model = String::from(
            "fixed a = 0.01\nfixed b = positive(0.9)\nfixed o = positive(0.5)\nv0 <- b\n",
        );
        for i in 0..40 {
            let value = step.replace("{}", &i.to_string());
            writeln!(model, "v{} <- {value}", i + 1).unwrap();
        }
        let model = format!(
            "{model}random e ~ normal(0, o) | id\ny ~ normal(v40 * exp(e) + exp(v39 + e), a^2 + b)"
        );
        let data = data().with("wt", |_, i| 1.0 + 0.01 * i as f64);
        let time = cost(&model, &data);
        assert!(time < Duration::from_millis(200), "{step}: {time:?}");
    }
}

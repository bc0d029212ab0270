//! Requests as they are written: what every task may say, and that nothing else is taken.

use crate::common::data::Data;
use crate::common::{request_json, sent};
use nlmers_core::request::{Request, PROTOCOL};
use serde_json::{json, Value as Json};

const MODEL: &str =
    "fixed a = 1\nfixed o = positive(1)\nrandom e ~ normal(a, o) | id\ny ~ normal(e, 1)";

const TASKS: [&str; 12] = [
    "describe",
    "check",
    "fit",
    "predict",
    "simulate",
    "log_density",
    "log_likelihood",
    "uncertainty",
    "importance",
    "modes",
    "classes",
    "conditional_samples",
];

fn data() -> Data {
    Data::new(3, |_| 2).with("y", |row, _| row as f64)
}

/// A request of a task with the least that it needs.
fn least(task: &str) -> Json {
    let mut request = request_json(task, MODEL, &data());
    if task == "describe" {
        request.as_object_mut().unwrap().remove("data");
    }
    serde_json::from_str(&sent(&request)).unwrap()
}

fn refusal(request: &Json) -> String {
    Request::parse(&request.to_string())
        .unwrap_err()
        .to_string()
}

#[test]
fn every_task_reads_what_it_writes() {
    for task in TASKS {
        let read = Request::parse(&least(task).to_string()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written["task"], task);
        // The model itself is the front end's alone.
        let mut again = json!({"protocol": PROTOCOL, "request": written});
        let of_fit = again["request"].get("fit").is_some();
        let at = match of_fit {
            true => &mut again["request"]["fit"],
            false => &mut again["request"],
        };
        at["model"] = crate::common::text::model(MODEL);
        let read = Request::parse(&again.to_string()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "{task}");
    }
}

#[test]
fn fields_that_a_task_does_not_have_are_refused() {
    for task in TASKS {
        let mut request = least(task);
        request["request"]["sede"] = json!(1);
        assert!(refusal(&request).contains("unknown field `sede`"), "{task}");
        let mut request = least(task);
        request["more"] = json!(1);
        assert!(refusal(&request).contains("unknown field `more`"), "{task}");
    }
    for task in &TASKS[6..] {
        let mut request = least(task);
        request["request"]["fit"]["at"]["parameter"] = json!({});
        let told = refusal(&request);
        assert!(told.contains("unknown field `parameter`"), "{task}: {told}");
    }
}

#[test]
fn fields_that_a_model_does_not_have_are_refused() {
    let whole = least("describe");
    for part in ["", "parameters", "random", "statements"] {
        let mut request = whole.clone();
        let model = &mut request["request"]["model"];
        let at = if part.is_empty() {
            model
        } else {
            &mut model[part][0]
        };
        at["lowr"] = json!([1.0]);
        let told = refusal(&request);
        assert!(told.contains("unknown field `lowr`"), "{part}: {told}");
    }
}

#[test]
fn words_that_no_one_knows_are_refused() {
    let with = |path: &[&str], value: Json| {
        let mut request = least("fit");
        request["request"]["method"] = json!({"name": "saem"});
        let mut at = &mut request["request"];
        for name in path {
            at = &mut at[*name];
        }
        *at = value;
        refusal(&request)
    };
    let cases: [(&[&str], Json, &str); 6] = [
        (&["task"], json!("fitt"), "`fitt`"),
        (&["method", "name"], json!("em"), "`em`"),
        (&["method", "schedule"], json!({"kapa": 1}), "`kapa`"),
        (&["method", "update_schedule"], json!("some"), "`some`"),
        (&["method", "sampler"], json!({"kind": "gibbs"}), "`gibbs`"),
        (&["method", "inference"], json!({"se": "bayes"}), "`bayes`"),
    ];
    for (path, value, word) in cases {
        let told = with(path, value);
        assert!(told.contains(word), "{path:?}: {told}");
    }
}

#[test]
fn another_protocol_is_refused_by_its_number() {
    let mut request = least("describe");
    request["protocol"] = json!(PROTOCOL + 1);
    let told = refusal(&request);
    assert!(
        told.contains(&format!("protocol {}", PROTOCOL + 1)) && told.contains("install"),
        "{told}"
    );
    request.as_object_mut().unwrap().remove("protocol");
    assert!(refusal(&request).contains("missing field `protocol`"));
}

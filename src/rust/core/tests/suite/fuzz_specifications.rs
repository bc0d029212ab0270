//! Random specifications never bring the core down: every kind of parameter, covariate, statement and family, with
//! wrong shapes, texts in odd places, huge loops and vectors.

use std::collections::BTreeMap;

use crate::common::data::{Data, Generator};
use crate::common::{asked, likelihood};
use nlmers_core::distributions::FAMILIES;
use nlmers_core::error::Error;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::language::words::ERROR_MODELS;
use nlmers_core::model::functions::FUNCTIONS;
use nlmers_core::problem::{Given, Joint};
use serde_json::{json, Value as Json};

fn pick<'a>(draw: &mut Generator, words: &[&'a str]) -> &'a str {
    words[draw.below(words.len())]
}

/// Names of everything that is declared, and of some things that are not.
const NAMES: [&str; 20] = [
    "a", "k", "p", "q", "w", "e", "eta", "x", "wt", "sex", "xs", "u", "v", "i", "y", "nowhere",
    "TRUE", "FALSE", "", "e",
];

fn number(draw: &mut Generator) -> f64 {
    const NUMBERS: [f64; 14] = [
        0.0, 1.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, 2.5, 1e-300, 1e300, 1e6, 1e9, 7.0,
    ];
    NUMBERS[draw.below(14)]
}

fn leaf(draw: &mut Generator) -> Json {
    match draw.below(40) {
        0..=19 => json!({"sym": pick(draw, &["a", "k", "e", "x", "wt", "u"])}),
        20..=25 => json!({"sym": pick(draw, &NAMES[..15])}),
        26 => json!({"sym": pick(draw, &NAMES)}),
        27 => json!({"str": pick(draw, &["F", "M", "Z", "Age", ""])}),
        _ => json!({"num": number(draw)}),
    }
}

fn tree(draw: &mut Generator, depth: usize) -> Json {
    if depth == 0 || draw.below(5) == 0 {
        return leaf(draw);
    }
    let (call, n) = match draw.below(12) {
        0..=4 => (pick(draw, &["+", "-", "*", "/", "^"]), 2),
        5 => (pick(draw, &["exp", "plogis", "sum", "abs", "length"]), 1),
        6 => (pick(draw, &["c", "[", "[", "rep", ":", "matrix"]), 2),
        7 => (pick(draw, &["<", "==", ">", "&", "!="]), 2),
        8 => (pick(draw, &["ifelse", "if"]), 3),
        10 => (
            FUNCTIONS[draw.below(FUNCTIONS.len())].name,
            [1, 1, 1, 2, 2, 3, 0][draw.below(7)],
        ),
        _ => (FUNCTIONS[17 + draw.below(20)].name, 1),
    };
    let args: Vec<Json> = (0..n).map(|_| tree(draw, depth - 1)).collect();
    let mut call = json!({"call": call, "args": args});
    if draw.below(30) == 0 {
        let words = ["times", "each", "x", "by", "nrow", "", "base"];
        call["names"] = json!((0..n).map(|_| pick(draw, &words)).collect::<Vec<_>>());
    }
    if draw.below(60) == 0 {
        return json!({"block": statements(draw, 1), "value": call});
    }
    call
}

fn statement(draw: &mut Generator, depth: usize) -> Json {
    let target = pick(
        draw,
        &["u", "u", "v", "v", "r", "u", "v", "i", "r", "a", "x"],
    );
    match draw.below(if depth == 0 { 6 } else { 10 }) {
        0..=3 => {
            json!({"kind": "assign", "target": target, "value": tree(draw, 3), "text": "assign"})
        }
        4 => {
            let n = 1 + draw.below(2);
            let index: Vec<Json> = (0..n).map(|_| tree(draw, 1)).collect();
            json!({"kind": "assign", "target": target, "index": index, "value": tree(draw, 2),
                "text": "part"})
        }
        5 if draw.below(8) == 0 => outcome(draw),
        5 => json!({"kind": "assign", "target": target, "text": "vector",
            "value": {"call": "c", "args": [leaf(draw), leaf(draw), leaf(draw)]}}),
        6..=7 => {
            json!({"kind": "if", "condition": tree(draw, 2), "yes": statements(draw, depth - 1),
            "no": statements(draw, depth - 1), "text": "if"})
        }
        _ => {
            let end = [1.0, 2.0, 3.0, 3.0, 20.0, 1e4, 1e9][draw.below(7)];
            let values = match draw.below(3) {
                0 => tree(draw, 1),
                _ => json!({"call": ":", "args": [{"num": 1.0}, {"num": end}]}),
            };
            json!({"kind": "for", "variable": pick(draw, &["i", "i", "i", "k", "u"]),
                "values": values, "body": statements(draw, depth - 1), "text": "for"})
        }
    }
}

fn statements(draw: &mut Generator, depth: usize) -> Vec<Json> {
    (0..draw.below(3)).map(|_| statement(draw, depth)).collect()
}

fn outcome(draw: &mut Generator) -> Json {
    let mut families: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    families.push("nothing");
    let family = if draw.below(3) == 0 {
        pick(draw, &families)
    } else {
        pick(
            draw,
            &["normal", "custom", "poisson", "laplace", "neg_binomial"],
        )
    };
    let n = match family {
        _ if draw.below(12) == 0 => draw.below(4),
        "bernoulli" | "poisson" | "custom" | "categorical" | "exponential" | "event" => 1,
        "student_t" | "ordered" => 3,
        _ => 2,
    };
    let mut args: Vec<Json> = (0..n).map(|_| tree(draw, 1)).collect();
    if draw.below(6) > 0 && n > 0 {
        args[n - 1] = json!({"sym": "k"});
        args[0] =
            json!({"call": "+", "args": [{"sym": "e"}, {"call": "sum", "args": [tree(draw, 2)]}]});
    }
    if draw.below(5) == 0 && n == 2 {
        let error = [ERROR_MODELS.as_slice(), &["prop"]].concat();
        args[1] = json!({"call": pick(draw, &error), "args": [{"sym": "k"}]});
    }
    let column = ["y", "z", "y", "a", "u"][draw.below(42) / 10];
    json!({"kind": "outcome", "column": column,
        "dist": {"call": family, "args": args}, "text": "outcome"})
}

fn parameter(draw: &mut Generator, name: &str, kinds: &[(&str, &[f64])]) -> Json {
    let (kind, values) = kinds[draw.below(kinds.len())];
    let mut values = values.to_vec();
    if draw.below(150) == 0 {
        let k = draw.below(values.len());
        values[k] = number(draw);
    }
    if draw.below(200) == 0 {
        values.pop();
    }
    let mut entry = json!({"name": name, "type": kind, "value": values,
        "scale": if kind == "real" { pick(draw, &["log", "log", "identity", "logit"]) } else { "identity" },
        "vector": draw.below(4) == 0});
    if kind == "real" && draw.below(150) == 0 {
        entry["lower"] = json!(number(draw));
    }
    if kind == "covariance_matrix" && draw.below(2) == 0 {
        entry["parameterization"] = json!(["matrix_log", "cholesky", "odd"][draw.below(41) / 20]);
    }
    entry
}

fn random(draw: &mut Generator) -> Json {
    let eta = if draw.below(8) == 0 {
        let known = FAMILIES.iter().filter(|family| family.effect.is_some());
        let mut families: Vec<&str> = known.map(|family| family.name).collect();
        families.push("gaussian");
        json!({"call": pick(draw, &families), "args": [tree(draw, 2), tree(draw, 2)]})
    } else {
        json!({"call": "mvnormal", "args": [{"call": "c", "args": [{"sym": "a"}, {"num": 0}]}, {"sym": "w"}]})
    };
    let mean = if draw.below(8) == 0 {
        tree(draw, 1)
    } else {
        json!({"sym": "a"})
    };
    json!([
        {"names": "e", "group": "id", "text": "e", "dist": {"call": "normal", "args": [mean, {"sym": "k"}]}},
        {"names": "eta", "group": "id", "text": "eta", "dist": eta},
    ])
}

fn covariates(draw: &mut Generator) -> Json {
    let levels = if draw.below(20) == 0 {
        vec!["F"]
    } else {
        vec!["F", "M"]
    };
    let mut list = vec![
        json!({"name": "sex", "kind": "factor", "levels": levels, "text": "sex"}),
        json!({"name": "xs", "kind": "vector", "columns": ["x", "wt"], "text": "xs"}),
    ];
    match draw.below(40) {
        0 => list.push(json!({"name": "wt", "kind": "constant", "on": "id", "text": "wt"})),
        1 => list.push(json!({"name": "x", "kind": "constant", "text": "x"})),
        2 => list.push(
            json!({"name": "x", "kind": "time_varying", "interpolation": "linear", "text": "x"}),
        ),
        3 => list.push(json!({"name": "a", "kind": "factor", "levels": ["1"], "text": "a"})),
        _ => {}
    }
    json!(list)
}

fn specification(draw: &mut Generator) -> Json {
    let matrix: &[f64] = &[1.0, 0.2, 0.2, 1.0];
    let parameters = json!([
        parameter(draw, "a", &[("real", &[0.4])]),
        parameter(draw, "k", &[("real", &[0.7])]),
        parameter(
            draw,
            "p",
            &[("simplex", &[0.2, 0.3, 0.5]), ("real", &[0.2, 0.3])]
        ),
        parameter(
            draw,
            "q",
            &[
                ("transition_matrix", &[0.5, 0.5, 0.25, 0.75]),
                ("rate_matrix", &[-1.0, 1.0, 2.0, -2.0]),
                ("diagonal_matrix", &[1.0, 2.0]),
            ]
        ),
        parameter(draw, "w", &[("covariance_matrix", matrix)]),
    ]);
    let mut code = statements(draw, 2);
    code.insert(
        0,
        json!({"kind": "assign", "target": "u", "text": "u", "value": tree(draw, 2)}),
    );
    code.push(outcome(draw));
    json!({"parameters": parameters, "covariates": covariates(draw), "random": random(draw),
        "statements": code})
}

fn data() -> Data {
    Data::new(4, |i| 1 + i % 3)
        .with("x", |row, _| row as f64 - 2.0)
        .with("wt", |_, i| 50.0 + 10.0 * i as f64)
        .with("sex", |_, i| 1.0 + (i % 2) as f64)
        .with("y", |row, _| f64::from(u8::from(row % 2 == 0)))
        .with("z", |row, _| row as f64)
}

/// Compile, bind and evaluate; whether the value is finite for some subject.
fn evaluate(specification: &Json, data: &Data) -> Result<bool, Error> {
    let request = json!({"task": "fit", "model": specification,
        "data": {"group": "id", "labels": ["1", "2", "3", "4"], "n_rows": data.n_rows()}});
    let request = asked(&request)?;
    let model = request.compiled()?;
    let frame = request.frame(data.request_columns())?;
    // A program of this size only takes memory.
    if model.graph.len() > 20_000 {
        return Ok(false);
    }
    let joint = Joint::new(&model, &frame, &Given::default())?;
    let problem = joint.main();
    let theta = &problem.theta.start;
    let phi = vec![0.3; problem.n_subjects() * problem.n_phi()];
    let isa = Isa::detect();
    let values = likelihood::values(isa, problem, theta, &phi);
    let slopes = likelihood::gradient_theta(isa, problem, theta, &phi);
    assert_eq!(slopes.len(), theta.len());
    assert_eq!(
        problem.natural_jacobian(theta).len(),
        problem.theta.elements.len()
    );
    Ok(values.iter().any(|value| value.is_finite()))
}

#[test]
fn random_specifications_are_refused_or_evaluated() {
    let count = 100_000;
    let mut draw = Generator(4711);
    let data = data();
    let (mut bound, mut finite) = (0, 0);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..count {
        match evaluate(&specification(&mut draw), &data) {
            Ok(is_finite) => {
                bound += 1;
                finite += usize::from(is_finite);
            }
            Err(error) => {
                assert!(!error.problem.is_empty());
                assert_ne!(error.reason, "request", "{error}");
                *reasons.entry(error.reason).or_default() += 1;
            }
        }
    }
    // The generator must not degenerate into one kind of refusal.
    assert!(
        bound > count / 50 && finite > count / 100 && reasons.len() > 20,
        "{bound} {finite} {reasons:?}"
    );
}

//! Random expressions never bring the core down: they are refused in words, or they are evaluated.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::scalar::{evaluate, Environment};
use crate::common::{asked, likelihood, text};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::language::expression::Expression;
use nlmers_core::model::functions::FUNCTIONS;
use nlmers_core::problem::{subject_values, Given, Joint, Problem};
use serde_json::{json, Value as Json};

const TREES: u64 = 20_000;

/// Leaves: parameters of every shape, effects, columns of every kind, numbers of every size.
fn leaf(draw: &mut Generator) -> Json {
    const NAMES: [&str; 13] = [
        "a", "k", "p", "e", "e", "e", "x", "wt", "z", "y", "v", "w", "eta",
    ];
    const NUMBERS: [f64; 10] = [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 1e-300, 1e300, 7.0, 2.5];
    match draw.below(20) {
        0..=11 => json!({"sym": NAMES[draw.below(10)]}),
        12 => json!({"sym": NAMES[draw.below(13)]}),
        13 if draw.below(20) == 0 => json!({"sym": "nowhere"}),
        14 if draw.below(20) == 0 => json!({"str": "text"}),
        _ => json!({"num": NUMBERS[draw.below(10)]}),
    }
}

fn tree(draw: &mut Generator, depth: usize) -> Json {
    if depth == 0 || draw.below(6) == 0 {
        return leaf(draw);
    }
    // Half of the calls are arithmetic, so that many trees compile.
    let (call, n) = match draw.below(11) {
        0..=4 => (["+", "-", "*", "/", "^"][draw.below(5)], 2),
        5..=7 => (FUNCTIONS[17 + draw.below(20)].name, 1),
        8 => (
            FUNCTIONS[draw.below(FUNCTIONS.len())].name,
            1 + draw.below(3),
        ),
        9 => ("ifelse", 3),
        _ => (
            ["ifelse", "[", "pmin", "<", "sum", "c"][draw.below(6)],
            1 + draw.below(3),
        ),
    };
    let args: Vec<Json> = (0..n).map(|_| tree(draw, depth - 1)).collect();
    json!({"call": call, "args": args})
}

fn data() -> Data {
    Data::new(4, |i| 1 + i % 3)
        .with("x", |row, _| row as f64 - 2.0)
        .with("wt", |_, i| 50.0 + 10.0 * i as f64)
        .with("z", |_, i| i as f64 - 1.0)
        .with("u", |_, _| 0.0)
        .with("y", |row, _| {
            if row == 3 {
                f64::NAN
            } else {
                f64::from(u8::from(row % 2 == 0))
            }
        })
}

/// Reads every parameter and effect, and weighs nothing.
const EVERYTHING: &str = "custom(1e-300 * (a + k + p + sum(v) + sum(w) + e + sum(eta)))";

/// The model around a tree: where it stands, and in which outcome.
fn request(draw: &mut Generator) -> Json {
    let mut model = text::model(
        "fixed a = 0.4
         fixed k = positive(0.7)
         fixed p = probability(0.3)
         fixed v = real(1, -2, 3)
         fixed w = covariance_matrix(1, 0.2, 0.2, 1)
         random e ~ normal(0, 1) | id
         random eta ~ mvnormal(c(a, 1), w) | id",
    );
    let first = tree(draw, 3);
    let inner = tree(draw, 4);
    let second = json!({"call": "+", "args": [{"call": "sum", "args": [inner]}, {"sym": "e"}]});
    let families = ["custom", "poisson", "bernoulli", "lognormal", "normal"];
    let family = families[[0, 0, 0, 1, 2, 3, 4, 4][draw.below(8)]];
    let mut args = vec![second];
    if family.ends_with("normal") {
        args.push(match draw.below(4) {
            0 => tree(draw, 1),
            1 => json!({"call": "prop", "args": [{"sym": "k"}]}),
            2 => json!({"call": "add_prop", "args": [{"sym": "k"}, {"sym": "p"}]}),
            _ => json!({"sym": "k"}),
        });
    }
    if draw.below(10) == 0 {
        model["random"][0]["dist"]["args"][draw.below(2)] = tree(draw, 2);
    }
    model["statements"] = json!([
        {"kind": "assign", "target": "early", "value": first, "text": "early <- ..."},
        {"kind": "outcome", "column": "y", "dist": {"call": family, "args": args}, "text": "y ~ ..."},
        {"kind": "outcome", "column": "u", "dist": text::expression(EVERYTHING), "text": "u ~ ..."},
    ]);
    json!({"task": "fit", "model": model,
        "data": {"group": "id", "labels": ["1", "2", "3", "4"], "n_rows": 7}})
}

#[test]
fn random_trees_are_refused_or_evaluated() {
    let mut draw = Generator(2024);
    let (mut compiled, mut bound, mut finite) = (0, 0, 0);
    let data = data();
    for _ in 0..TREES {
        let request = asked(&request(&mut draw)).unwrap();
        let Ok(model) = request.compiled() else {
            continue;
        };
        compiled += 1;
        let frame = request.frame(data.request_columns()).unwrap();
        let Ok(problem) = Joint::new(&model, &frame, &Given::default()) else {
            continue;
        };
        bound += 1;
        finite += u64::from(is_finite(problem.main()));
    }
    // The generator must not degenerate into refusals or into NaN.
    assert!(
        compiled > TREES / 4 && bound > TREES / 8 && finite > TREES / 16,
        "{compiled} {bound} {finite}"
    );
}

/// A tree that the scalar evaluator of the tests understands: no vectors, no ties.
fn is_scalar(tree: &Json) -> bool {
    const SHAPED: [&str; 32] = [
        "v",
        "w",
        "eta",
        "early",
        "nowhere",
        "c",
        "[",
        "rep",
        "diag",
        "%*%",
        "length",
        "==",
        "!=",
        "(",
        ":",
        "seq_len",
        "seq_along",
        "seq",
        "numeric",
        "matrix",
        "t",
        "nrow",
        "ncol",
        "cumsum",
        "cumprod",
        "rev",
        "crossprod",
        "tcrossprod",
        "outer",
        "rowSums",
        "colSums",
        "rbind",
    ];
    let name = tree["sym"].as_str().or(tree["call"].as_str());
    let plain = name.is_none_or(|name| !SHAPED.contains(&name)) && tree["str"].is_null();
    let args = tree["args"].as_array();
    plain && args.is_none_or(|args| args.iter().all(is_scalar))
}

/// Values of custom densities are those of the tree, wherever both are finite.
#[test]
fn random_trees_have_the_value_of_their_text() {
    let mut draw = Generator(77);
    let data = data();
    let mut compared = 0;
    for _ in 0..TREES / 4 {
        let request = request(&mut draw);
        let statement = &request["model"]["statements"][1];
        let tree = &statement["dist"]["args"][0];
        if statement["dist"]["call"] != "custom" || !is_scalar(tree) {
            continue;
        }
        let request = asked(&request).unwrap();
        let Ok(model) = request.compiled() else {
            continue;
        };
        let frame = request.frame(data.request_columns()).unwrap();
        let Ok(problem) = Joint::new(&model, &frame, &Given::default()) else {
            continue;
        };
        // Of effects whose SD reads data the program counts the density too.
        if problem.main().form.corrections.is_empty() {
            compared += compare(problem.main(), tree, &data);
        }
    }
    assert!(compared > 500, "{compared}");
}

fn compare(problem: &Problem, tree: &Json, data: &Data) -> usize {
    let theta = &problem.theta.start;
    let effects = vec![0.3; problem.n_subjects() * problem.n_phi()];
    let shifts = &problem.programs.shifts;
    let shifts = subject_values(problem, &problem.full_layout(), shifts, theta);
    let phi: Vec<f64> = effects.iter().zip(shifts).map(|(e, s)| e + s).collect();
    let mut compared = 0;
    for isa in Isa::available() {
        let values = likelihood::values(isa, problem, theta, &phi);
        for (subject, value) in values.iter().enumerate() {
            let rows = data.rows_of(subject).into_iter();
            let expected: f64 = rows
                .filter(|row| !data.column("y")[*row].is_nan())
                .map(|row| at_row(tree, data, row))
                .sum();
            // The program may know that 0 * x is 0 where x is infinite, and rounds otherwise.
            if expected.is_finite() && value.is_finite() && expected.abs() < 1e6 {
                let error = common::numeric::relative(*value, expected, 1.0);
                assert!(error < 1e-7, "{isa:?} {value} {expected} {}", shown(tree));
                compared += 1;
            }
        }
    }
    compared
}

fn at_row(tree: &Json, data: &Data, row: usize) -> f64 {
    let names = [("a", 0.4), ("k", 0.7), ("p", 0.3), ("e", 0.3)];
    let mut env: Environment = names.map(|(name, x)| (name.to_string(), x)).into();
    for (name, values) in &data.columns {
        env.insert(name.clone(), values[row]);
    }
    evaluate(tree, &env)
}

fn shown(tree: &Json) -> String {
    let tree: Expression = serde_json::from_value(tree.clone()).unwrap();
    tree.show()
}

/// One evaluation of everything; true when the value is finite for some subject.
fn is_finite(problem: &Problem) -> bool {
    let theta = &problem.theta.start;
    let phi = vec![0.3; problem.n_subjects() * problem.n_phi()];
    let isa = Isa::detect();
    let values = likelihood::values(isa, problem, theta, &phi);
    let gradient = likelihood::gradient_phi(isa, problem, theta, &phi);
    let slopes = likelihood::gradient_theta(isa, problem, theta, &phi);
    assert_eq!((gradient.len(), slopes.len()), (phi.len(), theta.len()));
    assert_eq!(
        likelihood::information(isa, problem, theta, &phi).len(),
        problem.n_subjects()
    );
    let derived = likelihood::derived_values(isa, problem, &problem.programs.phi, theta, &phi);
    for (a, b) in values.iter().zip(&derived) {
        let error = common::numeric::relative(*a, *b, 1.0);
        assert!(error < 1e-10 || !a.is_finite(), "{a} {b}");
    }
    values.iter().any(|value| value.is_finite())
}

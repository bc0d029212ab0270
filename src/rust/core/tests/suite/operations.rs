//! Every operation of the language inside a program: staging, fusion, masks and padding leave values and derivatives
//! right, at the level of rows and of subjects, in `phi` and in `theta`.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::numeric::{gradient, relative};
use crate::common::scalar::{evaluate, Environment};
use crate::common::{likelihood, text};
use nlmers_core::distributions::LN_SQRT_2PI;
use nlmers_core::ir::op::{BINARY, TERNARY, UNARY};
use nlmers_core::ir::tape::{Instruction, TapeCode};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

/// `U`, `V`, `W` are any numbers, `P` is positive, `Q` a probability, `C` and `D` are conditions far from their ties.
/// Each stands for an expression of its own, so that a fused form is read once.
const OPERATIONS: [&str; 73] = [
    "-U + V",
    "abs(U + 3)",
    "abs(U - 3)",
    "sqrt(P)",
    "U^2",
    "1 / P",
    "exp(U)",
    "expm1(U)",
    "log(P)",
    "log1p(P)",
    "log2(P)",
    "log10(P)",
    "log(P, 3)",
    "sin(U)",
    "cos(U)",
    "tan(0.5 * U)",
    "tanh(U)",
    "atan(U)",
    "lgamma(P)",
    "gamma(P)",
    "digamma(P)",
    "trigamma(P)",
    "pnorm(U)",
    "log(pnorm(U))",
    "log(plogis(U))",
    "qnorm(Q)",
    "plogis(U)",
    "qlogis(Q)",
    "softplus(U)",
    "U + V",
    "U - V",
    "U * V",
    "U / P",
    "P^V",
    "U^3",
    "P^0.5",
    "P^-1",
    "min(U, V + 7)",
    "max(U, V - 9, W + 20 * C - 10)",
    "pmin(U, V + 20 * C - 10)",
    "pmax(U, V + 20 * D - 10)",
    "ifelse(C, U, V)",
    "ifelse(!C, U, V * W)",
    "ifelse(C & D, U, V)",
    "ifelse(D || C, U, W)",
    "ifelse(U == V, U, W)",
    "ifelse(w == 1, U, V)",
    "ifelse(w != 1, U, V)",
    "exp(U * V)",
    "(U - V)^2",
    "(U - V) * W",
    "U * V + W",
    "U * V - W",
    "W - U * V",
    "P * U^2 + W",
    // What the program rewrites as something simpler.
    "0 - U",
    "U - 0 + 0",
    "-1 * U + V * -1",
    "1 * U / 1",
    "U / 4",
    "U / 3",
    "1 / (1 / P)",
    "-(-U)",
    "U^1 + V^0 + V^2",
    "log(exp(U)) + qnorm(pnorm(V))",
    "qlogis(plogis(U))",
    "(-U)^2 + abs(V)^2",
    "abs(exp(U)) + abs(V^2)",
    "P * P",
    "0 * U + V",
    "ifelse(1 < 2, U, V)",
    "ifelse(2 < 1, U, V)",
    "ifelse(C, V, V)",
];

/// An operation with its operands at a level: `e` the random effects or nothing, `x` a covariate.
fn fill(operation: &str, e: [&str; 2], x: &str) -> String {
    let u = format!("(0.5 * {} + 0.3 * th + 0.2 * {x})", e[0]);
    let v = format!("(0.4 * {} - 0.3 * {x} * th)", e[1]);
    let w = format!("(0.3 * {} + 0.7 * th * {x})", e[1]);
    let p = format!("(2 + sin({} + th * {x}))", e[0]);
    let q = format!("plogis({} + 0.4 * th - {x})", e[0]);
    let mut text = operation.to_string();
    for (name, value) in [("U", u), ("V", v), ("W", w), ("P", p), ("Q", q)] {
        text = text.replace(name, &value);
    }
    text.replace('C', &format!("({} < 0.1 * {x})", e[0]))
        .replace('D', &format!("({} <= 0.1 * {x})", e[1]))
}

fn model(operation: &str) -> String {
    let row = fill(operation, ["e1", "e2"], "x");
    let subject = fill(operation, ["e1", "e2"], "w");
    let kept_row = fill(operation, ["th", "0.5"], "x");
    let kept_subject = fill(operation, ["0.5", "th"], "w");
    format!(
        "fixed th = 0.4
         fixed ts = positive(0.8)
         fixed o1 = positive(0.5)
         fixed o2 = positive(0.6)
         random e1 ~ normal(0, o1) | id
         random e2 ~ normal(0, o2) | id
         r <- {row}
         s <- {subject}
         kr <- {kept_row}
         ks <- {kept_subject}
         y ~ normal(r + s + kr + ks, ts)
         v ~ custom(0.1 * s - 0.3 * (v - r)^2 + e1 * e2)"
    )
}

/// Two blocks of lanes, the second one nearly empty; 1 to 5 rows; missing cells in both outcomes.
fn data() -> Data {
    let mut draw = Generator(11);
    let missing = |row: usize, every: usize, value: f64| match row.is_multiple_of(every) {
        true => f64::NAN,
        false => value,
    };
    Data::new(70, |i| 1 + i % 5)
        .with("x", |_, _| draw.between(0.2, 1.6))
        .with("w", |_, i| 0.5 + 0.25 * (i % 3) as f64)
        .with("y", |row, _| missing(row, 4, (row as f64).sin() + 1.0))
        .with("v", |row, _| missing(row, 7, (row as f64).cos()))
}

/// The log-likelihood of a subject, row by row from the text of the model.
fn by_hand(model: &str, data: &Data, theta: [f64; 2], phi: &[f64], subject: usize) -> f64 {
    let mut total = 0.0;
    for row in data.rows_of(subject) {
        let mut env = Environment::from([
            ("th".into(), theta[0]),
            ("ts".into(), theta[1].exp()),
            ("e1".into(), phi[subject * 2]),
            ("e2".into(), phi[subject * 2 + 1]),
        ]);
        for (name, values) in &data.columns {
            env.insert(name.clone(), values[row]);
        }
        for line in model.lines().filter(|line| line.contains("<-")) {
            let (name, value) = line.split_once("<-").unwrap();
            let value = evaluate(&text::expression(value.trim()), &env);
            env.insert(name.trim().into(), value);
        }
        let mean = env["r"] + env["s"] + env["kr"] + env["ks"];
        let z = (env["y"] - mean) / env["ts"];
        let first = -0.5 * z * z - env["ts"].ln() - LN_SQRT_2PI;
        let second = 0.1 * env["s"] - 0.3 * (env["v"] - env["r"]).powi(2) + env["e1"] * env["e2"];
        // A missing cell makes its density NaN here, and must count for nothing.
        total += if first.is_nan() { 0.0 } else { first };
        total += if second.is_nan() { 0.0 } else { second };
    }
    total
}

/// A problem, its parameters and draws of `phi`.
fn setting(operation: &str) -> (Problem, Vec<f64>, Vec<f64>) {
    let problem = common::problem(&model(operation), &data());
    let mut draw = Generator(3);
    let mut apart = || (0.3 + draw.uniform()) * if draw.uniform() < 0.5 { -1.0 } else { 1.0 };
    let phi = (0..140).map(|_| apart()).collect();
    let theta = problem.theta.start.clone();
    (problem, theta, phi)
}

fn close(left: &[f64], right: &[f64], floor: f64, tolerance: f64, what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    for (i, (a, b)) in left.iter().zip(right).enumerate() {
        let error = relative(*a, *b, floor);
        assert!(
            error <= tolerance,
            "{what} [{i}]: {a} and {b} differ by {error:.1e}"
        );
    }
}

#[test]
fn value_and_derivative_programs_agree_with_the_text() {
    for operation in OPERATIONS {
        let (problem, theta, phi) = setting(operation);
        let (text, data) = (model(operation), data());
        let hand: Vec<f64> = (0..70)
            .map(|i| by_hand(&text, &data, [theta[0], theta[1]], &phi, i))
            .collect();
        for isa in Isa::available() {
            let what = format!("{operation} on {isa:?}");
            let value = likelihood::values(isa, &problem, &theta, &phi);
            close(&value, &hand, 1.0, 1e-10, &format!("hand, {what}"));
            for program in [&problem.programs.phi, &problem.programs.theta] {
                let derived = likelihood::derived_values(isa, &problem, program, &theta, &phi);
                close(&derived, &value, 1.0, 1e-12, &format!("programs, {what}"));
            }
        }
    }
}

#[test]
fn gradients_in_phi_are_the_differences_of_the_value() {
    for operation in OPERATIONS {
        let (problem, theta, phi) = setting(operation);
        for isa in Isa::available() {
            let adjoint = likelihood::gradient_phi(isa, &problem, &theta, &phi);
            for k in 0..2 {
                // All subjects move together; each has its own value.
                let side = |steps: f64| {
                    let moved = phi.iter().enumerate();
                    let moved: Vec<f64> = moved
                        .map(|(i, x)| if i % 2 == k { x + steps * 1e-3 } else { *x })
                        .collect();
                    likelihood::values(isa, &problem, &theta, &moved)
                };
                let sides = [-2.0, -1.0, 1.0, 2.0].map(side);
                for i in 0..70 {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|s: usize| sides[s][i]);
                    let slope = (8.0 * (c - b) - (d - a)) / 12e-3;
                    let error = relative(adjoint[i * 2 + k], slope, 1e-1);
                    assert!(
                        error <= 1e-6,
                        "{operation} on {isa:?}, {i}: {slope} {error:.1e}"
                    );
                }
            }
        }
    }
}

#[test]
fn gradients_in_theta_are_the_differences_of_the_value() {
    for operation in OPERATIONS {
        let (problem, theta, phi) = setting(operation);
        assert!(problem.programs.numeric.is_empty(), "{operation}");
        for isa in Isa::available() {
            let adjoint = likelihood::gradient_theta(isa, &problem, &theta, &phi);
            let slope = gradient(&theta, 1e-3, |theta| {
                likelihood::values(isa, &problem, theta, &phi).iter().sum()
            });
            close(
                &adjoint,
                &slope,
                1.0,
                1e-6,
                &format!("{operation} on {isa:?}"),
            );
        }
    }
}

/// `sum_j J_j J_j' / sd^2` over the rows that count, `J` the differences of the prediction.
#[test]
fn tangents_are_the_differences_of_the_prediction() {
    for operation in OPERATIONS {
        let (problem, theta, phi) = setting(operation);
        let (text, data) = (model(operation), data());
        let side = |k: usize, steps: f64| {
            let moved = phi.iter().enumerate();
            let moved: Vec<f64> = moved
                .map(|(i, x)| if i % 2 == k { x + steps * 1e-3 } else { *x })
                .collect();
            predictions(&text, &data, &theta, &moved)
        };
        let slopes = [0, 1].map(|k| {
            let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|steps| side(k, steps));
            (0..data.n_rows())
                .map(|r| (8.0 * (c[r] - b[r]) - (d[r] - a[r])) / 12e-3)
                .collect::<Vec<f64>>()
        });
        let variance = (2.0 * theta[1]).exp();
        for isa in Isa::available() {
            let information = likelihood::information(isa, &problem, &theta, &phi);
            for i in 0..70 {
                let counted = data
                    .rows_of(i)
                    .into_iter()
                    .filter(|r| !data.column("y")[*r].is_nan());
                let mut expected = [0.0; 3];
                for r in counted {
                    let j = [slopes[0][r], slopes[1][r]];
                    let products = [j[0] * j[0], j[1] * j[0], j[1] * j[1]];
                    expected
                        .iter_mut()
                        .zip(products)
                        .for_each(|(sum, x)| *sum += x / variance);
                }
                close(
                    &information[i],
                    &expected,
                    1e-1,
                    1e-6,
                    &format!("{operation} {isa:?} {i}"),
                );
            }
        }
    }
}

/// Means of `y` at every row, from the text.
fn predictions(model: &str, data: &Data, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let lines: Vec<_> = model
        .lines()
        .filter_map(|line| line.split_once("<-"))
        .map(|(name, value)| (name.trim(), text::expression(value.trim())))
        .collect();
    (0..data.n_rows())
        .map(|row| {
            let mut env = Environment::from([("th".into(), theta[0])]);
            env.insert("e1".into(), phi[data.subject[row] * 2]);
            env.insert("e2".into(), phi[data.subject[row] * 2 + 1]);
            for (name, values) in &data.columns {
                env.insert(name.clone(), values[row]);
            }
            for (name, tree) in &lines {
                let value = evaluate(tree, &env);
                env.insert((*name).into(), value);
            }
            env["r"] + env["s"] + env["kr"] + env["ks"]
        })
        .collect()
}

#[test]
fn every_operation_occurs_at_both_levels() {
    let unary = UNARY.into_iter().map(TapeCode::Unary);
    let binary = BINARY.into_iter().map(TapeCode::Binary);
    let ternary = TERNARY.into_iter().map(TapeCode::Ternary);
    let codes: Vec<TapeCode> = unary
        .chain(binary)
        .chain(ternary)
        .chain([TapeCode::Select])
        .collect();
    let mut tapes: [Vec<Instruction>; 4] = Default::default();
    for operation in OPERATIONS {
        let programs = setting(operation).0.programs;
        tapes[0].extend(programs.phi.row.iter());
        tapes[1].extend(programs.phi.subject.iter());
        tapes[2].extend(programs.likelihood.row.iter());
        tapes[3].extend(programs.likelihood.subject.iter());
    }
    for (tape, name) in tapes
        .iter()
        .zip(["row", "subject", "value row", "value subject"])
    {
        for code in &codes {
            let found = tape.iter().any(|instruction| instruction.code == *code);
            assert!(found, "{code:?} never runs on the {name} tape");
        }
    }
}

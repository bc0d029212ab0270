//! Differential equations: what is compiled of them, and what is refused.

mod compartments;
mod refused;

use crate::common::data::Generator;
use crate::common::errors::{is, with_lines, OUTCOME, PARAMETERS, RANDOM};
use crate::common::{model, model_error, try_model};
use nlmers_core::ir::graph::{Graph, Node, Op};
use nlmers_core::model::{Equation, Model};
use nlmers_core::ode::{Control, Solver};

/// The value of a node: `t` is 3, columns 7, states 10, 20, 30, ..., parameters at their starts, effects 0.25.
fn value(model: &Model, node: Node) -> f64 {
    let starts: Vec<f64> = (model.parameters.iter())
        .flat_map(|p| p.transform(&p.start))
        .collect();
    let mut values: Vec<f64> = Vec::new();
    let g: &Graph = &model.graph;
    for n in g.nodes() {
        let at = |a: Node| values[a.index()];
        values.push(match g.op(n) {
            Op::Constant(x) => x,
            Op::Data(i) => {
                if model.columns[i as usize].name == "t" {
                    3.0
                } else {
                    7.0
                }
            }
            Op::Theta(k) => starts[k as usize],
            Op::Phi(_) => 0.25,
            Op::Carry(_) => 0.0,
            Op::State(k) => 10.0 * f64::from(k + 1),
            Op::Unary(f, a) => f.value::<false>(at(a)),
            Op::Binary(f, a, b) => f.value::<false>(at(a), at(b)),
            Op::Select(c, a, b) => {
                if at(c) == 0.0 {
                    at(b)
                } else {
                    at(a)
                }
            }
        });
    }
    values[node.index()]
}

#[track_caller]
fn near(model: &Model, node: Node, wanted: f64) {
    let found = value(model, node);
    assert!(
        (found - wanted).abs() < 1e-12 * (1.0 + wanted.abs()),
        "{found}, not {wanted}"
    );
}

fn named(model: &Model) -> Vec<&str> {
    model.equations.iter().map(|e| e.name.as_str()).collect()
}

fn of<'a>(model: &'a Model, name: &str) -> &'a Equation {
    model.equations.iter().find(|e| e.name == name).unwrap()
}

/// Rates of change of all states.
#[track_caller]
fn flows(model: &Model, wanted: &[f64]) {
    assert_eq!(model.equations.len(), wanted.len());
    for (equation, wanted) in model.equations.iter().zip(wanted) {
        near(model, equation.rhs, *wanted);
    }
}

fn with_outcome(lines: &str, outcome: &str) -> String {
    format!("{PARAMETERS}\n{RANDOM}\n{lines}\n{outcome}")
}

#[track_caller]
fn fails(lines: &str, reason: &str, place: &str, problem: &str, hint: &str) {
    is(
        &model_error(&with_lines(lines)),
        reason,
        place,
        problem,
        hint,
    );
}

const ORAL: &str =
    "cp <- center / 4\nd/dt(depot) <- -a * depot\nd/dt(center) <- a * depot - 2 * cp";

#[test]
fn states_are_numbered_by_their_equations_and_known_before_them() {
    let model = model(&with_outcome(ORAL, "y ~ normal(cp, s)"));
    assert_eq!(named(&model), ["depot", "center"]);
    // depot is 10, center 20, a is 1.
    flows(&model, &[-10.0, 10.0 - 10.0]);
    let cp = &model
        .assigned
        .iter()
        .find(|(name, _)| name == "cp")
        .unwrap()
        .1;
    near(&model, cp[0], 5.0);
    near(&model, model.outcomes[0].density.prediction.unwrap(), 5.0);
    assert_eq!(
        of(&model, "center").text,
        "d/dt(center) <- a * depot - 2 * cp"
    );
    assert_eq!(model.control, Control::default());
    // A state is no column of the data.
    assert!(model
        .columns
        .iter()
        .all(|c| c.name == "y" || c.name == "id"));
}

#[test]
fn a_right_hand_side_reads_time_covariates_effects_and_choices() {
    let lines = "u <- t + 1\nd/dt(x) <- ifelse(u > 3, w * x + e, 0)";
    let model = model(&with_lines(lines));
    flows(&model, &[70.25]);
}

#[test]
fn initial_values_and_doses_are_kept_beside_the_equation() {
    let lines = format!(
        "{ORAL}\ndepot(0) <- 2 * w\nf(depot) <- plogis(e)\nalag(depot) <- 0.5\nrate(center) <- a\ndur(center) <- 3"
    );
    let model = model(&with_lines(&lines));
    let depot = of(&model, "depot");
    near(&model, depot.initial.unwrap(), 14.0);
    near(
        &model,
        depot.fraction.unwrap(),
        1.0 / (1.0 + (-0.25_f64).exp()),
    );
    near(&model, depot.lag.unwrap(), 0.5);
    assert_eq!((depot.rate, depot.duration), (None, None));
    let center = of(&model, "center");
    near(&model, center.rate.unwrap(), 1.0);
    near(&model, center.duration.unwrap(), 3.0);
    assert_eq!(
        (center.initial, center.fraction, center.lag),
        (None, None, None)
    );
}

#[test]
fn options_are_checked_and_completed() {
    let text = format!(
        "{}\node rtol = 1e-9\node solver = \"stiff\"\node linear = false\node max_forward = 0",
        with_lines("d/dt(x) <- -x")
    );
    let wanted = Control {
        solver: Solver::Stiff,
        rtol: 1e-9,
        linear: false,
        max_forward: 0,
        ..Control::default()
    };
    assert_eq!(model(&text).control, wanted);
    for (option, reason, problem, hint) in [
        ("rtol = 0", "bad_option", "between 0 and 1", ""),
        ("atol = -1e-8", "bad_option", "between 0 and 1", ""),
        ("max_steps = 0", "bad_option", "at least 1", ""),
        ("stiff_after = 0", "bad_option", "at least 1", ""),
        (
            "solver = \"stif\"",
            "bad_option",
            "solver",
            "Did you mean `stiff`?",
        ),
        (
            "solver = \"lsoda\"",
            "bad_option",
            "solver",
            "auto, explicit, stiff",
        ),
    ] {
        let text = format!("{}\node {option}", with_lines("d/dt(x) <- -x"));
        is(&model_error(&text), reason, "ode_control(", problem, hint);
    }
    let text = format!("{}\node rtol = 1e-9", with_lines(""));
    is(
        &model_error(&text),
        "idle_option",
        "ode_control()",
        "`rtol` has no effect",
        "Leave",
    );
}

/// Lines in any number and order: a model, or an error with a reason and words.
#[test]
fn no_mix_of_lines_brings_the_compiler_down() {
    const LINES: [&str; 24] = [
        "d/dt(x) <- -a * x",
        "d/dt(x) <- x * z - t",
        "d/dt(z) <- ifelse(t > x, w, e)",
        "d/dt(a) <- z",
        "d/dt(t) <- 1",
        "x(0) <- a + e",
        "x(0) <- z",
        "z(0) <- w",
        "f(x) <- plogis(e)",
        "alag(z) <- t",
        "rate(x) <- c(a, e)",
        "dur(nowhere) <- 1",
        "u <- x / 2",
        "u <- linear_compartments(a, e)",
        "u <- linear_compartments(cl = x, v = 2, ka = t)",
        "u <- linear_compartments(k = a, v = u, k12 = e, k21 = 1)",
        "f(central) <- 0.5",
        "depot(0) <- central",
        "x <- 3",
        "t <- 3",
        "if (x > 2) {\n u <- z\n}",
        "for (i in 1:2) {\n u <- central\n}",
        "z ~ event(exp(e) * t)",
        "ode rtol = 1e-3",
    ];
    let mut draw = Generator(41);
    let (mut compiled, mut refused) = (0, 0);
    for _ in 0..4000 {
        let n = 1 + draw.below(5);
        let lines: Vec<&str> = (0..n).map(|_| LINES[draw.below(LINES.len())]).collect();
        match try_model(&with_lines(&lines.join("\n"))) {
            Ok(model) => {
                compiled += 1;
                for equation in &model.equations {
                    assert!(equation.nodes().all(|n| n.index() < model.graph.len()));
                }
            }
            Err(error) => {
                refused += 1;
                assert!(
                    !error.problem.is_empty() && error.reason != "internal",
                    "{error}"
                );
            }
        }
    }
    assert!(compiled > 300 && refused > 300, "{compiled} and {refused}");
}

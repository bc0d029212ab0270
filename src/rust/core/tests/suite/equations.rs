//! Differential equations: what is compiled of them, and what is refused.

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
fn a_statement_needs_the_equation_of_its_state() {
    let lines = format!("{ORAL}\ncentre(0) <- 1");
    fails(
        &lines,
        "state_without_equation",
        "centre(0) <- 1",
        "no equation of `centre`",
        "`center`",
    );
    let lines = format!("{ORAL}\nf(gut) <- 1");
    fails(
        &lines,
        "state_without_equation",
        "f(gut) <- 1",
        "`f(gut)` is given",
        "The states are: depot, center.",
    );
    fails(
        "alag(gut) <- 1",
        "state_without_equation",
        "alag(gut) <- 1",
        "",
        "Write `d/dt(gut) <- ...`.",
    );
}

#[test]
fn a_statement_is_made_once() {
    let lines = format!("{ORAL}\nd/dt(depot) <- 1");
    fails(
        &lines,
        "equation_twice",
        "d/dt(depot) <- 1",
        "`depot` has two equations",
        "one equation",
    );
    for (statement, what) in [
        ("depot(0) <- 1", "depot(0)"),
        ("f(depot) <- 1", "f(depot)"),
        ("alag(depot) <- 1", "alag(depot)"),
        ("rate(depot) <- 1", "rate(depot)"),
        ("dur(depot) <- 1", "dur(depot)"),
    ] {
        let lines = format!("{ORAL}\n{statement}\n{statement}");
        let problem = format!("`{what}` is given twice");
        fails(&lines, "stated_twice", statement, &problem, "State it once");
    }
}

#[test]
fn the_name_of_a_state_is_its_own() {
    fails(
        "d/dt(a) <- 1",
        "name_used_twice",
        "d/dt(a) <- 1",
        "`a` is used twice",
        "already a parameter",
    );
    fails(
        "d/dt(e) <- 1",
        "name_used_twice",
        "e ~ normal(0, o)",
        "`e` is used twice",
        "already a state",
    );
    let lines = format!("{ORAL}\ncenter <- 3");
    fails(
        &lines,
        "name_used_twice",
        "center <- 3",
        "`center` is used twice",
        "already a state",
    );
    let lines = "covariate w = constant(id)\nd/dt(w) <- 1";
    fails(
        lines,
        "name_used_twice",
        "d/dt(w) <- 1",
        "`w` is used twice",
        "already a covariate",
    );
    fails(
        "d/dt(t) <- 1",
        "name_used_twice",
        "d/dt(t) <- 1",
        "the time",
        "another name",
    );
    fails(
        "t <- 2\nd/dt(x) <- t",
        "name_used_twice",
        "d/dt(x) <- t",
        "`t` is a variable",
        "another name",
    );
    let text = with_outcome(ORAL, "center ~ normal(a + e, s)");
    is(
        &model_error(&text),
        "name_used_twice",
        "center ~",
        "The outcome `center` is also a name",
        "state another name",
    );
}

#[test]
fn what_holds_for_the_subject_does_not_change_with_time() {
    for (statement, name) in [
        ("depot(0) <- center", "center"),
        ("f(depot) <- 1 + t", "t"),
        ("alag(depot) <- cp", "center"),
        ("rate(center) <- t", "t"),
        ("dur(center) <- depot", "depot"),
    ] {
        let lines = format!("{ORAL}\n{statement}");
        let problem = format!("reads `{name}`, which changes with time");
        fails(
            &lines,
            "not_of_subject",
            statement,
            &problem,
            "Parameters, random effects",
        );
    }
}

#[test]
fn an_equation_is_a_number_at_the_top_level() {
    fails(
        "d/dt(x) <- c(a, e)",
        "wrong_shape",
        "d/dt(x) <- c(a, e)",
        "a scalar is needed",
        "one equation for each element",
    );
    fails(
        "x(0) <- diag(c(1, 2))\nd/dt(x) <- 1",
        "wrong_shape",
        "x(0) <- diag(c(1, 2))",
        "2 x 2 matrix",
        "",
    );
    for inside in [
        "if (w > 1) {\n d/dt(x) <- 1\n}",
        "for (i in 1:2) {\n d/dt(x) <- i\n}",
    ] {
        fails(
            inside,
            "equation_inside",
            "d/dt(x)",
            "inside `if`, `for` or a function",
            "outside",
        );
    }
}

#[test]
fn effects_know_nothing_of_states() {
    let text = format!("{PARAMETERS}\nrandom e ~ normal(x, o) | id\nd/dt(x) <- 1\n{OUTCOME}");
    is(
        &model_error(&text),
        "effect_of_state",
        "e ~ normal(x, o)",
        "on the state `x`",
        "covariates that are constant",
    );
    let text = format!(
        "{PARAMETERS}\n{RANDOM}\nrandom k ~ normal(0, o) | id:occ\nd/dt(x) <- -k * x\n{OUTCOME}"
    );
    is(
        &model_error(&text),
        "equation_grouping",
        "k ~ normal(0, o) | id:occ",
        "by `id` and by `id:occ`",
        "kappa <- ifelse(occ == 1, k1, k2)",
    );
}

#[test]
fn hazards_and_chains_do_not_follow_states() {
    let text = with_outcome("d/dt(x) <- -x", "y ~ event(exp(a + e) * x)");
    is(
        &model_error(&text),
        "state_between_rows",
        "y ~ event",
        "the state `x`",
        "d/dt(cumulative)",
    );
    let chain = "y ~ markov(rbind(c(plogis(x), 1 - plogis(x)), c(0.2, 0.8)), c(0.5, 0.5))";
    is(
        &model_error(&with_outcome("d/dt(x) <- -x", chain)),
        "state_between_rows",
        "y ~ markov",
        "the state `x`",
        "",
    );
    // Beside equations both may stand.
    let both = with_outcome(
        "d/dt(x) <- -x",
        "y ~ normal(x + e, s)\nz ~ event(exp(a + e) * t)",
    );
    assert_eq!(named(&model(&both)), ["x"]);
}

#[test]
fn an_outcome_that_an_equation_reads_may_not_be_missing() {
    let read = model(&with_outcome("d/dt(x) <- -y", "y ~ normal(x + e, s)"));
    assert!(!read.columns[read.outcomes[0].column as usize].outcome);
    let other = model(&with_outcome("d/dt(x) <- -w", "y ~ normal(x + e, s)"));
    assert!(other.columns[other.outcomes[0].column as usize].outcome);
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

/// Compartments of `linear_compartments(...)` with these arguments, and the concentration.
fn compartments(arguments: &str) -> (Model, f64) {
    let text = with_outcome(
        &format!("cp <- linear_compartments({arguments})"),
        "y ~ normal(cp + e, s)",
    );
    let model = model(&text);
    let cp = model.assigned[0].1[0];
    let cp = value(&model, cp);
    (model, cp)
}

#[test]
fn compartments_are_those_of_their_arguments() {
    // States are 10, 20, 30, 40 in their order.
    let (one, cp) = compartments("3, 4");
    assert_eq!((named(&one), cp), (vec!["central"], 2.5));
    flows(&one, &[-7.5]);
    let (oral, cp) = compartments("cl = 3, v = 4, ka = 2");
    assert_eq!((named(&oral), cp), (vec!["depot", "central"], 5.0));
    flows(&oral, &[-20.0, 20.0 - 15.0]);
    let (two, _) = compartments("3, 4, 6, 5");
    assert_eq!(named(&two), ["central", "peripheral1"]);
    let net = 1.5 * 10.0 - 1.2 * 20.0;
    flows(&two, &[-7.5 - net, net]);
    let (three, cp) = compartments("3, 4, 6, 5, 8, 10, 2");
    assert_eq!(
        (named(&three), cp),
        (vec!["depot", "central", "peripheral1", "peripheral2"], 5.0)
    );
    let (first, second) = (1.5 * 20.0 - 1.2 * 30.0, 2.0 * 20.0 - 0.8 * 40.0);
    flows(
        &three,
        &[-20.0, 20.0 - 15.0 - first - second, first, second],
    );
}

#[test]
fn compartments_have_other_names_for_their_arguments() {
    let (flows_given, _) = compartments("3, 4, 6, 5, 8, 10, 2");
    for arguments in [
        "vc = 4, cl = 3, q = 6, vp = 5, q2 = 8, vp2 = 10, ka = 2",
        "ka = 2, v1 = 4, cl = 3, q1 = 6, vp1 = 5, q2 = 8, v3 = 10",
        "k = 0.75, v = 4, k12 = 1.5, k21 = 1.2, k13 = 2, k31 = 0.8, ka = 2",
        "kel = 0.75, v = 4, k12 = 1.5, k21 = 1.2, k13 = 2, k31 = 0.8, ka = 2",
    ] {
        let (other, _) = compartments(arguments);
        assert_eq!(named(&flows_given), named(&other));
        for (a, b) in flows_given.equations.iter().zip(&other.equations) {
            near(&other, b.rhs, value(&flows_given, a.rhs));
        }
    }
}

#[test]
fn compartments_take_statements_and_feed_equations() {
    let lines =
        "cp <- linear_compartments(cl = 3, v = 4, ka = 2)\nd/dt(effect) <- 0.5 * (cp - effect)\n\
        f(depot) <- 0.8\ncentral(0) <- 9\nboth <- depot + central";
    let model = model(&with_lines(lines));
    assert_eq!(named(&model), ["depot", "central", "effect"]);
    near(&model, of(&model, "effect").rhs, 0.5 * (5.0 - 30.0));
    near(&model, of(&model, "depot").fraction.unwrap(), 0.8);
    near(&model, of(&model, "central").initial.unwrap(), 9.0);
    assert_eq!(
        of(&model, "central").text,
        "cp <- linear_compartments(cl = 3, v = 4, ka = 2)"
    );
}

#[test]
fn compartments_are_refused_where_arguments_do_not_fit() {
    let refused = |arguments: &str, reason: &str, problem: &str, hint: &str| {
        let line = format!("cp <- linear_compartments({arguments})");
        fails(&line, reason, &line, problem, hint);
    };
    refused("3", "argument_count", "`v` is missing", "`cl` and `v`");
    refused("v = 3, ka = 1", "argument_count", "`cl` is missing", "");
    refused("3, 4, 6", "argument_count", "`v2` is missing", "");
    refused(
        "3, 4, q2 = 6",
        "argument_count",
        "`q`, `v2`, `v3` are missing",
        "third",
    );
    refused(
        "k = 1, cl = 3, v = 4",
        "argument_count",
        "both clearances or volumes (`cl`) and rates (`k`)",
        "",
    );
    refused(
        "k = 1, v = 4, k12 = 1",
        "argument_count",
        "`k21` is missing",
        "",
    );
    refused(
        "k = 3, v = 4, k211 = 4",
        "unknown_argument",
        "no argument `k211`",
        "Did you mean `k21`?",
    );
    refused(
        "cl = 3, v = 4, vc = 4",
        "name_used_twice",
        "`v` twice",
        "v, v1, vc",
    );
    refused(
        "1, 2, 3, 4, 5, 6, 7, 8",
        "argument_count",
        "8 arguments",
        "",
    );
    refused("c(1, 2), 4", "wrong_shape", "a scalar is needed", "");
}

#[test]
fn compartments_are_called_once() {
    let twice = "u <- linear_compartments(3, 4)\nw <- linear_compartments(5, 4)";
    fails(
        twice,
        "linear_compartments_twice",
        "w <- linear",
        "called twice",
        "variable",
    );
    let twice = "u <- linear_compartments(3, 4)\nw <- linear_compartments(3, 4, ka = 1)";
    fails(twice, "linear_compartments_twice", "w <- linear", "", "");
    // Equal arguments are the same compartments.
    let same = "u <- linear_compartments(3, 4)\nw <- linear_compartments(cl = 3, v = 4)";
    assert_eq!(named(&model(&with_lines(same))), ["central"]);
    fails(
        "u <- linear_compartments(3, 4)\nd/dt(central) <- 1",
        "equation_twice",
        "d/dt(central) <- 1",
        "one of linear_compartments()",
        "",
    );
    fails(
        "if (2 > 3) {\n u <- linear_compartments(3, 4)\n}",
        "equation_inside",
        "u <- linear",
        "never computed",
        "outside",
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

//! What is refused of equations, with place and way out.

use super::*;

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
}

#[test]
fn chains_do_not_follow_states_and_hazards_do() {
    let hazard = model(&with_outcome("d/dt(x) <- -x", "y ~ event(exp(a + e) * x)"));
    assert_eq!(hazard.visible().len(), 1);
    assert_eq!(hazard.equations.len(), 2);
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

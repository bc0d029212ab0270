//! `linear_compartments()`: the equations it stands for.

use super::*;

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

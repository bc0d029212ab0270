//! Which route of the M-step the variances and the residual errors take.

use crate::common;
use crate::common::effects::{data, model, routes};
use crate::common::{problem, route};
use nlmers_core::problem::{CovarianceUpdate, Route};

#[test]
fn an_sd_shared_by_two_outcomes_is_one_closed_form() {
    let problem =
        model("fixed a = 0.4\nrandom e ~ normal(a, o) | id\nf <- e\nv ~ normal(2 * e, s)");
    assert_eq!(route(&problem, "s"), Route::Residual);
    assert_eq!(problem.form.residuals[0].outcomes, [0, 1]);
}

#[test]
fn an_sd_that_also_stands_elsewhere_takes_the_score_route() {
    for line in [
        "v ~ normal(e + s, 1)",
        "v ~ custom(-(v / s)^2)",
        "v ~ normal(e, 1 + s)",
    ] {
        let lines = format!("fixed a = 0.4\nrandom e ~ normal(a, o) | id\nf <- e\n{line}");
        assert_eq!(route(&model(&lines), "s"), Route::Score, "{line}");
    }
}

#[test]
fn residual_errors_of_two_parameters_take_the_score_route() {
    for error in ["add_prop(s, u)", "add_prop_sd(s, u)", "add_pow(s, u, 0.5)"] {
        let lines = format!(
            "fixed s = positive(0.5)\nfixed u = positive(0.1)\nfixed o = positive(0.3)
             fixed a = 1.4\nrandom e ~ normal(a, o) | id\ny ~ normal(e, {error})"
        );
        let problem = problem(&lines, &data());
        assert_eq!(routes(&problem, &["s", "u"]), [Route::Score; 2], "{error}");
    }
}

#[test]
fn the_factor_of_a_power_keeps_its_closed_form_whatever_the_exponent() {
    let lines = "fixed s = positive(0.5)\nfixed u = positive(0.7)\nfixed o = positive(0.3)
         fixed a = 1.4\nrandom e ~ normal(a, o) | id\ny ~ normal(e, pow(s, u))";
    let found = routes(&problem(lines, &data()), &["s", "u"]);
    assert_eq!(found, [Route::Residual, Route::Score]);
}

#[test]
fn a_variance_shared_by_two_effects_is_one_closed_form() {
    let shared =
        "fixed a = 0.4\nrandom e ~ mvnormal(c(a, 0), diag(c(o, o))) | id\nf <- e[1] + t * e[2]";
    let problem = model(shared);
    assert_eq!(route(&problem, "o"), Route::Covariance);
}

#[test]
fn a_variance_that_also_stands_elsewhere_takes_the_score_route() {
    let lines = "fixed a = 0.4\nrandom e ~ normal(a, o) | id\nf <- e + o * t";
    assert_eq!(route(&model(lines), "o"), Route::Score);
}

#[test]
fn a_full_covariance_matrix_is_closed_form() {
    let lines = "
        fixed w = covariance_matrix(0.5, 0.1, 0.1, 0.3)
        fixed s = positive(0.5)
        fixed a = 0.4
        random e ~ mvnormal(c(a, 0), w) | id
        y ~ normal(e[1] + t * e[2], s)";
    let problem = problem(lines, &data());
    assert_eq!(
        routes(&problem, &["w[1,1]", "w[2,1]", "w[2,2]"]),
        [Route::Covariance; 3]
    );
    let update = &problem.form.covariance[0].update;
    assert!(
        matches!(update, CovarianceUpdate::Full { count: 3, .. }),
        "{update:?}"
    );
    let diagonal = lines.replace(
        "covariance_matrix(0.5, 0.1, 0.1, 0.3)",
        "diagonal_matrix(0.5, 0.3)",
    );
    let problem = common::problem(&diagonal, &data());
    assert_eq!(
        routes(&problem, &["w[1,1]", "w[2,2]"]),
        [Route::Covariance; 2]
    );
}

#[test]
fn a_full_matrix_used_by_two_blocks_takes_the_score_route() {
    let lines = "
        fixed w = covariance_matrix(0.5, 0.1, 0.1, 0.3)
        fixed s = positive(0.5)
        random e ~ mvnormal(c(0, 0), w) | id
        random k ~ mvnormal(c(0, 0), w) | id
        y ~ normal(e[1] + t * e[2] + k[1] - k[2], s)";
    assert_eq!(route(&problem(lines, &data()), "w[1,1]"), Route::Score);
}

/// Each line of `random()` updates its own effects; a variance they share must be learned from all of them.
#[test]
fn a_variance_shared_by_two_lines_takes_the_score_route() {
    let lines = [
        "random e ~ normal(a, o) | id\nrandom k ~ normal(0, o) | id\nf <- e + t * k",
        "random e ~ normal(a, o) | id\nrandom k ~ normal(0, 2 * o) | id\nf <- e + t * k",
        "random e ~ normal(a, 2 * o) | id\nrandom k ~ normal(0, o) | id\nf <- e + t * k",
        "random e ~ mvnormal(c(a, 0), diag(c(o, o^2))) | id\nf <- e[1] + t * e[2]",
    ];
    for lines in lines {
        let problem = model(&format!("fixed a = 0.4\n{lines}"));
        assert_eq!(
            routes(&problem, &["a", "o"]),
            [Route::Mean, Route::Score],
            "{lines}"
        );
    }
}

#[test]
fn a_parameter_that_nothing_reads_is_held_and_named() {
    let lines = "fixed a = 0.4\nfixed b = 2\nrandom e ~ normal(a, o) | id\nf <- e\ng <- b * 2";
    let problem = model(lines);
    let idle = problem
        .theta
        .idle
        .iter()
        .map(|k| problem.theta.names[*k].as_str());
    assert_eq!(idle.collect::<Vec<_>>(), ["b"]);
    assert_eq!(routes(&problem, &["a", "b"]), [Route::Mean, Route::Fixed]);
    assert!(problem.form.idle_effects(1).is_empty());
    let lines = "fixed a = 0.4\nrandom e ~ normal(a, o) | id\nrandom k ~ normal(0, o) | id\nf <- e";
    assert_eq!(model(lines).form.idle_effects(2), [1]);
}

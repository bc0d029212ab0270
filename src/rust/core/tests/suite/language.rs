//! Every error of the language: its reason, its place, and the way out.

use crate::common::errors::{
    field, is, with_fixed, with_lines, with_outcome, with_random, OUTCOME, PARAMETERS, RANDOM,
};
use crate::common::model_error;

#[test]
fn functions() {
    let error = model_error(&with_lines("f <- expp(a)"));
    is(
        &error,
        "unknown_function",
        "f <- expp(a)",
        "`expp()`",
        "Did you mean `exp`?",
    );
    let error = model_error(&with_lines("f <- bessel(a, 2)"));
    is(
        &error,
        "unknown_function",
        "f <- bessel",
        "`bessel()`",
        "The functions of the language are",
    );
    for (call, counts) in [
        ("exp(a, s)", "takes 1 argument, 2 are"),
        ("log(a, s, o)", "takes 1 to 2 arguments, 3"),
        ("ifelse(a, s)", "takes 3 arguments, 2"),
        ("plogis()", "takes 1 argument, 0 are"),
        ("pmin(a)", "takes 2 arguments, 1"),
        ("min()", "has no argument"),
        ("rep(a)", "takes 2 arguments, 1"),
        ("length(a, s)", "takes 1 argument, 2"),
        ("diag(a, 2, 3)", "takes 1 to 2 arguments, 3"),
    ] {
        let error = model_error(&with_lines(&format!("f <- {call}")));
        is(
            &error,
            "argument_count",
            &format!("f <- {call}"),
            counts,
            "",
        );
    }
}

#[test]
fn shapes() {
    for (code, problem) in [
        (
            "f <- c(1, 2) + c(1, 2, 3)",
            "a vector of length 2 and a vector of length 3",
        ),
        (
            "f <- diag(c(1, 2)) %*% c(1, 2, 3)",
            "a 2 x 2 matrix and a vector of length 3",
        ),
        ("f <- diag(c(1, 2))[1]", "cannot take 1 indices"),
        ("f <- c(1, 2)[1, 2]", "cannot take 2 indices"),
        ("f <- exp(\"a\")", "The text \"a\" stands"),
        ("f <- ifelse(c(1, 0), c(1, 2, 3), c(1))", "differ in length"),
    ] {
        is(
            &model_error(&with_lines(code)),
            "wrong_shape",
            code,
            problem,
            "",
        );
    }
    let outcome = "y ~ normal(c(a, e), s)";
    let error = model_error(&with_outcome(outcome));
    is(
        &error,
        "wrong_shape",
        outcome,
        "`c(a, e)` is a vector of length 2, a scalar is needed",
        "",
    );
}

#[test]
fn indices() {
    let random = "random eta ~ mvnormal(c(a, 0, 0), diag(c(o, o, o))) | id";
    let text = |code: &str| format!("{PARAMETERS}\n{random}\nf <- {code}\ny ~ normal(f, s)");
    let error = model_error(&text("eta[4]"));
    is(
        &error,
        "index_out_of_range",
        "f <- eta[4]",
        "`eta` is a vector of length 3",
        "",
    );
    assert_eq!(field(&error, "index"), "4");
    let error = model_error(&text("eta[c(1, 5)]"));
    is(
        &error,
        "index_out_of_range",
        "f <- eta[c(1, 5)]",
        "not an element of `eta`",
        "",
    );
    let error = model_error(&text("diag(eta)[1, 4]"));
    is(
        &error,
        "index_out_of_range",
        "f <- diag(eta)[1, 4]",
        "3 x 3 matrix",
        "",
    );
    for code in ["eta[a]", "eta[1.5]", "rep(1, a)", "diag(1, a)"] {
        is(
            &model_error(&text(code)),
            "not_constant",
            code,
            "not a fixed whole number",
            "",
        );
    }
}

/// A slip of the pen must not ask for more memory than there is.
#[test]
fn sizes() {
    for code in [
        "f <- rep(a, 999999999)",
        "f <- diag(1, 100000)",
        "f <- rep(rep(1, 9999), 9999)",
    ] {
        is(
            &model_error(&with_lines(code)),
            "too_large",
            code,
            "elements",
            "",
        );
    }
}

#[test]
fn names() {
    let error = model_error(&with_fixed("a = 2"));
    is(
        &error,
        "name_used_twice",
        "parameter `a`",
        "`a` is used twice",
        "already a parameter",
    );
    let error = model_error(&with_random("random a ~ normal(0, o) | id"));
    is(
        &error,
        "name_used_twice",
        "a ~ normal(0, o)",
        "`a` is used twice",
        "another name",
    );
    let error = model_error(&with_lines("e <- 2 * a"));
    is(
        &error,
        "name_used_twice",
        "e <- 2 * a",
        "`e` is used twice",
        "a random effect",
    );
    let error = model_error(&with_lines("y <- 2 * a"));
    is(
        &error,
        "name_used_twice",
        OUTCOME,
        "`y` is also a name of the model",
        "data column",
    );
    let error = model_error(&with_lines("y ~ poisson(a)"));
    is(&error, "name_used_twice", OUTCOME, "two distributions", "");
    assert_eq!(field(&model_error(&with_fixed("s = 2")), "name"), "s");
}

#[test]
fn distributions() {
    let error = model_error(&with_outcome("y ~ norml(a + e, s)"));
    is(
        &error,
        "unknown_distribution",
        "y ~ norml",
        "`norml()`",
        "Did you mean `normal`?",
    );
    let error = model_error(&with_random("random e ~ weibull(a, o) | id"));
    is(
        &error,
        "unknown_distribution",
        "e ~ weibull",
        "`weibull()`",
        "normal, lognormal, student_t, gamma, beta, exponential, mvnormal",
    );
    let error = model_error(&with_outcome("y ~ 3 + e"));
    is(&error, "unknown_distribution", "y ~ 3 + e", "`+()`", "");
    let error = model_error(&with_outcome("y ~ e"));
    is(
        &error,
        "not_a_distribution",
        "y ~ e",
        "`e` is not a distribution",
        "",
    );
    let outcome = "y ~ normal(a + e, sigma = s)";
    let error = model_error(&with_outcome(outcome));
    is(
        &error,
        "unknown_argument",
        outcome,
        "no argument `sigma`",
        "mean, sd",
    );
}

#[test]
fn arguments_of_distributions() {
    for (outcome, wanted) in [
        ("y ~ normal(a + e)", "takes 2 arguments: mean, sd"),
        ("y ~ normal(a, e, s)", "takes 2 arguments"),
        ("y ~ poisson()", "takes 1 argument: rate"),
        ("y ~ normal(a + e, add_prop(s))", "takes 2 arguments: a, b"),
    ] {
        is(
            &model_error(&with_outcome(outcome)),
            "argument_count",
            outcome,
            wanted,
            "",
        );
    }
}

#[test]
fn random_effects() {
    let error = model_error(&with_random("random e ~ mvnormal(c(a, 0), o) | id"));
    is(
        &error,
        "wrong_shape",
        "e ~ mvnormal",
        "`o` is a scalar, not a matrix",
        "diag(v)",
    );
    let error = model_error(&with_random(
        "random e ~ mvnormal(c(a, 0), diag(c(o, o, o))) | id",
    ));
    is(
        &error,
        "wrong_effect_length",
        "e ~ mvnormal",
        "length 2 and a covariance of size 3 x 3",
        "",
    );
    let error = model_error(&with_random(
        "random c(e, k) ~ mvnormal(c(a, 0, 0), diag(o, 3)) | id",
    ));
    is(
        &error,
        "wrong_effect_length",
        "c(e, k) ~",
        "2 names",
        "one name to each element",
    );
    let error = model_error(&with_random("random e ~ normal(c(0, 0), c(o, o, o)) | id"));
    is(
        &error,
        "wrong_effect_length",
        "e ~ normal",
        "a vector of length 2",
        "",
    );
}

#[test]
fn random_effects_together() {
    let error = model_error(&with_random(&format!(
        "{RANDOM}\nrandom k ~ normal(e, o) | id"
    )));
    is(
        &error,
        "effect_of_effect",
        "k ~ normal(e, o)",
        "another random effect",
        "",
    );
}

#[test]
fn what_a_model_needs() {
    let error = model_error(&format!("{PARAMETERS}\n{RANDOM}"));
    is(
        &error,
        "no_outcome",
        "",
        "no outcome",
        "conc ~ normal(f, sigma)",
    );
    let error = model_error("random e ~ normal(0, 1) | id\ny ~ normal(e, 1)");
    is(
        &error,
        "no_free_parameter",
        "",
        "no parameter",
        "fixed(ka = positive(1))",
    );
}

#[test]
fn an_error_reads_as_problem_place_and_way_out() {
    let error = model_error(&with_lines("f <- expp(a)"));
    let lines: Vec<String> = error.to_string().lines().map(String::from).collect();
    assert_eq!(
        lines,
        [
            "Unknown function `expp()`.",
            "In: f <- expp(a)",
            "Did you mean `exp`?"
        ]
    );
}

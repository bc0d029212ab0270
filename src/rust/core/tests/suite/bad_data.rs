//! Every error of starting values and of the data: its reason, its place, and the way out.

use crate::common;
use crate::common::data::Data;
use crate::common::errors::{
    field, is, with_fixed, with_lines, with_outcome, with_random, OUTCOME,
};
use crate::common::{asked, data_error, model_error, try_problem};
use nlmers_core::error::{Error, ErrorClass};
use nlmers_core::problem::Given;

#[test]
fn starting_values() {
    for (fixed, hint) in [
        ("k = positive(-1)", "-1; it must be a positive number"),
        ("k = probability(1.5)", "between 0 and 1"),
        ("k = real(3, lower = 0, upper = 2)", "between 0 and 2"),
        ("k = diagonal_matrix(1, -2)", "a positive number"),
    ] {
        let error = model_error(&with_fixed(fixed));
        is(
            &error,
            "start_outside_bounds",
            "parameter `k`",
            "outside its bounds",
            hint,
        );
        assert_eq!(error.class, ErrorClass::Start);
    }
    let error = model_error(&with_fixed("k = covariance_matrix(1, 2, 2, 1)"));
    is(
        &error,
        "start_not_positive_definite",
        "parameter `k`",
        "`k`",
        "correlations between -1 and 1",
    );
    let error = model_error(&with_fixed("k = covariance_matrix(1, 2, 0, 1)"));
    is(
        &error,
        "not_symmetric",
        "parameter `k`",
        "`k` is not symmetric",
        "",
    );
    let error = model_error(&with_fixed("k = covariance_matrix(1, 2, 3)"));
    is(
        &error,
        "not_square",
        "parameter `k`",
        "`k` is not square",
        "",
    );
    let error = model_error(&with_fixed("k = real()"));
    is(
        &error,
        "empty_parameter",
        "parameter `k`",
        "`k` has no starting value",
        "",
    );
}

fn with_given(start: &[(&str, &[f64])], fix: &[(&str, Option<&[f64]>)]) -> Error {
    let list = |x: &[f64]| x.to_vec();
    let given = Given {
        start: start
            .iter()
            .map(|(name, x)| (name.to_string(), list(x)))
            .collect(),
        fix: fix
            .iter()
            .map(|(name, x)| (name.to_string(), x.map(list)))
            .collect(),
        ..Given::default()
    };
    try_problem(&with_lines(""), &frame(), &given).unwrap_err()
}

#[test]
fn all_parameters_fixed() {
    let given = Given {
        start: Vec::new(),
        fix: ["a", "o", "s"]
            .map(|name| (name.to_string(), None))
            .to_vec(),
        ..Given::default()
    };
    let error = try_problem(&with_lines(""), &frame(), &given).unwrap_err();
    is(
        &error,
        "no_free_parameter",
        "",
        "Every parameter is fixed",
        "out of `fix`",
    );
}

#[test]
fn values_given_by_the_user() {
    let error = with_given(&[("s", &[-1.0])], &[]);
    is(
        &error,
        "start_outside_bounds",
        "",
        "`s` is outside its bounds",
        "a positive number",
    );
    assert_eq!(
        (field(&error, "name"), field(&error, "value")),
        ("s".into(), "-1".into())
    );
    let error = with_given(&[("a", &[f64::NAN])], &[]);
    is(&error, "start_outside_bounds", "", "`a`", "a finite number");
    let error = with_given(&[("a", &[1.0, 2.0])], &[]);
    is(&error, "start_length", "", "`a` has 1 values, not 2", "");
    let error = with_given(&[("A", &[1.0])], &[]);
    is(
        &error,
        "unknown_parameter",
        "`start`",
        "no parameter `A`",
        "Did you mean `a`?",
    );
    let error = with_given(&[], &[("sigma", Some(&[1.0]))]);
    is(
        &error,
        "unknown_parameter",
        "`fix`",
        "no parameter `sigma`",
        "Its parameters are: a, o, s",
    );
}

/// 3 subjects with 2 rows each.
fn frame() -> Data {
    Data::new(3, |_| 2)
        .with("time", |row, _| row as f64)
        .with("wt", |_, i| 60.0 + i as f64)
        .with("y", |row, _| 1.0 + row as f64)
}

#[test]
fn columns() {
    let error = data_error(&with_outcome("y ~ normal(a + e * tiem, s)"), &frame());
    is(
        &error,
        "unknown_symbol",
        "y ~ normal(a + e * tiem, s)",
        "`tiem` is neither",
        "Did you mean `time`?",
    );
    let error = data_error(&with_outcome("conc ~ normal(a + e, s)"), &frame());
    is(
        &error,
        "unknown_symbol",
        "conc ~",
        "`conc` is neither",
        "There are: time, wt, y",
    );
    let error = data_error(&with_outcome("y ~ normal(aa + a * e, s)"), &frame());
    is(
        &error,
        "unknown_symbol",
        "y ~ normal(aa + a * e, s)",
        "`aa`",
        "Did you mean `a`?",
    );
    assert_eq!(field(&error, "name"), "aa");
    assert_eq!(error.class, ErrorClass::Data);
}

#[test]
fn covariates() {
    let text = with_outcome("y ~ normal(a + e * wt, s)");
    for (value, reason, problem) in [
        (f64::NAN, "missing_covariate", "`wt` is missing"),
        (f64::INFINITY, "infinite_covariate", "`wt` is infinite"),
    ] {
        let data = frame().with("wt", |row, _| if row == 3 { value } else { 70.0 });
        let error = data_error(&text, &data);
        is(
            &error,
            reason,
            "id s2, row 4",
            problem,
            "leave the whole subject out",
        );
        let fields = ["column", "row", "subject"].map(|name| field(&error, name));
        assert_eq!(fields, ["wt", "4", "s2"]);
    }
    let text = with_random("random e ~ normal(a + 0.1 * time, o) | id");
    let error = data_error(&text, &frame());
    is(
        &error,
        "varying_covariate",
        "e ~ normal(a + 0.1 * time, o)",
        "`time` varies",
        "rows 1 and 2",
    );
    assert_eq!(field(&error, "column"), "time");
    let text = with_random("random e ~ normal(a, o * exp(0.1 * time)) | id");
    let error = data_error(&text, &frame());
    is(
        &error,
        "varying_covariate",
        "e ~ normal(a, o * exp(0.1 * time))",
        "`time` varies",
        "rows 1 and 2",
    );
}

#[test]
fn outcomes() {
    for value in [f64::INFINITY, f64::NEG_INFINITY] {
        let data = frame().with("y", |row, _| if row == 2 { value } else { 1.0 });
        let error = data_error(&with_lines(""), &data);
        is(
            &error,
            "infinite_outcome",
            "id s2, row 3",
            "it must be finite",
            "set it to NA",
        );
        let fields = ["column", "row", "subject"].map(|name| field(&error, name));
        assert_eq!(fields, ["y", "3", "s2"]);
    }
    for (outcome, bad, needs) in [
        ("y ~ lognormal(a + e, s)", 0.0, "must be positive"),
        ("y ~ bernoulli(plogis(a + s * e))", 0.5, "must be 0 or 1"),
        ("y ~ poisson(exp(a + s * e))", 1.5, "a whole number"),
        ("y ~ poisson(exp(a + s * e))", -1.0, "a whole number"),
    ] {
        let data = frame().with("y", |row, _| if row == 5 { bad } else { 1.0 });
        let error = data_error(&with_outcome(outcome), &data);
        is(
            &error,
            "outcome_outside_support",
            "id s3, row 6",
            needs,
            "Correct the value",
        );
        assert_eq!(field(&error, "value"), bad.to_string());
    }
    let error = data_error(&with_lines(""), &frame().with("y", |_, _| f64::NAN));
    is(
        &error,
        "all_missing",
        OUTCOME,
        "Every value of the outcome `y` is missing",
        "",
    );
    let data = Data::new(1, |_| 4).with("y", |row, _| row as f64);
    let error = data_error(&with_lines(""), &data);
    is(&error, "one_subject", "", "one id only", "without random()");
}

#[test]
fn groups() {
    let request = common::request_json("fit", &with_lines(""), &frame());
    let request = asked(&request).unwrap();
    let mut columns = frame().request_columns();
    columns.last_mut().unwrap().1[4] = f64::NAN;
    let error = request.frame(columns).unwrap_err();
    is(
        &error,
        "missing_group",
        "row 5",
        "`id` is missing",
        "Every row needs its group",
    );
}

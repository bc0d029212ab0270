//! Parameters whose elements are bound to each other: probabilities, rates, covariance matrices by their logarithm.

use crate::common::data::Data;
use crate::common::{problem, try_model, try_problem};
use nlmers_core::model::Model;
use nlmers_core::problem::{natural, Given, Problem};

const MODEL: &str = "
    fixed a = 0.5
    fixed p = simplex(0.2, 0.3, 0.5)
    fixed P = transition_matrix(0.9, 0.1, 0.25, 0.75)
    fixed Q = rate_matrix(-3, 1, 2, 4, -9, 5, 6, 7, -13)
    fixed o = covariance_matrix(1, 0.2, 0.2, 0.5, parameterization = \"matrix_log\")
    fixed s = positive(1)
    random eta ~ mvnormal(c(a, 0), o) | id
    y ~ normal(eta[1] + eta[2] * x + sum(p * c(1, 2, 3)) + P[2, 1] * x + Q[3, 3] + Q[1, 2], s)";

fn data() -> Data {
    Data::new(5, |_| 4)
        .with("x", |row, _| (row as f64).sin())
        .with("y", |row, _| (row as f64).cos())
}

fn elements(problem: &Problem, base: &str) -> Vec<String> {
    let of = problem.theta.elements.iter().filter(|e| e.base == base);
    of.map(|e| e.name.clone()).collect()
}

#[test]
fn elements_and_coordinates_have_names_of_their_own() {
    let problem = problem(MODEL, &data());
    assert_eq!(elements(&problem, "p"), ["p[1]", "p[2]", "p[3]"]);
    assert_eq!(
        elements(&problem, "P"),
        ["P[1,1]", "P[1,2]", "P[2,1]", "P[2,2]"]
    );
    let coordinates = |base: &str| -> Vec<&str> {
        let pairs = problem.theta.names.iter().zip(&problem.theta.base);
        let of = pairs.filter(|(_, b)| *b == base);
        of.map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(coordinates("p"), ["p[1]", "p[2]"]);
    assert_eq!(coordinates("P"), ["P[1,1]", "P[2,1]"]);
    assert_eq!(
        coordinates("Q"),
        ["Q[1,2]", "Q[1,3]", "Q[2,1]", "Q[2,3]", "Q[3,1]", "Q[3,2]"]
    );
    assert_eq!(problem.theta.len(), problem.model.n_theta);
    assert_eq!(problem.theta.elements.len(), 1 + 3 + 4 + 9 + 3 + 1);
}

#[test]
fn the_start_returns_on_the_natural_scale() {
    let problem = problem(MODEL, &data());
    let values = natural(&problem.model, &problem.theta.start);
    let wanted = problem
        .model
        .parameters
        .iter()
        .flat_map(|p| p.start.clone());
    for (value, wanted) in values.iter().zip(wanted) {
        assert!((value - wanted).abs() < 1e-12, "{value} {wanted}");
    }
}

/// Derivatives of all natural elements in all coordinates, against central differences.
#[test]
fn the_jacobian_of_the_natural_scale_is_right() {
    let problem = problem(MODEL, &data());
    let theta = problem.theta.start.clone();
    let jacobian = problem.natural_jacobian(&theta);
    assert_eq!(jacobian.len(), problem.theta.elements.len());
    let h = 1e-6;
    for k in 0..theta.len() {
        let at = |step: f64| {
            let mut moved = theta.clone();
            moved[k] += step;
            natural(&problem.model, &moved)
        };
        for (e, (high, low)) in at(h).iter().zip(at(-h)).enumerate() {
            let slope = (high - low) / (2.0 * h);
            assert!(
                (slope - jacobian[e][k]).abs() < 1e-7 * (1.0 + slope.abs()),
                "{} in {k}: {slope} {}",
                problem.theta.elements[e].name,
                jacobian[e][k]
            );
        }
    }
}

fn start(name: &str, values: &[f64]) -> Given {
    Given {
        start: vec![(name.into(), values.to_vec())],
        fix: Vec::new(),
        ..Given::default()
    }
}

#[test]
fn starting_values_are_given_by_elements() {
    let given = start("P", &[0.6, 0.4, 0.5, 0.5]);
    let problem = try_problem(MODEL, &data(), &given).unwrap();
    let at = problem
        .theta
        .names
        .iter()
        .position(|n| n == "P[1,1]")
        .unwrap();
    assert!((problem.theta.start[at] - 1.5f64.ln()).abs() < 1e-14);
    for (name, values, reason) in [
        ("P", vec![0.6, 0.5, 0.5, 0.5], "start_wrong_sum"),
        ("P", vec![0.6, 0.4], "start_length"),
        ("p", vec![0.5, 0.5, 0.0], "start_outside_bounds"),
        ("o", vec![1.0, 2.0, 1.0], "start_not_positive_definite"),
    ] {
        let error = try_problem(MODEL, &data(), &start(name, &values)).unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
    }
}

#[test]
fn a_fixed_parameter_fixes_all_its_coordinates() {
    let given = Given {
        start: Vec::new(),
        fix: vec![("Q".into(), None)],
        ..Given::default()
    };
    let problem = try_problem(MODEL, &data(), &given).unwrap();
    let of_q = |k: &usize| problem.theta.base[*k] == "Q";
    let held = (0..problem.theta.len()).filter(of_q);
    assert!(held.into_iter().all(|k| !problem.theta.free[k]));
}

#[test]
fn declarations_that_cannot_be_are_refused() {
    let with = |fixed: &str| -> Result<Model, nlmers_core::error::Error> {
        try_model(&format!(
            "fixed a = 1\nfixed {fixed}\nrandom e ~ normal(0, a) | id\ny ~ normal(e, 1)"
        ))
    };
    for (fixed, reason) in [
        ("p = simplex(1)", "empty_parameter"),
        ("p = simplex(0.5, 0.5, lower = 0)", "bounds"),
        ("P = transition_matrix(1)", "not_square"),
        ("P = transition_matrix(0.5, 0.5)", "not_square"),
        ("Q = rate_matrix(1, 1, 1, 1)", "start_wrong_sum"),
        (
            "o = covariance_matrix(1, parameterization = \"spherical\")",
            "parameterization",
        ),
    ] {
        let error = with(fixed).unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
        assert!(error.place.unwrap().contains("parameter"), "{fixed}");
    }
}

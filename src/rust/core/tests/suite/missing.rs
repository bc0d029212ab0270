//! Cells that are missing, rows that are padded, branches that are not taken: they count for nothing.

use crate::common::data::Data;
use crate::common::numeric::relative;
use crate::common::{likelihood, problem, try_problem};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Given;

/// Proportional error at a prediction of zero, where the outcome is missing and another one is not.
#[test]
fn a_missing_cell_with_an_infinite_density_leaves_the_gradient_finite() {
    let text = "
        fixed cl = 0.1
        fixed b = positive(0.2)
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        c <- x * exp(cl + e)
        y ~ normal(c, prop(b))
        v ~ normal(e, 1)";
    let data = Data::new(5, |_| 3)
        .with("x", |row, _| (row % 3) as f64)
        .with("y", |row, _| {
            if row.is_multiple_of(3) {
                f64::NAN
            } else {
                1.0 + row as f64 / 9.0
            }
        })
        .with("v", |_, _| 0.3);
    let problem = problem(text, &data);
    let theta = problem.theta.start.clone();
    let phi = vec![0.2; 5];
    for isa in Isa::available() {
        let gradient = likelihood::gradient_phi(isa, &problem, &theta, &phi);
        assert!(
            gradient.iter().all(|g| g.is_finite()),
            "{isa:?} {gradient:?}"
        );
        let gradient = likelihood::gradient_theta(isa, &problem, &theta, &phi);
        assert!(
            gradient.iter().all(|g| g.is_finite()),
            "{isa:?} {gradient:?}"
        );
    }
}

#[test]
fn a_guarded_branch_leaves_the_gradient_finite() {
    let text = "
        fixed th = 1
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        y ~ normal(ifelse(x > 0, log(x * exp(e)) + sqrt(x * th + e^2 - e^2), th + e), 1)";
    let data = Data::new(4, |_| 3)
        .with("x", |row, _| (row % 3) as f64)
        .with("y", |_, _| 0.5);
    let problem = problem(text, &data);
    let theta = problem.theta.start.clone();
    for isa in Isa::available() {
        let gradient = likelihood::gradient_phi(isa, &problem, &theta, &[0.3; 4]);
        assert!(
            gradient.iter().all(|g| g.is_finite()),
            "{isa:?} {gradient:?}"
        );
        let information = likelihood::information(isa, &problem, &theta, &[0.3; 4]);
        assert!(
            information.iter().flatten().all(|g| g.is_finite()),
            "{information:?}"
        );
    }
}

#[test]
fn a_subject_without_an_outcome_contributes_nothing() {
    let text = "
        fixed th = 1
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        y ~ normal(log(x) * exp(e) + th / x, 1)";
    let data = Data::new(3, |_| 2)
        .with("x", |row, _| 1.0 + row as f64)
        .with("y", |_, i| if i == 1 { f64::NAN } else { 0.5 });
    let problem = problem(text, &data);
    let theta = problem.theta.start.clone();
    assert_eq!(problem.records.n_obs(), 4);
    for isa in Isa::available() {
        assert_eq!(likelihood::values(isa, &problem, &theta, &[0.2; 3])[1], 0.0);
        assert_eq!(
            likelihood::gradient_phi(isa, &problem, &theta, &[0.2; 3])[1],
            0.0
        );
        assert_eq!(
            likelihood::information(isa, &problem, &theta, &[0.2; 3])[1][0],
            0.0
        );
    }
}

#[test]
fn a_custom_density_may_be_written_in_steps_and_its_cells_may_be_missing() {
    let text = "
        fixed th = 1
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        z <- (y - th - e) / 2
        y ~ custom(-0.5 * z^2)";
    let data = Data::new(3, |_| 3).with("y", |row, _| {
        if row.is_multiple_of(2) {
            f64::NAN
        } else {
            row as f64
        }
    });
    let problem = try_problem(text, &data, &Given::default()).unwrap();
    let values = likelihood::values(Isa::detect(), &problem, &[1.0, 0.0], &[0.0; 3]);
    let expected = [0.0, -0.5 - 2.0, -0.5 * 9.0];
    assert!(
        values
            .iter()
            .zip(expected)
            .all(|(a, b)| relative(*a, b, 1.0) < 1e-12),
        "{values:?}"
    );
}

#[test]
fn an_outcome_that_another_outcome_reads_must_be_complete() {
    let text = "
        fixed th = 1
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        y ~ normal(th + e, 1)
        v ~ normal(y + e, 1)";
    let data = Data::new(3, |_| 3)
        .with("y", |row, _| if row == 4 { f64::NAN } else { row as f64 })
        .with("v", |_, _| 1.0);
    let error = try_problem(text, &data, &Given::default()).unwrap_err();
    assert_eq!(
        (error.reason, error.place.as_deref()),
        ("missing_covariate", Some("id s2, row 5"))
    );
}

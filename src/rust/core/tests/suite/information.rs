//! Louis' information and the sandwich against numerical Hessians and closed forms.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::numeric::{gradient, minimise, relative};
use crate::common::pharmacokinetics::{self, curvature};
use crate::common::{joint, position};
use nalgebra::DMatrix;
use nlmers_core::inference::importance::ImportanceSampling;
use nlmers_core::inference::information::{self, WeightedInformation};
use nlmers_core::inference::joint::joint_modes;
use nlmers_core::inference::proposal::around;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::inference::sandwich::{filled, inverse};
use nlmers_core::parallel::Workers;
use nlmers_core::problem::Joint;

fn informed(joint: &Joint, theta: &[f64], draws: usize) -> WeightedInformation {
    let workers = Workers::single();
    let sampling = ImportanceSampling {
        trusts: false,
        joint,
        theta,
        workers: &workers,
        seed: 1,
        draws,
    };
    let modes = joint_modes(joint, theta).unwrap();
    let posterior = around(joint, theta, &modes.points).unwrap();
    let mut found = information::scores(&sampling, &posterior).unwrap();
    found.differentiate(&sampling, &posterior).unwrap();
    found
}

fn log_lik(joint: &Joint, theta: &[f64], nodes: usize) -> f64 {
    quadrature(joint.main(), theta, nodes).unwrap().log_lik
}

/// The free coordinates put into `theta`.
fn with(joint: &Joint, x: &[f64]) -> Vec<f64> {
    let mut theta = joint.theta.start.clone();
    let free = (0..theta.len()).filter(|k| joint.theta.free[*k]);
    for (k, x) in free.zip(x) {
        theta[k] = *x;
    }
    theta
}

fn free_start(joint: &Joint) -> Vec<f64> {
    let entries = joint.theta.start.iter().zip(&joint.theta.free);
    entries
        .filter(|(_, free)| **free)
        .map(|(x, _)| *x)
        .collect()
}

/// Largest difference of two matrices in the units of the diagonal of the second.
fn distance(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    let unit = |k: usize| b[(k, k)].abs().sqrt();
    let difference = a - b;
    let scaled = DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| {
        difference[(i, j)].abs() / (unit(i) * unit(j))
    });
    scaled.max()
}

#[test]
fn standard_errors_of_the_absorption_model_are_those_of_the_hessian() {
    let joint = pharmacokinetics::problem();
    let (x, _) = minimise(&free_start(&joint), |x| {
        -2.0 * log_lik(&joint, &with(&joint, x), 7)
    });
    let theta = with(&joint, &x);
    let found = informed(&joint, &theta, 1000);
    let exact = curvature(&x, 1e-3, |x| log_lik(&joint, &with(&joint, x), 9));
    let (covariance, exact) = (
        inverse(&joint, &found.free, &found.observed.all).unwrap(),
        exact.cholesky().unwrap().inverse(),
    );
    for k in 0..x.len() {
        let (se, hessian) = (covariance[(k, k)].sqrt(), exact[(k, k)].sqrt());
        assert!(relative(se, hessian, 0.0) < 0.02, "{k}: {se} {hessian}");
    }
    assert!(distance(&covariance, &exact) < 0.05);
    // At the maximum the scores of the subjects add up to nothing.
    let p = x.len();
    for k in 0..p {
        let total: f64 = found.scores.iter().skip(k).step_by(p).sum();
        assert!(total.abs() * exact[(k, k)].sqrt() < 0.05, "{k}: {total}");
    }
}

/// Information and scores of all subjects at the start are those of the log-likelihood by quadrature.
fn agrees_with_quadrature(joint: &Joint, draws: usize) {
    let x = free_start(joint);
    let found = informed(joint, &joint.theta.start, draws);
    let value = |x: &[f64]| log_lik(joint, &with(joint, x), 15);
    let exact = curvature(&x, 1e-3, value);
    let far = distance(&found.observed.all, &exact);
    assert!(far < 0.02, "{far}\n{}\n{exact}", found.observed.all);
    let slopes = gradient(&x, 1e-4, value);
    for (k, slope) in slopes.iter().enumerate() {
        let total: f64 = found.scores.iter().skip(k).step_by(x.len()).sum();
        let unit = exact[(k, k)].abs().sqrt();
        assert!((total - slope).abs() < 0.02 * unit, "{k}: {total} {slope}");
    }
}

/// Ten subjects with three outcomes.
fn mixed_data() -> Data {
    let mut draw = Generator(31);
    let effects: Vec<f64> = (0..10).map(|_| draw.normal()).collect();
    Data::new(10, |i| 3 + i % 3)
        .with("wt", |_, i| 0.3 * (i as f64 - 4.5))
        .with("t", |row, _| (row % 4) as f64 * 0.5)
        .with("y", |row, i| {
            (1.0 + 0.5 * effects[i]).exp() + 0.3 * (row % 4) as f64 + 0.4 * draw.normal()
        })
        .with("n", |_, i| draw.poisson((0.3 + 0.4 * effects[i]).exp()))
        .with("v", |_, _| 2.0 + draw.normal())
}

/// Away from the maximum nothing cancels: every term of the formula counts. With parameters of every route.
#[test]
fn away_from_the_maximum_information_and_scores_are_still_those_of_the_likelihood() {
    let joint = joint(
        "
        fixed m = real(0.9, 0.1)
        fixed b = 0.2
        fixed w = covariance_matrix(0.4, 0.1, 0.1, 0.3)
        fixed slope = 0.4
        fixed c = -0.3
        fixed s = positive(0.5)
        fixed at = 1.8
        fixed spread = positive(1.1)
        random e ~ mvnormal(c(m[1] + b * wt, m[2]), w) | id
        y ~ normal(exp(e[1]) + slope * t, s)
        n ~ poisson(exp(e[2] + c * wt * e[1]))
        v ~ normal(at, spread)",
        &mixed_data(),
    );
    agrees_with_quadrature(&joint, 8192);
}

/// A mean that is not linear is in the program, and with it the variance of its effect.
#[test]
fn a_population_that_the_program_holds_has_its_information_from_there() {
    let joint = joint(
        "
        fixed a = 0.8
        fixed c = 0.6
        fixed o = positive(0.7)
        fixed s = positive(0.5)
        random e ~ normal(a * exp(c * wt), o) | id
        y ~ normal(exp(e), s)",
        &mixed_data(),
    );
    assert_eq!(joint.main().programs.numeric, [0]);
    agrees_with_quadrature(&joint, 4096);
}

const INTERCEPT: &str = "
    fixed m = 0
    fixed o = positive(1)
    fixed s = positive(1)
    random b ~ normal(m, o) | id
    y ~ normal(b, s)";

/// Log-likelihood of a random intercept with `n` observations of a subject, from their mean and sum of squares.
fn intercept(theta: &[f64], y: &[f64]) -> f64 {
    let (m, o2, s2) = (theta[0], (2.0 * theta[1]).exp(), (2.0 * theta[2]).exp());
    let n = y.len() as f64;
    let mean = y.iter().sum::<f64>() / n;
    let within: f64 = y.iter().map(|y| (y - mean).powi(2)).sum();
    let total = s2 + n * o2;
    -0.5 * (n * (2.0 * std::f64::consts::PI).ln() + (n - 1.0) * s2.ln() + total.ln())
        - 0.5 * (within / s2 + n * (mean - m).powi(2) / total)
}

fn intercept_data() -> Data {
    let mut draw = Generator(21);
    let effects: Vec<f64> = (0..15).map(|_| 1.5 * draw.normal()).collect();
    Data::new(15, |i| 2 + i % 3).with("y", |_, i| 0.4 + effects[i] + 0.8 * draw.normal())
}

#[test]
fn a_linear_model_has_its_exact_hessian_where_the_draws_are_many() {
    let data = intercept_data();
    let joint = joint(INTERCEPT, &data);
    let of = |i: usize| -> Vec<f64> {
        data.rows_of(i)
            .into_iter()
            .map(|row| data.column("y")[row])
            .collect()
    };
    let value = |theta: &[f64]| (0..15).map(|i| intercept(theta, &of(i))).sum::<f64>();
    let exact = curvature(&[0.0; 3], 1e-2, value);
    // One dimension of effects and one of distance: a lattice of so many points leaves almost five digits.
    let found = informed(&joint, &[0.0; 3], 200_000);
    let far = distance(&found.observed.all, &exact);
    assert!(far < 3e-5, "{far:.1e}\n{}\n{exact}", found.observed.all);
    for i in 0..15 {
        let slopes = gradient(&[0.0; 3], 1e-2, |theta| intercept(theta, &of(i)));
        for (score, slope) in found.scores[3 * i..3 * i + 3].iter().zip(slopes) {
            assert!((score - slope).abs() < 1e-4, "{i}: {score} {slope}");
        }
    }
}

/// The mean of one observation a subject: the sandwich is the empirical variance, whatever the model says of it.
#[test]
fn the_sandwich_of_a_mean_is_its_empirical_variance() {
    let mut draw = Generator(5);
    let y: Vec<f64> = (0..40).map(|_| 2.0 + 3.0 * draw.normal()).collect();
    let data = Data::new(40, |_| 1).with("y", |_, i| y[i]);
    let text = INTERCEPT.replace("fixed m = 0", "fixed m = 2");
    let joint = common::joint_with_fixed(&text, &data, &["o", "s"]);
    let mean = y.iter().sum::<f64>() / 40.0;
    let theta = [mean, 0.0, 0.0];
    let found = informed(&joint, &theta, 20_000);
    let bread = inverse(&joint, &found.free, &found.observed.all).unwrap();
    let model = bread[(0, 0)];
    assert!(relative(model, 2.0 / 40.0, 0.0) < 1e-4, "{model}");
    let robust = filled(&bread, &found)[(0, 0)];
    let empirical = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 1600.0;
    assert!(
        relative(robust, empirical, 0.0) < 1e-3,
        "{robust} {empirical}"
    );
}

#[test]
fn a_direction_without_information_is_an_error_that_names_its_parameters() {
    let data = intercept_data();
    let text = "
        fixed m = 0
        fixed shift = 0
        fixed o = positive(1)
        fixed s = positive(1)
        random b ~ normal(m, o) | id
        y ~ normal(b * b + m + shift, s)";
    let joint = joint(text, &data);
    let free: Vec<usize> = (0..4).collect();
    let mut singular = DMatrix::identity(4, 4) * 2.0;
    let (m, shift) = (position(joint.main(), "m"), position(joint.main(), "shift"));
    singular[(m, shift)] = 2.1;
    singular[(shift, m)] = 2.1;
    let error = inverse(&joint, &free, &singular).unwrap_err();
    assert_eq!(error.reason, "not_identified");
    assert!(error.problem.contains("about `m`, `shift` at"), "{error}");
    assert!(!error.problem.contains("`s`"), "{error}");
    singular[(0, 0)] = f64::NAN;
    let error = inverse(&joint, &free, &singular).unwrap_err();
    assert!(error.problem.contains("about the parameters at"), "{error}");
}

#[test]
fn a_subject_whose_likelihood_is_lost_is_named() {
    let data = Data::new(3, |_| 2)
        .with("x", |_, i| if i == 1 { 1.0 } else { 2e6 })
        .with("y", |_, _| 14.0);
    let text = "
        fixed a = 0.5
        fixed o = positive(0.8)
        random e ~ normal(0, o) | id
        y ~ normal(log(x - 1e6 + 0 * e) + a + e, 1)";
    let joint = joint(text, &data);
    let workers = Workers::single();
    let theta = joint.theta.start.clone();
    let sampling = ImportanceSampling {
        trusts: false,
        joint: &joint,
        theta: &theta,
        workers: &workers,
        seed: 1,
        draws: 100,
    };
    let modes = joint_modes(&joint, &theta).unwrap();
    let posterior = around(&joint, &theta, &modes.points).unwrap();
    let error = information::scores(&sampling, &posterior).unwrap_err();
    assert_eq!(error.reason, "no_density");
    assert!(error.problem.contains("`id` s2 is not finite"), "{error}");
}

//! Quadrature and conditional modes against closed forms and brute force.

use crate::common::data::{Data, Generator};
use crate::common::numeric::{log_integral, relative};
use crate::common::{likelihood, problem};
use nalgebra::{DMatrix, DVector};
use nlmers_core::distributions::LN_SQRT_2PI;
use nlmers_core::inference::modes::{ModeOptions, Modes};
use nlmers_core::inference::quadrature::{quadrature, quadrature_by};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{Evaluator, Means, Prior, Problem};

/// 9 subjects with 1 to 4 rows, two of the cells missing.
fn linear_data() -> Data {
    let mut draw = Generator(2);
    Data::new(9, |i| 1 + i % 4)
        .with("x", |row, _| (row as f64 * 0.7).sin())
        .with("y", |row, _| {
            if row == 5 || row == 11 {
                f64::NAN
            } else {
                2.0 + draw.normal()
            }
        })
}

const LINEAR: &str = "
    fixed m = real(1.8, 0.3)
    fixed w = covariance_matrix(0.7, 0.2, 0.2, 0.4)
    random e ~ mvnormal(m, w) | id
    y ~ normal(e[1] + x * e[2], 0.6)";

/// `log N(y; X m, X W X' + s2 I)` of one subject.
fn linear_marginal(data: &Data, subject: usize) -> f64 {
    let present = |row: &usize| !data.column("y")[*row].is_nan();
    let rows: Vec<usize> = data.rows_of(subject).into_iter().filter(present).collect();
    let n = rows.len();
    let x = DMatrix::from_fn(n, 2, |j, k| {
        if k == 0 {
            1.0
        } else {
            data.column("x")[rows[j]]
        }
    });
    let omega = DMatrix::from_row_slice(2, 2, &[0.7, 0.2, 0.2, 0.4]);
    let v = &x * omega * x.transpose() + DMatrix::identity(n, n) * 0.36;
    let y = DVector::from_fn(n, |j, _| data.column("y")[rows[j]]);
    let r = y - &x * DVector::from_column_slice(&[1.8, 0.3]);
    let factor = v.cholesky().unwrap();
    let log_det: f64 = (0..n).map(|i| factor.l()[(i, i)].ln()).sum();
    -0.5 * r.dot(&factor.solve(&r)) - log_det - n as f64 * LN_SQRT_2PI
}

#[test]
fn any_number_of_nodes_is_exact_for_a_linear_model() {
    let data = linear_data();
    let problem = problem(LINEAR, &data);
    for nodes in [1, 2, 3, 5, 8, 13, 21, 40] {
        let result = quadrature(&problem, &problem.theta.start, nodes).unwrap();
        for (i, value) in result.subjects.iter().enumerate() {
            let exact = linear_marginal(&data, i);
            assert!(
                relative(*value, exact, 1.0) < 1e-10,
                "{nodes} nodes, {i}: {value} {exact}"
            );
        }
        let total: f64 = (0..9).map(|i| linear_marginal(&data, i)).sum();
        assert!(relative(result.log_lik, total, 1.0) < 1e-10);
        assert!(
            result.converged.iter().all(|c| *c),
            "{:?}",
            result.converged
        );
    }
}

/// 80 subjects: two blocks of lanes; the first has no count at all, the second 40 rows.
fn count_data() -> Data {
    let mut draw = Generator(4);
    let effects: Vec<f64> = (0..80).map(|_| 0.8 * draw.normal()).collect();
    Data::new(80, |i| if i == 1 { 40 } else { 1 + i % 4 })
        .with("x", |row, _| (row as f64).cos())
        .with("y", |row, i| {
            let y = draw.poisson((0.5 + effects[i] + 0.4 * (row as f64).cos()).exp());
            if i == 0 {
                f64::NAN
            } else {
                y
            }
        })
}

const COUNTS: &str = "
    fixed a = 0.5
    fixed b = 0.4
    fixed o = positive(0.8)
    random e ~ normal(0, o) | id
    y ~ poisson(exp(a + b * x + e))";

fn count_marginal(data: &Data, subject: usize) -> f64 {
    let present = |row: &usize| !data.column("y")[*row].is_nan();
    let rows: Vec<usize> = data.rows_of(subject).into_iter().filter(present).collect();
    log_integral(-9.0, 9.0, 20_000, |e| {
        let rows = rows.iter().map(|row| {
            let (x, y) = (data.column("x")[*row], data.column("y")[*row]);
            let log_rate = 0.5 + 0.4 * x + e;
            let norm: f64 = (1..=y as usize).map(|k| (k as f64).ln()).sum();
            y * log_rate - log_rate.exp() - norm
        });
        rows.sum::<f64>() - 0.5 * (e / 0.8).powi(2) - 0.8f64.ln() - LN_SQRT_2PI
    })
}

#[test]
fn the_marginal_of_counts_is_that_of_brute_force() {
    let data = count_data();
    let problem = problem(COUNTS, &data);
    let result = quadrature(&problem, &problem.theta.start, 40).unwrap();
    for (i, value) in result.subjects.iter().enumerate() {
        let exact = count_marginal(&data, i);
        assert!(relative(*value, exact, 1.0) < 1e-8, "{i}: {value} {exact}");
    }
    assert!(result.subjects[0].abs() < 1e-12, "no data, no likelihood");
}

#[test]
fn more_nodes_come_closer() {
    let data = count_data();
    let problem = problem(COUNTS, &data);
    let exact: f64 = (0..80).map(|i| count_marginal(&data, i)).sum();
    let error = |nodes| {
        let result = quadrature(&problem, &problem.theta.start, nodes).unwrap();
        (result.log_lik - exact).abs()
    };
    let errors = [3, 7, 13, 21].map(error);
    assert!(
        errors.windows(2).all(|pair| pair[1] < pair[0]),
        "{errors:?}"
    );
    assert!(
        errors[0] > 0.05,
        "Laplace is an approximation here: {errors:?}"
    );
    assert!(errors[3] < 1e-5, "{errors:?}");
}

#[test]
fn too_many_points_are_refused_and_zero_nodes_too() {
    let problem = problem(LINEAR, &linear_data());
    for nodes in [0, 5_000] {
        let error = quadrature(&problem, &problem.theta.start, nodes).unwrap_err();
        assert_eq!(error.reason, "too_many_nodes");
        assert!(error.hint.unwrap().contains("nodes = 15"));
    }
}

fn find(problem: &Problem, options: ModeOptions) -> (Vec<f64>, Vec<bool>) {
    let layout = problem.layout(1);
    let theta = &problem.theta.start;
    let target = Evaluator::new(problem, &layout, theta).unwrap();
    Modes::find(&target, None, options, &Workers::single()).by_subject(&layout)
}

/// Gradient of the conditional log density at `phi`, scaled by the prior's standard deviations.
fn slopes(problem: &Problem, phi: &[f64]) -> Vec<f64> {
    let theta = &problem.theta.start;
    let (d, prior) = (problem.n_phi(), Prior::new(problem, theta).unwrap());
    let means = Means::new(problem, &problem.layout(1), theta);
    let likelihood = likelihood::gradient_phi(Isa::detect(), problem, theta, phi);
    (0..phi.len())
        .map(|k| {
            let (i, a) = (k / d, k % d);
            let pull = (0..d)
                .map(|b| prior.precision[(a, b)] * (phi[i * d + b] - means.of(i)[b]))
                .sum::<f64>();
            (likelihood[k] - pull) * prior.omega[(a, a)].sqrt()
        })
        .collect()
}

/// A saturating curve with two effects and three kinds of data: nothing like a quadratic.
fn curves() -> Problem {
    let mut draw = Generator(8);
    let data = Data::new(70, |i| 2 + i % 5)
        .with("t", |row, _| 0.5 + (row % 6) as f64)
        .with("y", |_, _| draw.between(0.5, 9.0))
        .with("z", |row, _| f64::from(u8::from(row.is_multiple_of(3))))
        .with("n", |row, _| (row % 4) as f64);
    let text = "
        fixed lv = 2
        fixed lk = -0.5
        fixed o = positive(0.6, 0.8)
        random e ~ mvnormal(c(lv, lk), diag(o)) | id
        f <- exp(e[1]) * (1 - exp(-exp(e[2]) * t))
        y ~ normal(f, add_prop(0.3, 0.1))
        z ~ bernoulli(plogis(e[1] - 0.5 * e[2] - t))
        n ~ poisson(exp(e[2]) + 0.1)";
    problem(text, &data)
}

#[test]
fn gradients_vanish_at_the_modes() {
    for problem in [
        curves(),
        problem(COUNTS, &count_data()),
        problem(LINEAR, &linear_data()),
    ] {
        let (phi, converged) = find(&problem, ModeOptions::exact());
        let lost: Vec<usize> = (0..converged.len()).filter(|i| !converged[*i]).collect();
        assert!(lost.is_empty(), "{lost:?} {:?}", slopes(&problem, &phi));
        let worst = slopes(&problem, &phi)
            .into_iter()
            .fold(0.0f64, |m, x| m.max(x.abs()));
        assert!(worst < 1e-3, "{worst:.1e}");
    }
}

/// Gauss-Newton alone overshoots forever where residuals are large.
#[test]
fn modes_are_found_to_the_last_digit_where_residuals_are_large() {
    let problem = curves();
    let options = ModeOptions {
        tolerance: 1e-15,
        ..ModeOptions::exact()
    };
    let (phi, converged) = find(&problem, options);
    assert!(converged.iter().all(|c| *c));
    assert!(slopes(&problem, &phi)
        .iter()
        .all(|slope| slope.abs() < 1e-6));
}

#[test]
fn modes_of_a_density_without_known_information_are_found() {
    let data = count_data();
    let text = COUNTS.replace(
        "y ~ poisson(exp(a + b * x + e))",
        "y ~ custom(y * (a + b * x + e) - exp(a + b * x + e))",
    );
    let (own, family) = (problem(&text, &data), problem(COUNTS, &data));
    assert!(!own.programs.has_information);
    let ((phi, converged), (expected, _)) = (
        find(&own, ModeOptions::exact()),
        find(&family, ModeOptions::exact()),
    );
    assert!(converged.iter().all(|c| *c));
    assert!(phi
        .iter()
        .zip(&expected)
        .all(|(a, b)| relative(*a, *b, 1.0) < 1e-6));
}

#[test]
fn a_search_that_is_cut_short_says_so() {
    let problem = curves();
    let options = ModeOptions {
        max_steps: 1,
        ..ModeOptions::exact()
    };
    let (phi, converged) = find(&problem, options);
    let d = problem.n_phi();
    let slopes = slopes(&problem, &phi);
    let steep = |i: usize| slopes[i * d..(i + 1) * d].iter().any(|s| s.abs() > 1e-3);
    assert!((0..70).filter(|i| steep(*i)).count() > 50);
    assert!((0..70).filter(|i| steep(*i)).all(|i| !converged[i]));
}

#[test]
fn a_subject_whose_density_is_not_finite_is_not_called_converged() {
    let text = "
        fixed a = 0.5
        fixed o = positive(0.8)
        random e ~ normal(0, o) | id
        y ~ normal(log(x - 1e6 + 0 * e) + a + e, 1)";
    let data = Data::new(3, |_| 2)
        .with("x", |_, i| if i == 1 { 1.0 } else { 2e6 })
        .with("y", |_, _| 14.0);
    let problem = problem(text, &data);
    let (_, converged) = find(&problem, ModeOptions::exact());
    assert_eq!(converged, [true, false, true]);
    let result = quadrature(&problem, &problem.theta.start, 5).unwrap();
    assert!(!result.log_lik.is_finite() && !result.converged[1]);
}

#[test]
fn the_likelihood_has_the_same_bits_on_any_number_of_threads() {
    let problem = problem(COUNTS, &count_data());
    let theta = &problem.theta.start;
    let one = quadrature(&problem, theta, 9).unwrap();
    for threads in [2, 3] {
        let workers = Workers::new(threads).unwrap();
        let several = quadrature_by(&workers, &problem, theta, 9, None).unwrap();
        assert_eq!(one.subjects, several.subjects);
        assert_eq!(one.log_lik.to_bits(), several.log_lik.to_bits());
    }
}

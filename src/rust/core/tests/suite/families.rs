//! Every family of outcomes: its density against a formula, its mass, its gradients, its expected information.
//!
//! Each value of the outcome is a subject of its own, so that one evaluation gives the density at all of them.

use crate::common;
use crate::common::data::Data;
use crate::common::families::{arguments, families, grid, lg, Family, Space, PARAMETERS};
use crate::common::numeric::relative;
use crate::common::{likelihood, problem};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

fn setting(family: &Family, values: &[f64]) -> Problem {
    let data = Data::new(values.len(), |_| 1).with("y", |row, _| values[row]);
    problem(&format!("{PARAMETERS}\ny ~ {}\n", family.statement), &data)
}

fn repeated(phi: [f64; 3], n: usize) -> Vec<f64> {
    phi.iter().copied().cycle().take(3 * n).collect()
}

const POINTS: [[f64; 3]; 3] = [[0.0, 0.0, 0.0], [0.7, -0.4, 0.0], [-0.5, 0.6, 0.0]];

#[test]
fn densities_are_those_of_the_formulas() {
    for family in families() {
        let (values, _) = grid(family.space);
        let values: Vec<f64> = values.into_iter().filter(|y| y.abs() < 40.0).collect();
        let problem = setting(&family, &values);
        for phi in POINTS.into_iter().chain([[0.3, 0.2, -0.9]]) {
            let moved = repeated(phi, values.len());
            let theta = &problem.theta.start;
            let found = likelihood::values(Isa::detect(), &problem, theta, &moved);
            for (value, y) in found.iter().zip(&values) {
                let hand = (family.log_density)(*y, arguments(0.4, phi));
                let error = relative(*value, hand, 1.0);
                // The formula loses digits where a probability is nearly one.
                assert!(error < 1e-9, "{} at {y}: {value} {hand}", family.statement);
            }
        }
    }
}

#[test]
fn masses_are_one_and_means_are_those_predicted() {
    for family in families() {
        let (values, weights) = grid(family.space);
        let problem = setting(&family, &values);
        for phi in POINTS {
            let moved = repeated(phi, values.len());
            let theta = &problem.theta.start;
            let logs = likelihood::values(Isa::detect(), &problem, theta, &moved);
            let mass: Vec<f64> = logs
                .iter()
                .zip(&weights)
                .map(|(l, w)| l.exp() * w)
                .collect();
            let total: f64 = mass.iter().sum();
            let what = family.statement;
            assert!((total - 1.0).abs() < family.tolerance, "{what}: {total}");
            if let Some(mean) = family.mean {
                let sum: f64 = mass.iter().zip(&values).map(|(m, y)| m * y).sum();
                let expected = mean(arguments(0.4, phi));
                assert!(
                    relative(sum, expected, 1.0) < family.tolerance,
                    "{what}: {sum} {expected}"
                );
            }
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_value() {
    for family in families() {
        let (values, _) = grid(family.space);
        let values: Vec<f64> = values.into_iter().filter(|y| y.abs() < 30.0).collect();
        let problem = setting(&family, &values);
        let theta = problem.theta.start.clone();
        for isa in Isa::available() {
            let phi = [0.35, -0.2, 0.013];
            let gradient =
                likelihood::gradient_phi(isa, &problem, &theta, &repeated(phi, values.len()));
            for k in 0..3 {
                let side = |step: f64| {
                    let mut moved = phi;
                    moved[k] += step * 1e-3;
                    likelihood::values(isa, &problem, &theta, &repeated(moved, values.len()))
                };
                let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(side);
                for (i, y) in values.iter().enumerate() {
                    let slope = (8.0 * (c[i] - b[i]) - (d[i] - a[i])) / 12e-3;
                    let error = relative(gradient[3 * i + k], slope, 1.0);
                    let what = family.statement;
                    assert!(
                        error < 1e-6,
                        "{what} {isa:?} at {y}, {k}: {slope} {error:.1e}"
                    );
                }
            }
            let moved = repeated(phi, values.len());
            let found = likelihood::gradient_theta(isa, &problem, &theta, &moved);
            let slope = common::numeric::gradient(&theta, 1e-3, |theta| {
                likelihood::values(isa, &problem, theta, &moved)
                    .iter()
                    .sum()
            });
            for (a, b) in found.iter().zip(&slope) {
                assert!(
                    relative(*a, *b, 1.0) < 1e-6,
                    "{} theta: {a} {b}",
                    family.statement
                );
            }
        }
    }
}

/// The mean of the products of scores, summed over the values of the outcome.
#[test]
fn expected_information_is_the_variance_of_the_score() {
    for family in families() {
        let (values, weights) = grid(family.space);
        let problem = setting(&family, &values);
        assert!(problem.programs.has_information, "{}", family.statement);
        let theta = &problem.theta.start;
        for phi in POINTS {
            let moved = repeated(phi, values.len());
            let isa = Isa::detect();
            let logs = likelihood::values(isa, &problem, theta, &moved);
            let scores = likelihood::gradient_phi(isa, &problem, theta, &moved);
            let found = likelihood::information(isa, &problem, theta, &moved);
            let mut expected = [0.0; 6];
            for (i, (log, weight)) in logs.iter().zip(&weights).enumerate() {
                let s = &scores[3 * i..3 * i + 3];
                let pairs = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
                for (sum, (j, k)) in expected.iter_mut().zip(pairs) {
                    let mass = log.exp() * weight;
                    *sum += if mass > 0.0 { mass * s[j] * s[k] } else { 0.0 };
                }
            }
            for (a, b) in found[0].iter().zip(expected) {
                let error = relative(*a, b, 0.1);
                let limit = 100.0 * family.tolerance;
                assert!(
                    error < limit,
                    "{}: {:?} {expected:?}",
                    family.statement,
                    found[0]
                );
            }
        }
    }
}

#[test]
fn an_individual_size_of_a_negative_binomial_has_no_known_information() {
    let family = Family {
        statement: "neg_binomial(A, B)",
        log_density: |_, _| 0.0,
        mean: None,
        space: Space::Line,
        tolerance: 0.0,
    };
    assert!(!setting(&family, &[0.0, 1.0]).programs.has_information);
}

/// Digits far out, where the probability itself is 0 or 1 in double precision.
#[test]
fn tails_keep_their_digits() {
    let cases: [(&str, f64, f64); 6] = [
        ("bernoulli(plogis(C + 800))", 0.0, -800.8),
        ("ordered(C - 500, c(-1, 2))", 3.0, -501.2),
        (
            "ordered(C + 700, c(-1, 2))",
            2.0,
            -698.8 + (1.0 - (-3.0f64).exp()).ln(),
        ),
        ("logistic(C - 900, 1)", 0.8, -900.0),
        (
            "student_t(3, C, 1e-60)",
            1.8,
            lg(2.0) - lg(1.5) - 0.5 * (3.0 * std::f64::consts::PI).ln() + 60.0 * 10.0f64.ln()
                - 2.0 * ((120.0 * 10.0f64.ln()) - 3.0f64.ln()),
        ),
        (
            "neg_binomial(2, 1e15)",
            5.0,
            5.0 * 2.0f64.ln() - 2.0 - lg(6.0),
        ),
    ];
    for (statement, y, expected) in cases {
        let family = Family {
            statement,
            log_density: |_, _| 0.0,
            mean: None,
            space: Space::Line,
            tolerance: 0.0,
        };
        let problem = setting(&family, &[y, y]);
        let theta = &problem.theta.start;
        let found = likelihood::values(Isa::detect(), &problem, theta, &[0.0; 6])[0];
        assert!(
            relative(found, expected, 0.0) < 1e-11,
            "{statement}: {found} {expected}"
        );
    }
}

//! Likelihood and gradients of Markov chains over the rows of a subject: against the sum over all paths.

use crate::common::chains::{by_paths, in_time, log_liks, normal_density, ragged, with_head};
use crate::common::data::{Data, Generator};
use crate::common::numeric::{assert_close, gradient, relative};
use crate::common::{likelihood, problem};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

/// `exp(a)` by scaling and squaring of the plain series.
fn expm(a: &[f64], k: usize) -> Vec<f64> {
    let multiply = |x: &[f64], y: &[f64]| -> Vec<f64> {
        (0..k * k)
            .map(|at| (0..k).map(|l| x[at / k * k + l] * y[l * k + at % k]).sum())
            .collect()
    };
    let small: Vec<f64> = a.iter().map(|x| x / 1024.0).collect();
    let identity: Vec<f64> = (0..k * k)
        .map(|at| f64::from(u8::from(at / k == at % k)))
        .collect();
    let (mut sum, mut term) = (identity.clone(), identity);
    for m in 1..30 {
        term = multiply(&term, &small)
            .iter()
            .map(|x| x / m as f64)
            .collect();
        sum = sum.iter().zip(&term).map(|(s, t)| s + t).collect();
    }
    for _ in 0..10 {
        sum = multiply(&sum, &sum);
    }
    sum
}

#[test]
fn case_18_bernoulli_emissions_with_a_missing_one() {
    let text = with_head(
        "y ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), bernoulli(c(0.9, 0.2) + 0 * e), c(0.6, 0.4))",
    );
    let data = Data::new(2, |_| 3)
        .with("t", |row, _| (row % 3) as f64)
        .with("y", |row, i| match row % 3 {
            0 => 1.0,
            1 => f64::NAN,
            _ => i as f64,
        })
        .timed("t");
    let problem = problem(&text, &data);
    let p = vec![0.85, 0.15, 0.25, 0.75];
    let found = log_liks(&problem, &[0.0; 2]);
    for (i, found) in found.iter().enumerate() {
        let success = [0.9, 0.2];
        let exact = by_paths(
            &[p.clone(), p.clone(), p.clone()],
            &[0.6, 0.4],
            |row, s| match (row, i) {
                (0, _) | (2, 1) => success[s],
                (1, _) => 1.0,
                _ => 1.0 - success[s],
            },
        );
        assert_close(*found, exact, 1e-12, "log-likelihood");
    }
}

#[test]
fn three_states_with_a_covariate_and_random_effects_in_everything() {
    let text = with_head(
        "
        a <- plogis(e + th * x)
        y ~ hmm(rbind(c(a, 0.7 * (1 - a), 0.3 * (1 - a)), c(0.1, 0.6, 0.3), c(0, 0.2, 0.8)),
                list(normal(e, 1), normal(2 + th, 0.5), normal(-1, add(2))), c(0.2, 0.3, 0.5))"
            .replace('\n', " ")
            .replace("        y ~", "\n y ~")
            .as_str(),
    );
    let data = ragged(150, |draw, _| 2.0 * draw.normal());
    let problem = problem(&text, &data);
    let mut draw = Generator(3);
    let phi: Vec<f64> = (0..150).map(|_| draw.normal()).collect();
    let found = log_liks(&problem, &phi);
    let (x, y) = (data.column("x"), data.column("y"));
    for i in 0..150 {
        let rows = in_time(&data, i);
        let steps: Vec<Vec<f64>> = rows
            .iter()
            .map(|(r, _)| {
                let a = 1.0 / (1.0 + (-(phi[i] + 0.3 * x[*r])).exp());
                vec![
                    a,
                    0.7 * (1.0 - a),
                    0.3 * (1.0 - a),
                    0.1,
                    0.6,
                    0.3,
                    0.0,
                    0.2,
                    0.8,
                ]
            })
            .collect();
        let exact = by_paths(&steps, &[0.2, 0.3, 0.5], |row, s| {
            let y = y[rows[row].0];
            if y.is_nan() {
                return 1.0;
            }
            [
                normal_density(y, phi[i], 1.0),
                normal_density(y, 2.3, 0.5),
                normal_density(y, -1.0, 2.0),
            ][s]
        });
        assert_close(found[i], exact, 1e-12, "log-likelihood");
    }
    check_gradients(&problem, &phi);
}

fn check_gradients(problem: &Problem, phi: &[f64]) {
    let isa = Isa::detect();
    let theta = problem.theta.start.clone();
    let found = likelihood::gradient_phi(isa, problem, &theta, phi);
    let slopes = {
        let h = 1e-3;
        let at = |step: f64| {
            let moved: Vec<f64> = phi.iter().map(|p| p + step).collect();
            likelihood::values(isa, problem, &theta, &moved)
        };
        let (up, down, up2, down2) = (at(h), at(-h), at(2.0 * h), at(-2.0 * h));
        (0..phi.len())
            .map(|i| (8.0 * (up[i] - down[i]) - (up2[i] - down2[i])) / (12.0 * h))
            .collect::<Vec<f64>>()
    };
    for (a, b) in found.iter().zip(&slopes) {
        assert!(relative(*a, *b, 1.0) < 1e-7, "phi: {a} and {b}");
    }
    let log_density = |theta: &[f64]| -> f64 {
        let program = &problem.programs.theta;
        let values = likelihood::derived_values(isa, problem, program, theta, phi);
        values.iter().sum()
    };
    let slopes = gradient(&theta, 1e-3, log_density);
    let found = likelihood::gradient_theta(isa, problem, &theta, phi);
    for (a, b) in found.iter().zip(&slopes) {
        assert!(relative(*a, *b, 1.0) < 1e-7, "theta: {a} and {b}");
    }
}

#[test]
fn continuous_time_with_two_and_three_states() {
    let two = "y ~ continuous_time_hmm(rbind(c(0, exp(e)), c(exp(th), 0)), poisson(c(1, 5)), c(0.6, 0.4))";
    let three = "y ~ continuous_time_hmm(rbind(c(0, exp(e), 0.2), c(exp(th), 0, 40), c(0.1, 3 * x, 0)), poisson(c(1, 5, 9)), c(0.5, 0.2, 0.3))";
    let data = ragged(70, |draw, _| draw.poisson(3.0));
    let mut draw = Generator(8);
    let phi: Vec<f64> = (0..70).map(|_| draw.normal()).collect();
    let (x, y) = (data.column("x"), data.column("y"));
    for (text, k) in [(two, 2), (three, 3)] {
        let problem = problem(&with_head(text), &data);
        let found = log_liks(&problem, &phi);
        for i in 0..70 {
            let rows = in_time(&data, i);
            let (up, back) = (phi[i].exp(), 0.3f64.exp());
            let steps: Vec<Vec<f64>> = rows
                .iter()
                .map(|(r, dt)| {
                    let last = 3.0 * x[*r];
                    let q = if k == 2 {
                        vec![-up, up, back, -back]
                    } else {
                        let first = [-up - 0.2, up, 0.2];
                        let second = [back, -back - 40.0, 40.0];
                        [first, second, [0.1, last, -0.1 - last]].concat()
                    };
                    expm(&q.iter().map(|q| q * dt).collect::<Vec<_>>(), k)
                })
                .collect();
            let initial: &[f64] = if k == 2 {
                &[0.6, 0.4]
            } else {
                &[0.5, 0.2, 0.3]
            };
            let exact = by_paths(&steps, initial, |row, s| {
                let y = y[rows[row].0];
                let rate = [1.0f64, 5.0, 9.0][s];
                let factorial: f64 = (1..=y as usize).map(|m| m as f64).product();
                if y.is_nan() {
                    1.0
                } else {
                    rate.powf(y) * (-rate).exp() / factorial
                }
            });
            assert_close(found[i], exact, 1e-12, "log-likelihood");
        }
        check_gradients(&problem, &phi);
    }
}

#[test]
fn observed_states_with_missing_ones() {
    let text =
        with_head("y ~ markov(rbind(c(1 - plogis(e), plogis(e)), c(0.3, 0.7)), c(0.5, 0.5))");
    let data = ragged(40, |draw, _| 1.0 + draw.below(2) as f64);
    let problem = problem(&text, &data);
    let phi: Vec<f64> = (0..40).map(|i| i as f64 / 20.0 - 1.0).collect();
    let found = log_liks(&problem, &phi);
    let y = data.column("y");
    for i in 0..40 {
        let rows = in_time(&data, i);
        let p = 1.0 / (1.0 + (-phi[i]).exp());
        let steps = vec![vec![1.0 - p, p, 0.3, 0.7]; rows.len()];
        let exact = by_paths(&steps, &[0.5, 0.5], |row, s| {
            let y = y[rows[row].0];
            f64::from(u8::from(y.is_nan() || y == s as f64 + 1.0))
        });
        assert_close(found[i], exact, 1e-12, "log-likelihood");
    }
    check_gradients(&problem, &phi);
}

#[test]
fn an_observed_chain_in_time_gives_the_probabilities_of_its_steps() {
    let text = with_head("y ~ continuous_time_markov(rbind(c(0, 2), c(0.5 * exp(e), 0)), c(1, 0))");
    let data = Data::new(2, |_| 3)
        .with("t", |row, _| [1.0, 1.5, 4.0][row % 3])
        .with("y", |row, _| [1.0, 2.0, 2.0][row % 3])
        .timed("t");
    let found = log_liks(&problem(&text, &data), &[0.0; 2]);
    // Rates 2 and 0.5: the stationary distribution is (0.2, 0.8).
    let exact =
        (0.8 * (1.0 - (-2.5f64 * 0.5).exp())).ln() + (0.8 + 0.2 * (-2.5f64 * 2.5).exp()).ln();
    assert_close(found[0], exact, 1e-13, "log-likelihood");
}

/// An emission density far below the smallest number, in the only state the chain can be in.
#[test]
fn densities_that_underflow_still_count() {
    let text = with_head(
        "y ~ hmm(rbind(c(1, 0), c(0, 1)), list(normal(e, 0.01), normal(100, 0.01)), c(1, 0))",
    );
    let data = Data::new(2, |_| 2).with("y", |_, _| 100.0);
    let problem = problem(&text, &data);
    let found = log_liks(&problem, &[0.0; 2]);
    let one = -0.5 * (100.0f64 / 0.01).powi(2) - (0.01 * std::f64::consts::TAU.sqrt()).ln();
    assert_close(found[0], 2.0 * one, 1e-13, "log-likelihood");
    let slope = likelihood::gradient_phi(Isa::detect(), &problem, &problem.theta.start, &[0.0; 2]);
    assert_close(slope[0], 2.0 * 100.0 / 1e-4, 1e-12, "gradient");
}

#[test]
fn probabilities_over_long_times_keep_their_digits() {
    let text = with_head("y ~ continuous_time_markov(rbind(c(0, 300, 0), c(0, 0, 1e-3 * exp(e)), c(1e-9, 0, 0)), c(1, 0, 0))");
    let data = Data::new(2, |_| 2)
        .with("t", |row, _| (row % 2) as f64)
        .with("y", |row, i| {
            if row % 2 == 0 {
                1.0
            } else {
                1.0 + 2.0 * i as f64
            }
        })
        .timed("t");
    let found = log_liks(&problem(&text, &data), &[0.0; 2]);
    // State 1 is left at rate 300 at once; then state 2 at 1e-3. Back to 1 only through 3, at 1e-9.
    let third = 1.0 - (300.0 * (-1e-3f64).exp() - 1e-3 * (-300.0f64).exp()) / (300.0 - 1e-3);
    assert!(
        relative(found[1].exp(), third, 0.0) < 1e-6,
        "{} {third}",
        found[1].exp()
    );
    // In quasi-equilibrium state 1 holds what comes from state 3 in 1/300: 1e-9 P3(t) / 300.
    let second = 1e-9 * third / 300.0;
    assert!(
        relative(found[0].exp(), second, 0.0) < 1e-2,
        "{} {second}",
        found[0].exp()
    );
}

/// Rows that give a dose hold nothing that a chain could have done there.
#[test]
fn a_chain_takes_no_step_at_a_dose() {
    let chain =
        "y ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), bernoulli(c(0.9, 0.2) + 0 * e), c(0.6, 0.4))";
    let drug = "d/dt(drug) <- -0.5 * drug\nf(drug) <- share\nz ~ normal(drug, 0.5)\n";
    let seen = |row: usize| if row % 4 == 2 { 1.0 } else { 0.0 };
    let alone = Data::new(2, |_| 4)
        .with("t", |row, _| (row % 4) as f64)
        .with("y", |row, _| seen(row))
        .timed("t");
    let dosed = Data::new(2, |_| 6)
        .with("t", |row, _| [0.0, 0.0, 1.0, 1.5, 2.0, 3.0][row % 6])
        .with(".amt", |row, _| [20.0, 0.0, 0.0, 5.0, 0.0, 0.0][row % 6])
        .with(".evid", |row, _| [1.0, 0.0, 0.0, 1.0, 0.0, 0.0][row % 6])
        .with("share", |row, _| [0.5, 1.0, 1.0, 1.0, 1.0, 1.0][row % 6])
        .with("y", |row, _| seen([0, 0, 1, 9, 2, 3][row % 6]))
        .with("z", |_, _| 1.0)
        .timed("t");
    let expected = log_liks(&problem(&with_head(chain), &alone), &[0.0; 2]);
    let found = log_liks(
        &problem(&with_head(&format!("{drug}{chain}")), &dosed),
        &[0.0; 2],
    );
    let decay = |t: f64| 10.0 * (-0.5 * t).exp();
    let later = |t: f64| decay(t) + 5.0 * (-0.5 * (t - 1.5)).exp();
    let means = [decay(0.0), decay(1.0), later(2.0), later(3.0)];
    let levels: f64 = means
        .map(|mean| normal_density(1.0, mean, 0.5).ln())
        .iter()
        .sum();
    for (found, expected) in found.iter().zip(expected) {
        assert_close(*found, expected + levels, 1e-9, "chain beside doses");
    }
}

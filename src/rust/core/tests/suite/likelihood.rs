//! The log-likelihood, its gradients and its information against formulas written by hand, family by family.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::numeric::{gradient, relative};
use crate::common::{likelihood, problem};
use nlmers_core::distributions::LN_SQRT_2PI;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

/// Parameters of every model here, as functions of `theta`: `th`, `a`, `b`.
const FIXED: &str = "
    fixed th = 0.4
    fixed a = positive(0.5)
    fixed b = positive(0.3)
    fixed o = positive(0.5, 0.7)
    random e ~ normal(0, o) | id
    f <- exp(th + e[1] - 0.1 * x) + e[2]^2";

fn f(theta: &[f64], phi: [f64; 2], x: f64) -> f64 {
    (theta[0] + phi[0] - 0.1 * x).exp() + phi[1] * phi[1]
}

fn normal(y: f64, mean: f64, sd: f64) -> f64 {
    -0.5 * ((y - mean) / sd).powi(2) - sd.ln() - LN_SQRT_2PI
}

fn log_factorial(y: f64) -> f64 {
    (1..=y as usize).map(|k| (k as f64).ln()).sum()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Log density of a value given the prediction `f`, `a` and `b`.
type Density = fn(f64, f64, f64, f64) -> f64;

/// An outcome from a number near one.
type Make = fn(f64) -> f64;

/// Statement, log density, and how the outcome is made from a number near one.
const FAMILIES: [(&str, Density, Make); 15] = [
    ("normal(f, a)", |y, f, a, _| normal(y, f, a), |z| z),
    ("normal(f, 0.8)", |y, f, _, _| normal(y, f, 0.8), |z| z),
    ("normal(f, add(a))", |y, f, a, _| normal(y, f, a), |z| z),
    (
        "normal(f - 20, prop(b))",
        |y, f, _, b| normal(y, f - 20.0, b * (f - 20.0).abs()),
        |z| z - 20.0,
    ),
    (
        "normal(f, add_prop(a, b))",
        |y, f, a, b| normal(y, f, (a * a + b * b * f * f).sqrt()),
        |z| z,
    ),
    (
        "normal(f - 20, add_prop_sd(a, b))",
        |y, f, a, b| normal(y, f - 20.0, a + b * (f - 20.0).abs()),
        |z| z - 20.0,
    ),
    (
        "normal(f - 20, pow(a, b))",
        |y, f, a, b| normal(y, f - 20.0, a * (f - 20.0).abs().powf(b)),
        |z| z - 20.0,
    ),
    (
        "normal(f, add_pow(a, b, 0.7))",
        |y, f, a, b| normal(y, f, (a * a + b * b * f.powf(1.4)).sqrt()),
        |z| z,
    ),
    (
        "normal(f - 20, add_pow_sd(a, c = 1.3, b = b))",
        |y, f, a, b| normal(y, f - 20.0, a + b * (f - 20.0).abs().powf(1.3)),
        |z| z - 20.0,
    ),
    (
        "normal(f, a * x)",
        |y, f, a, _| normal(y, f, a * 1.5),
        |z| z,
    ),
    (
        "lognormal(log(f), a)",
        |y, f, a, _| normal(y.ln(), f.ln(), a) - y.ln(),
        |z| z,
    ),
    (
        "bernoulli(0.9 * exp(-0.1 * f))",
        |y, f, _, _| {
            let p = 0.9 * (-0.1 * f).exp();
            if y == 1.0 {
                p.ln()
            } else {
                (1.0 - p).ln()
            }
        },
        |z| f64::from(u8::from(z > 1.0)),
    ),
    (
        "bernoulli(plogis(a * (f - 2)))",
        |y, f, a, _| {
            let p = logistic(a * (f - 2.0));
            if y == 1.0 {
                p.ln()
            } else {
                (1.0 - p).ln()
            }
        },
        |z| f64::from(u8::from(z > 1.0)),
    ),
    (
        "poisson(f)",
        |y, f, _, _| y * f.ln() - f - log_factorial(y),
        |z| (3.0 * z).floor(),
    ),
    (
        "custom(-a * abs(y - f)^1.5)",
        |y, f, a, _| -a * (y - f).abs().powf(1.5),
        |z| z,
    ),
];

/// 67 subjects with 1 to 4 rows; every third cell of `y` and every fifth of `v` is missing, one subject has no `y`
/// and one has nothing at all.
fn data(make: Make) -> Data {
    let mut draw = Generator(5);
    let rows = Data::new(67, |i| 1 + i % 4);
    rows.with("x", |row, _| {
        if row.is_multiple_of(2) {
            1.5
        } else {
            0.25 * row as f64 % 2.0
        }
    })
    .with("y", |row, i| {
        let value = make(draw.between(0.3, 2.4));
        if row.is_multiple_of(3) || i == 12 || i == 20 {
            f64::NAN
        } else {
            value
        }
    })
    .with("v", |row, i| {
        if row % 5 == 1 || i == 20 {
            f64::NAN
        } else {
            (row as f64).cos()
        }
    })
}

/// The statement `normal(f, a * x)` is written for `x = 1.5` only.
fn frame(statement: &str, make: Make) -> Data {
    let data = data(make);
    if statement.contains("* x") {
        data.with("x", |_, _| 1.5)
    } else {
        data
    }
}

fn setting(statement: &str, make: Make) -> (Problem, Data, Vec<f64>) {
    let data = frame(statement, make);
    let text = format!("{FIXED}\ny ~ {statement}\nv ~ normal(e[1] - f + a * b, 0.6)");
    let mut draw = Generator(9);
    let phi = (0..134).map(|_| 0.5 * draw.normal()).collect();
    (problem(&text, &data), data, phi)
}

fn by_hand(data: &Data, density: Density, theta: &[f64], phi: &[f64], subject: usize) -> f64 {
    let (a, b) = (theta[1].exp(), theta[2].exp());
    let e = [phi[subject * 2], phi[subject * 2 + 1]];
    let rows = data.rows_of(subject).into_iter();
    rows.map(|row| {
        let f = f(theta, e, data.column("x")[row]);
        let first = density(data.column("y")[row], f, a, b);
        let second = normal(data.column("v")[row], e[0] - f + a * b, 0.6);
        let present = |name: &str| !data.column(name)[row].is_nan();
        (if present("y") { first } else { 0.0 }) + (if present("v") { second } else { 0.0 })
    })
    .sum()
}

#[test]
fn the_log_likelihood_is_that_of_the_formula() {
    for (statement, density, make) in FAMILIES {
        let (problem, data, phi) = setting(statement, make);
        let theta = problem.theta.start.clone();
        for isa in Isa::available() {
            let values = likelihood::values(isa, &problem, &theta, &phi);
            for (i, value) in values.iter().enumerate() {
                let hand = by_hand(&data, density, &theta, &phi, i);
                let error = relative(*value, hand, 1.0);
                assert!(error <= 1e-10, "{statement} {isa:?} {i}: {value} {hand}");
            }
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_formula() {
    for (statement, density, make) in FAMILIES {
        let (problem, data, phi) = setting(statement, make);
        let theta = problem.theta.start.clone();
        for isa in Isa::available() {
            let adjoint = likelihood::gradient_phi(isa, &problem, &theta, &phi);
            for (i, x) in phi.iter().enumerate() {
                let mut moved = phi.clone();
                let slope = common::numeric::derivative(*x, 1e-3, |x| {
                    moved[i] = x;
                    by_hand(&data, density, &theta, &moved, i / 2)
                });
                let error = relative(adjoint[i], slope, 1e-2);
                assert!(
                    error <= 1e-6,
                    "{statement} {isa:?} {i}: {} {slope}",
                    adjoint[i]
                );
            }
            let adjoint = likelihood::gradient_theta(isa, &problem, &theta, &phi);
            let slope = gradient(&theta, 1e-3, |theta| {
                (0..67)
                    .map(|i| by_hand(&data, density, theta, &phi, i))
                    .sum()
            });
            for (k, (a, b)) in adjoint.iter().zip(&slope).enumerate() {
                let error = relative(*a, *b, 1e-1);
                assert!(error <= 1e-6, "{statement} {isa:?} theta {k}: {a} {b}");
            }
        }
    }
}

#[test]
fn the_information_of_a_linear_normal_model_is_that_of_least_squares() {
    let data = data(|z| z);
    let text = "
        fixed s = positive(0.7)
        fixed o = positive(1, 1)
        random e ~ normal(0, o) | id
        y ~ normal(2 * e[1] + x * e[2], s)
        v ~ normal(e[2], 0.5)";
    let problem = problem(text, &data);
    let theta = problem.theta.start.clone();
    let phi = vec![0.3; 134];
    for isa in Isa::available() {
        let information = likelihood::information(isa, &problem, &theta, &phi);
        for (i, elements) in information.iter().enumerate() {
            let mut expected = [0.0; 3];
            for row in data.rows_of(i) {
                let x = data.column("x")[row];
                if !data.column("y")[row].is_nan() {
                    let terms = [4.0, 2.0 * x, x * x];
                    expected
                        .iter_mut()
                        .zip(terms)
                        .for_each(|(sum, t)| *sum += t / 0.49);
                }
                if !data.column("v")[row].is_nan() {
                    expected[2] += 4.0;
                }
            }
            for (a, b) in elements.iter().zip(expected) {
                assert!(
                    relative(*a, b, 1.0) < 1e-12,
                    "{isa:?} {i}: {elements:?} {expected:?}"
                );
            }
        }
    }
}

#[test]
fn the_information_of_a_count_is_its_rate_times_the_squared_slope() {
    let data = data(|z| (3.0 * z).floor());
    let text = "
        fixed th = 0.2
        fixed o = positive(1)
        random e ~ normal(0, o) | id
        y ~ poisson(exp(th + e * x) + 0 * e)";
    let problem = problem(text, &data);
    let theta = problem.theta.start.clone();
    let phi: Vec<f64> = (0..67).map(|i| 0.02 * f64::from(i) - 0.5).collect();
    for isa in Isa::available() {
        let information = likelihood::information(isa, &problem, &theta, &phi);
        for (i, elements) in information.iter().enumerate() {
            let counted = data
                .rows_of(i)
                .into_iter()
                .filter(|r| !data.column("y")[*r].is_nan());
            let expected: f64 = counted
                .map(|row| data.column("x")[row])
                .map(|x| x * x * (0.2 + phi[i] * x).exp())
                .sum();
            assert!(relative(elements[0], expected, 1.0) < 1e-12, "{isa:?} {i}");
        }
    }
}

#[test]
fn the_information_of_residual_errors_counts() {
    // sd = exp(e): information about ln(variance) is 1/2, its slope 2; the mean gives e^-2e.
    let text = "
        fixed th = 0.1
        fixed o = positive(1)
        random e ~ normal(0, o) | id
        y ~ normal(th + 3 * e, exp(e))";
    let data = Data::new(2, |_| 3).with("y", |row, _| row as f64);
    let problem = problem(text, &data);
    let information = likelihood::information(Isa::detect(), &problem, &[0.1, 0.0], &[0.4, 0.4]);
    let expected = 3.0 * (9.0 * (-0.8f64).exp() + 2.0);
    assert!(
        relative(information[0][0], expected, 1.0) < 1e-12,
        "{information:?}"
    );
}

//! Every closed-form update against its formula, at draws that are given: all levels of all effects are held.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::{position, route, try_joint};
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{natural, Given, Joint, Route};
use nlmers_core::saem::options::AnnealSchedule;
use nlmers_core::saem::{fit, SaemOptions};

const N: usize = 12;

/// 12 subjects with 4 rows; some outcomes are missing.
fn data() -> Data {
    let mut draw = Generator(9);
    let mut missing = 0;
    Data::new(N, |_| 4)
        .with("x", |_, i| (i as f64 * 1.3).sin())
        .with("y", |_, _| {
            missing += 1;
            if missing % 7 == 0 {
                f64::NAN
            } else {
                (0.5 + 0.4 * draw.normal()).exp()
            }
        })
        .with("n", |row, _| ((row * 5) % 4) as f64)
        .with("b", |row, _| f64::from(u8::from(row % 3 == 0)))
}

fn observed(data: &Data, name: &str) -> Vec<f64> {
    let values = data.column(name).iter().copied();
    values.filter(|y| !y.is_nan()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Draws of an effect, one a subject.
fn draws(k: usize) -> Vec<f64> {
    (0..N)
        .map(|i| 0.3 + 0.8 * ((i * i + 3 * k) as f64).sin())
        .collect()
}

/// A model whose effects have given values at all levels.
fn held(text: &str, effects: &[(&str, Vec<f64>)]) -> Joint {
    let levels = effects.iter().flat_map(|(name, values)| {
        let each = values.iter().enumerate();
        each.map(move |(i, value)| (name.to_string(), format!("s{}", i + 1), *value))
    });
    let given = Given {
        levels: levels.collect(),
        ..Given::default()
    };
    try_joint(text, &data(), &given).unwrap()
}

/// Natural elements of all parameters after some iterations with gain 1.
fn updated(joint: &Joint, iterations: usize) -> Vec<(String, f64)> {
    let mut options = SaemOptions::two_phases(iterations, 0);
    options.anneal.sa_anneal_schedule = AnnealSchedule::None;
    options.anneal.auto_var_lb = false;
    let fit = fit(joint, &options, 1, 1, &Silent).unwrap();
    let values = natural(joint.model(), &fit.theta);
    let names = joint.theta.elements.iter().map(|e| e.name.clone());
    names.zip(values).collect()
}

fn check(joint: &Joint, iterations: usize, expected: &[(&str, f64)]) {
    let found = updated(joint, iterations);
    for (name, expected) in expected {
        let (_, value) = found.iter().find(|(known, _)| known == name).unwrap();
        let miss = (value - expected).abs() / expected.abs().max(1.0);
        assert!(miss < 1e-12, "{name}: {value} {expected}");
    }
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    mean(&values.map(|x| x * x).collect::<Vec<f64>>()).sqrt()
}

#[test]
fn case_15_normal_and_lognormal_effects() {
    let x = draws(1);
    let spread = root_mean_square(x.iter().map(|v| v - mean(&x)));
    for (family, values) in [
        ("normal", x.clone()),
        ("lognormal", x.iter().map(|v| v.exp()).collect()),
    ] {
        let text = format!(
            "fixed m = 0.1\nfixed o = positive(2)\nfixed s = positive(1)
             random e ~ {family}(m, o) | id\ny ~ normal(e, s)"
        );
        let joint = held(&text, &[("e", values.clone())]);
        let y = data();
        let residual = root_mean_square(
            (y.column("y").iter().zip(&y.subject))
                .filter(|(y, _)| !y.is_nan())
                .map(|(y, i)| y - values[*i]),
        );
        check(
            &joint,
            1,
            &[("m", mean(&x)), ("o", spread), ("s", residual)],
        );
    }
}

/// The model's mean is the center where it is not itself estimated: a number, or an expression of covariates.
#[test]
fn case_15_deviations_are_about_the_mean_of_the_model() {
    let values = draws(2);
    let head = "fixed o = positive(2)\nfixed s = positive(1)\ny ~ normal(e, s)\n";
    let number = held(
        &format!("{head}random e ~ normal(0.7, o) | id"),
        &[("e", values.clone())],
    );
    let about =
        |center: &dyn Fn(usize) -> f64| root_mean_square((0..N).map(|i| values[i] - center(i)));
    check(&number, 1, &[("o", about(&|_| 0.7))]);
    let varying = held(
        &format!("{head}random e ~ normal(0.7 * x, o) | id"),
        &[("e", values.clone())],
    );
    let x = |i: usize| (i as f64 * 1.3).sin();
    check(&varying, 1, &[("o", about(&|i| 0.7 * x(i)))]);
    let slope = held(
        &format!("fixed b = 0\n{head}random e ~ normal(b * x, o) | id"),
        &[("e", values.clone())],
    );
    let products: f64 = (0..N).map(|i| x(i) * values[i]).sum();
    let b = products / (0..N).map(|i| x(i) * x(i)).sum::<f64>();
    check(&slope, 1, &[("b", b), ("o", about(&|i| b * x(i)))]);
}

#[test]
fn case_15_multivariate_effects() {
    let (u, v) = (draws(1), draws(5));
    let covariance = |a: &[f64], b: &[f64]| {
        let products = a.iter().zip(b).map(|(x, y)| (x - mean(a)) * (y - mean(b)));
        products.sum::<f64>() / N as f64
    };
    let effects = [("e[1]", u.clone()), ("e[2]", v.clone())];
    let full = held(
        "fixed m = real(0.1, 0.2)\nfixed w = covariance_matrix(1, 0, 0, 1)\nfixed s = positive(1)
         random e ~ mvnormal(m, w) | id\ny ~ normal(e[1] + e[2], s)",
        &effects,
    );
    let expected = [
        ("m[1]", mean(&u)),
        ("m[2]", mean(&v)),
        ("w[1,1]", covariance(&u, &u)),
        ("w[2,1]", covariance(&u, &v)),
        ("w[2,2]", covariance(&v, &v)),
    ];
    check(&full, 1, &expected);
    let diagonal = held(
        "fixed m = real(0.1, 0.2)\nfixed w = diagonal_matrix(1, 1)\nfixed s = positive(1)
         random e ~ mvnormal(m, w) | id\ny ~ normal(e[1] + e[2], s)",
        &effects,
    );
    check(
        &diagonal,
        1,
        &[expected[0], expected[1], expected[2], expected[4]],
    );
}

/// Second moments 0.25 and 0.04 about zero are the variances, not their roots.
#[test]
fn case_14_the_diagonal_of_a_covariance_matrix_holds_variances() {
    let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    let effects = [
        ("e[1]", (0..N).map(|i| 0.5 * sign(i)).collect()),
        ("e[2]", (0..N).map(|i| 0.2 * sign(i / 2)).collect()),
    ];
    let matrix = held(
        "fixed w = diagonal_matrix(1, 1)\nfixed s = positive(1)
         random e ~ mvnormal(c(0, 0), w) | id\ny ~ normal(e[1] + e[2], s)",
        &effects,
    );
    check(&matrix, 1, &[("w[1,1]", 0.25), ("w[2,2]", 0.04)]);
    let numbers = held(
        "fixed o = positive(1, 1)\nfixed s = positive(1)
         random e ~ mvnormal(c(0, 0), diag(o)) | id\ny ~ normal(e[1] + e[2], s)",
        &effects,
    );
    check(&numbers, 1, &[("o[1]", 0.25), ("o[2]", 0.04)]);
}

#[test]
fn case_15_exponential_effects() {
    let values: Vec<f64> = draws(3).iter().map(|v| v.exp()).collect();
    for declared in ["positive(0.4)", "real(0.4, lower = 0.01)"] {
        let text = format!(
            "fixed k = {declared}\nfixed s = positive(1)
             random g ~ exponential(k) | id\ny ~ normal(g, s)"
        );
        let joint = held(&text, &[("g", values.clone())]);
        assert_eq!(route(joint.main(), "k"), Route::Law);
        check(&joint, 1, &[("k", mean(&values))]);
    }
}

#[test]
fn case_15_outcomes_with_a_bare_parameter() {
    let (n, b, y) = (
        observed(&data(), "n"),
        observed(&data(), "b"),
        observed(&data(), "y"),
    );
    let logs: Vec<f64> = y.iter().map(|y| y.ln()).collect();
    let deviation = |v: &[f64]| root_mean_square(v.iter().map(|x| x - mean(v)));
    let effect = "fixed o = positive(1)\nfixed m = 0.1\nrandom e ~ normal(m, o) | id\n";
    let second = "x ~ normal(e, 1)\n";
    let cases: [(&str, Vec<(&str, f64)>); 7] = [
        (
            "fixed l = positive(3)\nn ~ poisson(l)",
            vec![("l", mean(&n))],
        ),
        (
            "fixed l = real(3, lower = 0.1)\nn ~ poisson(l)",
            vec![("l", mean(&n))],
        ),
        (
            "fixed p = probability(0.2)\nb ~ bernoulli(p)",
            vec![("p", mean(&b))],
        ),
        (
            "fixed k = positive(3)\ny ~ exponential(k)",
            vec![("k", mean(&y))],
        ),
        (
            "fixed a = 0.3\nfixed s = positive(2)\ny ~ lognormal(a, s)",
            vec![("a", mean(&logs)), ("s", deviation(&logs))],
        ),
        (
            "fixed a = 0.3\nfixed s = positive(2)\ny ~ normal(a, s)",
            vec![("a", mean(&y)), ("s", deviation(&y))],
        ),
        ("fixed a = 0.3\ny ~ normal(a, 0.5)", vec![("a", mean(&y))]),
    ];
    for (lines, expected) in cases {
        let joint = held(&format!("{effect}{second}{lines}"), &[("e", draws(1))]);
        for (name, _) in &expected {
            assert_eq!(route(joint.main(), name), Route::Outcome, "{lines}");
        }
        check(&joint, 1, &expected);
    }
}

#[test]
fn case_15_lognormal_outcome_with_a_given_location() {
    let y = observed(&data(), "y");
    let joint = held(
        "fixed o = positive(1)\nfixed m = 0.1\nfixed s = positive(2)
         random e ~ normal(m, o) | id\nx ~ normal(e, 1)\ny ~ lognormal(0.4, s)",
        &[("e", draws(1))],
    );
    let expected = root_mean_square(y.iter().map(|y| y.ln() - 0.4));
    check(&joint, 1, &[("s", expected)]);
}

#[test]
fn case_19_a_parameter_that_also_stands_elsewhere_has_no_closed_form() {
    let head = "fixed o = positive(1)\nfixed m = 0.1\nfixed s = positive(1)\nrandom e ~ normal(m, o) | id\n";
    for (lines, name) in [
        (
            "fixed l = positive(3)\nn ~ poisson(l)\ny ~ normal(e + l, s)",
            "l",
        ),
        (
            "fixed l = positive(3)\nn ~ poisson(l)\ny ~ exponential(l)\nx ~ normal(e, s)",
            "l",
        ),
        ("n ~ poisson(o)\ny ~ normal(e, s)", "o"),
        (
            "fixed k = positive(1)\nrandom g ~ exponential(k) | id\ny ~ normal(e + g * k, s)",
            "k",
        ),
        (
            "fixed k = positive(1)\nrandom g ~ exponential(2 * k) | id\ny ~ normal(e + g, s)",
            "k",
        ),
        ("fixed a = 0.3\ny ~ normal(a, s * x)\nn ~ normal(e, s)", "a"),
    ] {
        let joint = try_joint(&format!("{head}{lines}"), &data(), &Given::default()).unwrap();
        assert_eq!(route(joint.main(), name), Route::Score, "{lines}");
    }
}

/// Data near -2, a mean that may not be negative.
#[test]
fn case_16_bounds_and_fixed_parameters_are_respected() {
    let data = data().with("y", |row, i| -2.0 + 0.3 * ((row * row + i) as f64).sin());
    let text = "
        fixed m = real(1, lower = 0)
        fixed o = positive(0.55)
        fixed s = positive(1)
        fixed k = positive(1, lower = 0.9)
        random e ~ normal(m, o) | id
        y ~ normal(e, s)
        n ~ poisson(k)";
    let joint = try_joint(text, &data, &Given::default()).unwrap();
    let end = updated(&joint, 40);
    let value = |name: &str| end.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(value("m"), 0.0);
    assert!(value("o") > 0.0 && value("s") > 0.0 && value("k") >= 0.9);
    let given = Given {
        fix: vec![("o".into(), None), ("k".into(), None)],
        ..Given::default()
    };
    let joint = try_joint(text, &data, &given).unwrap();
    let k = position(joint.main(), "o");
    assert_eq!(joint.theta.routes[k], Route::Fixed);
    let fit = fit(&joint, &SaemOptions::two_phases(20, 10), 1, 1, &Silent).unwrap();
    for theta in &fit.trace.theta {
        assert_eq!(theta[k].to_bits(), 0.55f64.ln().to_bits());
        assert_eq!(theta[3], 0.0);
    }
}

/// What is recognized in a model's text alone.
#[test]
fn case_12_targets_of_the_published_table() {
    let preview = |text: &str| Joint::preview(&common::model(text), &Given::default()).unwrap();
    let joint = preview(
        "fixed m = 0.1\nfixed o = positive(1)\nfixed k = positive(1)\nfixed a = 0\nfixed s = positive(1)
         fixed l = positive(2)
         random e ~ lognormal(m, o) | id\nrandom g ~ exponential(k) | id
         y ~ lognormal(a, s)\nz ~ exponential(l)\nv ~ normal(e + g, 1)",
    );
    let routes = ["m", "o", "k", "a", "s", "l"].map(|name| route(joint.main(), name));
    assert_eq!(
        routes,
        [
            Route::Mean,
            Route::Covariance,
            Route::Law,
            Route::Outcome,
            Route::Outcome,
            Route::Outcome
        ]
    );
    let joint = preview(
        "fixed p = probability(0.3)\nfixed a = 1\nfixed o = positive(1)
         random e ~ normal(0, o) | id\nb ~ bernoulli(p)\nn ~ poisson(exp(a^2 + e))",
    );
    assert_eq!(route(joint.main(), "p"), Route::Outcome);
    assert_eq!(route(joint.main(), "a"), Route::Score);
    let joint = preview(
        "fixed a = real(0, 0)\nfixed t = positive(1)\nfixed s = positive(1)
         random e ~ normal(a[1] + a[2] * x, t) | id\ny ~ normal(e, s)",
    );
    assert_eq!(route(joint.main(), "t"), Route::Covariance);
}

/// Smoothing keeps what the data alone give, with standard errors of its own.
#[test]
fn a_bare_parameter_keeps_its_maximum_and_its_standard_error() {
    let text = "fixed o = positive(1)\nfixed m = 0.1\nfixed s = positive(1)\nfixed l = positive(3)
         random e ~ normal(m, o) | id\ny ~ normal(e, s)\nn ~ poisson(l)";
    let joint = try_joint(text, &data(), &Given::default()).unwrap();
    let fit = fit(&joint, &SaemOptions::default(), 1, 1, &Silent).unwrap();
    let n = observed(&data(), "n");
    assert!((fit.theta[3] - mean(&n).ln()).abs() < 1e-9);
    let variance = fit.covariance.unwrap()[(3, 3)];
    let expected = 1.0 / n.iter().sum::<f64>();
    assert!(
        (variance / expected - 1.0).abs() < 1e-6,
        "{variance} {expected}"
    );
}

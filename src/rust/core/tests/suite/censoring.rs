//! Censored outcomes: by bounds in the model and by columns of the data.

use crate::common;
use crate::common::data::Data;
use crate::common::errors::{is, with_outcome};
use crate::common::numeric::{gradient, relative};
use crate::common::{asked, likelihood, model_error, problem, request_json, route};
use nlmers_core::error::Error;
use nlmers_core::ir::vmath::{pnorm, Isa};
use nlmers_core::problem::{Given, Joint, Problem, Route};

const PARAMETERS: &str = "
    fixed m = 0.4
    fixed s = positive(0.7)
    fixed o = positive(0.5, 0.5)
    random e ~ normal(0, o) | id
    f <- m + sin(e[1])
    r <- s * exp(0.3 * sin(e[2]))";

/// Distribution functions of the families, and the statement in `f` and `r`.
type Function = fn(f64, f64, f64) -> f64;

const FAMILIES: [(&str, Function, f64); 10] = [
    ("normal(f, r)", |x, f, r| pnorm::<false>((x - f) / r), -0.3),
    (
        "lognormal(f, r)",
        |x, f, r| pnorm::<false>((x.ln() - f) / r),
        0.8,
    ),
    (
        "exponential(exp(f))",
        |x, f, _| 1.0 - (-x / f.exp()).exp(),
        0.4,
    ),
    (
        "weibull(1 + r, exp(f))",
        |x, f, r| 1.0 - (-(x / f.exp()).powf(1.0 + r)).exp(),
        0.4,
    ),
    (
        "logistic(f, r)",
        |x, f, r| 1.0 / (1.0 + (-(x - f) / r).exp()),
        0.1,
    ),
    (
        "laplace(f, r)",
        |x, f, r| {
            let z = (x - f) / r;
            if z < 0.0 {
                0.5 * z.exp()
            } else {
                1.0 - 0.5 * (-z).exp()
            }
        },
        -0.2,
    ),
    (
        "box_cox(exp(f), r, 0.3)",
        |x, f, r| {
            let h = |x: f64| (x.powf(0.3) - 1.0) / 0.3;
            pnorm::<false>((h(x) - h(f.exp())) / r)
        },
        0.4,
    ),
    (
        "yeo_johnson(f, r, 0)",
        |x, f, r| {
            let h = |x: f64| {
                if x < 0.0 {
                    -((1.0 - x).powi(2) - 1.0) / 2.0
                } else {
                    (1.0 + x).ln()
                }
            };
            pnorm::<false>((h(x) - h(f)) / r)
        },
        -0.2,
    ),
    (
        "logit_normal(-1 + 4 * plogis(f), r, -1, 3)",
        |x, f, r| pnorm::<false>((((x + 1.0) / (3.0 - x)).ln() - f) / r),
        -0.2,
    ),
    (
        "probit_normal(-1 + 4 * pnorm(f), r, lower = -1, upper = 3)",
        |x, f, r| {
            // The median is at quantile f: compare probabilities through a fine bisection.
            let (mut low, mut high) = (-9.0f64, 9.0f64);
            for _ in 0..100 {
                let middle = 0.5 * (low + high);
                if pnorm::<false>(middle) < (x + 1.0) / 4.0 {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            pnorm::<false>((low - f) / r)
        },
        -0.2,
    ),
];

/// Six rows for each of two subjects: values, and what is known of them.
fn data(low: f64) -> Data {
    Data::new(2, |_| 6)
        .with("y", |row, _| low + 0.25 * (row % 6) as f64)
        .with(".cens", |row, _| [0.0, 1.0, -1.0, 1.0, -1.0, 1.0][row % 6])
        .with(".limit", |row, _| {
            let y = low + 0.25 * (row % 6) as f64;
            [f64::NAN, f64::NAN, f64::NAN, y - 0.2, y + 0.4, -1e9][row % 6]
        })
}

fn try_censored(model: &str, data: &Data) -> Result<Problem, Error> {
    let mut request = request_json("fit", model, data);
    request["model"]["censoring"] = true.into();
    let request = asked(&request)?;
    let frame = request.frame(data.request_columns())?;
    let joint = Joint::new(&request.compiled()?, &frame, &Given::default());
    Ok(joint?.parts.remove(0))
}

fn log_lik(problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    likelihood::values(Isa::detect(), problem, theta, phi)
}

const PHI: [f64; 4] = [0.2, -0.5, -0.7, 0.9];

/// Gradients against differences of the value.
fn check_gradients(problem: &Problem, what: &str) {
    let theta = problem.theta.start.clone();
    for isa in Isa::available() {
        let found = likelihood::gradient_phi(isa, problem, &theta, &PHI);
        let slope = gradient(&PHI, 1e-3, |phi| {
            likelihood::values(isa, problem, &theta, phi).iter().sum()
        });
        for (a, b) in found.iter().zip(&slope) {
            assert!(
                relative(*a, *b, 1.0) < 1e-7,
                "{what} {isa:?} phi: {found:?} {slope:?}"
            );
        }
        let found = likelihood::gradient_theta(isa, problem, &theta, &PHI);
        let slope = gradient(&theta, 1e-3, |theta| {
            likelihood::values(isa, problem, theta, &PHI).iter().sum()
        });
        for (a, b) in found.iter().zip(&slope) {
            assert!(
                relative(*a, *b, 1.0) < 1e-7,
                "{what} {isa:?} theta: {found:?} {slope:?}"
            );
        }
    }
}

#[test]
fn columns_of_the_data_say_what_is_censored() {
    for (family, function, low) in FAMILIES {
        let model = format!("{PARAMETERS}\ny ~ {family}");
        let data = data(low);
        let problem = try_censored(&model, &data).unwrap();
        let plain = common::problem(&model, &Data::new(2, |_| 1).with("y", |_, _| low));
        let theta = &problem.theta.start;
        let found = log_lik(&problem, theta, &PHI);
        let density = log_lik(&plain, theta, &PHI);
        for i in 0..2 {
            let (f, r) = (
                0.4 + PHI[2 * i].sin(),
                0.7 * (0.3 * PHI[2 * i + 1].sin()).exp(),
            );
            let at = |x: f64| function(x, f, r);
            let y = |k: f64| low + 0.25 * k;
            let hand = density[i]
                + at(y(1.0)).ln()
                + (1.0 - at(y(2.0))).ln()
                + (at(y(3.0)) - at(y(3.0) - 0.2)).ln()
                + (at(y(4.0) + 0.4) - at(y(4.0))).ln()
                + at(y(5.0)).ln();
            assert!(
                relative(found[i], hand, 1.0) < 1e-11,
                "{family}: {} {hand}",
                found[i]
            );
        }
        check_gradients(&problem, family);
    }
}

#[test]
fn values_at_or_beyond_a_bound_stand_for_their_tail() {
    for (family, function, low) in FAMILIES {
        let (lower, upper) = (low + 0.25, low + 1.0);
        let model = format!("{PARAMETERS}\ny ~ censored({family}, lower = lo, upper = {upper})");
        let frame = data(low).with("lo", |_, _| lower);
        let problem = problem(&model, &frame);
        let inner = Data::new(2, |_| 2).with("y", |row, _| low + 0.5 + 0.25 * (row % 2) as f64);
        let plain = common::problem(&format!("{PARAMETERS}\ny ~ {family}"), &inner);
        let theta = &problem.theta.start;
        let found = log_lik(&problem, theta, &PHI);
        let density = log_lik(&plain, theta, &PHI);
        for i in 0..2 {
            let (f, r) = (
                0.4 + PHI[2 * i].sin(),
                0.7 * (0.3 * PHI[2 * i + 1].sin()).exp(),
            );
            let hand = density[i]
                + 2.0 * function(lower, f, r).ln()
                + 2.0 * (1.0 - function(upper, f, r)).ln();
            assert!(
                relative(found[i], hand, 1.0) < 1e-11,
                "{family}: {} {hand}",
                found[i]
            );
        }
        check_gradients(&problem, family);
    }
}

/// `ln(Phi(-40) - Phi(-40.0009765625))`
const NARROW: f64 = -807.869_878_168_720_4;

/// Digits to the end of the range; reference values with 60 digits.
#[test]
fn tails_keep_their_digits() {
    let cases = [
        ("normal(0, 1)", -40.0, 1.0, f64::NAN, -804.608_442_013_753_8),
        ("normal(0, 1)", 40.0, -1.0, f64::NAN, -804.608_442_013_753_8),
        ("normal(0, 1)", 40.000_976_562_5, 1.0, 40.0, NARROW),
        ("normal(0, 1)", -40.000_976_562_5, -1.0, -40.0, NARROW),
        (
            "normal(0, 1)",
            8.0,
            -1.0,
            8.000_976_562_5,
            -39.854_314_204_309_26,
        ),
        ("normal(0, 1)", 0.5, 1.0, -0.5, -0.959_916_333_695_622_3),
        ("logistic(0, 1)", 701.0, 1.0, 700.0, -700.458_675_145_387_1),
        (
            "exponential(1)",
            1e-20,
            1.0,
            f64::NAN,
            -46.051_701_859_880_91,
        ),
        ("weibull(2, 1)", 31.0, 1.0, 30.0, -900.0),
        ("laplace(0, 1)", 50.5, 1.0, 50.0, -51.625_899_310_127_13),
    ];
    for (family, y, cens, limit, expected) in cases {
        let model = format!("{PARAMETERS}\ny ~ {family}");
        let data = Data::new(2, |_| 1)
            .with("y", |_, _| y)
            .with(".cens", |_, _| cens)
            .with(".limit", |_, _| limit);
        let problem = try_censored(&model, &data).unwrap();
        let found = log_lik(&problem, &problem.theta.start, &PHI)[0];
        let error = relative(found, expected, 0.0);
        assert!(
            error < 1e-12,
            "{family} {y} {limit}: {found} {expected} {error:.1e}"
        );
    }
}

#[test]
fn a_censored_normal_outcome_has_no_closed_form() {
    let model = "
        fixed m = 0.4
        fixed s = positive(0.7)
        fixed o = positive(0.5)
        random e ~ normal(m, o) | id
        y ~ ";
    let normal = problem(&format!("{model} normal(e, s)"), &data(0.1));
    assert_eq!(route(&normal, "s"), Route::Residual);
    assert!(normal.constant_error.is_some());
    let bounded = format!("{model} censored(normal(e, s), lower = 0.2)");
    let bounded = problem(&bounded, &data(0.1));
    let by_data = try_censored(&format!("{model} normal(e, s)"), &data(0.1)).unwrap();
    for problem in [bounded, by_data] {
        assert_eq!(route(&problem, "s"), Route::Score);
        assert_eq!(route(&problem, "m"), Route::Mean);
        assert!(problem.constant_error.is_none());
        assert!(!problem.programs.has_information);
    }
}

#[test]
fn a_limit_of_zero_is_none_where_values_are_positive() {
    let data = data(0.4)
        .with(".limit", |_, _| 0.0)
        .with(".cens", |_, _| 1.0);
    let none = data.clone().with(".limit", |_, _| f64::NAN);
    for family in [
        "lognormal(f, r)",
        "exponential(exp(f))",
        "weibull(2, exp(f))",
    ] {
        let model = format!("{PARAMETERS}\ny ~ {family}");
        let [a, b] = [&data, &none].map(|data| {
            let problem = try_censored(&model, data).unwrap();
            check_gradients(&problem, family);
            log_lik(&problem, &problem.theta.start, &PHI)
        });
        assert_eq!(a, b, "{family}");
    }
}

#[test]
fn other_families_are_not_censored_by_the_data() {
    let model = format!("{PARAMETERS}\ny ~ gamma(exp(f), r)");
    let problem = try_censored(&model, &data(0.4)).unwrap();
    let plain = common::problem(&model, &data(0.4));
    let theta = &problem.theta.start;
    assert_eq!(log_lik(&problem, theta, &PHI), log_lik(&plain, theta, &PHI));
}

#[test]
fn bounds_that_say_nothing_are_errors() {
    for (outcome, reason, problem, hint) in [
        (
            "y ~ censored(gamma(2, s), lower = 1)",
            "no_distribution_function",
            "`gamma()` has no distribution function",
            "normal, lognormal, box_cox, yeo_johnson, logit_normal, probit_normal, laplace, logistic, exponential, weibull",
        ),
        (
            "y ~ censored(normal(a + e, s), 2, 1)",
            "bounds_out_of_order",
            "lower bound 2 is not below the upper bound 1",
            "",
        ),
        (
            "y ~ censored(normal(a + e, s))",
            "argument_count",
            "one or two bounds",
            "lower = 0.1",
        ),
        (
            "y ~ censored(normal(a + e, s), low = 1)",
            "unknown_argument",
            "no argument `low`",
            "dist, lower, upper",
        ),
        (
            "y ~ censored(a, 1)",
            "not_a_distribution",
            "`a` is not a distribution",
            "",
        ),
    ] {
        is(
            &model_error(&with_outcome(outcome)),
            reason,
            outcome,
            problem,
            hint,
        );
    }
}

#[test]
fn columns_that_say_nothing_are_errors() {
    let model = with_outcome("y ~ normal(a + e, s)");
    let error = |data: Data| match try_censored(&model, &data) {
        Ok(_) => panic!("bound although it must not be"),
        Err(error) => error,
    };
    let two = error(data(0.4).with(".cens", |row, _| if row == 7 { 3.0 } else { 0.0 }));
    is(
        &two,
        "bad_censoring",
        "id s2, row 8",
        "`CENS` is 3; it must be 0, 1 or -1",
        "upper limit",
    );
    let above = error(data(0.4).with(".limit", |row, _| if row == 1 { 9.0 } else { f64::NAN }));
    is(
        &above,
        "bad_limit",
        "id s1, row 2",
        "`LIMIT` is 9, but must be below",
        "two limits",
    );
    let below = error(data(0.4).with(".limit", |row, _| if row == 2 { -9.0 } else { f64::NAN }));
    is(
        &below,
        "bad_limit",
        "id s1, row 3",
        "must be above",
        "two limits",
    );
    // A row without an outcome needs no code.
    let absent = data(0.4)
        .with(
            "y",
            |row, _| if row == 7 { f64::NAN } else { 1.0 + row as f64 },
        )
        .with(".cens", |row, _| if row == 7 { f64::NAN } else { 0.0 });
    assert!(try_censored(&model, &absent).is_ok());
}

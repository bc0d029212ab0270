//! Log-likelihoods with the error that is told beside them, against integrals by brute force and closed forms.

use crate::common::data::{Data, Generator};
use crate::common::numeric::log_integral;
use crate::common::{request_json, sent};
use nalgebra::{DMatrix, DVector};
use nlmers_core::distributions::LN_SQRT_2PI;
use nlmers_core::monitor::Silent;
use nlmers_core::reply::ReplyValue;
use nlmers_core::request;
use serde_json::{json, Value as Json};

/// A model at its starting values, data, and the log-likelihood of every subject.
struct Case {
    name: String,
    model: String,
    data: Data,
    exact: Vec<f64>,
}

fn normal(y: f64, mean: f64, sd: f64) -> f64 {
    -0.5 * ((y - mean) / sd).powi(2) - sd.ln() - LN_SQRT_2PI
}

/// `ln plogis(x)` or its complement.
fn binary(y: f64, x: f64) -> f64 {
    -(if y > 0.5 { -x } else { x }).exp().ln_1p()
}

fn values(data: &Data, name: &str, subject: usize) -> Vec<f64> {
    let rows = data.rows_of(subject).into_iter();
    rows.map(|row| data.column(name)[row]).collect()
}

/// One effect `N(0, sd)`: its integral for every subject.
fn one_effect(data: &Data, sd: f64, log_lik: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let integral = |i: usize| {
        log_integral(-11.0 * sd, 11.0 * sd, 8_000, |e| {
            log_lik(i, e) + normal(e, 0.0, sd)
        })
    };
    (0..data.n_subjects()).map(integral).collect()
}

/// `log N(y; X m, X W X' + s2 I)`
fn gaussian(y: &[f64], x: &DMatrix<f64>, mean: &[f64], omega: &DMatrix<f64>, sd: f64) -> f64 {
    let n = y.len();
    let v = x * omega * x.transpose() + DMatrix::identity(n, n) * (sd * sd);
    let r = DVector::from_column_slice(y) - x * DVector::from_column_slice(mean);
    let factor = v.cholesky().unwrap();
    let log_det: f64 = (0..n).map(|i| factor.l()[(i, i)].ln()).sum();
    -0.5 * r.dot(&factor.solve(&r)) - log_det - n as f64 * LN_SQRT_2PI
}

fn intercepts(sd: f64, n_rows: usize) -> Case {
    let mut draw = Generator(11);
    let effects: Vec<f64> = (0..60).map(|_| sd * draw.normal()).collect();
    let data =
        Data::new(60, |_| n_rows).with("x", |row, _| (row % n_rows) as f64 / n_rows as f64 - 0.5);
    let x = data.column("x").to_vec();
    let data = data.with("y", |row, i| {
        let p = 1.0 / (1.0 + (-(0.5 + x[row] + effects[i])).exp());
        f64::from(u8::from(draw.uniform() < p))
    });
    let exact = one_effect(&data, sd, |i, e| {
        let rows = data.rows_of(i).into_iter();
        rows.map(|row| binary(data.column("y")[row], 0.5 + x[row] + e))
            .sum()
    });
    Case {
        name: format!("binary, SD {sd}, {n_rows} rows"),
        model: format!(
            "fixed a = 0.5
            fixed o = positive({sd})
            random e ~ normal(0, o) | id
            y ~ bernoulli(plogis(a + x + e))"
        ),
        data,
        exact,
    }
}

/// Intercept and slope, both large: a grid of two effects.
fn slopes(sd: f64) -> Case {
    let mut draw = Generator(19);
    let effects: Vec<[f64; 2]> = (0..40)
        .map(|_| [sd * draw.normal(), sd * draw.normal()])
        .collect();
    let data = Data::new(40, |_| 8).with("x", |row, _| (row % 8) as f64 / 3.5 - 1.0);
    let x = data.column("x").to_vec();
    let data = data.with("y", |row, i| {
        let p = 1.0 / (1.0 + (-(effects[i][0] + effects[i][1] * x[row])).exp());
        f64::from(u8::from(draw.uniform() < p))
    });
    let exact = (0..40).map(|i| {
        let (y, x) = (values(&data, "y", i), values(&data, "x", i));
        log_integral(-8.0 * sd, 8.0 * sd, 300, |a| {
            log_integral(-8.0 * sd, 8.0 * sd, 300, |b| {
                let rows = y.iter().zip(&x);
                rows.map(|(y, x)| binary(*y, a + b * x)).sum::<f64>() + normal(b, 0.0, sd)
            }) + normal(a, 0.0, sd)
        })
    });
    let exact = exact.collect();
    Case {
        name: format!("binary, intercept and slope of SD {sd}"),
        model: format!(
            "fixed o = positive({sd}, {sd})
            random a ~ normal(0, o[1]) | id
            random b ~ normal(0, o[2]) | id
            y ~ bernoulli(plogis(a + b * x))"
        ),
        data,
        exact,
    }
}

fn counts() -> Case {
    let mut draw = Generator(4);
    let effects: Vec<f64> = (0..80).map(|_| 2.0 * draw.normal()).collect();
    let data =
        Data::new(80, |i| 1 + i % 4).with("y", |_, i| draw.poisson((effects[i] - 1.0).exp()));
    let exact = one_effect(&data, 2.0, |i, e| {
        let y = values(&data, "y", i).into_iter();
        y.map(|y| {
            let norm: f64 = (1..=y as usize).map(|k| (k as f64).ln()).sum();
            y * (e - 1.0) - (e - 1.0).exp() - norm
        })
        .sum()
    });
    Case {
        name: "few counts".into(),
        model: "fixed a = -1
            fixed o = positive(2)
            random e ~ normal(0, o) | id
            y ~ poisson(exp(a + e))"
            .into(),
        data,
        exact,
    }
}

fn grades() -> Case {
    let mut draw = Generator(6);
    let effects: Vec<f64> = (0..50).map(|_| 4.0 * draw.normal()).collect();
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let data = Data::new(50, |_| 6).with("y", |_, i| {
        let u = draw.uniform();
        let above = |cut: f64| u64::from(u > logistic(cut - effects[i]));
        1.0 + (above(-1.0) + above(2.0)) as f64
    });
    let exact = one_effect(&data, 4.0, |i, e| {
        let y = values(&data, "y", i).into_iter();
        y.map(|y| match y as usize {
            1 => binary(1.0, -1.0 - e),
            2 => (logistic(2.0 - e) - logistic(-1.0 - e)).max(1e-300).ln(),
            _ => binary(0.0, 2.0 - e),
        })
        .sum()
    });
    Case {
        name: "ordinal".into(),
        model: "fixed o = positive(4)
            random e ~ normal(0, o) | id
            y ~ ordered(e, c(-1, 2))"
            .into(),
        data,
        exact,
    }
}

/// The square of an effect is observed: its conditional distribution has two modes, far apart in their own widths.
fn squares() -> Case {
    let mut draw = Generator(8);
    let effects: Vec<f64> = (0..40).map(|_| 0.2 + 1.5 * draw.normal()).collect();
    let data = Data::new(40, |_| 3).with("y", |_, i| effects[i].powi(2) + 0.3 * draw.normal());
    let exact = one_effect(&data, 1.5, |i, e| {
        let y = values(&data, "y", i).into_iter();
        y.map(|y| normal(y, (0.2 + e).powi(2), 0.3)).sum()
    });
    Case {
        name: "two modes".into(),
        model: "fixed a = 0.2
            fixed o = positive(1.5)
            random e ~ normal(a, o) | id
            y ~ normal(e^2, 0.3)"
            .into(),
        data,
        exact,
    }
}

/// Linear in two effects, bent in the third: exact given it.
fn plateau() -> Case {
    let mut draw = Generator(3);
    let doses = [0.0, 50.0, 100.0, 150.0, 200.0, 250.0];
    let effects: Vec<[f64; 3]> = (0..40)
        .map(|_| {
            let mut z = || draw.normal();
            [9.0 + 1.1 * z(), 130.0 + 40.0 * z(), 0.027 + 0.005 * z()]
        })
        .collect();
    let data = Data::new(40, |_| 6)
        .with("dose", |row, _| doses[row % 6])
        .with("y", |row, i| {
            let [top, knee, slope] = effects[i];
            top + slope * (doses[row % 6] - knee).min(0.0) + 0.3 * draw.normal()
        });
    let omega = DMatrix::from_diagonal(&DVector::from_vec(vec![1.21, 2.5e-5]));
    let exact = (0..40).map(|i| {
        let y = values(&data, "y", i);
        log_integral(-270.0, 530.0, 6_000, |knee| {
            let x = DMatrix::from_fn(6, 2, |j, k| {
                if k == 0 {
                    1.0
                } else {
                    (doses[j] - knee).min(0.0)
                }
            });
            gaussian(&y, &x, &[9.0, 0.027], &omega, 0.3) + normal(knee, 130.0, 40.0)
        })
    });
    let exact = exact.collect();
    Case {
        name: "plateau with kinks".into(),
        model: "fixed top = 9
            fixed knee = 130
            fixed slope = 0.027
            fixed o = positive(1.1, 40, 0.005)
            random a ~ normal(0, o[1]) | id
            random b ~ normal(0, o[2]) | id
            random c ~ normal(0, o[3]) | id
            y ~ normal(ifelse(dose > knee + b, top + a, top + a + (slope + c) * (dose - (knee + b))), 0.3)"
            .into(),
        data,
        exact,
    }
}

/// Absorption that begins late: linear in the size, a jump of the slope in the delay.
fn delays() -> Case {
    let mut draw = Generator(5);
    let times = [0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0];
    let curve = |u: f64| {
        if u > 0.0 {
            (-0.2 * u).exp() - (-3.0 * u).exp()
        } else {
            0.0
        }
    };
    let effects: Vec<[f64; 2]> = (0..40)
        .map(|_| [0.6 * draw.normal(), 1.5 * draw.normal()])
        .collect();
    let data = Data::new(40, |_| 8)
        .with("t", |row, _| times[row % 8])
        .with("y", |row, i| {
            let [lag, size] = effects[i];
            (8.0 + size) * curve(times[row % 8] - (lag - 0.3).exp()) + 0.3 * draw.normal()
        });
    let exact = (0..40).map(|i| {
        let y = values(&data, "y", i);
        log_integral(-5.0, 5.0, 20_000, |lag| {
            let x = DMatrix::from_fn(8, 1, |j, _| curve(times[j] - (lag - 0.3).exp()));
            let omega = DMatrix::from_element(1, 1, 2.25);
            gaussian(&y, &x, &[8.0], &omega, 0.3) + normal(lag, 0.0, 0.6)
        })
    });
    let exact = exact.collect();
    Case {
        name: "delayed absorption".into(),
        model: "fixed llag = -0.3
            fixed size = 8
            fixed o = positive(0.6, 1.5)
            random a ~ normal(0, o[1]) | id
            random b ~ normal(0, o[2]) | id
            u <- t - exp(llag + a)
            f <- ifelse(u > 0, exp(-0.2 * u) - exp(-3 * u), 0)
            y ~ normal((size + b) * f, 0.3)"
            .into(),
        data,
        exact,
    }
}

/// A linear model: exact whatever the covariance of its effects.
fn linear(name: &str, omega: &DMatrix<f64>, sd: f64) -> Case {
    let d = omega.nrows();
    let mut draw = Generator(2);
    let factor = omega.clone().cholesky().unwrap().l();
    let effects: Vec<DVector<f64>> = (0..30)
        .map(|_| &factor * DVector::from_fn(d, |_, _| draw.normal()))
        .collect();
    let n = d + 4;
    let x: Vec<f64> = (0..30 * n * d).map(|_| draw.normal()).collect();
    let mut data = Data::new(30, |_| n);
    for k in 0..d {
        data = data.with(&format!("x{k}"), |row, _| x[row * d + k]);
    }
    let data = data.with("y", |row, i| {
        let mean: f64 = (0..d).map(|k| x[row * d + k] * (1.0 + effects[i][k])).sum();
        mean + sd * draw.normal()
    });
    let exact = (0..30).map(|i| {
        let own = DMatrix::from_fn(n, d, |j, k| x[(i * n + j) * d + k]);
        gaussian(&values(&data, "y", i), &own, &vec![1.0; d], omega, sd)
    });
    let exact = exact.collect();
    let list = |values: Vec<String>| values.join(", ");
    let means = list(vec!["1".to_string(); d]);
    let elements = list(omega.iter().map(|w| format!("{w:e}")).collect());
    let terms: Vec<String> = (0..d).map(|k| format!("x{k} * e[{}]", k + 1)).collect();
    Case {
        name: name.into(),
        model: format!(
            "fixed m = real({means})
            fixed w = covariance_matrix({elements})
            random e ~ mvnormal(m, w) | id
            y ~ normal({}, {sd})",
            terms.join(" + ")
        ),
        data,
        exact,
    }
}

/// Correlations so close to one that the smallest of three SDs is `small`.
fn flat(small: f64) -> Case {
    let direction = [
        DVector::from_vec(vec![0.6, 0.64, 0.48]),
        DVector::from_vec(vec![0.8, -0.48, -0.36]),
        DVector::from_vec(vec![0.0, 0.6, -0.8]),
    ];
    let sds = [1.0, 0.3, small];
    let omega = (direction.iter().zip(sds)).fold(DMatrix::zeros(3, 3), |sum, (v, sd)| {
        sum + v * v.transpose() * (sd * sd)
    });
    linear(&format!("nearly singular, {small:e}"), &omega, 0.2)
}

/// Six effects, each with data of its own: a product of six integrals, none of them Gaussian.
fn six() -> Case {
    let mut draw = Generator(21);
    let effects: Vec<f64> = (0..180).map(|_| 3.0 * draw.normal()).collect();
    let mut data = Data::new(30, |_| 4);
    let mut exact = vec![0.0; 30];
    for k in 0..6 {
        data = data.with(&format!("y{k}"), |_, i| {
            let p = 1.0 / (1.0 + (-effects[6 * i + k]).exp());
            f64::from(u8::from(draw.uniform() < p))
        });
        let own = one_effect(&data, 3.0, |i, e| {
            let y = values(&data, &format!("y{k}"), i).into_iter();
            y.map(|y| binary(y, e)).sum()
        });
        exact.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
    }
    let outcomes = (0..6).map(|k| format!("y{k} ~ bernoulli(plogis(e[{}]))", k + 1));
    Case {
        name: "six effects of binary data".into(),
        model: format!(
            "fixed m = real(0, 0, 0, 0, 0, 0)
            fixed o = positive(9, 9, 9, 9, 9, 9)
            random e ~ mvnormal(m, diag(o)) | id
            {}",
            outcomes.collect::<Vec<String>>().join("\n")
        ),
        data,
        exact,
    }
}

fn cases() -> Vec<Case> {
    let six_linear = DMatrix::from_fn(
        6,
        6,
        |i, j| {
            if i == j {
                0.5 + 0.1 * i as f64
            } else {
                0.15
            }
        },
    );
    vec![
        intercepts(3.0, 5),
        intercepts(3.0, 30),
        intercepts(10.0, 5),
        intercepts(10.0, 30),
        slopes(5.0),
        counts(),
        grades(),
        squares(),
        plateau(),
        delays(),
        linear("six effects, linear", &six_linear, 0.5),
        flat(1e-3),
        flat(1e-6),
        six(),
    ]
}

/// What a computation says: value, error, method.
struct Told {
    value: f64,
    error: f64,
    method: String,
}

fn ask(case: &Case, fields: &Json) -> Told {
    let mut request = request_json("log_likelihood", &case.model, &case.data);
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    let columns = case.data.request_columns();
    let found = request::run(&sent(&request), columns, &Silent);
    let Ok(ReplyValue::List(entries)) = found else {
        panic!("{}: {found:?}", case.name)
    };
    let number = |names: [&str; 2]| {
        let known = entries
            .iter()
            .find(|(name, _)| names.contains(&name.as_str()));
        match known {
            Some((_, ReplyValue::Number(x))) => *x,
            _ => f64::NAN,
        }
    };
    let method = entries.iter().find(|(name, _)| name == "method");
    let Some((_, ReplyValue::Text(method))) = method else {
        panic!("{entries:?}")
    };
    Told {
        value: number(["value", "value"]),
        error: number(["error", "mc_error"]),
        method: method.clone(),
    }
}

/// Lines of a table; those that are off.
fn off(fields: &Json, tolerance: impl Fn(&Case) -> f64) -> Vec<String> {
    let mut lines = Vec::new();
    for case in cases() {
        let started = std::time::Instant::now();
        let told = ask(&case, fields);
        let exact: f64 = case.exact.iter().sum();
        let miss = told.value - exact;
        let line = format!(
            "{:40} exact {exact:10.3} miss {miss:9.4} error {:8.4} {:10} {:6.2} s",
            case.name,
            told.error,
            told.method,
            started.elapsed().as_secs_f64()
        );
        println!("{line}");
        // An error that is not told is none.
        let allowed = tolerance(&case).max(3.0 * told.error);
        if miss.is_nan() || miss.abs() > allowed {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn the_log_likelihood_is_as_good_as_its_error_says() {
    let tolerance = |case: &Case| (1e-4 * case.exact.len() as f64).max(0.005);
    let off = off(&json!({"seed": 1}), tolerance);
    assert!(off.is_empty(), "{}", off.join("\n"));
}

#[test]
fn importance_sampling_is_as_good_as_its_error_says() {
    for seed in 1..=2 {
        let off = off(
            &json!({"log_lik": "importance", "draws": 2000, "seed": seed}),
            |_| 0.02,
        );
        assert!(off.is_empty(), "{}", off.join("\n"));
    }
}

#[test]
fn nodes_that_are_given_are_used_and_their_error_is_told() {
    for (case, nodes) in [(intercepts(10.0, 30), 15), (plateau(), 9), (six(), 3)] {
        let told = ask(&case, &json!({"nodes": nodes}));
        let exact: f64 = case.exact.iter().sum();
        let miss = (told.value - exact).abs();
        assert!(miss > 0.02, "{}: {miss}", case.name);
        assert!(
            miss <= 3.0 * told.error,
            "{}: {miss} {}",
            case.name,
            told.error
        );
    }
}

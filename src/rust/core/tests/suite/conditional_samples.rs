//! Draws of the random effects at fixed parameters: moments against closed forms and quadrature, within four Monte-Carlo
//! errors, whatever the family, the groupings, and the number of threads.

use crate::common::data::Data;
use crate::common::posteriors::integrated;
use crate::common::{groups, request_json, sent};
use nalgebra::{DMatrix, DVector};
use nlmers_core::monitor::Silent;
use nlmers_core::reply::ReplyValue;
use nlmers_core::request::run;
use serde_json::{json, Value as Json};

const DRAWS: usize = 4000;

/// Draws of the first effect of every level of each grouping: `[grouping][level][draw]`.
struct Draws {
    groups: Vec<Vec<Vec<f64>>>,
    autocorrelation: f64,
}

fn entry<'a>(value: &'a ReplyValue, name: &str) -> &'a ReplyValue {
    let ReplyValue::List(list) = value else {
        panic!("{value:?} is no list")
    };
    &list.iter().find(|(known, _)| known == name).unwrap().1
}

fn draw(mut request: Json, columns: Vec<(String, Vec<f64>)>, parameters: Json) -> Draws {
    request["parameters"] = parameters;
    request["nsim"] = json!(DRAWS);
    request["seed"] = request.get("seed").cloned().unwrap_or(json!(3));
    let reply = run(&sent(&request), columns, &Silent).unwrap();
    let ReplyValue::List(list) = entry(&reply, "groups") else {
        panic!("no groups")
    };
    let of = |group: &ReplyValue| {
        let ReplyValue::Matrix { data, .. } = entry(group, "values") else {
            panic!("no values")
        };
        let ReplyValue::Texts(labels) = entry(group, "labels") else {
            panic!("no labels")
        };
        let levels = data.chunks(DRAWS).take(labels.len());
        levels.map(<[f64]>::to_vec).collect()
    };
    let ReplyValue::Number(autocorrelation) = entry(&reply, "autocorrelation") else {
        panic!("no autocorrelation")
    };
    Draws {
        groups: list.iter().map(|(_, group)| of(group)).collect(),
        autocorrelation: *autocorrelation,
    }
}

/// Mean and SD of draws are the exact ones, within four Monte-Carlo errors of nearly independent draws.
fn check(draws: &[f64], mean: f64, sd: f64, kurtosis: f64, what: &str) {
    let n = draws.len() as f64;
    let average = draws.iter().sum::<f64>() / n;
    let spread = (draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / n).sqrt();
    let error = sd / n.sqrt();
    assert!(
        (average - mean).abs() < 4.0 * error,
        "{what}: mean {average}, exact {mean}"
    );
    let error = 0.5 * sd * ((kurtosis - 1.0) / n).sqrt();
    assert!(
        (spread - sd).abs() < 4.0 * error,
        "{what}: SD {spread}, exact {sd}"
    );
}

const LINE: &str = "fixed a = 1\nfixed o = positive(1)\nfixed s = positive(1)
    random e ~ normal(0, o) | id\ny ~ normal(a + e, s)";

fn line_data() -> Data {
    Data::new(5, |i| 1 + i).with("y", |row, i| 0.4 * i as f64 - 0.3 * (row % 3) as f64)
}

#[test]
fn draws_of_a_linear_model_have_the_moments_of_its_normal_distribution() {
    let data = line_data();
    let parameters = json!({"a": [0.7], "o": [0.9], "s": [1.1]});
    let draws = draw(
        request_json("conditional_samples", LINE, &data),
        data.request_columns(),
        parameters,
    );
    assert!(draws.autocorrelation < 0.1);
    for (i, level) in draws.groups[0].iter().enumerate() {
        let rows = data.rows_of(i);
        let precision = 1.0 / 0.81 + rows.len() as f64 / 1.21;
        let pull: f64 = rows.iter().map(|row| data.column("y")[*row] - 0.7).sum();
        check(
            level,
            pull / 1.21 / precision,
            precision.sqrt().recip(),
            3.0,
            "normal",
        );
    }
}

#[test]
fn draws_of_counts_have_the_moments_that_quadrature_finds() {
    let data = Data::new(4, |_| 2).with("y", |row, i| if i == 0 { 0.0 } else { (row + i) as f64 });
    let model = "fixed a = 0.5\nfixed o = positive(1)\nrandom e ~ normal(0, o) | id\ny ~ poisson(exp(a + e))";
    let parameters = json!({"a": [0.3], "o": [1.2]});
    let draws = draw(
        request_json("conditional_samples", model, &data),
        data.request_columns(),
        parameters,
    );
    for (i, level) in draws.groups[0].iter().enumerate() {
        let y: Vec<f64> = data
            .rows_of(i)
            .iter()
            .map(|row| data.column("y")[*row])
            .collect();
        let total: f64 = y.iter().sum();
        let exact = integrated((-12.0, 8.0), |e| {
            total * e - y.len() as f64 * (0.3 + e).exp() - 0.5 * (e / 1.2).powi(2)
        });
        check(
            level,
            exact.mean[0],
            exact.covariance[(0, 0)].sqrt(),
            4.0,
            "counts",
        );
    }
}

#[test]
fn chains_visit_two_hills_as_often_as_they_weigh() {
    let data = Data::new(2, |_| 1).with("y", |_, _| 1.0);
    let model = "fixed o = positive(1)\nrandom e ~ normal(0, o) | id
        y ~ custom(log(exp(-4.5 * (e + 2)^2) + exp(-4.5 * (e - 2)^2)))";
    let draws = draw(
        request_json("conditional_samples", model, &data),
        data.request_columns(),
        json!({"o": [1.0]}),
    );
    let exact = integrated((-6.0, 6.0), |e| {
        ((-4.5 * (e + 2.0f64).powi(2)).exp() + (-4.5 * (e - 2.0f64).powi(2)).exp()).ln()
            - 0.5 * e * e
    });
    for level in &draws.groups[0] {
        check(level, 0.0, exact.covariance[(0, 0)].sqrt(), 2.0, "hills");
    }
}

/// Every subject at every site, twice.
fn crossed() -> (Data, Vec<(&'static str, Vec<usize>)>) {
    let data = Data::new(4, |_| 6).with("y", |row, i| 0.3 * i as f64 - 0.2 * (row % 5) as f64);
    let sites: Vec<usize> = (0..24).map(|row| row % 3).collect();
    let subjects = data.subject.clone();
    (data, vec![("id", subjects), ("site", sites)])
}

#[test]
fn draws_of_crossed_effects_have_the_moments_of_their_joint_normal_distribution() {
    let model = "fixed a = 0\nfixed o = positive(1)\nfixed w = positive(1)\nfixed s = positive(1)
        random u ~ normal(0, o) | id\nrandom v ~ normal(0, w) | site\ny ~ normal(a + u + v, s)";
    let (data, groups) = crossed();
    let (request, columns) = groups::request("conditional_samples", model, &data, &groups);
    let draws = draw(
        request,
        columns,
        json!({"a": [0.1], "o": [0.8], "w": [0.6], "s": [0.7]}),
    );
    let mut z = DMatrix::zeros(24, 7);
    for row in 0..24 {
        z[(row, groups[0].1[row])] = 1.0;
        z[(row, 4 + groups[1].1[row])] = 1.0;
    }
    let y = DVector::from_iterator(24, data.column("y").iter().map(|y| y - 0.1));
    let prior = DVector::from_fn(7, |k, _| if k < 4 { 1.0 / 0.64 } else { 1.0 / 0.36 });
    let precision = DMatrix::from_diagonal(&prior) + z.transpose() * &z / 0.49;
    let covariance = precision.try_inverse().unwrap();
    let mean = &covariance * z.transpose() * y / 0.49;
    for (k, level) in draws.groups.iter().flatten().enumerate() {
        check(level, mean[k], covariance[(k, k)].sqrt(), 3.0, "crossed");
    }
}

#[test]
fn levels_with_given_values_keep_them_and_threads_change_nothing() {
    let data = line_data();
    let parameters = json!({"a": [0.7], "o": [0.9], "s": [1.1]});
    let of = |threads: usize, seed: usize| {
        let mut request = request_json("conditional_samples", LINE, &data);
        request["levels"] = json!({"e": {"s2": 0.25}});
        request["threads"] = json!(threads);
        request["seed"] = json!(seed);
        draw(request, data.request_columns(), parameters.clone()).groups
    };
    let one = of(1, 3);
    assert!(one[0][1].iter().all(|e| *e == 0.25));
    assert_eq!(one, of(3, 3));
    assert_ne!(one, of(1, 4));
}

#[test]
fn an_observation_without_a_density_is_named() {
    let data = Data::new(2, |_| 2).with("y", |row, _| if row == 3 { -1.0 } else { 1.0 });
    let model = "fixed a = 1\nfixed o = positive(1)\nrandom e ~ normal(0, o) | id\ny ~ custom(log(y) - e^2 - a)";
    let mut request = request_json("conditional_samples", model, &data);
    request["parameters"] = json!({"a": [1.0], "o": [1.0]});
    let error = run(&sent(&request), data.request_columns(), &Silent).unwrap_err();
    assert_eq!(error.reason, "no_density");
    assert!(error.problem.contains("`id` s2"), "{}", error.problem);
}

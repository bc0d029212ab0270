//! Several groupings of the random effects: exact likelihoods of linear models, estimates, and who shares a batch.

use crate::common::groups::joint;
use crate::common::numeric::minimise;
use crate::common::Data;
use nalgebra::{DMatrix, DVector};
use nlmers_core::inference::joint::{joint_modes, laplace};
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Given, Joint, Route};
use nlmers_core::saem::{fit, FitStatus, SaemOptions};
use nlmers_core::vem::{self, VemOptions};

const SUM: &str = "
    fixed m = 1
    fixed oa = positive(0.5)
    fixed ob = positive(0.5)
    fixed s = positive(0.5)
    random a ~ normal(0, oa) | id
    random b ~ normal(0, ob) | other
    y ~ normal(m + a + b, s)";

/// Numbers that look normal, from sines.
fn noise(i: usize, salt: f64) -> f64 {
    let u = |k: f64| {
        let x = (i as f64 * k + salt).sin() * 43_758.545_3;
        x - x.floor()
    };
    (-2.0 * u(12.9898).max(1e-9).ln()).sqrt() * (std::f64::consts::TAU * u(78.233)).cos()
}

/// 30 subjects by 6 items, each pair once, some left out.
fn crossed() -> (Data, Vec<usize>) {
    let pairs: Vec<(usize, usize)> = (0..30)
        .flat_map(|i| (0..6).map(move |j| (i, j)))
        .filter(|(i, j)| (i * 7 + j * 3) % 11 != 0)
        .collect();
    let y = |row: usize| {
        let (i, j) = pairs[row];
        2.0 + 0.8 * noise(i, 1.0) + 0.6 * noise(j, 5.0) + 0.4 * noise(row, 9.0)
    };
    let data = Data {
        subject: pairs.iter().map(|p| p.0).collect(),
        ..Data::default()
    };
    let codes = pairs.iter().map(|p| p.1).collect();
    (data.with("y", |row, _| y(row)), codes)
}

/// 20 subjects with 3 occasions of 4 rows.
fn occasions(sd: [f64; 3]) -> (Data, Vec<usize>) {
    let data = Data::new(20, |_| 12).with("y", |row, i| {
        2.0 + sd[0] * noise(i, 1.0) + sd[1] * noise(row / 4, 5.0) + sd[2] * noise(row, 9.0)
    });
    let codes = (0..240).map(|row| row / 4).collect();
    (data, codes)
}

fn sum(data: &Data, other: &[usize]) -> Joint {
    let groups = [("id", data.subject.clone()), ("other", other.to_vec())];
    joint(SUM, data, &groups, &Given::default()).unwrap()
}

/// `-2 log L` of `SUM` from the covariance of all observations.
fn exact(data: &Data, other: &[usize], theta: &[f64]) -> f64 {
    let n = data.n_rows();
    let v = |k: usize| (2.0 * theta[k]).exp();
    let cov = DMatrix::from_fn(n, n, |i, j| {
        let same = |a: usize, b: usize| f64::from(u8::from(a == b));
        v(1) * same(data.subject[i], data.subject[j])
            + v(2) * same(other[i], other[j])
            + v(3) * same(i, j)
    });
    let r = DVector::from_iterator(n, data.column("y").iter().map(|y| y - theta[0]));
    let c = cov.cholesky().unwrap();
    let log_det: f64 = c.l().diagonal().map(f64::ln).sum();
    c.solve(&r).dot(&r) + 2.0 * log_det + n as f64 * std::f64::consts::TAU.ln()
}

#[test]
fn laplace_is_exact_for_linear_models() {
    for (data, other) in [
        crossed(),
        occasions([0.8, 0.5, 0.05]),
        occasions([0.8, 0.02, 0.5]),
    ] {
        let joint = sum(&data, &other);
        for theta in [[1.0, -0.7, -0.7, -0.7], [2.2, -0.1, -2.0, -1.5]] {
            let result = laplace(&joint, &theta, None).unwrap();
            let error = -2.0 * result.log_lik - exact(&data, &other, &theta);
            assert!(error.abs() < 1e-5, "{error} at {theta:?}");
            assert!(result.converged.iter().all(|c| *c));
        }
    }
}

#[test]
fn levels_that_share_rows_share_a_batch() {
    let (data, other) = crossed();
    assert_eq!(sum(&data, &other).n_batches, 1);
    let (data, other) = occasions([1.0; 3]);
    let joint = sum(&data, &other);
    assert_eq!(joint.n_batches, 20);
    assert_eq!(joint.batches[1][3], joint.batches[0][1]);
    assert_eq!(joint.exchanges.len(), 1);
    assert_eq!(joint.exchanges[0].sets.len(), 20);
}

#[test]
fn a_mean_belongs_to_one_grouping_and_every_parameter_has_a_route() {
    let (data, other) = crossed();
    let joint = sum(&data, &other);
    assert_eq!(
        joint.theta.routes,
        [
            Route::Mean,
            Route::Covariance,
            Route::Covariance,
            Route::Residual
        ]
    );
    let movers = |k: usize| joint.parts.iter().filter(|p| p.theta.mine[k]).count();
    assert!((0..4).all(|k| movers(k) == 1));
}

#[test]
fn estimates_are_those_of_maximum_likelihood() {
    let cases = [
        ("crossed", crossed()),
        ("occasions", occasions([0.8, 0.5, 0.3])),
        ("precise", occasions([0.8, 0.5, 0.03])),
        ("weak", occasions([0.8, 0.25, 0.5])),
    ];
    for (name, (data, other)) in cases {
        let joint = sum(&data, &other);
        let (best, least) = minimise(&[2.0, -0.5, -0.5, -0.9], |x| exact(&data, &other, x));
        let fit = fit(&joint, &SaemOptions::default(), 3, 1, &Silent).unwrap();
        let excess = exact(&data, &other, &fit.theta) - least;
        println!(
            "{name}: excess {excess:.5}, {:?} against {best:?}, {:?} {:?}",
            fit.theta, fit.status, fit.evidence
        );
        assert!(
            excess < 0.02,
            "{name}: excess {excess}, {:?} against {best:?}",
            fit.theta
        );
        assert_eq!(
            fit.status,
            FitStatus::Converged,
            "{name} {:?}",
            fit.evidence
        );
        assert!(fit.covariance.is_some(), "{name}");
    }
}

/// In the other order the first grouping has several levels in a batch.
const TURNED: &str = "
    fixed m = 1
    fixed oa = positive(0.5)
    fixed ob = positive(0.5)
    fixed s = positive(0.5)
    random b ~ normal(0, ob) | other
    random a ~ normal(0, oa) | id
    y ~ normal(m + a + b, s)";

#[test]
fn vem_finds_the_maximum_of_linear_models_and_its_bound_is_the_likelihood() {
    for (name, (data, other)) in [
        ("crossed", crossed()),
        ("occasions", occasions([0.8, 0.5, 0.3])),
    ] {
        let (_, least) = minimise(&[2.0, -0.5, -0.5, -0.9], |x| exact(&data, &other, x));
        let groups = [("id", data.subject.clone()), ("other", other.clone())];
        let turned = [groups[1].clone(), groups[0].clone()];
        for (text, groups) in [(SUM, groups), (TURNED, turned)] {
            let joint = joint(text, &data, &groups, &Given::default()).unwrap();
            let options = VemOptions {
                polish: false,
                tolerance: 1e-12,
                ..VemOptions::default()
            };
            let found = vem::fit(&joint, &options, (1, 1), None, &Silent).unwrap();
            let there = exact(&data, &other, &found.fit.theta);
            assert!((there - least).abs() < 1e-5, "{name}: {there} {least}");
            let gap = -2.0 * found.elbo.value() - there;
            assert!(gap.abs() < 1e-6, "{name}: {gap}");
        }
    }
}

#[test]
fn modes_of_a_ridge_are_found() {
    let (data, other) = occasions([0.8, 0.5, 0.001]);
    let joint = sum(&data, &other);
    let theta = [2.0, 0.8f64.ln(), 0.5f64.ln(), 0.001f64.ln()];
    let modes = joint_modes(&joint, &theta).unwrap();
    assert!(modes.converged.iter().flatten().all(|c| *c));
}

#[test]
fn a_fixed_level_keeps_its_value_and_informs_the_rest() {
    let (data, other) = crossed();
    let groups = [("id", data.subject.clone()), ("other", other.clone())];
    let given = Given {
        levels: vec![
            ("b".into(), "2".into(), 0.25),
            ("a".into(), "30".into(), -0.5),
        ],
        ..Given::default()
    };
    let joint = joint(SUM, &data, &groups, &given).unwrap();
    let fit = fit(&joint, &SaemOptions::default(), 3, 1, &Silent).unwrap();
    assert!((fit.cond_mean[1][1] - 0.25).abs() < 1e-12);
    assert!(fit.cond_sd[1][1] < 1e-6);
    assert!((fit.cond_mean[0][29] + 0.5).abs() < 1e-12);
    // The score of the exact conditional likelihood vanishes: y minus the fixed effects, the others integrated out,
    // times the density of the fixed values.
    let value = |theta: &[f64]| -2.0 * laplace(&joint, theta, None).unwrap().log_lik;
    let (_, least) = minimise(&fit.theta, value);
    let excess = value(&fit.theta) - least;
    println!("held: excess {excess}, {:?} {:?}", fit.status, fit.evidence);
    assert!(excess < 0.2, "{excess}");
}

#[test]
fn a_mean_behind_a_row_varying_term_is_found() {
    let text = SUM
        .replace("m + a + b", "m + c * x + a + b")
        .replace("fixed oa", "fixed c = 0.5\nfixed oa");
    let (data, other) = crossed();
    let data = data.with("x", |row, _| noise(row, 3.0));
    let groups = [("id", data.subject.clone()), ("other", other)];
    let joint = joint(&text, &data, &groups, &Given::default()).unwrap();
    let routes = &joint.theta.routes;
    assert_eq!(routes[..2], [Route::Mean, Route::Score]);
    let fit = fit(&joint, &SaemOptions::default(), 3, 1, &Silent).unwrap();
    assert_eq!(fit.status, FitStatus::Converged, "{:?}", fit.evidence);
}

//! VEM: the bound never exceeds the likelihood, its parts are those of the textbook, and a linear model is solved exactly.

use crate::common::data::{Data, Generator};
use crate::common::intercept;
use crate::common::{joint, numeric};
use nalgebra::{DMatrix, DVector};
use nlmers_core::fitted::FitStatus;
use nlmers_core::inference::posterior::{BatchGaussian, BatchPosteriors, Batches};
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::Joint;
use nlmers_core::vem::options::{PosteriorFamily, RuleKind};
use nlmers_core::vem::{bound, fit, PointRule, VemFit, VemOptions};

const FAMILIES: [PosteriorFamily; 2] = [PosteriorFamily::FullRank, PosteriorFamily::MeanField];
const RULES: [RuleKind; 3] = [RuleKind::Cubature, RuleKind::Qmc, RuleKind::MonteCarlo];

fn run(joint: &Joint, options: &VemOptions) -> VemFit {
    fit(joint, options, (1, 1), None, &Silent).unwrap()
}

/// To the last digits, without polish.
fn exact() -> VemOptions {
    VemOptions {
        tolerance: 1e-18,
        inner_tolerance: 1e-22,
        polish: false,
        ..VemOptions::default()
    }
}

fn covariance(q: &BatchGaussian) -> DMatrix<f64> {
    let d = q.dim();
    DMatrix::from_fn(d, d, |i, j| q.covariance(i, j))
}

#[test]
fn a_random_intercept_is_solved_exactly() {
    let data = intercept::data();
    let joint = joint(intercept::MODEL, &data);
    for rule in [RuleKind::Cubature, RuleKind::Qmc] {
        let found = run(&joint, &VemOptions { rule, ..exact() });
        for (exact, theta) in intercept::maximum(&data).iter().zip(&found.fit.theta) {
            assert!((exact - theta).abs() < 1e-8, "{rule:?}: {exact} {theta}");
        }
        let log_lik = quadrature(joint.main(), &found.fit.theta, 1)
            .unwrap()
            .log_lik;
        assert!((found.elbo.value() - log_lik).abs() < 1e-8, "{rule:?}");
    }
}

const SLOPES: &str = "
    fixed a = 1
    fixed b = 0
    fixed w = covariance_matrix(1, 0.1, 0.1, 1)
    fixed s = positive(1)
    random e ~ mvnormal(c(0, 0), w) | id
    y ~ normal(a + e[1] + (b + e[2]) * t, s)";

/// 40 lines with correlated intercepts and slopes, 3 to 7 points each.
fn slopes_data() -> Data {
    let mut draw = Generator(5);
    let effects: Vec<(f64, f64)> = (0..40)
        .map(|_| {
            let u = draw.normal();
            (u, 0.5 * u + 0.4 * draw.normal())
        })
        .collect();
    let data = Data::new(40, |i| 3 + i % 5);
    let times: Vec<f64> = (0..data.n_rows()).map(|r| data.within(r) as f64).collect();
    let data = data.with("t", |r, _| times[r]);
    data.with("y", |r, i| {
        2.0 + effects[i].0 + (0.7 + effects[i].1) * times[r] + 0.5 * draw.normal()
    })
}

#[test]
fn correlated_lines_are_solved_exactly_and_the_bound_is_the_likelihood() {
    let joint = joint(SLOPES, &slopes_data());
    let found = run(&joint, &exact());
    let log_lik = |theta: &[f64]| quadrature(joint.main(), theta, 1).unwrap().log_lik;
    let theta = &found.fit.theta;
    assert!((found.elbo.value() - log_lik(theta)).abs() < 1e-8);
    // The gradient of the exact likelihood vanishes, in units of its curvature.
    let h = 1e-4;
    for k in 0..theta.len() {
        let side = |step: f64| {
            let mut moved = theta.clone();
            moved[k] += step;
            log_lik(&moved)
        };
        let slope = (8.0 * (side(h) - side(-h)) - side(2.0 * h) + side(-2.0 * h)) / (12.0 * h);
        let curvature = (2.0 * log_lik(theta) - side(h) - side(-h)) / (h * h);
        assert!(
            slope.abs() / curvature.abs() < 1e-8,
            "{k}: {slope} {curvature}"
        );
    }
}

const COUNTS: &str = "
    fixed l = 0.5
    fixed o = positive(0.8)
    random e ~ normal(0, o) | id
    y ~ poisson(exp(l + e))";

fn counts_data() -> Data {
    let mut draw = Generator(8);
    let effects: Vec<f64> = (0..25).map(|_| 0.9 * draw.normal()).collect();
    Data::new(25, |i| 1 + i % 4).with("y", |_, i| {
        let rate = (0.3 + effects[i]).exp();
        draw.poisson(rate)
    })
}

const CURVES: &str = "
    fixed a = positive(8)
    fixed k = positive(0.4)
    fixed w = covariance_matrix(0.2, 0.1, 0.1, 0.3)
    fixed s = positive(0.7)
    random e ~ mvnormal(c(0, 0), w) | id
    y ~ normal(a * exp(e[1]) * exp(-k * exp(e[2]) * t), s)";

fn curves_data() -> Data {
    let mut draw = Generator(12);
    let effects: Vec<(f64, f64)> = (0..15)
        .map(|_| {
            let u = draw.normal();
            (0.4 * u, 0.3 * u + 0.4 * draw.normal())
        })
        .collect();
    let data = Data::new(15, |i| 2 + i % 3);
    let times: Vec<f64> = (0..data.n_rows())
        .map(|r| 1.0 + 2.0 * data.within(r) as f64)
        .collect();
    let data = data.with("t", |r, _| times[r]);
    data.with("y", |r, i| {
        let (u, v) = effects[i];
        8.0 * u.exp() * (-0.4 * v.exp() * times[r]).exp() + 0.7 * draw.normal()
    })
}

/// Deliberately wrong changes of `q`.
fn wrong(q: &BatchGaussian, sds: f64, factor: f64) -> BatchGaussian {
    let mut moved = q.clone();
    for i in 0..q.dim() {
        moved.mean[i] += sds * q.covariance(i, i).sqrt();
    }
    moved.chol.iter_mut().for_each(|l| *l *= factor);
    moved
}

#[test]
fn the_bound_is_below_the_likelihood_whatever_q_is() {
    let cases = [(COUNTS, counts_data()), (CURVES, curves_data())];
    for (text, data) in cases {
        let joint = joint(text, &data);
        let theta = joint.theta.start.clone();
        let log_lik = quadrature(joint.main(), &theta, 25).unwrap();
        for family in FAMILIES {
            let best = at_start(&joint, family);
            for (sds, factor) in [
                (0.0, 1.0),
                (1.0, 1.0),
                (-1.5, 1.0),
                (0.0, 2.0),
                (0.0, 0.2),
                (0.7, 0.5),
            ] {
                let q: BatchPosteriors = best.iter().map(|q| wrong(q, sds, factor)).collect();
                for kind in RULES {
                    let below = by_rule(&joint, &theta, &q, kind);
                    let gap = log_lik.log_lik - below;
                    let what = format!("{family:?} {kind:?} {sds} {factor}: {gap}");
                    assert!(gap > 0.0, "{what}");
                    // Moved or scaled, a batch loses what its divergence says and more.
                    assert!(
                        (sds, factor) == (0.0, 1.0) || gap > 0.4 * joint.n_batches as f64 * 0.3,
                        "{what}"
                    );
                }
            }
        }
    }
}

/// The best `q` at the starting values.
fn at_start(joint: &Joint, family: PosteriorFamily) -> BatchPosteriors {
    let options = VemOptions {
        family,
        sweeps: 1,
        maxiters: 0,
        ..exact()
    };
    let mut held = joint.clone();
    held.theta.routes.fill(nlmers_core::problem::Route::Fixed);
    run(&held, &options).q
}

/// The sum of the bounds; plain Monte-Carlo needs many points to be near its expectation.
fn by_rule(joint: &Joint, theta: &[f64], q: &BatchPosteriors, kind: RuleKind) -> f64 {
    let points = match kind {
        RuleKind::Cubature => None,
        RuleKind::Qmc => Some(128),
        RuleKind::MonteCarlo => Some(4000),
    };
    let options = VemOptions {
        rule: kind,
        points,
        ..VemOptions::default()
    };
    let rule = PointRule::new(&options, &Batches::new(joint), 3);
    bound(joint, theta, (q, &[]), (&rule, 0), &Workers::single())
        .unwrap()
        .iter()
        .sum()
}

const IDLE: &str = "
    fixed m = 0
    fixed w = covariance_matrix(1.5, 0.4, -0.2, 0.4, 0.8, 0.3, -0.2, 0.3, 1.1)
    fixed s = positive(1)
    random e ~ mvnormal(c(0.2, -0.1, 0.4), w) | id
    y ~ normal(m, s)";

/// `KL(q || p)` of two Gaussians by the textbook, with factors that a mistake would change.
fn textbook(
    s: &DMatrix<f64>,
    omega: &DMatrix<f64>,
    r: &DVector<f64>,
    factors: (f64, f64, f64),
) -> f64 {
    let (half, trace, sign) = factors;
    let inverse = omega.clone().try_inverse().unwrap();
    let logs = omega.determinant().ln() - s.determinant().ln();
    half * (trace * (&inverse * s).trace() + r.dot(&(&inverse * r)) - r.len() as f64 + sign * logs)
}

/// The outcome reads no effect: the bound is its log density less the divergence of `q` from the population.
#[test]
fn the_divergence_from_the_population_is_that_of_the_textbook() {
    let data = Data::new(2, |_| 2).with("y", |r, _| 0.5 + (r % 2) as f64);
    let joint = joint(IDLE, &data);
    let theta = joint.theta.start.clone();
    let omega = DMatrix::from_row_slice(3, 3, &[1.5, 0.4, -0.2, 0.4, 0.8, 0.3, -0.2, 0.3, 1.1]);
    let q = BatchGaussian {
        mean: vec![0.3, -0.8, 1.1],
        chol: vec![0.9, 0.8, 0.5, -0.5, 0.4, 0.6],
    };
    let r = DVector::from_vec(vec![0.1, -0.7, 0.7]);
    let log_lik = -(2.0 * std::f64::consts::PI).ln() - 0.5 * (0.25 + 2.25);
    for kind in RULES {
        // Both subjects have the same data and the same `q`.
        let divergence = log_lik - 0.5 * by_rule(&joint, &theta, &vec![q.clone(); 2], kind);
        let by_hand = |factors| textbook(&covariance(&q), &omega, &r, factors);
        numeric::assert_close(divergence, by_hand((0.5, 1.0, 1.0)), 1e-10, "divergence");
        for mistake in [(1.0, 1.0, 1.0), (0.5, -1.0, 1.0), (0.5, 1.0, -1.0)] {
            assert!((divergence - by_hand(mistake)).abs() > 0.1, "{mistake:?}");
        }
        let diagonal = DMatrix::from_diagonal(&covariance(&q).diagonal());
        let mistake = textbook(&diagonal, &omega, &r, (0.5, 1.0, 1.0));
        assert!((divergence - mistake).abs() > 0.1);
    }
}

#[test]
fn the_bound_rises_with_the_family_and_stays_below_the_likelihood() {
    for (text, data) in [(COUNTS, counts_data()), (CURVES, curves_data())] {
        let joint = joint(text, &data);
        let options = |family| VemOptions {
            family,
            polish: false,
            ..VemOptions::default()
        };
        let [full, mean] = FAMILIES.map(|family| run(&joint, &options(family)));
        for found in [&full, &mean] {
            assert_eq!(
                found.fit.status,
                FitStatus::Converged,
                "{:?}",
                found.fit.evidence
            );
            let log_lik = quadrature(joint.main(), &found.fit.theta, 25)
                .unwrap()
                .log_lik;
            assert!(found.elbo.value() < log_lik + 3.0 * found.elbo.error);
        }
        assert!(full.elbo.value() >= mean.elbo.value() - 3.0 * full.elbo.error);
    }
}

#[test]
fn the_polish_reaches_the_maximum_of_the_likelihood() {
    for (text, data) in [(COUNTS, counts_data()), (CURVES, curves_data())] {
        let joint = joint(text, &data);
        let minus2ll = |theta: &[f64]| -2.0 * quadrature(joint.main(), theta, 25).unwrap().log_lik;
        let found = run(&joint, &VemOptions::default());
        let best = numeric::minimise(&found.fit.theta, minus2ll).1;
        let excess = minus2ll(&found.fit.theta) - best;
        assert!((-1e-6..0.01).contains(&excess), "{excess}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let joint = joint(CURVES, &curves_data());
    let bits = |threads| {
        let found = fit(&joint, &VemOptions::default(), (7, threads), None, &Silent).unwrap();
        let numbers = found.fit.theta.iter().chain(&found.elbo.batches);
        numbers.map(|x| x.to_bits()).collect::<Vec<u64>>()
    };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(7));
}

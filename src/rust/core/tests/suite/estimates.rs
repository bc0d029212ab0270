//! SAEM reaches the exact maximum of the likelihood, by every route and with both ways of smoothing.

use crate::common::data::{Data, Generator};
use crate::common::intercept;
use crate::common::numeric::minimise;
use crate::common::{joint, joint_with_fixed, position, route, try_joint};
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Given, Joint, Route};
use nlmers_core::saem::{fit, Fit, FitStatus, SaemOptions};

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

fn run(joint: &Joint, options: &SaemOptions, seed: u64) -> Fit {
    fit(joint, options, seed, 1, &Silent).unwrap()
}

fn minus2ll(joint: &Joint, theta: &[f64], nodes: usize) -> f64 {
    -2.0 * quadrature(joint.main(), theta, nodes).unwrap().log_lik
}

/// Smallest `-2 log L` over the free coordinates, from `start`.
fn exact_maximum(joint: &Joint, start: &[f64], nodes: usize) -> f64 {
    let free: Vec<usize> = (0..start.len()).filter(|k| joint.theta.free[*k]).collect();
    let place = |x: &[f64]| {
        let mut theta = start.to_vec();
        free.iter().zip(x).for_each(|(k, x)| theta[*k] = *x);
        theta
    };
    let at: Vec<f64> = free.iter().map(|k| start[*k]).collect();
    minimise(&at, |x| minus2ll(joint, &place(x), nodes)).1
}

#[test]
fn a_random_intercept_is_estimated_to_monte_carlo_error() {
    let data = intercept::data();
    let joint = joint(intercept::MODEL, &data);
    let exact = intercept::maximum(&data);
    let fits = SEEDS.map(|seed| run(&joint, &SaemOptions::default(), seed));
    for fit in &fits {
        let excess = minus2ll(&joint, &fit.theta, 1) - minus2ll(&joint, &exact, 1);
        assert!((-1e-9..0.02).contains(&excess), "{excess}");
        assert_eq!(fit.status, FitStatus::Converged, "{:?}", fit.evidence);
    }
    for (k, exact) in exact.iter().enumerate() {
        let n = fits.len() as f64;
        let mean = fits.iter().map(|f| f.theta[k]).sum::<f64>() / n;
        let variance = fits
            .iter()
            .map(|f| (f.theta[k] - mean).powi(2))
            .sum::<f64>()
            / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!(error > 0.0 && error < 0.01, "{k}: {error}");
        assert!(
            (mean - exact).abs() < 4.0 * error,
            "{k}: {mean} {exact} {error}"
        );
    }
}

/// Inverse of half the second differences of `-2 log L` at the exact maximum.
#[test]
fn the_covariance_of_the_estimate_is_that_of_the_exact_information() {
    let data = intercept::data();
    let joint = joint(intercept::MODEL, &data);
    let exact = intercept::maximum(&data);
    let h = 1e-3;
    let at = |moves: &[(usize, f64)]| {
        let mut theta = exact;
        moves.iter().for_each(|(k, step)| theta[*k] += step);
        0.5 * minus2ll(&joint, &theta, 1)
    };
    let information = nalgebra::Matrix3::from_fn(|a, b| {
        let corner = |x: f64, y: f64| at(&[(a, x * h), (b, y * h)]);
        (corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0))
            / (4.0 * h * h)
    });
    let expected = information.try_inverse().unwrap();
    let covariance = run(&joint, &SaemOptions::default(), 1).covariance.unwrap();
    for (k, sd) in (0..3).map(|k| (k, covariance[(k, k)].sqrt())) {
        let ratio = sd / expected[(k, k)].sqrt();
        assert!((0.95..1.05).contains(&ratio), "{k}: {ratio}");
    }
}

#[test]
fn plain_and_preconditioned_smoothing_have_the_same_optimum() {
    let data = intercept::data();
    let joint = joint(intercept::MODEL, &data);
    let best = minus2ll(&joint, &intercept::maximum(&data), 1);
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            ..SaemOptions::default()
        };
        let excess = minus2ll(&joint, &run(&joint, &options, 3).theta, 1) - best;
        assert!(
            (-1e-9..0.05).contains(&excess),
            "acceleration {acceleration}: {excess}"
        );
    }
}

const DECAY: &str = "
    fixed a = positive(6)
    fixed k = positive(0.6)
    fixed o = positive(0.5)
    fixed s = positive(0.5)
    random e ~ normal(0, o) | id
    y ~ normal(a * exp(-k * exp(e) * t), s)";

/// 24 curves `9 exp(-0.3 exp(e) t)`.
fn decay_data() -> Data {
    let mut draw = Generator(31);
    let rates: Vec<f64> = (0..24).map(|_| 0.3 * (0.4 * draw.normal()).exp()).collect();
    let times = [0.5, 1.0, 2.0, 4.0, 8.0];
    Data::new(24, |_| 5)
        .with("t", |row, _| times[row % 5])
        .with("y", |row, i| {
            9.0 * (-rates[i] * times[row % 5]).exp() + 0.4 * draw.normal()
        })
        .with("wt", |_, i| 50.0 + 40.0 * ((i * 7) % 24) as f64 / 24.0)
        .timed("t")
}

#[test]
fn a_parameter_without_a_random_effect_reaches_the_exact_maximum() {
    let joint = joint(DECAY, &decay_data());
    assert_eq!(route(joint.main(), "a"), Route::Score);
    assert_eq!(route(joint.main(), "k"), Route::Mean);
    let fit = run(&joint, &SaemOptions::default(), 1);
    let best = exact_maximum(&joint, &fit.theta, 21);
    let excess = minus2ll(&joint, &fit.theta, 21) - best;
    assert!((-1e-6..0.1).contains(&excess), "{excess}");
    // The maximum is not where the run began.
    assert!(minus2ll(&joint, &joint.theta.start, 21) - best > 10.0);
}

#[test]
fn a_coefficient_shared_by_two_effects_reaches_the_exact_maximum() {
    let text = "
        fixed a = positive(6)
        fixed k = positive(0.6)
        fixed b = 0
        fixed o = positive(0.3, 0.5)
        fixed s = positive(0.5)
        random e ~ normal(c(0, 0), o) | id
        y ~ normal(a * (wt / 70)^b * exp(e[1]) * exp(-k * (wt / 70)^b * exp(e[2]) * t), s)";
    let joint = joint(text, &decay_data());
    assert_eq!(route(joint.main(), "b"), Route::Mean);
    let fit = run(&joint, &SaemOptions::default(), 1);
    let excess = minus2ll(&joint, &fit.theta, 9) - exact_maximum(&joint, &fit.theta, 9);
    assert!((-1e-6..0.1).contains(&excess), "{excess}");
}

/// The sd of two lines of `random()` is one parameter, on the score route.
#[test]
fn a_variance_shared_by_two_lines_reaches_the_exact_maximum() {
    let text = "
        fixed m = real(0, 0)
        fixed o = positive(1)
        fixed s = positive(1)
        random b ~ normal(0, o) | id
        random c ~ normal(0, o) | id
        y ~ normal(m[1] + b + x * (m[2] + c), s)";
    let mut draw = Generator(41);
    let effects: Vec<[f64; 2]> = (0..30)
        .map(|_| [2.0 * draw.normal(), 0.5 * draw.normal()])
        .collect();
    let data = Data::new(30, |_| 5).with("x", |row, _| (row % 5) as f64 - 2.0);
    let data = data.with("y", |row, i| {
        effects[i][0] + ((row % 5) as f64 - 2.0) * effects[i][1] + 0.6 * draw.normal()
    });
    let joint = joint(text, &data);
    assert_eq!(route(joint.main(), "o"), Route::Score);
    let fit = run(&joint, &SaemOptions::default(), 1);
    let excess = minus2ll(&joint, &fit.theta, 1) - exact_maximum(&joint, &fit.theta, 1);
    assert!((-1e-6..0.1).contains(&excess), "{excess}");
}

#[test]
fn a_fixed_parameter_stays_to_the_bit() {
    let data = intercept::data();
    for name in ["m", "o", "s"] {
        let joint = joint_with_fixed(intercept::MODEL, &data, &[name]);
        let k = position(joint.main(), name);
        let fit = run(&joint, &SaemOptions::default(), 1);
        let start = joint.theta.start[k].to_bits();
        assert!(
            fit.trace
                .theta
                .iter()
                .all(|theta| theta[k].to_bits() == start),
            "{name}"
        );
        let excess = minus2ll(&joint, &fit.theta, 1) - exact_maximum(&joint, &fit.theta, 1);
        assert!((-1e-6..0.05).contains(&excess), "{name}: {excess}");
    }
}

#[test]
fn a_parameter_may_be_fixed_at_a_value_of_the_user() {
    let given = Given {
        start: vec![("m".into(), vec![7.0])],
        fix: vec![("o".into(), Some(vec![0.25]))],
        ..Given::default()
    };
    let joint = try_joint(intercept::MODEL, &intercept::data(), &given).unwrap();
    assert_eq!(joint.theta.start[..2], [7.0, 0.25f64.ln()]);
    assert_eq!(joint.theta.routes[1], Route::Fixed);
    let fit = run(&joint, &SaemOptions::default(), 1);
    assert_eq!(fit.theta[1], 0.25f64.ln());
}

#[test]
fn bounds_hold_at_every_iteration() {
    let data = intercept::data();
    let bounded = intercept::MODEL
        .replace("m = 0", "m = real(1, lower = -1, upper = 2)")
        .replace("o = positive(1)", "o = positive(1, upper = 1.2)")
        .replace("s = positive(1)", "s = positive(2, lower = 1)");
    let joint = joint(&bounded, &data);
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            ..SaemOptions::default()
        };
        let fit = run(&joint, &options, 1);
        for theta in &fit.trace.theta {
            let inside = theta[0] <= 2.0 && theta[1] <= 1.2f64.ln() + 1e-12 && theta[2] >= -1e-12;
            assert!(inside, "{theta:?}");
        }
        // The free maximum (3, 1.5, 0.8) lies outside all three.
        assert!(
            fit.theta[0] > 1.99 && fit.theta[1] > 0.18 && fit.theta[2] < 0.01,
            "{:?}",
            fit.theta
        );
    }
}

#[test]
fn a_bound_on_the_score_route_holds() {
    let joint = joint(
        &DECAY.replace("positive(6)", "positive(6, upper = 7)"),
        &decay_data(),
    );
    let fit = run(&joint, &SaemOptions::default(), 1);
    let k = position(joint.main(), "a");
    assert!(fit
        .trace
        .theta
        .iter()
        .all(|theta| theta[k] <= 7f64.ln() + 1e-12));
    assert!(fit.theta[k] > 6.9f64.ln());
}

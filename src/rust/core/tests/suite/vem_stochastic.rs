//! Visits to some of the batches reach the maximum of the bound, with fresh draws and with points that stay.

use crate::common::data::{Data, Generator};
use crate::common::intercept;
use crate::common::{joint, joint_with_fixed, pharmacokinetics};
use nlmers_core::fitted::FitStatus;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::Joint;
use nlmers_core::vem::options::{OuterMethod, PosteriorFamily, RuleKind};
use nlmers_core::vem::{fit, VemFit, VemOptions};

/// Without the polish: the maximum of the bound itself.
fn plain() -> VemOptions {
    VemOptions {
        polish: false,
        ..VemOptions::default()
    }
}

fn adam(rate: f64, steps: usize, batch_size: Option<usize>) -> VemOptions {
    VemOptions {
        optimizer: OuterMethod::Adam { rate },
        maxiters: steps,
        batch_size,
        ..plain()
    }
}

fn monte_carlo(points: usize, steps: usize, batch_size: Option<usize>) -> VemOptions {
    VemOptions {
        rule: RuleKind::MonteCarlo,
        points: Some(points),
        ..adam(0.05, steps, batch_size)
    }
}

fn run_on(joint: &Joint, options: &VemOptions, seed: u64, threads: usize) -> VemFit {
    fit(joint, options, (seed, threads), None, &Silent).unwrap()
}

fn run(joint: &Joint, options: &VemOptions, seed: u64) -> VemFit {
    run_on(joint, options, seed, 1)
}

#[test]
fn a_random_intercept_is_the_maximum_of_the_likelihood() {
    let data = intercept::data();
    let joint = joint(intercept::MODEL, &data);
    let exact = intercept::maximum(&data);
    // Standard errors: about 0.28, 0.14, 0.08.
    for (options, tolerance) in [
        (adam(0.05, 300, Some(10)), 1e-5),
        (adam(0.05, 300, None), 1e-5),
        (monte_carlo(8, 300, Some(10)), 0.01),
        (monte_carlo(8, 200, None), 0.01),
    ] {
        let found = run(&joint, &options, 5);
        for (k, exact) in exact.iter().enumerate() {
            let error = (found.fit.theta[k] - exact).abs();
            assert!(error < tolerance, "{k}: {error} {options:?}");
        }
    }
}

#[test]
fn absorption_and_elimination_reach_the_best_bound() {
    let joint = pharmacokinetics::problem();
    let best = run(&joint, &plain(), 1);
    for seed in 1..=3 {
        for options in [adam(0.05, 200, Some(4)), monte_carlo(16, 300, Some(4))] {
            let found = run(&joint, &options, seed);
            let excess = 2.0 * (best.elbo.value() - found.elbo.value());
            assert!(excess.abs() < 0.1, "{seed}: {excess} {options:?}");
            assert_eq!(
                found.fit.status,
                FitStatus::Converged,
                "{:?}",
                found.fit.evidence
            );
        }
    }
}

/// Neither the gain nor its noise can be told from so few visits.
#[test]
fn nothing_converges_below_the_noise() {
    let joint = pharmacokinetics::problem();
    let short = VemOptions {
        sweeps: 1,
        ..monte_carlo(2, 7, Some(4))
    };
    for options in [short, monte_carlo(2, 4, None)] {
        let found = run(&joint, &options, 2);
        assert_eq!(
            found.fit.status,
            FitStatus::MaxIterations,
            "{:?}",
            found.fit.evidence
        );
    }
}

/// `m` of a normal prior with precision `lambda`, the spreads being known: the information is `n / (o^2 + s^2 / 4)`.
#[test]
fn a_penalty_is_the_mode_under_a_normal_prior() {
    let data = intercept::data();
    let joint = joint_with_fixed(intercept::MODEL, &data, &["o", "s"]);
    let y = data.column("y");
    let (mean, information) = (y.iter().sum::<f64>() / y.len() as f64, 30.0 / 1.25);
    for lambda in [0.0, 10.0] {
        let precise = VemOptions {
            tolerance: 1e-14,
            inner_tolerance: 1e-16,
            ..plain()
        };
        let exact = mean * information / (information + lambda);
        for (options, tolerance) in [
            (precise, 1e-6),
            (adam(0.05, 600, None), 1e-3),
            (monte_carlo(8, 600, Some(10)), 0.02),
        ] {
            let penalty = vec![("m".to_string(), lambda)];
            let found = run(&joint, &VemOptions { penalty, ..options }, 3);
            let error = (found.fit.theta[0] - exact).abs();
            assert!(error < tolerance, "{lambda}: {error}");
        }
    }
}

#[test]
fn a_step_visits_the_batches_of_one_group() {
    let joint = joint(intercept::MODEL, &intercept::data());
    let found = run(&joint, &adam(0.05, 30, Some(10)), 1);
    let trace = &found.fit.trace;
    assert_eq!(trace.updated.len(), trace.len());
    for epoch in trace.updated.chunks(3) {
        let mut all = epoch.concat();
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<usize>>());
    }
    assert_ne!(trace.updated[..3], trace.updated[3..6]);
}

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_threads() {
    let joint = pharmacokinetics::problem();
    let bits = |threads: usize, seed: u64| {
        let found = run_on(&joint, &monte_carlo(4, 20, Some(5)), seed, threads);
        found
            .fit
            .theta
            .iter()
            .map(|x| x.to_bits())
            .collect::<Vec<u64>>()
    };
    let one = bits(1, 4);
    assert_eq!(one, bits(2, 4));
    assert_eq!(one, bits(7, 4));
    assert_ne!(one, bits(1, 5));
}

#[test]
fn mean_field_visits_keep_the_effects_independent() {
    let joint = pharmacokinetics::problem();
    for base in [
        monte_carlo(8, 12, Some(4)),
        adam(0.05, 12, Some(4)),
        plain(),
    ] {
        let family = PosteriorFamily::MeanField;
        let found = run(&joint, &VemOptions { family, ..base }, 1);
        for q in &found.q {
            assert_eq!((q.chol[1], q.chol[3], q.chol[4]), (0.0, 0.0, 0.0));
        }
    }
}

#[test]
fn steps_that_remember_little_find_the_same_maximum() {
    let joint = pharmacokinetics::problem();
    let best = run(&joint, &plain(), 1);
    let optimizer = OuterMethod::Lbfgs { memory: 6 };
    let found = run(
        &joint,
        &VemOptions {
            optimizer,
            ..plain()
        },
        1,
    );
    let excess = 2.0 * (best.elbo.value() - found.elbo.value());
    assert!(excess.abs() < 1e-3, "{excess}");
    assert_eq!(
        found.fit.status,
        FitStatus::Converged,
        "{:?}",
        found.fit.evidence
    );
}

/// No coordinate of 107 can be moved to gain anything.
#[test]
fn many_parameters_need_no_matrix() {
    let n = 104;
    let mut draw = Generator(8);
    let mut data = Data::new(30, |_| 8);
    for j in 1..=n {
        data = data.with(&format!("x{j}"), |_, _| draw.normal());
    }
    let effects: Vec<f64> = (0..30).map(|_| draw.normal()).collect();
    let x = [data.column("x1").to_vec(), data.column("x7").to_vec()];
    let data = data.with("y", |row, i| {
        2.0 + effects[i] + x[0][row] - 0.5 * x[1][row] + 0.7 * draw.normal()
    });
    let zeros = vec!["0"; n].join(", ");
    let terms: Vec<String> = (1..=n).map(|j| format!("beta[{j}] * x{j}")).collect();
    let model = format!(
        "fixed m = 1
        fixed beta = real({zeros})
        fixed o = positive(1)
        fixed s = positive(1)
        random b ~ normal(0, o) | id
        y ~ normal(m + b + {}, s)",
        terms.join(" + ")
    );
    let joint = joint(&model, &data);
    let found = run(&joint, &plain(), 1);
    assert_eq!(found.fit.status, FitStatus::Converged);
    let value = |theta: &[f64]| quadrature(joint.main(), theta, 1).unwrap().log_lik;
    let best = value(&found.fit.theta);
    assert!((best - found.elbo.value()).abs() < 1e-6);
    for k in 0..found.fit.theta.len() {
        for step in [-0.01, 0.01] {
            let mut moved = found.fit.theta.clone();
            moved[k] += step;
            assert!(value(&moved) < best, "{k}");
        }
    }
    for (rate, steps, size) in [(0.02, 400, None), (0.01, 1500, Some(15))] {
        let visits = run(&joint, &adam(rate, steps, size), 1);
        let excess = 2.0 * (found.elbo.value() - visits.elbo.value());
        assert!(excess < 0.01, "{excess}");
        let end = &visits.fit;
        assert_eq!(end.status, FitStatus::Converged, "{:?}", end.evidence);
    }
}

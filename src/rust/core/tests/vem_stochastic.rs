//! Visits to some of the batches reach the maximum of the bound, with fresh draws and with points that stay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::data::{Data, Generator};
use common::{joint, joint_with_fixed, pharmacokinetics};
use nlmers_core::fitted::FitStatus;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::Joint;
use nlmers_core::vem::options::{Outer, RuleKind};
use nlmers_core::vem::{fit, VemFit, VemOptions};

const INTERCEPT: &str = "
    fixed m = 0
    fixed o = positive(1)
    fixed s = positive(1)
    random b ~ normal(0, o) | id
    y ~ normal(m + b, s)";

/// 30 subjects with 4 observations each.
fn intercept_data() -> Data {
    let mut draw = Generator(21);
    let effects: Vec<f64> = (0..30).map(|_| 1.5 * draw.normal()).collect();
    Data::new(30, |_| 4).with("y", |_, i| 3.0 + effects[i] + 0.8 * draw.normal())
}

/// Maximum likelihood in a balanced layout: grand mean, within and between mean squares.
fn intercept_maximum(data: &Data) -> [f64; 3] {
    let y = data.column("y");
    let (n, m) = (30.0, 4.0);
    let grand = y.iter().sum::<f64>() / (n * m);
    let means: Vec<f64> = y
        .chunks(4)
        .map(|rows| rows.iter().sum::<f64>() / m)
        .collect();
    let rows = y.iter().enumerate();
    let within: f64 = rows.map(|(r, y)| (y - means[r / 4]).powi(2)).sum();
    let between: f64 = means.iter().map(|mean| m * (mean - grand).powi(2)).sum();
    let residual = within / (n * (m - 1.0));
    let effect = (between / n - residual) / m;
    [grand, 0.5 * effect.ln(), 0.5 * residual.ln()]
}

/// Without the polish: the maximum of the bound itself.
fn plain() -> VemOptions {
    VemOptions {
        polish: false,
        ..VemOptions::default()
    }
}

fn adam(rate: f64, steps: usize, batch_size: Option<usize>) -> VemOptions {
    VemOptions {
        optimizer: Outer::Adam { rate },
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

fn run(joint: &Joint, options: &VemOptions, seed: u64) -> VemFit {
    fit(joint, options, (seed, 1), None, &Silent).unwrap()
}

#[test]
fn a_random_intercept_is_the_maximum_of_the_likelihood() {
    let data = intercept_data();
    let joint = joint(INTERCEPT, &data);
    let exact = intercept_maximum(&data);
    // Standard errors: about 0.28, 0.14, 0.08.
    for (options, tolerance) in [
        (adam(0.05, 300, Some(10)), 1e-6),
        (adam(0.05, 300, None), 1e-6),
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

/// What a fit's bound misses of that of the run with points that stay, in twice the bound.
fn excess(joint: &Joint, found: &VemFit, best: &VemFit) -> f64 {
    assert!(found.elbo.error < 0.05, "{}", found.elbo.error);
    let _ = joint;
    2.0 * (best.elbo.value() - found.elbo.value())
}

#[test]
fn absorption_and_elimination_reach_the_best_bound() {
    let joint = pharmacokinetics::problem();
    let best = run(&joint, &plain(), 1);
    for seed in 1..=3 {
        for options in [adam(0.05, 200, Some(4)), monte_carlo(16, 300, Some(4))] {
            let found = run(&joint, &options, seed);
            let excess = excess(&joint, &found, &best);
            eprintln!("{excess} {:?} {:?}", found.fit.status, found.fit.evidence);
            assert!(excess.abs() < 0.1, "{seed}: {excess} {options:?}");
        }
    }
}

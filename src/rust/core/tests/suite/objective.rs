//! The objective of a run is `Q` by stochastic approximation, whatever the route of the M-step.

use crate::common::{intercept, joint};
use nlmers_core::monitor::Silent;
use nlmers_core::problem::Joint;
use nlmers_core::saem::options::{
    AnnealOptions, AnnealSchedule, BuiltinStats, ChainOptions, MStepOptions,
};
use nlmers_core::saem::{choose_routes, fit, Derivative, Fit, OptimizerOptions, SaemOptions};

const LBFGS: OptimizerOptions = OptimizerOptions::Lbfgs {
    maxiters: 10,
    g_tol: 1e-4,
    memory: 10,
    adtype: Derivative::Reverse,
};

/// `E[log p(y, b; theta)]` given the data at `drawn_at`: each effect is normal, in closed form.
fn exact(theta: &[f64], drawn_at: &[f64]) -> f64 {
    let (m, o, s) = (theta[0], theta[1].exp(), theta[2].exp());
    let (from, omega, sigma) = (drawn_at[0], drawn_at[1].exp(), drawn_at[2].exp());
    let data = intercept::data();
    let ln_root = 0.5 * std::f64::consts::TAU.ln();
    let each = data.column("y").chunks(4).map(|y| {
        let n = y.len() as f64;
        let variance = 1.0 / (1.0 / (omega * omega) + n / (sigma * sigma));
        let level = from + variance * y.iter().map(|y| y - from).sum::<f64>() / (sigma * sigma);
        let squares: f64 = y.iter().map(|y| (y - level).powi(2)).sum();
        let mean = level - m;
        -n * (s.ln() + ln_root)
            - (squares + n * variance) / (2.0 * s * s)
            - o.ln()
            - ln_root
            - (mean * mean + variance) / (2.0 * o * o)
    });
    each.sum()
}

fn routes() -> Vec<(&'static str, SaemOptions)> {
    let base = || SaemOptions {
        chains: ChainOptions {
            n_chains: 8,
            ..ChainOptions::default()
        },
        ..SaemOptions::two_phases(100, 300)
    };
    let without = || MStepOptions {
        builtin_stats: BuiltinStats::None,
        ..MStepOptions::default()
    };
    vec![
        ("accelerated", base()),
        (
            "closed forms",
            SaemOptions {
                acceleration: false,
                ..base()
            },
        ),
        (
            "scores",
            SaemOptions {
                acceleration: false,
                mstep: without(),
                ..base()
            },
        ),
        (
            "numeric",
            SaemOptions {
                mstep: without(),
                optimizer: LBFGS,
                ..base()
            },
        ),
        (
            "numeric in part",
            SaemOptions {
                optimizer: LBFGS,
                ..base()
            },
        ),
    ]
}

fn run(options: &SaemOptions) -> (Joint, Fit) {
    let mut joint = joint(intercept::MODEL, &intercept::data());
    choose_routes(&mut joint, options);
    let fit = fit(&joint, options, 3, 1, &Silent).unwrap();
    (joint, fit)
}

#[test]
fn it_is_the_expected_log_density_at_the_estimate() {
    for (name, options) in routes() {
        let (_, fit) = run(&options);
        let found = fit.trace.objective.last().unwrap();
        let expected = exact(&fit.theta, &fit.theta);
        assert!((found - expected).abs() < 0.5, "{name}: {found} {expected}");
    }
}

#[test]
fn its_changes_shrink_with_the_gain() {
    for (name, options) in routes() {
        let (_, fit) = run(&options);
        let q = &fit.trace.objective;
        let change = |from: usize, to: usize| {
            let squares = q[from..to].windows(2).map(|w| (w[1] - w[0]).powi(2));
            (squares.sum::<f64>() / (to - from - 1) as f64).sqrt()
        };
        let (early, late) = (change(20, 100), change(300, 400));
        // Gains of 1 and of about 0.005.
        assert!(late < 0.1 * early, "{name}: {early} {late}");
        assert!(late < 0.2, "{name}: {late}");
    }
}

#[test]
fn it_is_that_of_the_theta_beside_it_while_that_moves() {
    // From far away the residual error falls tenfold in the first iterations.
    let text = intercept::MODEL.replace("s = positive(1)", "s = positive(30)");
    let joint = joint(&text, &intercept::data());
    let options = SaemOptions {
        acceleration: false,
        mcmc_steps: 20,
        anneal: AnnealOptions {
            sa_anneal_schedule: AnnealSchedule::None,
            ..AnnealOptions::default()
        },
        chains: ChainOptions {
            n_chains: 30,
            ..ChainOptions::default()
        },
        ..SaemOptions::two_phases(20, 0)
    };
    let fit = fit(&joint, &options, 3, 1, &Silent).unwrap();
    let mut before = &joint.theta.start;
    for (theta, found) in fit.trace.theta.iter().zip(&fit.trace.objective) {
        let expected = exact(theta, before);
        assert!((found - expected).abs() < 6.0, "{found} {expected}");
        before = theta;
    }
}

//! Every route of the M-step leads to the same maximum: closed forms, scores, numerical maximization.

use crate::common::data::{Data, Generator};
use crate::common::{joint, position};
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Joint, Route};
use nlmers_core::saem::options::{BuiltinMean, BuiltinStats};
use nlmers_core::saem::{choose_routes, fit, Derivative, Fit, OptimizerOptions, SaemOptions};

const LBFGS: OptimizerOptions = OptimizerOptions::Lbfgs {
    maxiters: 10,
    g_tol: 1e-4,
    memory: 10,
    adtype: Derivative::Reverse,
};

fn with(optimizer: OptimizerOptions, stats: BuiltinStats) -> SaemOptions {
    let mut options = SaemOptions {
        optimizer,
        ..SaemOptions::default()
    };
    options.mstep.builtin_stats = stats;
    options
}

fn run(joint: &Joint, options: &SaemOptions, seed: u64) -> Fit {
    fit(joint, options, seed, 1, &Silent).unwrap()
}

fn minus2ll(joint: &Joint, theta: &[f64]) -> f64 {
    -2.0 * quadrature(joint.main(), theta, 1).unwrap().log_lik
}

/// A coefficient of a covariate, a fixed slope, a random slope, and their covariance.
const LINEAR: &str = "
    fixed a = real(0, 0)
    fixed b = 0
    fixed w = covariance_matrix(1, 0, 0, 1)
    fixed s = positive(1)
    random e ~ mvnormal(c(a[1] + a[2] * wt, 0), w) | id
    y ~ normal(e[1] + (b + e[2]) * t, s)";

fn linear_data() -> Data {
    let mut draw = Generator(77);
    let effects: Vec<[f64; 2]> = (0..40)
        .map(|_| [1.2 * draw.normal(), 0.6 * draw.normal()])
        .collect();
    let wt = |i: usize| ((i * 7) % 40) as f64 / 20.0 - 1.0;
    let t = |row: usize| (row % 5) as f64 - 2.0;
    Data::new(40, |_| 5)
        .with("t", |row, _| t(row))
        .with("wt", |_, i| wt(i))
        .with("y", |row, i| {
            let level = 2.0 + 0.8 * wt(i) + effects[i][0];
            level + (0.5 + effects[i][1]) * t(row) + 0.7 * draw.normal()
        })
}

#[test]
fn without_closed_forms_the_same_maximum_is_reached() {
    let data = linear_data();
    let auto = joint(LINEAR, &data);
    let best = minus2ll(&auto, &run(&auto, &SaemOptions::default(), 1).theta);
    let plain = SaemOptions {
        acceleration: false,
        ..with(OptimizerOptions::Score, BuiltinStats::None)
    };
    let cases = [
        ("score", with(OptimizerOptions::Score, BuiltinStats::None)),
        ("plain score", plain),
        ("lbfgs", with(LBFGS, BuiltinStats::None)),
        ("lbfgs after closed forms", with(LBFGS, BuiltinStats::Auto)),
    ];
    for (name, options) in cases {
        let mut joint = joint(LINEAR, &data);
        choose_routes(&mut joint, &options);
        if options.mstep.builtin_stats == BuiltinStats::None {
            assert!(joint.theta.routes.iter().all(|route| route.is_open()));
        }
        let fit = run(&joint, &options, 2);
        let excess = minus2ll(&auto, &fit.theta) - best;
        assert!((-0.05..0.05).contains(&excess), "{name}: {excess}");
        assert!(fit.covariance.is_some(), "{name}");
    }
}

#[test]
fn a_parameter_of_the_outcomes_alone_is_maximized() {
    let text = "
        fixed m = 0
        fixed b = 0
        fixed o = positive(1)
        fixed s = positive(1)
        fixed u = positive(0.5)
        random e ~ normal(m, o) | id
        y ~ normal(e + exp(b) * t, s + u * abs(t))";
    let data = linear_data();
    let score = joint(text, &data);
    assert_eq!(score.theta.routes[1], Route::Score);
    let best = minus2ll(&score, &run(&score, &SaemOptions::default(), 1).theta);
    let nelder_mead = OptimizerOptions::NelderMead {
        maxiters: 200,
        f_tol: 1e-6,
    };
    let adam = OptimizerOptions::Adam {
        rate: 0.05,
        maxiters: 50,
        adtype: Derivative::Reverse,
    };
    for optimizer in [LBFGS, nelder_mead, adam] {
        for on_params in [false, true] {
            let mut options = with(optimizer, BuiltinStats::Auto);
            options.mstep.mstep_sa_on_params = on_params;
            let mut joint = joint(text, &data);
            choose_routes(&mut joint, &options);
            assert_eq!(joint.theta.routes[1].words(), "numeric");
            assert_eq!(joint.theta.routes[2].words(), "closed form");
            let excess = minus2ll(&score, &run(&joint, &options, 3).theta) - best;
            assert!(
                (-0.05..0.1).contains(&excess),
                "{optimizer:?} {on_params} {excess}"
            );
        }
    }
}

#[test]
fn case_25_steps_on_the_parameters_do_not_read_the_store() {
    let mut options = with(LBFGS, BuiltinStats::None);
    options.schedule.exploration = 10;
    options.schedule.smoothing = 10;
    options.mstep.mstep_sa_on_params = true;
    let data = linear_data();
    let traces = [1, 50].map(|max_store| {
        options.mstep.max_store = max_store;
        let mut joint = joint(LINEAR, &data);
        choose_routes(&mut joint, &options);
        run(&joint, &options, 5).trace.theta
    });
    assert_eq!(traces[0], traces[1]);
}

#[test]
fn a_numerical_fit_does_not_depend_on_the_number_of_threads() {
    let mut options = with(LBFGS, BuiltinStats::None);
    options.schedule.exploration = 8;
    options.schedule.smoothing = 8;
    options.chains.n_chains = 3;
    let mut joint = joint(LINEAR, &linear_data());
    choose_routes(&mut joint, &options);
    let fits = [1, 2].map(|threads| fit(&joint, &options, 4, threads, &Silent).unwrap());
    assert_eq!(fits[0].trace.theta, fits[1].trace.theta);
}

#[test]
fn bounds_hold_where_the_m_step_is_numerical() {
    let bounded = LINEAR
        .replace("b = 0", "b = real(0, upper = 0.2)")
        .replace("s = positive(1)", "s = positive(2, lower = 1)");
    let mut options = with(LBFGS, BuiltinStats::None);
    options.schedule.exploration = 60;
    options.schedule.smoothing = 20;
    let mut joint = joint(&bounded, &linear_data());
    choose_routes(&mut joint, &options);
    let fit = run(&joint, &options, 1);
    let (b, s) = (position(joint.main(), "b"), position(joint.main(), "s"));
    for theta in &fit.trace.theta {
        assert!(theta[b] <= 0.2 && theta[s] >= 0.0, "{theta:?}");
    }
    assert_eq!((fit.theta[b], fit.theta[s]), (0.2, 0.0));
}

#[test]
fn only_named_parameters_keep_their_closed_form() {
    let mut options = with(OptimizerOptions::Score, BuiltinStats::ClosedForm);
    options.mstep.resid_var_param = vec!["s".into(), "sigma".into()];
    options.mstep.re_mean_params = vec!["a".into(), "b".into()];
    let text = LINEAR.replace("(b + e[2]) * t", "b^2 * t + e[2] * t");
    let mut joint = joint(&text, &linear_data());
    let refused = choose_routes(&mut joint, &options);
    let words = |name: &str| joint.theta.routes[position(joint.main(), name)].words();
    assert_eq!(words("s"), "closed form");
    assert_eq!(words("a[2]"), "closed form");
    assert_eq!(words("w[2,1]"), "score");
    assert_eq!(words("b"), "score");
    let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sigma", "b"]);
    assert!(
        refused[1].1.contains("mean of random effects"),
        "{refused:?}"
    );
}

/// Bernoulli and Poisson outcomes of the same effects, as on the published page.
#[test]
fn case_30_means_are_maximized_by_themselves() {
    let text = "
        fixed a = 0
        fixed b = 0.1
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        y ~ poisson(exp(a + e))
        v ~ bernoulli(plogis(b + b * t + e))";
    let mut draw = Generator(5);
    let effects: Vec<f64> = (0..40).map(|_| 0.6 * draw.normal()).collect();
    let t = |row: usize| (row % 4) as f64 - 1.5;
    let data = Data::new(40, |_| 4)
        .with("t", |row, _| t(row))
        .with("y", |_, i| draw.poisson((0.7 + effects[i]).exp()));
    let mut draw = Generator(6);
    let data = data.with("v", |row, i| {
        let p = 1.0 / (1.0 + (-(0.4 + 0.4 * t(row) + effects[i])).exp());
        f64::from(u8::from(draw.uniform() < p))
    });
    let minus2ll =
        |joint: &Joint, theta: &[f64]| -2.0 * quadrature(joint.main(), theta, 15).unwrap().log_lik;
    let score = joint(text, &data);
    let best = minus2ll(&score, &run(&score, &SaemOptions::default(), 1).theta);
    for optimizer in [OptimizerOptions::Score, LBFGS] {
        let mut options = with(optimizer, BuiltinStats::Auto);
        options.mstep.builtin_mean = BuiltinMean::Glm;
        let mut joint = joint(text, &data);
        choose_routes(&mut joint, &options);
        assert_eq!(joint.theta.routes[1], Route::Numeric);
        let excess = minus2ll(&score, &run(&joint, &options, 2).theta) - best;
        assert!((-0.05..0.1).contains(&excess), "{optimizer:?} {excess}");
    }
}

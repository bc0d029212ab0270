//! What the options of SAEM do to a run: burn-in, minibatches, floors, collapsing effects, bounds, the early end.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::joint;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{natural, Joint};
use nlmers_core::saem::options::{
    AnnealOptions, AnnealSchedule, Collapse, CollapseSchedule, ConvergenceTest, ScheduleKind,
    ScheduleOptions, StopOptions, UpdateSchedule,
};
use nlmers_core::saem::{fit, Fit, FitStatus, SaemOptions};

const LINE: &str = "
    fixed m = 1
    fixed o = positive(1)
    fixed s = positive(1)
    random b ~ normal(0, o) | id
    y ~ normal(m + b, s)";

fn data(sd: f64) -> Data {
    let mut draw = Generator(5);
    let levels: Vec<f64> = (0..20).map(|_| 3.0 + sd * draw.normal()).collect();
    Data::new(20, |_| 4).with("y", |_, i| levels[i] + 0.4 * sd * draw.normal())
}

fn run(joint: &Joint, options: &SaemOptions) -> Fit {
    fit(joint, options, 1, 1, &Silent).unwrap()
}

fn of_schedule(schedule: ScheduleOptions) -> SaemOptions {
    SaemOptions {
        schedule,
        acceleration: false,
        ..SaemOptions::default()
    }
}

#[test]
fn nothing_is_learned_while_burning_in() {
    let joint = joint(LINE, &data(0.8));
    let options = of_schedule(ScheduleOptions {
        sa_burnin_iters: 4,
        exploration: 3,
        smoothing: 2,
        ..ScheduleOptions::default()
    });
    let fit = run(&joint, &options);
    assert_eq!(fit.trace.len(), 9);
    assert!(fit.trace.theta[..4]
        .iter()
        .all(|theta| *theta == joint.theta.start));
    assert_ne!(fit.trace.theta[4], joint.theta.start);
    assert_eq!(fit.trace.phase[3..5], ["burnin", "exploration"]);
}

#[test]
fn case_22_minibatches_are_recorded_and_reach_the_maximum() {
    let joint = joint(LINE, &data(0.8));
    let whole = run(&joint, &SaemOptions::default());
    let options = SaemOptions {
        update_schedule: UpdateSchedule::Minibatch(2),
        ..of_schedule(ScheduleOptions::default())
    };
    let part = run(&joint, &options);
    assert_eq!(part.trace.updated.len(), part.trace.len());
    assert!(part
        .trace
        .updated
        .iter()
        .all(|b| b.len() == 2 && b[0] != b[1]));
    for (a, b) in part.theta.iter().zip(&whole.theta) {
        assert!((a - b).abs() < 0.05, "{:?} {:?}", part.theta, whole.theta);
    }
}

fn annealed(anneal: AnnealOptions) -> Fit {
    let joint = joint(LINE, &data(1e-3));
    let options = SaemOptions {
        anneal,
        ..of_schedule(ScheduleOptions {
            exploration: 20,
            smoothing: 10,
            ..ScheduleOptions::default()
        })
    };
    run(&joint, &options)
}

#[test]
fn case_6_variances_keep_above_the_decaying_floor() {
    let fit = annealed(AnnealOptions {
        sa_anneal_schedule: AnnealSchedule::Exponential,
        sa_anneal_iters: 10,
        sa_anneal_alpha: 0.9,
        ..AnnealOptions::default()
    });
    for k in 1..=30usize {
        let sd = fit.trace.theta[k - 1][1].exp();
        let floor = 0.9 * (-3.0 * (k as f64 - 1.0) / 9.0).exp();
        if k <= 10 {
            assert!(sd >= floor * (1.0 - 1e-12), "{k}: {sd}");
        }
    }
    // The data's own standard deviation is a thousandth: the floor holds at first, and is gone in the end.
    assert!((fit.trace.theta[0][1].exp() - 0.9).abs() < 1e-12);
    assert!(fit.theta[1].exp() < 0.01);
}

#[test]
fn case_7_named_targets_replace_those_found() {
    let fit = annealed(AnnealOptions {
        sa_anneal_schedule: AnnealSchedule::Linear,
        sa_anneal_iters: 10,
        sa_anneal_targets: vec![("s".into(), 0.8)],
        ..AnnealOptions::default()
    });
    let over = |k: usize, of: usize| fit.trace.theta[k][of].exp() - 0.8 * (1.0 - k as f64 / 9.0);
    assert!((0..10).all(|k| over(k, 2) > -1e-12));
    assert!((0..10).any(|k| over(k, 2).abs() < 1e-12));
    assert!((0..10).any(|k| over(k, 1) < -0.01));
    let unknown = AnnealOptions {
        sa_anneal_targets: vec![("nobody".into(), 0.8)],
        ..AnnealOptions::default()
    };
    let joint = joint(LINE, &data(1.0));
    let options = SaemOptions {
        anneal: unknown,
        ..SaemOptions::default()
    };
    let error = fit_error(&joint, &options);
    assert_eq!(error, "unknown_parameter");
}

fn fit_error(joint: &Joint, options: &SaemOptions) -> &'static str {
    fit(joint, options, 1, 1, &Silent).unwrap_err().reason
}

/// The residual error of constant data falls as far as it may.
#[test]
fn a_floor_of_the_user_is_the_only_one() {
    let constant = Data::new(8, |_| 4).with("y", |_, _| 0.5);
    let joint = joint(LINE, &constant);
    let sd = |anneal: AnnealOptions| {
        let options = SaemOptions {
            anneal,
            ..of_schedule(ScheduleOptions::default())
        };
        run(&joint, &options).theta[2].exp()
    };
    let of_start = sd(AnnealOptions::default());
    assert!((of_start - 1e-5).abs() < 1e-12, "{of_start}");
    let lower = sd(AnnealOptions {
        var_lb_value: Some(1e-7),
        ..AnnealOptions::default()
    });
    assert!((lower - 1e-7).abs() < 1e-14, "{lower}");
}

#[test]
fn case_8_standard_deviations_have_a_floor_for_good() {
    let text = "
        fixed m = 1
        fixed o = positive(0.5)
        fixed s = positive(0.5)
        random b ~ lognormal(m, o) | id
        y ~ normal(b, s)";
    let constant = Data::new(8, |_| 4).with("y", |_, _| 0.5);
    let joint = joint(text, &constant);
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            anneal: AnnealOptions {
                var_lb_value: Some(1e-5),
                ..AnnealOptions::default()
            },
            ..SaemOptions::default()
        };
        let fit = run(&joint, &options);
        let values = natural(joint.model(), &fit.theta);
        assert!(values.iter().all(|x| x.is_finite()));
        assert!(
            values[1] >= 1e-5 * (1.0 - 1e-9) && values[2] >= 1e-5 * (1.0 - 1e-9),
            "{values:?}"
        );
        assert_ne!(fit.status, FitStatus::Converged, "{:?}", fit.evidence);
    }
}

#[test]
fn case_9_an_effect_collapses() {
    let text = "
        fixed m = 1
        fixed o = positive(1)
        fixed s = positive(1)
        fixed sd_c = positive(0.8)
        random b ~ normal(0, o) | id
        random c ~ normal(0, sd_c) | id
        y ~ normal(m + b + c * x, s)";
    let data = data(0.8).with("x", |row, _| (row % 4) as f64 - 1.5);
    let joint = common::joint_with_fixed(text, &data, &["sd_c"]);
    for schedule in [
        CollapseSchedule::Exponential,
        CollapseSchedule::Linear,
        CollapseSchedule::Gamma,
    ] {
        let options = SaemOptions {
            anneal: AnnealOptions {
                anneal_to_fixed: vec![Collapse {
                    effect: "c".into(),
                    parameter: "sd_c".into(),
                    sd: 0.8,
                }],
                anneal_schedule: schedule,
                ..AnnealOptions::default()
            },
            ..of_schedule(ScheduleOptions::default())
        };
        let fit = run(&joint, &options);
        let sds: Vec<f64> = fit.trace.theta.iter().map(|theta| theta[3].exp()).collect();
        assert!((sds[0] - 0.8).abs() < 1e-12);
        assert!(sds
            .windows(2)
            .all(|pair| pair[1] <= pair[0] * (1.0 + 1e-12)));
        assert!((fit.theta[3].exp() - 1e-5).abs() < 1e-12);
        assert!(fit.theta.iter().all(|x| x.is_finite()));
    }
}

fn stopping(stop: StopOptions, maxiters: usize) -> SaemOptions {
    SaemOptions {
        stop: StopOptions {
            convergence_test: ConvergenceTest::Consecutive,
            ..stop
        },
        ..of_schedule(ScheduleOptions {
            sa_schedule: ScheduleKind::RobbinsMonro,
            t0: 0,
            maxiters,
            ..ScheduleOptions::default()
        })
    }
}

#[test]
fn case_27_the_run_ends_when_both_streaks_are_long_enough() {
    let joint = joint(LINE, &data(0.8));
    let loose = StopOptions {
        rtol_theta: f64::INFINITY,
        atol_theta: f64::INFINITY,
        rtol_q: f64::INFINITY,
        atol_q: f64::INFINITY,
        consecutive_params: 1,
        ..StopOptions::default()
    };
    let all = run(&joint, &stopping(loose, 9));
    assert_eq!(all.trace.len(), 1);
    assert!(
        all.evidence[0].contains("were within"),
        "{:?}",
        all.evidence
    );
    // Tolerances that anything meets do not make it the maximum.
    assert_ne!(all.status, FitStatus::MaxIterations);
    let objective = StopOptions {
        rtol_q: 0.0,
        atol_q: 0.0,
        ..loose
    };
    let both = run(&joint, &stopping(objective, 2));
    assert_eq!(
        (both.trace.len(), both.status),
        (2, FitStatus::MaxIterations)
    );
    assert!(
        both.evidence[0].contains("not within"),
        "{:?}",
        both.evidence
    );
}

#[test]
fn bounds_on_the_transformed_scale_hold_for_every_route() {
    let mut bounded = joint(LINE, &data(0.8));
    let lower = [("m".to_string(), vec![Some(0.5)])];
    let upper = [
        ("m".to_string(), vec![Some(2.0)]),
        ("o".to_string(), vec![Some(0.0)]),
    ];
    bounded.narrow(&lower, &upper).unwrap();
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            ..SaemOptions::default()
        };
        let fit = run(&bounded, &options);
        assert!((fit.theta[0] - 2.0).abs() < 1e-9, "{:?}", fit.theta);
        assert!(fit.trace.theta.iter().all(|t| t[0] <= 2.0 && t[1] <= 0.0));
    }
    let mut fresh = joint(LINE, &data(0.8));
    let outside = [("m".to_string(), vec![Some(1.5)])];
    assert_eq!(
        fresh.narrow(&outside, &[]).unwrap_err().reason,
        "start_outside_bounds"
    );
    let mut fresh = joint(LINE, &data(0.8));
    let unknown = [("nobody".to_string(), vec![Some(1.5)])];
    assert_eq!(
        fresh.narrow(&unknown, &[]).unwrap_err().reason,
        "unknown_parameter"
    );
}

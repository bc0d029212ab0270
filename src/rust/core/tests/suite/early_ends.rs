//! Runs that end before their plan: they are judged by what was run, and no iteration that learned nothing ends them.

use crate::common::data::{Data, Generator};
use crate::common::{intercept, joint, joint_with_fixed};
use nlmers_core::error::Result;
use nlmers_core::monitor::{HookQuestion, Monitor, Progress, Silent};
use nlmers_core::saem::options::{
    ConvergenceTest, Hook, MStepOptions, ScheduleKind, ScheduleOptions, StopOptions,
};
use nlmers_core::saem::{fit, Fit, FitStatus, SaemOptions};
use nlmers_core::samplers::SamplerOptions;

/// Met by any change.
const ANY: StopOptions = StopOptions {
    convergence_test: ConvergenceTest::Consecutive,
    rtol_theta: f64::INFINITY,
    atol_theta: f64::INFINITY,
    rtol_q: f64::INFINITY,
    atol_q: f64::INFINITY,
    consecutive_params: 1,
};

fn options(t0: usize, maxiters: usize, stop: StopOptions) -> SaemOptions {
    SaemOptions {
        schedule: ScheduleOptions {
            sa_schedule: ScheduleKind::RobbinsMonro,
            t0,
            maxiters,
            ..ScheduleOptions::default()
        },
        stop,
        acceleration: false,
        ..SaemOptions::default()
    }
}

fn tell(fit: &Fit) -> String {
    fit.evidence.join("\n")
}

#[test]
fn a_run_may_end_at_any_iteration_of_its_smoothing() {
    let joint = joint(intercept::MODEL, &intercept::data());
    for t0 in [0, 1, 7, 30] {
        for consecutive_params in [1, 2, 8, 31, 40, 59] {
            for acceleration in [false, true] {
                let stop = StopOptions {
                    consecutive_params,
                    ..ANY
                };
                let options = SaemOptions {
                    acceleration,
                    ..options(t0, 300, stop)
                };
                let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
                let run = consecutive_params.max(t0 + 1);
                assert_eq!(fit.trace.len(), run);
                assert_ne!(fit.status, FitStatus::MaxIterations, "{}", tell(&fit));
                let smoothed = run - t0;
                if smoothed < 20 {
                    let few = format!("{smoothed} smoothing iterations are too few");
                    assert!(tell(&fit).contains(&few), "{}", tell(&fit));
                }
            }
        }
    }
}

/// A user whose parameters wander for so many calls and then stay.
struct Wanderer(std::sync::Mutex<f64>, f64);

impl Monitor for Wanderer {
    fn report(&self, _progress: &Progress) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn ask(&self, question: HookQuestion) -> Result<Vec<f64>> {
        if question.hook != "mstep_closed_form" {
            return Ok(Vec::new());
        }
        let mut calls = self.0.lock().unwrap();
        *calls = (*calls + 1.0).min(self.1);
        Ok(vec![*calls, 1.0, 1.0])
    }
}

#[test]
fn the_windows_of_the_verdict_do_not_reach_back_into_the_exploration() {
    let joint = joint(intercept::MODEL, &intercept::data());
    for (consecutive_params, windows) in [(20, 5), (24, 6), (59, 14)] {
        let stop = StopOptions {
            consecutive_params: 30 + consecutive_params,
            ..ANY
        };
        let options = SaemOptions {
            mstep: MStepOptions {
                hooks: vec![Hook::Suffstats, Hook::MstepClosedForm],
                ..MStepOptions::default()
            },
            ..options(30, 100, stop)
        };
        let user = Wanderer(std::sync::Mutex::new(0.0), 30.0);
        let fit = fit(&joint, &options, 1, 1, &user).unwrap();
        let expected = format!("last two windows of {windows} iterations: 0.00 %");
        assert!(tell(&fit).contains(&expected), "{}", tell(&fit));
    }
}

#[test]
fn iterations_with_gain_zero_end_no_run() {
    let joint = joint(intercept::MODEL, &intercept::data());
    let custom = |gains: Vec<f64>, consecutive_params: usize| {
        let stop = StopOptions {
            convergence_test: ConvergenceTest::Consecutive,
            consecutive_params,
            ..ANY
        };
        let mut options = options(0, 300, stop);
        options.schedule.sa_schedule = ScheduleKind::Custom;
        options.schedule.gains = gains;
        fit(&joint, &options, 1, 1, &Silent).unwrap()
    };
    let mut gains = vec![1.0, 1.0, 0.5];
    gains.extend([0.0; 9]);
    let fit = custom(gains, 4);
    assert_eq!(
        (fit.trace.len(), fit.status),
        (12, FitStatus::MaxIterations)
    );
    // They do not end a streak either.
    let fit = custom(vec![1.0, 0.5, 0.0, 0.0, 0.4, 0.3, 0.2], 4);
    assert_eq!(fit.trace.len(), 6);
}

#[test]
fn iterations_in_which_no_draw_moved_end_no_run() {
    // Effects known to a ten-thousandth, steps of one: hardly anything is accepted.
    let levels: Vec<f64> = {
        let mut draw = Generator(2);
        (0..5).map(|_| draw.normal()).collect()
    };
    let data = Data::new(5, |_| 4).with("y", |row, i| levels[i] + 1e-4 * (row % 2) as f64);
    let text = intercept::MODEL.replace("s = positive(1)", "s = positive(0.0002)");
    let joint = joint_with_fixed(&text, &data, &["s"]);
    let stop = StopOptions {
        convergence_test: ConvergenceTest::Consecutive,
        ..StopOptions::default()
    };
    let options = SaemOptions {
        sampler: SamplerOptions::Mh { scale: 1.0 },
        ..options(100, 200, stop)
    };
    let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
    assert_eq!(
        (fit.trace.len(), fit.status),
        (200, FitStatus::MaxIterations)
    );
}

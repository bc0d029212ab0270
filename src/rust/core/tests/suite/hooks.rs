//! Functions of the user in a run: what they are told, what their answers do, and how a run ends when they fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use crate::common::data::{Data, Generator};
use crate::common::{groups, joint, joint_with_fixed};
use nlmers_core::error::{Error, ErrorClass, Result};
use nlmers_core::monitor::{HookQuestion, Monitor, Progress, Silent};
use nlmers_core::problem::{natural, Given, Joint};
use nlmers_core::reply::ReplyValue;
use nlmers_core::saem::options::{
    BuiltinStats, ChainOptions, Hook, MStepOptions, ScheduleOptions, UpdateSchedule,
};
use nlmers_core::saem::{choose_routes, fit, Fit, FitStatus, OptimizerOptions, SaemOptions};

const MODEL: &str = "
    fixed m = 1
    fixed o = positive(0.5)
    fixed s = positive(0.5)
    random e ~ normal(0, o) | id
    f <- m + e
    y ~ normal(f, s)";

const ALL: [Hook; 3] = [Hook::Suffstats, Hook::QFromStats, Hook::MstepClosedForm];

fn data() -> Data {
    let mut draw = Generator(4);
    let levels: Vec<f64> = (0..6).map(|_| 2.0 + 0.8 * draw.normal()).collect();
    Data::new(6, |i| 2 + i % 3).with("y", |_, i| levels[i] + 0.4 * draw.normal())
}

fn options(hooks: &[Hook]) -> SaemOptions {
    SaemOptions {
        chains: ChainOptions {
            n_chains: 2,
            auto_small_n_chains: false,
            ..ChainOptions::default()
        },
        mstep: MStepOptions {
            hooks: hooks.to_vec(),
            ..MStepOptions::default()
        },
        ..SaemOptions::two_phases(4, 3)
    }
}

/// Answers as the function says, and keeps what it was asked.
struct User<F> {
    answer: F,
    asked: Mutex<Vec<HookQuestion>>,
    stopped: AtomicBool,
}

impl<F: Fn(&str, usize) -> Result<Vec<f64>> + Sync> User<F> {
    fn new(answer: F) -> Self {
        Self {
            answer,
            asked: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
        }
    }

    fn asked(&self, hook: &str) -> Vec<HookQuestion> {
        let all = self.asked.lock().unwrap();
        all.iter().filter(|q| q.hook == hook).cloned().collect()
    }

    fn run(&self, joint: &Joint, options: &SaemOptions) -> Result<Fit> {
        fit(joint, options, 1, 1, self)
    }
}

impl<F: Fn(&str, usize) -> Result<Vec<f64>> + Sync> Monitor for User<F> {
    fn report(&self, _progress: &Progress) {}

    fn interrupted(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn ask(&self, question: HookQuestion) -> Result<Vec<f64>> {
        let before = self.asked(question.hook).len();
        let hook = question.hook;
        self.asked.lock().unwrap().push(question);
        let answer = (self.answer)(hook, before);
        if answer.as_ref().is_err_and(|e| e.reason == "interrupted") {
            self.stopped.store(true, Ordering::Relaxed);
        }
        answer
    }
}

/// Statistics are the front end's business; the others give values that change from call to call.
fn answers(hook: &str, before: usize) -> Result<Vec<f64>> {
    let k = before as f64;
    Ok(match hook {
        "q_from_stats" => vec![10.0 + k],
        "mstep_closed_form" => vec![2.0 + 0.1 * k, 0.7, 0.4],
        "update_schedule" => vec![2.0, 1.0],
        _ => Vec::new(),
    })
}

fn failure(reason: &'static str) -> Error {
    Error::new(ErrorClass::Option, reason, "It broke.")
}

fn argument<'q>(question: &'q HookQuestion, name: &str) -> &'q ReplyValue {
    let named = |(known, _): &&(String, ReplyValue)| known == name;
    &question.arguments.iter().find(named).unwrap().1
}

#[test]
fn the_custom_m_step_and_objective_are_those_of_the_run() {
    let joint = joint(MODEL, &data());
    let user = User::new(answers);
    let fit = user.run(&joint, &options(&ALL)).unwrap();
    assert_eq!(fit.trace.len(), 7);
    for (k, theta) in fit.trace.theta.iter().enumerate() {
        let values = natural(joint.model(), theta);
        for (value, wanted) in values.iter().zip([2.0 + 0.1 * k as f64, 0.7, 0.4]) {
            assert!((value - wanted).abs() < 1e-14, "{values:?}");
        }
        assert_eq!(fit.trace.objective[k], 10.0 + k as f64);
    }
    let counts = ["batches", "suffstats", "q_from_stats", "mstep_closed_form"];
    assert_eq!(counts.map(|hook| user.asked(hook).len()), [1, 7, 7, 7]);
    assert!(fit.covariance.is_none());
}

#[test]
fn the_draws_are_told_with_what_they_belong_to() {
    let joint = joint(MODEL, &data());
    let user = User::new(answers);
    user.run(&joint, &options(&ALL)).unwrap();
    let batches = &user.asked("batches")[0];
    let names = (1..=6).map(|i| format!("e[s{i}]")).collect();
    assert_eq!(*argument(batches, "names"), ReplyValue::Texts(names));
    assert_eq!(
        *argument(batches, "lengths"),
        ReplyValue::Integers(vec![1; 6])
    );
    for (k, question) in user.asked("suffstats").iter().enumerate() {
        let ReplyValue::Matrix { rows, cols, data } = argument(question, "effects") else {
            panic!("effects are no matrix");
        };
        assert_eq!((*rows, *cols), (6, 2));
        // Deviations from the mean of the iteration, not `phi`, which is near 2.
        assert!(data.iter().all(|x| x.abs() < 2.0), "{data:?}");
        assert!(data[..6] != data[6..]);
        let gain = [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0 / 3.0][k];
        assert_eq!(*argument(question, "gain"), ReplyValue::Number(gain));
    }
}

/// An objective that is largest at 2.5, 0.6 and 0.3.
fn bowl(parameters: &[f64]) -> f64 {
    let wanted = [2.5, 0.6, 0.3];
    let terms = parameters.iter().zip(wanted);
    -terms.map(|(x, best)| (x - best).powi(2)).sum::<f64>()
}

#[test]
fn the_objective_of_the_user_is_maximized_except_over_targets_by_name() {
    let cases: [(BuiltinStats, &[&str], usize); 3] = [
        (BuiltinStats::None, &[], 3),
        (BuiltinStats::Auto, &[], 3),
        (BuiltinStats::ClosedForm, &["s"], 2),
    ];
    for (stats, targets, expected) in cases {
        let hooks = [Hook::Suffstats, Hook::QFromStats];
        let mut options = options(&hooks);
        options.mstep.builtin_stats = stats;
        options.mstep.resid_var_param = targets.iter().map(ToString::to_string).collect();
        options.optimizer = OptimizerOptions::NelderMead {
            maxiters: 500,
            f_tol: 1e-14,
        };
        let mut joint = joint(MODEL, &data());
        choose_routes(&mut joint, &options);
        let user = Judge;
        let fit = fit(&joint, &options, 1, 1, &user).unwrap();
        let values = natural(joint.model(), &fit.trace.theta[0]);
        let near = values.iter().zip([2.5, 0.6, 0.3]);
        let near = near.filter(|(x, best)| (*x - best).abs() < 1e-4).count();
        assert_eq!(near, expected, "{stats:?}: {values:?}");
        assert!(fit.trace.objective.iter().all(|q| *q <= 0.0));
    }
}

/// A user whose objective is [`bowl`].
struct Judge;

impl Monitor for Judge {
    fn report(&self, _progress: &Progress) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn ask(&self, question: HookQuestion) -> Result<Vec<f64>> {
        if question.hook != "q_from_stats" {
            return Ok(Vec::new());
        }
        let ReplyValue::Numbers(parameters) = argument(&question, "parameters") else {
            panic!("no parameters");
        };
        Ok(vec![bowl(parameters)])
    }
}

/// The mean moves by the answers; the draws, told relative to it, stay where the data are.
#[test]
fn effects_are_told_relative_to_the_mean_of_the_e_step() {
    let joint = joint(MODEL, &data());
    let answer = |hook: &str, before: usize| match hook {
        "mstep_closed_form" => Ok(vec![10.0 * (before % 2) as f64, 8.0, 0.4]),
        _ => answers(hook, before),
    };
    let user = User::new(answer);
    user.run(&joint, &options(&ALL)).unwrap();
    for question in &user.asked("suffstats")[1..] {
        let (ReplyValue::Matrix { data, .. }, ReplyValue::Numbers(parameters)) = (
            argument(question, "effects"),
            argument(question, "parameters"),
        ) else {
            panic!("no numbers");
        };
        let mean = data.iter().sum::<f64>() / data.len() as f64;
        assert!(
            (parameters[0] + mean - 2.0).abs() < 1.0,
            "{parameters:?} {mean}"
        );
    }
}

#[test]
fn fixed_parameters_keep_their_values_and_levels_their_batches() {
    let joint = joint_with_fixed(MODEL, &data(), &["s"]);
    let fit = User::new(answers).run(&joint, &options(&ALL)).unwrap();
    assert_eq!(fit.theta[2], joint.theta.start[2]);

    let model = MODEL.replace(
        "f <- m + e",
        "random g ~ normal(0, 1) | site\n    f <- m + e + g",
    );
    let sites: Vec<usize> = (data().subject.iter().map(|i| i / 2)).collect();
    let given = Given {
        levels: vec![("e".into(), "2".into(), 0.25)],
        ..Given::default()
    };
    let ids = data().subject;
    let joint = groups::joint(
        &model,
        &data(),
        &[("id", ids), ("site", sites.clone())],
        &given,
    );
    let user = User::new(answers);
    user.run(&joint.unwrap(), &options(&ALL)).unwrap();
    let batches = &user.asked("batches")[0];
    let names = [
        "e[1]", "g[1]", "e[3]", "e[4]", "g[2]", "e[5]", "e[6]", "g[3]",
    ];
    let names = names.map(String::from).to_vec();
    assert_eq!(*argument(batches, "names"), ReplyValue::Texts(names));
    assert_eq!(
        *argument(batches, "lengths"),
        ReplyValue::Integers(vec![2, 3, 3])
    );
    let rows = sites.iter().map(|site| *site as i32 + 1).collect();
    assert_eq!(*argument(batches, "rows"), ReplyValue::Integers(rows));
}

#[test]
fn an_error_of_a_function_is_the_error_of_the_fit() {
    let joint = joint(MODEL, &data());
    for hook in ["suffstats", "q_from_stats", "mstep_closed_form"] {
        let user = User::new(|asked: &str, before| match asked {
            _ if asked == hook && before == 3 => Err(failure("hook_failed")),
            _ => answers(asked, before),
        });
        assert_eq!(
            user.run(&joint, &options(&ALL)).unwrap_err(),
            failure("hook_failed")
        );
        assert_eq!(user.asked(hook).len(), 4);
    }
    let nobody = fit(&joint, &options(&ALL), 1, 1, &Silent).unwrap_err();
    assert_eq!(nobody.reason, "no_front_end");
}

#[test]
fn a_stop_inside_a_function_leaves_the_last_whole_iteration() {
    let joint = joint(MODEL, &data());
    for hook in ["suffstats", "q_from_stats", "mstep_closed_form"] {
        for after in [0, 2] {
            let user = User::new(|asked: &str, before| match asked {
                _ if asked == hook && before == after => Err(failure("interrupted")),
                _ => answers(asked, before),
            });
            let fit = user.run(&joint, &options(&ALL)).unwrap();
            assert_eq!(fit.status, FitStatus::Interrupted);
            assert_eq!(fit.trace.len(), after);
            let last = fit.trace.theta.last().unwrap_or(&joint.theta.start);
            assert_eq!(fit.theta, *last);
        }
    }
}

#[test]
fn answers_of_the_wrong_kind_are_refused_by_name() {
    let joint = joint(MODEL, &data());
    for (hook, answer, told) in [
        ("q_from_stats", vec![1.0, 2.0], "must give one number"),
        ("q_from_stats", vec![f64::NAN], "gives NaN"),
        (
            "mstep_closed_form",
            vec![1.0, 1.0],
            "must give 3 values, not 2",
        ),
        (
            "mstep_closed_form",
            vec![1.0, 0.0, 1.0],
            "gives `o` a value that it cannot have",
        ),
        (
            "mstep_closed_form",
            vec![f64::INFINITY, 1.0, 1.0],
            "gives `m` a value",
        ),
    ] {
        let user = User::new(|asked: &str, before| match asked {
            _ if asked == hook => Ok(answer.clone()),
            _ => answers(asked, before),
        });
        let error = user.run(&joint, &options(&ALL)).unwrap_err();
        assert_eq!(error.reason, "hook_value");
        assert!(
            error.problem.starts_with(&format!("`{hook}` {told}")),
            "{error}"
        );
    }
}

#[test]
fn the_batches_of_an_iteration_are_those_of_the_function() {
    let joint = joint(MODEL, &data());
    let options = SaemOptions {
        update_schedule: UpdateSchedule::Function,
        ..options(&[Hook::UpdateSchedule])
    };
    let user = User::new(answers);
    let fit = user.run(&joint, &options).unwrap();
    assert_eq!(fit.trace.updated, vec![vec![0, 1]; 7]);
    let asked = user.asked("update_schedule");
    assert_eq!(
        *argument(&asked[4], "n_batches"),
        ReplyValue::Integers(vec![6])
    );
    assert_eq!(
        *argument(&asked[4], "iteration"),
        ReplyValue::Integers(vec![5])
    );
    for wrong in [
        vec![],
        vec![0.0],
        vec![7.0],
        vec![1.5],
        vec![2.0, 2.0],
        vec![f64::NAN],
    ] {
        let user = User::new(|_: &str, _| Ok(wrong.clone()));
        assert_eq!(user.run(&joint, &options).unwrap_err().reason, "hook_value");
    }
}

#[test]
fn statistics_are_asked_for_in_the_burn_in_too() {
    let joint = joint(MODEL, &data());
    let options = SaemOptions {
        schedule: ScheduleOptions {
            sa_burnin_iters: 3,
            ..options(&ALL).schedule
        },
        ..options(&ALL)
    };
    let user = User::new(answers);
    user.run(&joint, &options).unwrap();
    let asked = user.asked("suffstats");
    assert_eq!(asked.len(), 10);
    assert_eq!(*argument(&asked[2], "gain"), ReplyValue::Number(0.0));
    assert_eq!(user.asked("mstep_closed_form").len(), 7);
}

#[test]
fn nobody_is_asked_without_functions() {
    let joint = joint(MODEL, &data());
    let user = User::new(|_: &str, _| Err(failure("asked")));
    user.run(&joint, &options(&[])).unwrap();
    assert!(user.asked.lock().unwrap().is_empty());
}

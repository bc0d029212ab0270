//! A run that stopped goes on as if it never had: the same bits from its state, and a refusal for any other state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::data::{Data, Generator};
use common::{groups, joint, request_json};
use nlmers_core::error::Error;
use nlmers_core::monitor::{Monitor, Progress, Silent};
use nlmers_core::problem::{Given, Joint};
use nlmers_core::reply::Value;
use nlmers_core::saem::options::ChainOptions;
use nlmers_core::saem::{
    choose_routes, fit, fit_on, Checkpoint, Course, Fit, FitStatus, SaemOptions, Saved,
};
use serde_json::json;

const MODEL: &str = "
    fixed a = positive(6)
    fixed k = positive(0.6)
    fixed o = positive(0.3)
    fixed u = positive(0.2)
    fixed s = positive(0.5)
    fixed p = 0.1
    random e ~ normal(0, o) | id
    random v ~ normal(0, u) | id
    f <- a * exp(v) * exp(-k * exp(e) * t)
    y ~ normal(f, s)
    n ~ poisson(exp(p + e))";

fn data() -> Data {
    let mut draw = Generator(17);
    let time = |row: usize| 0.5 * (1 + row % 7) as f64;
    Data::new(80, |i| 1 + i % 4)
        .with("t", |row, _| time(row))
        .with("y", |row, _| {
            9.0 * (-0.3 * time(row)).exp() + 0.4 * draw.normal()
        })
        .with("n", |row, _| (row % 4) as f64)
        .timed("t")
}

/// Subjects by items, in turns.
fn crossed() -> Joint {
    let mut draw = Generator(5);
    let data = Data::new(20, |_| 5).with("y", |row, i| {
        2.0 + (i % 4) as f64 * 0.5 + (row % 5) as f64 * 0.3 + 0.4 * draw.normal()
    });
    let other = (0..data.n_rows()).map(|row| row % 5).collect();
    let text = "
        fixed m = 1
        fixed oa = positive(0.5)
        fixed ob = positive(0.5)
        fixed s = positive(0.5)
        random a ~ normal(0, oa) | id
        random b ~ normal(0, ob) | other
        y ~ normal(m + a + b, s)";
    let named = [("id", data.subject.clone()), ("other", other)];
    groups::joint(text, &data, &named, &Given::default()).unwrap()
}

/// 40 iterations of exploration, 20 of smoothing.
fn options(chains: usize, acceleration: bool) -> SaemOptions {
    SaemOptions {
        chains: ChainOptions {
            n_chains: chains,
            auto_small_n_chains: false,
            ..ChainOptions::default()
        },
        acceleration,
        ..SaemOptions::two_phases(40, 20)
    }
}

/// Stops the run after some iterations; 0 for never. Counts from what it is told.
#[derive(Default)]
struct Stopper {
    after: usize,
    last: AtomicUsize,
}

impl Stopper {
    fn after(after: usize) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }
}

impl Monitor for Stopper {
    fn report(&self, progress: &Progress) {
        assert_eq!(progress.total, 60);
        self.last.store(progress.iteration, Ordering::Relaxed);
    }

    fn interrupted(&self) -> bool {
        self.last.load(Ordering::Relaxed) == self.after
    }
}

fn resumed(state: &[u8]) -> Course {
    Course {
        resume: Some(Saved::parse(state, "The state").unwrap()),
        ..Course::default()
    }
}

/// Everything of a fit but the time it took.
fn everything(fit: &Fit) -> String {
    let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    let numbers: Vec<Vec<u64>> = (fit.trace.theta.iter())
        .chain([&fit.theta, &fit.trace.gain, &fit.trace.objective])
        .chain(&fit.cond_mean)
        .chain(&fit.cond_sd)
        .map(|x| bits(x))
        .collect();
    let covariance = fit.covariance.as_ref().map(|c| bits(c.as_slice()));
    let rest = (
        fit.status,
        &fit.evidence,
        &fit.trace.phase,
        &fit.acceptance,
        fit.not_finite,
        &fit.warnings,
    );
    format!("{numbers:?} {covariance:?} {rest:?}")
}

/// Stop after 25 and after 45 iterations, with other numbers of threads, and compare with a run that never stops.
fn goes_on(joint: &Joint, options: &SaemOptions) {
    let whole = fit(joint, options, 9, 1, &Silent).unwrap();
    assert!(whole.state.is_none());
    let first = fit(joint, options, 9, 2, &Stopper::after(25)).unwrap();
    assert_eq!(first.status, FitStatus::Interrupted);
    // The seed is that of the state.
    let course = resumed(&first.state.unwrap());
    let second = fit_on(joint, options, 1, 1, &Stopper::after(45), &course).unwrap();
    assert_eq!(second.trace.len(), 45);
    let course = resumed(&second.state.unwrap());
    let third = fit_on(joint, options, 1, 7, &Silent, &course).unwrap();
    assert!(third.seconds > second.seconds);
    assert!(everything(&third) == everything(&whole));
}

#[test]
fn a_stopped_run_goes_on_with_the_same_bits() {
    let joint = joint(MODEL, &data());
    for (chains, acceleration) in [(2, true), (1, true), (1, false)] {
        goes_on(&joint, &options(chains, acceleration));
    }
}

/// Whatever a sampler, an optimizer, a choice of batches or a test of convergence remembers.
#[test]
fn all_that_is_remembered_goes_on_with_the_same_bits() {
    let with = |change: serde_json::Value| -> SaemOptions {
        let mut method = json!({
            "exploration": 40, "smoothing": 20, "n_chains": 1, "auto_small_n_chains": false, "mcmc_steps": 3
        });
        let entries = method.as_object_mut().unwrap();
        entries.extend(change.as_object().unwrap().clone());
        serde_json::from_value(method).unwrap()
    };
    for change in [
        json!({"sampler": {"kind": "mh", "scale": 0.5}}),
        json!({"sampler": {"kind": "saemix_mh", "n_kern1": 2, "n_kern2": 2, "n_kern3": 2, "target_accept": 0.4,
                           "adapt_rate": 0.7}}),
        json!({"sampler": {"kind": "adaptive_mh", "adapt_start": 10, "init_scale": 1.0, "eps_reg": 1e-6}}),
        json!({"sampler": {"kind": "nuts", "target_accept": 0.8, "max_depth": 5, "n_adapt": 30}}),
        json!({"sampler": {"kind": "mala", "target_accept": 0.57, "n_adapt": 30}}),
        json!({"warm_start": false}),
        json!({"update_schedule": 20}),
        json!({"optimizer": {"kind": "lbfgs", "maxiters": 5, "g_tol": 1e-4, "memory": 5, "adtype": "reverse"},
               "builtin_stats": "none", "max_store": 10}),
        // 50 small changes in a row.
        json!({"convergence_test": "consecutive", "rtol_theta": null, "atol_theta": 1.0, "rtol_Q": null, "atol_Q": null,
               "consecutive_params": 50}),
    ] {
        println!("{change}");
        let options = with(change);
        let mut joint = joint(MODEL, &data());
        choose_routes(&mut joint, &options);
        goes_on(&joint, &options);
    }
}

/// The sum of the effects is smoothed by itself.
#[test]
fn laws_of_effects_go_on_with_the_same_bits() {
    let text = "
        fixed a = 1
        fixed m = positive(1)
        fixed s = positive(0.5)
        random e ~ exponential(m) | id
        y ~ normal(a + e, s)";
    goes_on(&joint(text, &data()), &options(1, false));
}

#[test]
fn groupings_that_take_turns_go_on_with_the_same_bits() {
    goes_on(&crossed(), &options(2, true));
}

#[test]
fn a_run_stopped_at_its_last_iteration_is_only_judged() {
    let joint = joint(MODEL, &data());
    let whole = fit(&joint, &options(1, true), 9, 1, &Silent).unwrap();
    let last = fit(&joint, &options(1, true), 9, 1, &Stopper::after(60)).unwrap();
    assert_eq!(last.status, FitStatus::Interrupted);
    let course = resumed(&last.state.unwrap());
    let judged = fit_on(&joint, &options(1, true), 9, 1, &Silent, &course).unwrap();
    assert!(everything(&judged) == everything(&whole));
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nlmers-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn checkpoint(&self, every: usize) -> Course {
        Course {
            checkpoint: Some(Checkpoint {
                path: self.0.join("state"),
                every,
            }),
            ..Course::default()
        }
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_file_holds_the_latest_state() {
    let joint = joint(MODEL, &data());
    let options = options(1, true);
    let folder = Folder::new("latest");
    let whole = fit_on(&joint, &options, 9, 1, &Silent, &folder.checkpoint(25)).unwrap();
    assert_eq!(folder.files(), ["state"]);
    let saved = Saved::read(&folder.0.join("state"), "The file").unwrap();
    assert_eq!((saved.header.iteration, saved.header.seed), (50, 9));
    let course = Course {
        resume: Some(saved),
        ..Course::default()
    };
    let again = fit_on(&joint, &options, 9, 1, &Silent, &course).unwrap();
    assert!(everything(&again) == everything(&whole));
    // An interrupt writes too.
    let stopper = Stopper::after(33);
    let stopped = fit_on(&joint, &options, 9, 1, &stopper, &folder.checkpoint(25)).unwrap();
    let written = fs::read(folder.0.join("state")).unwrap();
    assert!(stopped.state.unwrap() == written);
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning_at_the_end() {
    let joint = joint(MODEL, &data());
    let mut course = Folder::new("gone").checkpoint(10);
    course.checkpoint.as_mut().unwrap().path = "/nowhere/at/all".into();
    let fit = fit_on(&joint, &options(1, true), 9, 1, &Silent, &course).unwrap();
    assert_eq!(fit.trace.len(), 60);
    let [warning] = &fit.warnings[..] else {
        panic!("{:?}", fit.warnings)
    };
    assert!(warning.contains("`/nowhere/at/all` could not be written after iteration 10"));
}

fn refusal(bytes: &[u8]) -> Error {
    Saved::parse(bytes, "The file").unwrap_err()
}

#[test]
fn bytes_that_are_no_whole_state_are_refused() {
    let joint = joint(MODEL, &data());
    let fit = fit(&joint, &options(1, true), 9, 1, &Stopper::after(3)).unwrap();
    let state = fit.state.unwrap();
    for cut in [8, 12, 20, 30, state.len() - 1] {
        assert_eq!(refusal(&state[..cut]).reason, "damaged_checkpoint", "{cut}");
    }
    let mut changed = state.clone();
    changed[state.len() / 2] ^= 1;
    assert_eq!(refusal(&changed).reason, "damaged_checkpoint");
    assert_eq!(refusal(&state[..5]).reason, "no_checkpoint");
    assert_eq!(refusal(b"a file of something else").reason, "no_checkpoint");
    let mut later = state.clone();
    later[8] += 1;
    assert_eq!(refusal(&later).reason, "other_version");
    // A sound state of a run of another shape.
    let course = resumed(&state);
    let error = fit_on(&joint, &options(2, true), 9, 1, &Silent, &course).unwrap_err();
    assert_eq!(error.reason, "damaged_checkpoint");
    assert!(error.hint.is_some());
}

#[test]
fn functions_of_the_user_are_not_kept() {
    let joint = joint(MODEL, &data());
    let mut options = options(1, true);
    options.mstep.hooks = vec![nlmers_core::saem::options::Hook::UpdateSchedule];
    let folder = Folder::new("hooks");
    let error = fit_on(&joint, &options, 9, 1, &Silent, &folder.checkpoint(5)).unwrap_err();
    assert_eq!(error.reason, "checkpoint_hooks");
    assert!(error.problem.contains("`update_schedule`"), "{error}");
}

/// A request for 40 + 20 iterations, changed, answered until the monitor stops it.
fn answer(
    model: &str,
    monitor: &dyn Monitor,
    change: impl Fn(&mut serde_json::Value),
) -> Result<Vec<(String, Value)>, Error> {
    let mut request = request_json("fit", model, &data());
    request["method"] = json!({"exploration": 40, "smoothing": 20, "n_chains": 1});
    request["seed"] = json!(9);
    change(&mut request);
    match nlmers_core::request::run(&request.to_string(), data().request_columns(), monitor)? {
        Value::List(entries) => Ok(entries),
        other => panic!("{other:?}"),
    }
}

fn entry<'a>(entries: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let found = entries.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value)
}

#[test]
fn a_request_goes_on_where_a_file_says_unless_it_is_another_fit() {
    let folder = Folder::new("request");
    let path = folder.0.join("state");
    let start = |request: &mut serde_json::Value| request["start"] = json!({"a": [7.25]});
    let whole = answer(MODEL, &Silent, start).unwrap();
    assert!(entry(&whole, "state").is_none());
    let kept = |request: &mut serde_json::Value| {
        start(request);
        request["checkpoint"] = json!({"path": path, "every": 50});
    };
    let stopped = answer(MODEL, &Stopper::after(25), kept).unwrap();
    let Some(Value::Bytes(state)) = entry(&stopped, "state") else {
        panic!("no state")
    };
    assert!(*state == fs::read(&path).unwrap());
    let on = |model: &str, change: &dyn Fn(&mut serde_json::Value)| {
        answer(model, &Silent, |request| {
            request["resume"] = json!({"path": path, "name": "The file"});
            request.as_object_mut().unwrap().remove("seed");
            change(request);
        })
    };
    // Seed and starting values are those of the state.
    let again = on(MODEL, &|_| ()).unwrap();
    for name in [
        "parameters",
        "trace",
        "effects",
        "uncertainty",
        "log_lik",
        "status",
        "seed",
    ] {
        let shown = |entries| format!("{:?}", entry(entries, name));
        assert_eq!(shown(&again), shown(&whole), "{name}");
    }
    assert!(on(MODEL, &start).is_ok());
    assert!(on(MODEL, &|request| request["method"]["nodes"] = json!(3)).is_ok());
    let reason = |model: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let error = on(model, change).unwrap_err();
        assert!(error.hint.is_some());
        (error.reason, error.problem)
    };
    let (other, text) = reason(&MODEL.replace("p + e", "p + v"), &|_| ());
    assert_eq!(other, "other_fit");
    assert!(
        text.ends_with("it was started with another model."),
        "{text}"
    );
    let (other, text) = reason(MODEL, &|request| {
        request["start"] = json!({"a": [7.5]});
        request["method"]["smoothing"] = json!(21);
    });
    assert_eq!(other, "other_fit");
    assert!(
        text.ends_with("other starting values and other options of the method."),
        "{text}"
    );
    let (other, _) = reason(MODEL, &|request| request["fix"] = json!({"p": null}));
    assert_eq!(other, "other_fit");
    let (other, text) = reason(MODEL, &|request| request["seed"] = json!(8));
    assert_eq!(other, "other_seed");
    assert!(text.contains("seed 8: its seed is 9"), "{text}");
    let (other, _) = reason(MODEL, &|request| {
        request["resume"]["path"] = json!("/nowhere")
    });
    assert_eq!(other, "no_checkpoint");
}

#[test]
fn chains_start_at_given_effects() {
    let first = |label: &str| {
        let result = answer(MODEL, &Silent, |request| {
            request["method"]["exploration"] = json!(1);
            request["method"]["smoothing"] = json!(0);
            request["method"]["sampler"] = json!({
                "kind": "independence", "prior": 0, "random_walk": 1, "block": 0, "independence": 0
            });
            request["first"] = json!([
                {"effect": "e", "labels": ["nobody", label], "values": [1.0, -4.0]},
                {"effect": "unknown", "labels": [label], "values": [3.0]},
            ]);
        });
        let result = result.unwrap();
        let Some(Value::List(effects)) = entry(&result, "effects") else {
            panic!("no effects")
        };
        match (entry(effects, "cond_mean"), entry(effects, "labels")) {
            (Some(Value::Matrix { data, .. }), Some(Value::Texts(labels))) => {
                let at = labels.iter().position(|label| label == "s3").unwrap();
                data[at]
            }
            other => panic!("{other:?}"),
        }
    };
    // One sweep of the walk goes no further than its scale.
    let (given, other) = (first("s3"), first("s4"));
    assert!(given < -2.5 && other > -2.5, "{given} {other}");
}

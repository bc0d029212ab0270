//! Checkpoints in files and states in requests: written, read again, and refused where they do not belong.

use std::fs;

use crate::common::resume::{data, everything, options, resumed, Folder, Stopper, MODEL};
use crate::common::{joint, request_json, sent};
use nlmers_core::error::Error;
use nlmers_core::monitor::{Monitor, Silent};
use nlmers_core::reply::ReplyValue;
use nlmers_core::saem::{fit, fit_on, RunEnds, SavedRun};
use serde_json::json;

#[test]
fn a_file_holds_the_latest_state() {
    let joint = joint(MODEL, &data());
    let options = options(1, true);
    let folder = Folder::new("latest");
    let whole = fit_on(&joint, &options, 9, 1, &Silent, &folder.checkpoint(25)).unwrap();
    assert_eq!(folder.files(), ["state"]);
    let saved = SavedRun::read(&folder.0.join("state"), "The file").unwrap();
    assert_eq!((saved.header.iteration, saved.header.seed), (50, 9));
    let course = RunEnds {
        resume: Some(saved),
        ..RunEnds::default()
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
    SavedRun::parse(bytes, "The file").unwrap_err()
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
) -> Result<Vec<(String, ReplyValue)>, Error> {
    let mut request = request_json("fit", model, &data());
    request["method"] = json!({
        "name": "saem", "schedule": {"exploration": 40, "smoothing": 20}, "chains": {"n_chains": 1}
    });
    request["seed"] = json!(9);
    change(&mut request);
    match nlmers_core::request::run(&sent(&request), data().request_columns(), monitor)? {
        ReplyValue::List(entries) => Ok(entries),
        other => panic!("{other:?}"),
    }
}

fn entry<'a>(entries: &'a [(String, ReplyValue)], name: &str) -> Option<&'a ReplyValue> {
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
    let Some(ReplyValue::Bytes(state)) = entry(&stopped, "state") else {
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
    assert!(on(MODEL, &|request| request["method"]["inference"] =
        json!({"nodes": 3}))
    .is_ok());
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
        request["method"]["schedule"]["smoothing"] = json!(21);
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
        // Interrupted, so that nothing but the chains says where the effects are.
        let result = answer(MODEL, &Stopper::after(1), |request| {
            request["method"]["sampler"] = json!({
                "kind": "independence", "prior": 0, "random_walk": 1, "block": 0, "independence": 0
            });
            request["first"] = json!([
                {"effect": "e", "labels": ["nobody", label], "values": [1.0, -4.0]},
                {"effect": "unknown", "labels": [label], "values": [3.0]},
            ]);
        });
        let result = result.unwrap();
        let Some(ReplyValue::List(effects)) = entry(&result, "effects") else {
            panic!("no effects")
        };
        match (entry(effects, "cond_mean"), entry(effects, "labels")) {
            (Some(ReplyValue::Matrix { data, .. }), Some(ReplyValue::Texts(labels))) => {
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

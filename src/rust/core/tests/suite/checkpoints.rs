//! A run that stopped goes on as if it never had: the same bits from its state, and a refusal for any other state.

use crate::common::data::{Data, Generator};
use crate::common::resume::{data, everything, options, resumed, Stopper, MODEL};
use crate::common::{groups, joint};
use nlmers_core::monitor::Silent;
use nlmers_core::problem::{Given, Joint};
use nlmers_core::saem::{choose_routes, fit, fit_on, FitStatus, SaemOptions};
use serde_json::json;

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
            "schedule": {"exploration": 40, "smoothing": 20},
            "chains": {"n_chains": 1, "auto_small_n_chains": false}, "mcmc_steps": 3
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
               "mstep": {"builtin_stats": "none", "max_store": 10}}),
        // 50 small changes in a row.
        json!({"stop": {"convergence_test": "consecutive", "rtol_theta": null, "atol_theta": 1.0, "rtol_Q": null,
                        "atol_Q": null, "consecutive_params": 50}}),
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

//! How a run of SAEM behaves: the same bits whatever the threads and the order of rows, and an honest end.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::data::{Data, Generator};
use crate::common::{joint, request_json, sent};
use nlmers_core::monitor::{Monitor, Progress, Silent};
use nlmers_core::problem::Joint;
use nlmers_core::reply::ReplyValue;
use nlmers_core::saem::options::ChainOptions;
use nlmers_core::saem::{fit, Fit, FitStatus, SaemOptions};

const MODEL: &str = "
    fixed a = positive(6)
    fixed k = positive(0.6)
    fixed o = positive(0.3)
    fixed s = positive(0.5)
    fixed p = 0.1
    random e ~ normal(0, o) | id
    f <- a * exp(-k * exp(e) * t)
    y ~ normal(f, s)
    n ~ poisson(exp(p + e))";

/// 150 subjects of different length: several blocks of lanes even with one chain.
fn data() -> Data {
    let mut draw = Generator(17);
    let rates: Vec<f64> = (0..150)
        .map(|_| 0.3 * (0.4 * draw.normal()).exp())
        .collect();
    let time = |row: usize| 0.5 * (1 + row % 7) as f64;
    Data::new(150, |i| 1 + i % 4)
        .with("t", |row, _| time(row))
        .with("y", |row, i| {
            let y = 9.0 * (-rates[i] * time(row)).exp() + 0.4 * draw.normal();
            if row % 11 == 3 {
                f64::NAN
            } else {
                y
            }
        })
        .with("n", |row, _| (row % 4) as f64)
        .timed("t")
}

fn short() -> SaemOptions {
    SaemOptions {
        chains: ChainOptions {
            n_chains: 2,
            auto_small_n_chains: false,
            ..ChainOptions::default()
        },
        ..SaemOptions::two_phases(30, 20)
    }
}

fn bits(fit: &Fit) -> Vec<u64> {
    let numbers = fit.trace.theta.iter().flatten().chain(&fit.trace.objective);
    let conditional = fit.cond_mean.iter().chain(&fit.cond_sd).flatten();
    numbers.chain(conditional).map(|x| x.to_bits()).collect()
}

fn run(joint: &Joint, seed: u64, threads: usize) -> Fit {
    fit(joint, &short(), seed, threads, &Silent).unwrap()
}

#[test]
fn threads_do_not_change_a_bit() {
    let joint = joint(MODEL, &data());
    assert!(joint.main().layout(2).blocks.len() > 4);
    let one = bits(&run(&joint, 9, 1));
    for threads in [2, 7] {
        assert!(bits(&run(&joint, 9, threads)) == one, "{threads} threads");
    }
}

#[test]
fn the_order_of_rows_does_not_change_a_bit() {
    let data = data();
    let mut draw = Generator(3);
    let sorted = bits(&run(&joint(MODEL, &data), 9, 1));
    for _ in 0..2 {
        let shuffled = data.permuted(&draw.permutation(data.n_rows()));
        assert!(bits(&run(&joint(MODEL, &shuffled), 9, 2)) == sorted);
    }
}

/// Without a time column rows are put in order by what the model reads.
#[test]
fn the_order_of_rows_does_not_matter_without_a_time_column() {
    let mut data = data();
    data.time = None;
    let shuffled = data.permuted(&Generator(5).permutation(data.n_rows()));
    let [a, b] = [&data, &shuffled].map(|data| bits(&run(&joint(MODEL, data), 9, 1)));
    assert!(a == b);
}

#[test]
fn seeds_differ_and_repeat() {
    let joint = joint(MODEL, &data());
    let [first, again, other] = [1, 1, 2].map(|seed| bits(&run(&joint, seed, 1)));
    assert!(first == again);
    assert!(first != other);
}

/// Stops after some iterations, and counts what it is told.
struct Stopper {
    after: usize,
    heard: AtomicUsize,
}

impl Monitor for Stopper {
    fn report(&self, progress: &Progress) {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
        assert_eq!((progress.iteration, progress.total), (heard, 50));
        assert!(progress.objective.is_finite());
    }

    fn interrupted(&self) -> bool {
        self.heard.load(Ordering::Relaxed) >= self.after
    }
}

#[test]
fn an_interrupted_run_says_so_and_gives_what_it_has() {
    let joint = joint(MODEL, &data());
    let whole = run(&joint, 1, 1);
    for after in [1, 12, 35] {
        let stopper = Stopper {
            after,
            heard: AtomicUsize::new(0),
        };
        let fit = fit(&joint, &short(), 1, 1, &stopper).unwrap();
        assert_eq!(fit.status, FitStatus::Interrupted);
        assert_eq!(fit.trace.len(), after);
        assert_eq!(fit.trace.theta, whole.trace.theta[..after]);
        assert_eq!(fit.theta, whole.trace.theta[after - 1]);
    }
}

#[test]
fn a_run_far_too_short_is_not_called_converged() {
    let joint = joint(&MODEL.replace("positive(6)", "positive(60)"), &data());
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            ..SaemOptions::two_phases(2, 20)
        };
        let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
        assert_eq!(
            fit.status,
            FitStatus::MaxIterations,
            "{acceleration}: {:?}",
            fit.evidence
        );
        assert!(!fit.evidence.is_empty());
    }
}

#[test]
fn a_run_of_few_or_no_iterations_ends_quietly() {
    let joint = joint(MODEL, &data());
    for (exploration, smoothing) in [(0, 0), (1, 0), (0, 1), (0, 30), (3, 3)] {
        let options = SaemOptions::two_phases(exploration, smoothing);
        let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
        assert_eq!(fit.trace.len(), exploration + smoothing);
        assert_ne!(fit.status, FitStatus::NotFinite);
        assert!(fit.theta.iter().all(|x| x.is_finite()));
    }
}

/// Models whose numbers fail: from the start, for some subjects, in the population, on the score route.
const FAILING: [&str; 6] = [
    "random e ~ normal(0, o) | id\ny ~ normal(log(-1 - e^2) + a, s)",
    "random e ~ normal(0, o) | id\ny ~ normal(a + e + log(t - 2), s)",
    "random e ~ normal(0, o^900) | id\ny ~ normal(a + e, s)",
    "random e ~ normal(log(-a), o) | id\ny ~ normal(e, s)",
    "random e ~ normal(0, o) | id\ny ~ custom(log(-s^2) + a * e)",
    "random e ~ normal(0, o) | id\ny ~ normal(a + e, s * (a - a))",
];

#[test]
fn numbers_that_fail_end_a_run_and_never_the_process() {
    for lines in FAILING {
        let text =
            format!("fixed a = 1\nfixed o = positive(0.3)\nfixed s = positive(0.5)\n{lines}");
        let joint = joint(&text, &data());
        for acceleration in [true, false] {
            let options = SaemOptions {
                acceleration,
                ..short()
            };
            match fit(&joint, &options, 1, 1, &Silent) {
                Err(error) => assert!(error.hint.is_some(), "{error}"),
                Ok(fit) => assert_ne!(fit.status, FitStatus::Converged, "{lines}"),
            }
            let request = fit_request(&text);
            let answer = nlmers_core::request::run(&request, data().request_columns(), &Silent);
            if let Ok(answer) = answer {
                assert_ne!(status(&answer), "converged", "{lines}");
            }
        }
    }
}

#[test]
fn a_start_without_a_density_is_refused_with_its_observation() {
    let text = "
        fixed a = 1
        fixed o = positive(0.3)
        random e ~ normal(0, o) | id
        y ~ normal(a + e + log(x), 0.5)";
    let data = Data::new(70, |_| 2)
        .with("x", |row, i| if i == 66 || row == 83 { -1.0 } else { 1.0 })
        .with("y", |row, _| (row as f64).sin());
    let error = fit(&joint(text, &data), &short(), 1, 1, &Silent).unwrap_err();
    assert_eq!(error.reason, "not_finite_start");
    assert!(error.problem.contains("`id` s42 "), "{error}");
    assert!(error.place.unwrap().contains("row 84, `y`"));
}

/// The mean of `y` pulls `a` to five, where the density of `v` does not exist.
#[test]
fn checked_steps_go_no_further_than_the_border_of_the_densities() {
    let text = "
        fixed a = 1
        fixed o = positive(0.3)
        random e ~ normal(0, o) | id
        y ~ normal(a + e, 0.5)
        v ~ custom(1e-9 * log(x * (3 - a)))";
    let data = Data::new(20, |_| 3)
        .with("x", |_, _| 1.0)
        .with("y", |row, _| 5.0 + (row as f64).sin())
        .with("v", |_, i| if i > 11 { 1.0 } else { f64::NAN });
    for acceleration in [true, false] {
        let options = SaemOptions {
            acceleration,
            ..short()
        };
        let fit = fit(&joint(text, &data), &options, 1, 1, &Silent).unwrap();
        assert!(2.9 < fit.theta[0] && fit.theta[0] < 3.0, "{:?}", fit.theta);
        assert!(fit.trace.objective.iter().all(|q| q.is_finite()));
    }
}

fn fit_request(text: &str) -> String {
    let mut request = request_json("fit", text, &data());
    let schedule = serde_json::json!({"exploration": 10, "smoothing": 10});
    request["method"] = serde_json::json!({"name": "saem", "schedule": schedule});
    sent(&request)
}

fn entry<'a>(value: &'a ReplyValue, name: &str) -> &'a ReplyValue {
    let ReplyValue::List(entries) = value else {
        panic!("not a list")
    };
    let found = entries.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no `{name}`")).1
}

fn status(answer: &ReplyValue) -> &str {
    match entry(entry(answer, "status"), "code") {
        ReplyValue::Text(code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_for_a_fit_is_answered_in_full() {
    let answer =
        nlmers_core::request::run(&fit_request(MODEL), data().request_columns(), &Silent).unwrap();
    for name in [
        "effects",
        "individual",
        "fitted",
        "parameters",
        "covariance",
        "trace",
        "acceptance",
    ] {
        assert!(
            matches!(entry(&answer, name), ReplyValue::List(_)),
            "{name}"
        );
    }
    assert!(
        matches!(entry(entry(&answer, "log_lik"), "value"), ReplyValue::Number(x) if x.is_finite())
    );
    assert_eq!(
        entry(&answer, "n_subjects"),
        &ReplyValue::Integers(vec![150])
    );
}

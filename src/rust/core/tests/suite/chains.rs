//! What else chains give: states, predictions, mixed emissions, errors, a fit.

use crate::common::chains::{in_time, log_liks, normal_density, over_paths, ragged, with_head};
use crate::common::data::{Data, Generator};
use crate::common::numeric::assert_close;
use crate::common::{joint, likelihood, model_error, problem, request_json, sent, try_problem};
use nlmers_core::monitor::Silent;
use nlmers_core::problem::Given;
use nlmers_core::reply::ReplyValue;
use nlmers_core::request::run;
use nlmers_core::saem::{fit, FitStatus, SaemOptions};

#[test]
fn case_18_smoothed_probabilities_of_the_states_are_those_of_the_paths() {
    let text = with_head(
        "y ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), bernoulli(c(0.9, 0.2) + 0 * e), c(0.6, 0.4))",
    );
    let data = ragged(80, |draw, _| draw.below(2) as f64);
    let problem = problem(&text, &data);
    let theta = problem.theta.start.clone();
    let found = likelihood::state_probabilities(&problem, &theta, &[0.0; 80], 2);
    let y = data.column("y");
    for i in 0..80 {
        let rows = in_time(&data, i);
        let steps = vec![vec![0.85, 0.15, 0.25, 0.75]; rows.len()];
        let (_, exact) = over_paths(&steps, &[0.6, 0.4], |row, s| {
            let (y, p) = (y[rows[row].0], [0.9, 0.2][s]);
            match y {
                1.0 => p,
                0.0 => 1.0 - p,
                _ => 1.0,
            }
        });
        for (row, (record, _)) in rows.iter().enumerate() {
            for (s, found) in found.iter().enumerate() {
                let what = format!("subject {i}, row {row}, state {s}");
                assert_close(found[*record], exact[row][s], 1e-13, &what);
            }
        }
    }
}

#[test]
fn what_is_predicted_is_the_mean_given_the_outcomes_before() {
    let text = with_head(
        "y ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), list(normal(e, 1), lognormal(th, 0.5)), c(0.6, 0.4))",
    );
    let data = Data::new(2, |_| 2).with("y", |row, _| if row % 2 == 0 { 0.7 } else { f64::NAN });
    let problem = problem(&text, &data);
    let found = likelihood::predicted(&problem, &problem.theta.start, &[0.2, 0.2]);
    let means = [0.2, (0.3f64 + 0.125).exp()];
    let q = [0.6 * 0.85 + 0.4 * 0.25, 0.6 * 0.15 + 0.4 * 0.75];
    let densities = [
        normal_density(0.7, 0.2, 1.0),
        normal_density(0.7f64.ln(), 0.3, 0.5) / 0.7,
    ];
    let w = [q[0] * densities[0], q[1] * densities[1]];
    let p = [w[0] / (w[0] + w[1]), w[1] / (w[0] + w[1])];
    let next = [p[0] * 0.85 + p[1] * 0.25, p[0] * 0.15 + p[1] * 0.75];
    for (row, q) in [q, next].iter().enumerate() {
        let exact = q[0] * means[0] + q[1] * means[1];
        assert_close(found[row], exact, 1e-12, "prediction");
    }
}

#[test]
fn families_mix_and_emissions_may_be_censored() {
    let chain = |emissions: &str| {
        with_head(&format!(
            "y ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), {emissions}, c(0.6, 0.4))"
        ))
    };
    let data = Data::new(2, |_| 1).with("y", |_, i| [-0.5, 0.5][i]);
    let q = [0.6 * 0.85 + 0.4 * 0.25, 0.6 * 0.15 + 0.4 * 0.75];
    let mixed = problem(&chain("list(normal(e, 1), exponential(2))"), &data);
    let found = log_liks(&mixed, &[0.0; 2]);
    let normal = q[0] * normal_density(0.5, 0.0, 1.0);
    assert_close(found[0], normal.ln(), 1e-13, "below zero");
    assert_close(
        found[1],
        (normal + q[1] * 0.5 * (-0.25f64).exp()).ln(),
        1e-13,
        "above zero",
    );
    let censored = problem(&chain("censored(normal(c(0, 1) + e, 1), lower = 0)"), &data);
    let found = log_liks(&censored, &[0.0; 2]);
    let below = q[0] * 0.5 + q[1] * 0.158_655_253_931_457_05;
    assert_close(found[0], below.ln(), 1e-12, "at the bound");
}

#[test]
fn a_chain_beside_effects_of_another_grouping_is_refused() {
    let error = model_error(
        "fixed th = 0.3
        fixed o = positive(0.5)
        random e ~ normal(0, o) | id
        random k ~ normal(0, o) | id:occ
        y ~ hmm(rbind(c(0.9, 0.1), c(0, 1)), bernoulli(plogis(c(0.5, e + k))), c(0.5, 0.5))",
    );
    assert_eq!(error.reason, "chain_grouping");
    assert!(error.to_string().contains("id:occ"), "{error}");
}

#[test]
fn wrong_chains_are_refused() {
    let reason = |rest: &str| model_error(&with_head(rest)).reason;
    assert_eq!(
        reason("y ~ hmm(rbind(c(0.9, 0.2), c(0, 1)), bernoulli(c(0.5, plogis(e))), c(0.5, 0.5))"),
        "no_probabilities"
    );
    assert_eq!(
        reason("y ~ hmm(rbind(c(0.9, 0.1), c(0, 1)), bernoulli(c(0.5, plogis(e))), c(0.5, 0.4))"),
        "no_probabilities"
    );
    assert_eq!(
        reason("y ~ hmm(rbind(c(0.9, 0.1), c(0, 1)), list(normal(e, 1)), c(0.5, 0.5))"),
        "wrong_shape"
    );
    assert_eq!(
        reason("y ~ hmm(rbind(c(0.9, 0.1), c(0, 1)), list(normal(e, 1), poisson(1)), c(0.5, 0.5))"),
        "mixed_support"
    );
    assert_eq!(
        reason("y ~ hmm(c(0.9, 0.1), normal(c(e, 1), 1), c(0.5, 0.5))"),
        "wrong_shape"
    );
    assert_eq!(
        reason("y ~ continuous_time_markov(rbind(c(0, -1), c(exp(e), 0)), c(0.5, 0.5))"),
        "negative_rate"
    );
    let text = with_head("y ~ continuous_time_markov(rbind(c(0, 1), c(exp(e), 0)), c(0.5, 0.5))");
    let data = Data::new(2, |_| 2).with("y", |row, _| 1.0 + (row % 2) as f64);
    let error = try_problem(&text, &data, &Given::default()).unwrap_err();
    assert_eq!(error.reason, "no_time");
    let wrong = data
        .with("y", |_, _| 3.0)
        .with("t", |row, _| row as f64)
        .timed("t");
    let error = try_problem(&text, &wrong, &Given::default()).unwrap_err();
    assert_eq!(error.reason, "outcome_outside_support");
}

const FITTED: &str = "
    fixed low = 0
    fixed gap = positive(2)
    fixed stay = probability(0.7, 0.7)
    fixed o = positive(0.7)
    fixed s = positive(1)
    random e ~ normal(low, o) | id
    y ~ hmm(rbind(c(stay[1], 1 - stay[1]), c(1 - stay[2], stay[2])), normal(c(e, e + gap), s), c(0.5, 0.5))";

/// 100 subjects with 20 rows each, one in ten missing; true theta of `FITTED`.
fn simulated(seed: u64) -> (Data, Vec<f64>) {
    let mut draw = Generator(seed);
    let truth = [1.0, 3.0, 0.9, 0.8, 0.5, 0.6];
    let mut y = Vec::new();
    for _ in 0..100 {
        let effect = truth[0] + truth[4] * draw.normal();
        let mut state = draw.below(2);
        for _ in 0..20 {
            if draw.uniform() > truth[2 + state] {
                state = 1 - state;
            }
            let value = effect + state as f64 * truth[1] + truth[5] * draw.normal();
            y.push(if draw.uniform() < 0.1 {
                f64::NAN
            } else {
                value
            });
        }
    }
    let data = Data::new(100, |_| 20).with("y", |row, _| y[row]);
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let [low, gap, a, b, o, s] = truth;
    (
        data,
        vec![low, gap.ln(), logit(a), logit(b), o.ln(), s.ln()],
    )
}

#[test]
fn saem_finds_a_hidden_chain_again() {
    let (data, truth) = simulated(4);
    let joint = joint(FITTED, &data);
    let found = fit(&joint, &SaemOptions::default(), 1, 1, &Silent).unwrap();
    assert_eq!(found.status, FitStatus::Converged, "{:?}", found.evidence);
    let covariance = found.covariance.as_ref().unwrap();
    for (k, name) in joint.theta.names.iter().enumerate() {
        let se = covariance[(k, k)].sqrt();
        let z = (found.theta[k] - truth[k]) / se;
        assert!(
            se > 0.0 && z.abs() < 3.0,
            "{name}: {} {} {se}",
            found.theta[k],
            truth[k]
        );
    }
}

/// Rows out of order, and a chain that can only alternate, so that every draw is known.
#[test]
fn simulated_chains_follow_each_subject_in_time() {
    let text = "
        fixed m = 3
        fixed o = positive(1e-9)
        random e ~ normal(m, o) | id
        y ~ hmm(rbind(c(0, 1), c(1, 0)), normal(c(0, e), 1e-9), c(1, 0))";
    let data = Data::new(5, |_| 6)
        .with("t", |row, _| [3.0, 0.0, 5.0, 1.0, 4.0, 2.0][row % 6])
        .with("y", |_, _| 0.5)
        .timed("t");
    let mut request = request_json("simulate", text, &data);
    request["nsim"] = serde_json::json!(2);
    let reply = run(&sent(&request), data.request_columns(), &Silent).unwrap();
    let ReplyValue::List(entries) = reply else {
        panic!("{reply:?}")
    };
    let Some((_, ReplyValue::Matrix { data: drawn, .. })) =
        entries.iter().find(|(n, _)| n == "value")
    else {
        panic!("{entries:?}")
    };
    let t = data.column("t");
    assert_eq!(drawn.len(), 60);
    for (row, y) in drawn.iter().enumerate() {
        let even = t[row % 30] % 2.0 == 0.0;
        assert!(
            (y - if even { 3.0 } else { 0.0 }).abs() < 1e-6,
            "{row}: {y}"
        );
    }
}

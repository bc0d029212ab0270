//! Times to events: cumulative hazards in closed form and by quadrature, repeated events, times of previous rows.

use crate::common::data::Data;
use crate::common::errors::{is, with_outcome};
use crate::common::numeric::{gradient, relative};
use crate::common::{data_error, likelihood, model_error, problem};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

const PARAMETERS: &str = "
    fixed k = positive(1.3)
    fixed b = 0.2
    fixed o = positive(0.5, 0.5)
    random e ~ normal(0, o) | id
    l <- exp(0.3 + sin(e[1]))
    r <- b + sin(e[2])";

/// A hazard of `l`, `k`, `r`, `x` and its integral from 0 to `t`.
type Curve = fn(f64, f64, f64, f64, f64) -> f64;

struct Hazard {
    text: &'static str,
    at: Curve,
    cumulative: Curve,
    /// Error of the integral.
    tolerance: f64,
}

fn hazards() -> Vec<Hazard> {
    let exact = |text, at, cumulative| Hazard {
        text,
        at,
        cumulative,
        tolerance: 1e-12,
    };
    let numeric = |text, at, cumulative| Hazard {
        text,
        at,
        cumulative,
        tolerance: 1e-9,
    };
    vec![
        exact(
            "event(l * x)",
            |l, _, _, x, _| l * x,
            |l, _, _, x, t| l * x * t,
        ),
        exact(
            "event(k / l * (t / l)^(k - 1))",
            |l, k, _, _, t| k / l * (t / l).powf(k - 1.0),
            |l, k, _, _, t| (t / l).powf(k),
        ),
        exact(
            "event(exp(log(k) - k * log(l) + (k - 1) * log(t) + b * x - b * x))",
            |l, k, _, _, t| k / l * (t / l).powf(k - 1.0),
            |l, k, _, _, t| (t / l).powf(k),
        ),
        exact(
            "event(l * exp(r * t + x) + 0.1)",
            |l, _, r, x, t| l * (r * t + x).exp() + 0.1,
            |l, _, r, x, t| l * x.exp() * (r * t).exp_m1() / r + 0.1 * t,
        ),
        exact(
            "event(l * exp(0 * b + (b - 0.2) * t))",
            |l, _, _, _, _| l,
            |l, _, _, _, t| l * t,
        ),
        exact(
            "event((l + x * t)^2 + l / sqrt(t) - 0.01 * t)",
            |l, _, _, x, t| (l + x * t).powi(2) + l / t.sqrt() - 0.01 * t,
            |l, _, _, x, t| {
                l * l * t + l * x * t * t + x * x * t.powi(3) / 3.0 + 2.0 * l * t.sqrt()
                    - 0.005 * t * t
            },
        ),
        exact(
            "event(l * 1.5^(k * t))",
            |l, k, _, _, t| l * 1.5f64.powf(k * t),
            |l, k, _, _, t| l * (1.5f64.powf(k * t) - 1.0) / (k * 1.5f64.ln()),
        ),
        numeric(
            "event(l / (1 + t))",
            |l, _, _, _, t| l / (1.0 + t),
            |l, _, _, _, t| l * t.ln_1p(),
        ),
        numeric(
            "event(l * (1 + sin(k * t)))",
            |l, k, _, _, t| l * (1.0 + (k * t).sin()),
            |l, k, _, _, t| l * (t + (1.0 - (k * t).cos()) / k),
        ),
        numeric(
            "event(l * t * exp(-k * t))",
            |l, k, _, _, t| l * t * (-k * t).exp(),
            |l, k, _, _, t| l * (1.0 - (1.0 + k * t) * (-k * t).exp()) / (k * k),
        ),
    ]
}

/// Two subjects, in no order of time; the first has a missing outcome in between and an event at two times, the second
/// one censored row and one at time zero.
fn data() -> Data {
    let times = [1.5, 0.6, 0.9, 2.0, 2.5, 0.0];
    let values = [1.0, 0.0, f64::NAN, 1.0, 0.0, 0.0];
    Data {
        subject: vec![0, 0, 0, 0, 1, 1],
        ..Data::default()
    }
    .with("t", |row, _| times[row])
    .with("y", |row, _| values[row])
    .with("x", |row, _| 0.5 + 0.25 * row as f64)
    .timed("t")
}

const PHI: [f64; 4] = [0.2, 0.5, -0.3, -0.6];

fn values(problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    likelihood::values(Isa::detect(), problem, theta, phi)
}

#[test]
fn the_log_likelihood_is_that_of_the_cumulative_hazard() {
    for hazard in hazards() {
        let problem = problem(&format!("{PARAMETERS}\ny ~ {}", hazard.text), &data());
        let theta = problem.theta.start.clone();
        let found = values(&problem, &theta, &PHI);
        // Subject, row, from, to, event.
        let rows = [
            (0, 1, 0.0, 0.6, false),
            (0, 0, 0.6, 1.5, true),
            (0, 3, 1.5, 2.0, true),
            (1, 5, 0.0, 0.0, false),
            (1, 4, 0.0, 2.5, false),
        ];
        let mut hand = [0.0; 2];
        for (i, row, from, to, event) in rows {
            let (l, r) = ((0.3 + PHI[2 * i].sin()).exp(), 0.2 + PHI[2 * i + 1].sin());
            let x = 0.5 + 0.25 * f64::from(row);
            let cumulative = |t| (hazard.cumulative)(l, 1.3, r, x, t);
            let rate = (hazard.at)(l, 1.3, r, x, to);
            hand[i] += if event { rate.ln() } else { 0.0 } - cumulative(to) + cumulative(from);
        }
        for (a, b) in found.iter().zip(hand) {
            let error = relative(*a, b, 1.0);
            assert!(
                error < hazard.tolerance,
                "{}: {found:?} {hand:?}",
                hazard.text
            );
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_value() {
    for hazard in hazards() {
        let problem = problem(&format!("{PARAMETERS}\ny ~ {}", hazard.text), &data());
        let theta = problem.theta.start.clone();
        for isa in Isa::available() {
            let what = format!("{} {isa:?}", hazard.text);
            let found = likelihood::gradient_phi(isa, &problem, &theta, &PHI);
            let slope = gradient(&PHI, 1e-3, |phi| values(&problem, &theta, phi).iter().sum());
            for (a, b) in found.iter().zip(&slope) {
                assert!(
                    relative(*a, *b, 1.0) < 1e-7,
                    "{what} phi: {found:?} {slope:?}"
                );
            }
            let found = likelihood::gradient_theta(isa, &problem, &theta, &PHI);
            let slope = gradient(&theta, 1e-3, |theta| {
                values(&problem, theta, &PHI).iter().sum()
            });
            for (a, b) in found.iter().zip(&slope) {
                assert!(
                    relative(*a, *b, 1.0) < 1e-7,
                    "{what} theta: {found:?} {slope:?}"
                );
            }
        }
    }
}

/// A rate of zero is a value like any other.
#[test]
fn an_exponential_hazard_passes_zero() {
    let model = format!("{PARAMETERS}\ny ~ event(l * exp((b - 0.2) * t))");
    let problem = problem(&model, &data());
    let mut theta = problem.theta.start.clone();
    for step in [-1e-3, -1e-9, 0.0, 1e-9, 1e-3, 3e-2] {
        theta[1] = 0.2 + step;
        let found = values(&problem, &theta, &PHI);
        let slope = likelihood::gradient_theta(Isa::detect(), &problem, &theta, &PHI)[1];
        let l = [0, 1].map(|i| (0.3 + PHI[2 * i].sin()).exp());
        // int e^(s t) dt and int t e^(s t) dt by their series.
        let integral = |t: f64| t + step * t * t / 2.0 + step * step * t.powi(3) / 6.0;
        let moment = |t: f64| t * t / 2.0 + step * t.powi(3) / 3.0 + step * step * t.powi(4) / 8.0;
        let first = 2.0 * l[0].ln() + step * 3.5 - l[0] * integral(2.0);
        let second = -l[1] * integral(2.5);
        let expected = 3.5 - l[0] * moment(2.0) - l[1] * moment(2.5);
        let limit = 1e-12 + 30.0 * step.abs().powi(3);
        assert!(
            relative(found[0], first, 1.0) < limit,
            "{step}: {found:?} {first}"
        );
        assert!(
            relative(found[1], second, 1.0) < limit,
            "{step}: {found:?} {second}"
        );
        assert!(
            relative(slope, expected, 1.0) < 1e-9 + limit,
            "{step}: {slope} {expected}"
        );
    }
}

#[test]
fn what_an_event_needs() {
    let error = model_error(&with_outcome("t <- a\ny ~ event(exp(a + e) * s)"));
    is(
        &error,
        "name_used_twice",
        "y ~ event",
        "integrates the hazard over the time `t`",
        "another name",
    );
    let model = with_outcome("y ~ event(exp(a + e + s * tm))");
    let frame = Data::new(2, |_| 2)
        .with("t", |row, _| row as f64)
        .with("tm", |row, _| row as f64)
        .with("y", |row, _| (row % 2) as f64)
        .timed("tm");
    let error = data_error(&model, &frame);
    is(
        &error,
        "time_by_name",
        "y ~ event",
        "as the column `tm`",
        "Write `t`",
    );
    let model = with_outcome("y ~ event(exp(a + e + s * t))");
    let error = data_error(&model, &frame.clone().with("t", |row, _| row as f64 - 2.0));
    is(
        &error,
        "negative_time",
        "id s1, row 1",
        "The time is -2",
        "Shift the times",
    );
    let error = data_error(&model, &frame.clone().with("y", |_, _| 2.0));
    is(
        &error,
        "outcome_outside_support",
        "row 1",
        "it must be 0 or 1",
        "NA",
    );
}

//! Every family of outcomes: its density against a formula, its mass, its gradients, its expected information.
//!
//! Each value of the outcome is a subject of its own, so that one evaluation gives the density at all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::data::Data;
use common::numeric::relative;
use common::{likelihood, problem};
use nlmers_core::ir::vmath::{gamma, lgamma, Isa};
use nlmers_core::problem::Problem;

fn lg(x: f64) -> f64 {
    lgamma::<false>(x)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Where the outcome lives, as a transform of a number near zero.
#[derive(Clone, Copy)]
enum Space {
    Line,
    Half,
    Unit,
    Whole { from: usize, to: usize },
}

struct Family {
    /// The statement in `A`, `B`, `C` of `PARAMETERS`.
    statement: &'static str,
    /// Log density at `y` given `A`, `B`, `C`.
    log_density: fn(f64, [f64; 3]) -> f64,
    mean: Option<fn([f64; 3]) -> f64>,
    space: Space,
    /// Error of the integrals: more where the density has a kink.
    tolerance: f64,
}

const PARAMETERS: &str = "
    fixed th = 0.4
    fixed o = positive(0.5, 0.5, 0.5)
    random e ~ normal(0, o) | id
    A <- exp(th + sin(e[1]))
    B <- exp(sin(e[2]) - 0.3)
    C <- 0.8 + sin(e[3])";

fn arguments(theta: f64, phi: [f64; 3]) -> [f64; 3] {
    // The sine keeps the program from changing the variable to mean + effect.
    let [a, b, c] = phi.map(f64::sin);
    [(theta + a).exp(), (b - 0.3).exp(), 0.8 + c]
}

fn continuous() -> Vec<Family> {
    let family = |statement, log_density, mean, space| Family {
        statement,
        log_density,
        mean,
        space,
        tolerance: if statement == "laplace(C, A)" {
            1e-3
        } else {
            1e-7
        },
    };
    vec![
        family(
            "student_t(4 + A, C, B)",
            |y, [a, b, c]| {
                let (df, z) = (4.0 + a, (y - c) / b);
                lg((df + 1.0) / 2.0)
                    - lg(df / 2.0)
                    - 0.5 * (df * std::f64::consts::PI).ln()
                    - b.ln()
                    - (df + 1.0) / 2.0 * (z * z / df).ln_1p()
            },
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "laplace(C, A)",
            |y, [a, _, c]| -(y - c).abs() / a - (2.0 * a).ln(),
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "logistic(C, A)",
            |y, [a, _, c]| {
                let z = (y - c) / a;
                logistic(z).ln() + logistic(-z).ln() - a.ln()
            },
            Some(|[_, _, c]| c),
            Space::Line,
        ),
        family(
            "gamma(A, B)",
            |y, [a, b, _]| (a - 1.0) * y.ln() - y / b - a * b.ln() - lg(a),
            Some(|[a, b, _]| a * b),
            Space::Half,
        ),
        family(
            "exponential(A)",
            |y, [a, _, _]| -y / a - a.ln(),
            Some(|[a, _, _]| a),
            Space::Half,
        ),
        family(
            "weibull(A, B)",
            |y, [a, b, _]| (a / b * (y / b).powf(a - 1.0)).ln() - (y / b).powf(a),
            Some(|[a, b, _]| b * gamma::<false>(1.0 + 1.0 / a)),
            Space::Half,
        ),
        family(
            "beta(A, 1 + B)",
            |y, [a, b, _]| {
                (a - 1.0) * y.ln() + b * (1.0 - y).ln() + lg(a + b + 1.0) - lg(a) - lg(b + 1.0)
            },
            Some(|[a, b, _]| a / (a + b + 1.0)),
            Space::Unit,
        ),
    ]
}

fn choose(n: f64, y: f64) -> f64 {
    lg(n + 1.0) - lg(y + 1.0) - lg(n - y + 1.0)
}

fn discrete() -> Vec<Family> {
    let family = |statement, log_density, mean, to| Family {
        statement,
        log_density,
        mean,
        space: Space::Whole {
            from: usize::from(statement.starts_with('c') || statement.starts_with('o')),
            to,
        },
        tolerance: 1e-9,
    };
    vec![
        family(
            "poisson(A)",
            |y, [a, _, _]| y * a.ln() - a - lg(y + 1.0),
            Some(|[a, _, _]| a),
            60,
        ),
        family(
            "bernoulli(plogis(C))",
            |y, [_, _, c]| (if y == 1.0 { logistic(c) } else { logistic(-c) }).ln(),
            Some(|[_, _, c]| logistic(c)),
            1,
        ),
        family(
            "binomial(9, plogis(C))",
            |y, [_, _, c]| choose(9.0, y) + y * logistic(c).ln() + (9.0 - y) * logistic(-c).ln(),
            Some(|[_, _, c]| 9.0 * logistic(c)),
            9,
        ),
        family(
            "binomial(9, 0.1 * A)",
            |y, [a, _, _]| choose(9.0, y) + y * (0.1 * a).ln() + (9.0 - y) * (1.0 - 0.1 * a).ln(),
            Some(|[a, _, _]| 0.9 * a),
            9,
        ),
        family(
            "neg_binomial(A, 1.7)",
            |y, [a, _, _]| {
                lg(y + 1.7) - lg(1.7) - lg(y + 1.0)
                    + 1.7 * (1.7 / (1.7 + a)).ln()
                    + y * (a / (1.7 + a)).ln()
            },
            Some(|[a, _, _]| a),
            200,
        ),
        family(
            "categorical(c(A, 2 * B, 1))",
            |y, [a, b, _]| [a, 2.0 * b, 1.0][y as usize - 1].ln() - (a + 2.0 * b + 1.0).ln(),
            None,
            3,
        ),
        family(
            "ordered(C, c(-1, -1 + A, -1 + A + B))",
            |y, [a, b, c]| {
                let cuts = [f64::NEG_INFINITY, -1.0, a - 1.0, a + b - 1.0, f64::INFINITY];
                let k = y as usize;
                (logistic(cuts[k] - c) - logistic(cuts[k - 1] - c)).ln()
            },
            Some(|[a, b, c]| {
                [-1.0, a - 1.0, a + b - 1.0]
                    .iter()
                    .map(|cut| logistic(c - cut))
                    .sum::<f64>()
                    + 1.0
            }),
            4,
        ),
        family(
            "ordered(C, B)",
            |y, [_, b, c]| logistic((b - c) * (3.0 - 2.0 * y)).ln(),
            None,
            2,
        ),
    ]
}

fn families() -> Vec<Family> {
    continuous().into_iter().chain(discrete()).collect()
}

/// Values of the outcome and their weights in a sum that stands for the integral.
fn grid(space: Space) -> (Vec<f64>, Vec<f64>) {
    // The kink at 0.8 lies in the middle between two points.
    let steps = |h: f64, n: i32| (-n..=n).map(move |k| f64::from(k) * h);
    match space {
        Space::Line => steps(0.02, 700)
            .map(|t| t + 0.01)
            .map(|t| (0.8 + t.sinh(), 0.02 * t.cosh()))
            .unzip(),
        Space::Half => steps(0.04, 1500).map(|t| (t.exp(), 0.04 * t.exp())).unzip(),
        Space::Unit => steps(0.02, 1700)
            .map(|t| (logistic(t), 0.02 * logistic(t) * logistic(-t)))
            .filter(|(y, _)| *y < 1.0)
            .unzip(),
        Space::Whole { from, to } => (from..=to).map(|k| (k as f64, 1.0)).unzip(),
    }
}

fn setting(family: &Family, values: &[f64]) -> Problem {
    let data = Data::new(values.len(), |_| 1).with("y", |row, _| values[row]);
    problem(&format!("{PARAMETERS}\ny ~ {}\n", family.statement), &data)
}

fn repeated(phi: [f64; 3], n: usize) -> Vec<f64> {
    phi.iter().copied().cycle().take(3 * n).collect()
}

const POINTS: [[f64; 3]; 3] = [[0.0, 0.0, 0.0], [0.7, -0.4, 0.0], [-0.5, 0.6, 0.0]];

#[test]
fn densities_are_those_of_the_formulas() {
    for family in families() {
        let (values, _) = grid(family.space);
        let values: Vec<f64> = values.into_iter().filter(|y| y.abs() < 40.0).collect();
        let problem = setting(&family, &values);
        for phi in POINTS.into_iter().chain([[0.3, 0.2, -0.9]]) {
            let moved = repeated(phi, values.len());
            let theta = &problem.theta.start;
            let found = likelihood::values(Isa::detect(), &problem, theta, &moved);
            for (value, y) in found.iter().zip(&values) {
                let hand = (family.log_density)(*y, arguments(0.4, phi));
                let error = relative(*value, hand, 1.0);
                // The formula loses digits where a probability is nearly one.
                assert!(error < 1e-9, "{} at {y}: {value} {hand}", family.statement);
            }
        }
    }
}

#[test]
fn masses_are_one_and_means_are_those_predicted() {
    for family in families() {
        let (values, weights) = grid(family.space);
        let problem = setting(&family, &values);
        for phi in POINTS {
            let moved = repeated(phi, values.len());
            let theta = &problem.theta.start;
            let logs = likelihood::values(Isa::detect(), &problem, theta, &moved);
            let mass: Vec<f64> = logs
                .iter()
                .zip(&weights)
                .map(|(l, w)| l.exp() * w)
                .collect();
            let total: f64 = mass.iter().sum();
            let what = family.statement;
            assert!((total - 1.0).abs() < family.tolerance, "{what}: {total}");
            if let Some(mean) = family.mean {
                let sum: f64 = mass.iter().zip(&values).map(|(m, y)| m * y).sum();
                let expected = mean(arguments(0.4, phi));
                assert!(
                    relative(sum, expected, 1.0) < family.tolerance,
                    "{what}: {sum} {expected}"
                );
            }
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_value() {
    for family in families() {
        let (values, _) = grid(family.space);
        let values: Vec<f64> = values.into_iter().filter(|y| y.abs() < 30.0).collect();
        let problem = setting(&family, &values);
        let theta = problem.theta.start.clone();
        for isa in Isa::available() {
            let phi = [0.35, -0.2, 0.013];
            let gradient =
                likelihood::gradient_phi(isa, &problem, &theta, &repeated(phi, values.len()));
            for k in 0..3 {
                let side = |step: f64| {
                    let mut moved = phi;
                    moved[k] += step * 1e-3;
                    likelihood::values(isa, &problem, &theta, &repeated(moved, values.len()))
                };
                let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(side);
                for (i, y) in values.iter().enumerate() {
                    let slope = (8.0 * (c[i] - b[i]) - (d[i] - a[i])) / 12e-3;
                    let error = relative(gradient[3 * i + k], slope, 1.0);
                    let what = family.statement;
                    assert!(
                        error < 1e-6,
                        "{what} {isa:?} at {y}, {k}: {slope} {error:.1e}"
                    );
                }
            }
            let moved = repeated(phi, values.len());
            let found = likelihood::gradient_theta(isa, &problem, &theta, &moved);
            let slope = common::numeric::gradient(&theta, 1e-3, |theta| {
                likelihood::values(isa, &problem, theta, &moved)
                    .iter()
                    .sum()
            });
            for (a, b) in found.iter().zip(&slope) {
                assert!(
                    relative(*a, *b, 1.0) < 1e-6,
                    "{} theta: {a} {b}",
                    family.statement
                );
            }
        }
    }
}

/// The mean of the products of scores, summed over the values of the outcome.
#[test]
fn expected_information_is_the_variance_of_the_score() {
    for family in families() {
        let (values, weights) = grid(family.space);
        let problem = setting(&family, &values);
        assert!(problem.programs.has_information, "{}", family.statement);
        let theta = &problem.theta.start;
        for phi in POINTS {
            let moved = repeated(phi, values.len());
            let isa = Isa::detect();
            let logs = likelihood::values(isa, &problem, theta, &moved);
            let scores = likelihood::gradient_phi(isa, &problem, theta, &moved);
            let found = likelihood::information(isa, &problem, theta, &moved);
            let mut expected = [0.0; 6];
            for (i, (log, weight)) in logs.iter().zip(&weights).enumerate() {
                let s = &scores[3 * i..3 * i + 3];
                let pairs = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
                for (sum, (j, k)) in expected.iter_mut().zip(pairs) {
                    let mass = log.exp() * weight;
                    *sum += if mass > 0.0 { mass * s[j] * s[k] } else { 0.0 };
                }
            }
            for (a, b) in found[0].iter().zip(expected) {
                let error = relative(*a, b, 0.1);
                let limit = 100.0 * family.tolerance;
                assert!(
                    error < limit,
                    "{}: {:?} {expected:?}",
                    family.statement,
                    found[0]
                );
            }
        }
    }
}

#[test]
fn an_individual_size_of_a_negative_binomial_has_no_known_information() {
    let family = Family {
        statement: "neg_binomial(A, B)",
        log_density: |_, _| 0.0,
        mean: None,
        space: Space::Line,
        tolerance: 0.0,
    };
    assert!(!setting(&family, &[0.0, 1.0]).programs.has_information);
}

/// Digits far out, where the probability itself is 0 or 1 in double precision.
#[test]
fn tails_keep_their_digits() {
    let cases: [(&str, f64, f64); 6] = [
        ("bernoulli(plogis(C + 800))", 0.0, -800.8),
        ("ordered(C - 500, c(-1, 2))", 3.0, -501.2),
        (
            "ordered(C + 700, c(-1, 2))",
            2.0,
            -698.8 + (1.0 - (-3.0f64).exp()).ln(),
        ),
        ("logistic(C - 900, 1)", 0.8, -900.0),
        (
            "student_t(3, C, 1e-60)",
            1.8,
            lg(2.0) - lg(1.5) - 0.5 * (3.0 * std::f64::consts::PI).ln() + 60.0 * 10.0f64.ln()
                - 2.0 * ((120.0 * 10.0f64.ln()) - 3.0f64.ln()),
        ),
        (
            "neg_binomial(2, 1e15)",
            5.0,
            5.0 * 2.0f64.ln() - 2.0 - lg(6.0),
        ),
    ];
    for (statement, y, expected) in cases {
        let family = Family {
            statement,
            log_density: |_, _| 0.0,
            mean: None,
            space: Space::Line,
            tolerance: 0.0,
        };
        let problem = setting(&family, &[y, y]);
        let theta = &problem.theta.start;
        let found = likelihood::values(Isa::detect(), &problem, theta, &[0.0; 6])[0];
        assert!(
            relative(found, expected, 0.0) < 1e-11,
            "{statement}: {found} {expected}"
        );
    }
}

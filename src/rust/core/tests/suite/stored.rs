//! The problem that reads stored values gives what the original gives, at any `theta`, and computes less.

use crate::common;
use std::sync::Arc;

use crate::common::data::{Data, Generator};
use crate::common::numeric::relative;
use crate::common::{asked, groups, problem, problem_with_fixed, request_json};
use nlmers_core::data::Layout;
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::op::{Binary, Unary};
use nlmers_core::ir::tape::{Instruction, TapeCode};
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{
    BoundProgram, DerivativeScratch, Derivatives, Given, Joint, Known, Means, Problem, Route,
    Stored,
};

const COPIES: usize = 5;

/// One-compartment model with first-order absorption; what follows is the residual error.
const THEOPHYLLINE: &str = "
    fixed tka = 0.45
    fixed tcl = -3.2
    fixed tv = -0.7
    fixed omega = positive(0.6, 0.3, 0.2)
    fixed a = positive(0.7)
    fixed b = positive(0.2)
    random eta ~ normal(c(tka, tcl, tv), omega) | id
    ka <- exp(eta[1])
    k <- exp(eta[2] - eta[3])
    f <- dose * ka / (exp(eta[3]) * (ka - k)) * (exp(-k * t) - exp(-ka * t))
    ";

/// 14 subjects with 1 to 8 rows: more lanes than one block has.
fn data() -> Data {
    let mut draw = Generator(5);
    let mut missing = 0;
    Data::new(14, |i| 1 + (i * 3) % 8)
        .with("t", |row, _| 0.3 + 1.7 * (row % 8) as f64)
        .with("dose", |_, i| 4.0 + 0.2 * i as f64)
        .with("wt", |_, i| 55.0 + 3.0 * i as f64)
        .with("x", |row, _| (row as f64 * 1.3).sin())
        .with("y", |_, _| {
            missing += 1;
            let y = (1.2 + 0.5 * draw.normal()).exp();
            if missing % 9 == 0 {
                f64::NAN
            } else {
                y
            }
        })
        .with("n", |row, _| ((row * 5) % 4) as f64)
}

/// Draws about the means, other ones in every lane.
fn draws(problem: &Problem, layout: &Layout) -> Vec<Vec<Column>> {
    let means = Means::new(problem, layout, &problem.theta.start);
    let mut draw = Generator(11);
    let mut column = |lanes: &[nlmers_core::data::Lane], k: usize| {
        Column(std::array::from_fn::<f64, LANES, _>(|l| {
            let lane = lanes.get(l).unwrap_or(&lanes[0]);
            means.of(lane.subject as usize)[k] + 0.3 * draw.normal()
        }))
    };
    let blocks = layout.blocks.iter();
    let each = blocks.map(|b| {
        (0..problem.n_phi())
            .map(|k| column(&b.lanes, k))
            .collect::<Vec<Column>>()
    });
    each.collect()
}

/// Log-likelihoods of the lanes by both programs, and the gradient of their sum in `theta`.
fn pass(
    problem: &Problem,
    layout: &Layout,
    known: &Arc<Vec<Known>>,
    theta: &[f64],
    phi: &[Vec<Column>],
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut values = BoundProgram::new(problem, layout, &problem.programs.likelihood);
    let mut derivatives = Derivatives::new(problem, layout, &problem.programs.theta);
    values.set_known(known.clone());
    derivatives.set_known(known.clone());
    values.prepare(theta);
    derivatives.prepare(theta);
    let (mut plain, mut swept) = (Vec::new(), Vec::new());
    let mut sums = vec![0.0; derivatives.n_population()];
    let (mut work, mut scratch) = (Vec::new(), DerivativeScratch::default());
    for (b, phi) in phi.iter().enumerate() {
        let used = layout.blocks[b].lanes.len();
        plain.extend(&values.log_lik(b, phi, &mut work).0[..used]);
        let (value, adjoints) = derivatives.population_adjoints(b, phi, &mut scratch);
        swept.extend(&value.0[..used]);
        for (sum, adjoint) in sums.iter_mut().zip(adjoints) {
            *sum += adjoint.0[..used].iter().sum::<f64>();
        }
    }
    let gradient = derivatives.to_theta(theta, &sums);
    (plain, swept, gradient)
}

fn free(problem: &Problem) -> Vec<usize> {
    let routes = &problem.theta.routes;
    let all = 0..problem.theta.len();
    all.filter(|k| routes[*k] != Route::Fixed).collect()
}

/// The same lanes, the same gradient in the free coordinates; the layout is the original's.
fn agrees(original: &Problem, stored: &Stored) {
    let layout = original.layout(COPIES);
    let phi = draws(original, &layout);
    let start = &original.theta.start;
    let known = Arc::new(stored.columns(&layout, start, &phi, &Workers::new(2).unwrap()));
    for step in [0.0, 0.2, -0.35] {
        let mut theta = start.clone();
        for (i, k) in free(original).into_iter().enumerate() {
            theta[k] += step * (1.0 + 0.3 * i as f64);
        }
        let (plain, swept, gradient) = pass(original, &layout, &Arc::default(), &theta, &phi);
        let (found, by_sweep, slope) = pass(&stored.problem, &layout, &known, &theta, &phi);
        assert_eq!(found.len(), COPIES * original.n_subjects());
        for (l, value) in plain.iter().enumerate() {
            assert!(value.is_finite(), "lane {l}");
            for (found, expected) in [(found[l], *value), (by_sweep[l], swept[l])] {
                let miss = relative(found, expected, 1e-3);
                assert!(
                    miss < 1e-13,
                    "lane {l} at {step}: {found} {expected} {miss:.1e}"
                );
            }
        }
        for k in free(original) {
            let (found, expected) = (slope[k], gradient[k]);
            let name = &original.theta.names[k];
            let miss = relative(found, expected, 1.0);
            assert!(
                miss < 1e-12,
                "{name} at {step}: {found} {expected} {miss:.1e}"
            );
        }
    }
}

/// The problem with stored values, which must agree.
fn stored(original: &Problem) -> Stored {
    let stored = Stored::new(original).expect("something to store");
    agrees(original, &stored);
    stored
}

fn theophylline(residual: &str) -> Problem {
    problem(&format!("{THEOPHYLLINE}{residual}"), &data())
}

fn is_exponential(instruction: &Instruction) -> bool {
    matches!(
        instruction.code,
        TapeCode::Unary(Unary::Exp) | TapeCode::Binary(Binary::ExpMul)
    )
}

/// Exponentials of a pass: in the likelihood and in the program for `theta`, subject and row.
fn exponentials(problem: &Problem) -> [usize; 4] {
    let (likelihood, theta) = (&problem.programs.likelihood, &problem.programs.theta);
    [
        &likelihood.subject,
        &likelihood.row,
        &theta.subject,
        &theta.row,
    ]
    .map(|tape| tape.iter().filter(|i| is_exponential(i)).count())
}

/// Columns stored a subject and a row, by the first block.
fn widths(original: &Problem, stored: &Stored) -> (usize, usize) {
    let layout = original.layout(COPIES);
    let phi = draws(original, &layout);
    let theta = &original.theta.start;
    let known = stored.columns(&layout, theta, &phi, &Workers::single());
    let first = &known[0];
    (
        first.subject.len(),
        first.row.len() / layout.blocks[0].n_rows,
    )
}

#[test]
fn the_prediction_is_computed_once() {
    for residual in [
        "y ~ normal(f, a)",
        "y ~ normal(f, a + b * f)",
        "y ~ normal(f, sqrt(a^2 + b^2 * f^2))",
        "y ~ lognormal(log(f), b)",
        "y ~ student_t(4 + a, f, b)",
    ] {
        let original = theophylline(residual);
        assert!(
            exponentials(&original).iter().all(|n| *n >= 2),
            "{residual}"
        );
        let stored = stored(&original);
        assert_eq!(exponentials(&stored.problem), [0; 4], "{residual}");
        // What is stored waits for no preparation at a new theta.
        let likelihood = &stored.problem.programs.likelihood;
        assert!(likelihood.prepare_row.is_empty(), "{residual}");
        assert!(!likelihood.row.is_empty(), "{residual}");
    }
}

#[test]
fn what_costs_less_than_reading_is_not_stored() {
    let original = theophylline("y ~ normal(f, a + b * f)");
    // The residual is computed from the prediction.
    assert_eq!(widths(&original, &stored(&original)), (0, 1));
    // The root is not: it is stored beside what it is computed from.
    let original = theophylline("y ~ normal(f, a * sqrt(f) + b * f)");
    assert_eq!(widths(&original, &stored(&original)), (0, 2));
    let line = problem(
        "fixed m = 1
         fixed o = positive(0.5, 0.5)
         fixed s = positive(0.5)
         random e ~ normal(m, o) | id
         y ~ normal(e[1] + e[2] * t, s)",
        &data(),
    );
    assert!(Stored::new(&line).is_none());
}

#[test]
fn a_likelihood_without_theta_is_stored_whole() {
    let original = problem(
        "fixed m = 0.2
         fixed w = 0.3
         fixed o = positive(0.5)
         random e ~ normal(m + w * log(wt / 70), o) | id
         n ~ poisson(exp(e) * t)",
        &data(),
    );
    let stored = stored(&original);
    assert!(stored.problem.programs.theta.population.is_empty());
    // One addition to the total is left.
    assert_eq!(stored.problem.programs.likelihood.row.len(), 1);
}

#[test]
fn coefficients_inside_the_mean_are_computed_anew() {
    // One that goes over into the mean of the effect, one that does not.
    let original = problem(
        "fixed m = 0.2
         fixed w = 0.75
         fixed c = 0.1
         fixed o = positive(0.5)
         fixed s = positive(0.4)
         random e ~ normal(0, o) | id
         k <- exp(m + e) * (wt / 70)^w
         y ~ normal(5 * exp(-k * t) * (1 + c * x), s)",
        &data(),
    );
    let stored = stored(&original);
    assert_eq!(exponentials(&stored.problem), [0; 4]);
    let c = common::position(&original, "c");
    assert!(stored
        .problem
        .form
        .thetas_of(stored.problem.programs.theta.population.clone())
        .contains(&c));
}

#[test]
fn a_parameter_without_effect_leaves_the_rest_stored() {
    let text = format!("{THEOPHYLLINE}y ~ normal(f, a)").replace("exp(eta[1])", "exp(tka)");
    let original = problem(&text, &data());
    let stored = stored(&original);
    // exp(-k t) is stored; exp(-ka t) depends on theta alone.
    assert_eq!(exponentials(&stored.problem)[1], 0);
    assert!(stored
        .problem
        .programs
        .likelihood
        .prepare_row
        .iter()
        .any(is_exponential));
    let (subject, row) = widths(&original, &stored);
    assert!(subject >= 1 && row == 1, "{subject} {row}");
}

#[test]
fn fixed_parameters_are_stored_with_the_rest() {
    let text = "
        fixed m = 0.2
        fixed p = positive(1.3)
        fixed o = positive(0.5)
        fixed s = positive(0.4)
        random e ~ normal(m, o) | id
        y ~ normal(5 * exp(-(exp(e) * t)^p), s)";
    let original = problem(text, &data());
    let partly = stored(&original);
    assert!(exponentials(&partly.problem)[1] > 0);
    let original = problem_with_fixed(text, &data(), &["p"]);
    let stored = stored(&original);
    assert_eq!(exponentials(&stored.problem), [0; 4]);
    let population = stored.problem.programs.theta.population.clone();
    let p = common::position(&original, "p");
    assert!(!stored.problem.form.thetas_of(population).contains(&p));
}

#[test]
fn censored_outcomes() {
    let data = data()
        .with("y", |row, _| 2.0 + 0.3 * (row % 7) as f64)
        .with(".cens", |row, _| [0.0, 1.0, -1.0, 1.0][row % 4])
        .with(
            ".limit",
            |row, _| if row % 4 == 3 { 0.01 } else { f64::NAN },
        );
    for residual in ["y ~ normal(f, a)", "y ~ normal(f, a + b * f)"] {
        let model = format!("{THEOPHYLLINE}{residual}");
        let mut request = request_json("fit", &model, &data);
        request["model"]["censoring"] = true.into();
        let request = asked(&request).unwrap();
        let frame = request.frame(data.request_columns()).unwrap();
        let joint = Joint::new(&request.compiled().unwrap(), &frame, &Given::default());
        let original = joint.unwrap().parts.remove(0);
        let stored = stored(&original);
        assert!(exponentials(&stored.problem)[1] < exponentials(&original)[1]);
    }
}

#[test]
fn two_outcomes_and_effects_with_their_own_laws() {
    let text = "
         fixed m = 0.2
         fixed k = positive(1.4)
         fixed o = positive(0.5)
         fixed s = positive(0.4, 0.6)
         random e ~ normal(m, o) | id
         random g ~ exponential(k) | id
         f <- exp(-exp(e) * t)
         y ~ normal(5 * f + g, s[1] + 0.1 * g)
         n ~ neg_binomial(exp(f), s[2])";
    stored(&problem(text, &data()));
    let original = problem_with_fixed(text, &data(), &["k"]);
    let stored = stored(&original);
    // Without a free parameter, what effects say of themselves is stored once a subject.
    let [likelihood, _, theta, _] = exponentials(&stored.problem);
    assert_eq!((likelihood, theta), (0, 0));
    assert!(exponentials(&original)[0] > 0);
}

/// A covariance whose elements share a parameter moves by the program for `theta`.
#[test]
fn the_density_of_effects_stays() {
    let original = problem(
        "fixed m = 0.2
         fixed o = positive(0.5)
         fixed s = positive(0.4)
         random e ~ normal(m * exp(m), o) | id
         random d ~ normal(0, 2 * o) | id
         y ~ normal(exp(-exp(e) * t) + d, s)",
        &data(),
    );
    assert!(!original.programs.numeric.is_empty());
    stored(&original);
}

#[test]
fn carried_values_and_several_groupings_are_left_alone() {
    let chain = problem(
        "fixed m = 0.3
         fixed o = positive(0.5)
         random e ~ normal(m, o) | id
         n ~ hmm(rbind(c(0.85, 0.15), c(0.25, 0.75)), poisson(c(1, 3) * exp(e)), c(0.6, 0.4))",
        &data().timed("t"),
    );
    assert!(!chain.form.graph.carries().is_empty());
    assert!(Stored::new(&chain).is_none());
    let data = data();
    let others = (0..data.n_rows()).map(|row| row % 3).collect();
    let text = "
        fixed m = 0.2
        fixed o = positive(0.5, 0.3)
        fixed s = positive(0.4)
        random e ~ normal(m, o[1]) | id
        random d ~ normal(0, o[2]) | other
        y ~ normal(5 * exp(-exp(e) * t) + d, s)";
    let joint = groups::joint(
        text,
        &data,
        &[("id", data.subject.clone()), ("other", others)],
        &Given::default(),
    )
    .unwrap();
    assert!(joint.parts.iter().all(|part| Stored::new(part).is_none()));
}

//! mu-referencing: which spellings of a model are recognised, and that recognition never changes the likelihood.

use crate::common;
use crate::common::effects::{data, model, routes, text};
use crate::common::numeric::relative;
use crate::common::{problem, problem_with_fixed, route};
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::{Problem, Route};

/// The log-likelihood at the start by quadrature of 15 nodes.
fn log_lik(problem: &Problem) -> f64 {
    quadrature(problem, &problem.theta.start, 15)
        .unwrap()
        .log_lik
}

/// The same model with the effect read a second time, so that nothing is recognised.
fn unreferenced(lines: &str, effect: &str) -> Problem {
    let lines = lines.replace("f <-", "f0 <-");
    model(&format!("{lines}\nf <- f0 + 1e-300 * tanh({effect})"))
}

/// Spellings in which `e` is recognised, and the parameters of its mean.
const RECOGNISED: [(&str, &[&str]); 11] = [
    (
        "fixed a = positive(1.4)\nrandom e ~ normal(0, o) | id\nf <- exp(-a * exp(e) * t)",
        &["a"],
    ),
    (
        "fixed a = positive(1.4)\nrandom e ~ normal(0, o) | id\nf <- t / (-2 / (exp(e) * -a^2))",
        &["a"],
    ),
    (
        "fixed a = 0.4\nrandom e ~ normal(0, o) | id\nf <- exp(a + e) * t",
        &["a"],
    ),
    (
        "fixed a = 0.4\nrandom e ~ normal(0, o) | id\nf <- t * exp(e - 2 + a)",
        &["a"],
    ),
    (
        "fixed a = positive(1.4)\nrandom e ~ normal(0, o) | id\nf <- a * exp(e) * t",
        &["a"],
    ),
    (
        "fixed a = positive(1.4)\nfixed b = 0.75\nrandom e ~ normal(0, o) | id
         f <- a * (wt / 70)^b * exp(e) * t",
        &["a", "b"],
    ),
    (
        "fixed a = 0.4\nrandom e ~ normal(a, o) | id\nf <- exp(e) * t",
        &["a"],
    ),
    (
        "fixed a = 0.4\nfixed b = 0.01\nrandom e ~ normal(0, o) | id
         f <- exp(a + b * wt + e) * t",
        &["a", "b"],
    ),
    (
        "fixed a = 0.4\nrandom e ~ lognormal(a, o) | id\nf <- e * t",
        &["a"],
    ),
    (
        "fixed a = positive(1.4)\nrandom e ~ lognormal(0, o) | id\nf <- a * e * t",
        &["a"],
    ),
    (
        "fixed a = probability(0.4)\nrandom e ~ normal(0, o) | id\nf <- plogis(qlogis(a) + e) * t",
        &["a"],
    ),
];

const ALLOMETRY: &str = "
    fixed a = positive(1.4)
    fixed b = 0.75
    random e ~ normal(0, o) | id
    f <- a * (wt / 70)^b * exp(e) * t";

#[test]
fn every_spelling_of_a_sum_on_the_gaussian_scale_is_recognised() {
    for (lines, names) in RECOGNISED {
        let problem = model(lines);
        for name in names {
            assert_eq!(route(&problem, name), Route::Mean, "{name} in\n{lines}");
        }
        assert_eq!(
            routes(&problem, &["o", "s"]),
            [Route::Covariance, Route::Residual],
            "{lines}"
        );
    }
}

#[test]
fn recognition_leaves_the_likelihood_alone() {
    for (lines, names) in RECOGNISED {
        let effect = if lines.contains("lognormal") {
            "log(e)"
        } else {
            "e"
        };
        let (seen, unseen) = (model(lines), unreferenced(lines, effect));
        if !lines.contains("(a, o)") {
            assert_eq!(route(&unseen, names[0]), Route::Score, "{lines}");
        }
        let error = relative(log_lik(&seen), log_lik(&unseen), 1.0);
        assert!(error < 1e-10, "{error:.1e} in\n{lines}");
    }
}

#[test]
fn effects_are_reported_as_the_user_wrote_them() {
    let problem = model(ALLOMETRY);
    let layout = problem.full_layout();
    let shifts = &problem.programs.shifts;
    let theta = &problem.theta.start;
    let shift = nlmers_core::problem::subject_values(&problem, &layout, shifts, theta);
    for (i, shift) in shift.iter().enumerate() {
        let wt = 50.0 + 4.0 * i as f64;
        let expected = 1.4f64.ln() + 0.75 * (wt / 70.0).ln();
        assert!(
            relative(*shift, expected, 1.0) < 1e-14,
            "{i}: {shift} {expected}"
        );
    }
}

#[test]
fn means_inside_mvnormal_are_closed_form() {
    let problem = problem(
        "fixed tka = 0.45
         fixed tcl = 0.1
         fixed omega = positive(0.6, 0.3)
         fixed s = positive(0.5)
         random eta ~ mvnormal(c(tka, tcl), diag(omega)) | id
         y ~ normal(exp(eta[1]) - exp(eta[2] * t), s)",
        &data(),
    );
    let names = ["tka", "tcl", "omega[1]", "omega[2]", "s"];
    use Route::{Covariance, Mean, Residual};
    assert_eq!(
        routes(&problem, &names),
        [Mean, Mean, Covariance, Covariance, Residual]
    );
}

#[test]
fn a_coefficient_shared_by_two_effects_is_closed_form() {
    let lines = "
        fixed a = 0.4
        fixed c = 0.1
        fixed b = 0.01
        random e ~ normal(c(0, 0), o) | id
        f <- exp(a + b * wt + e[1]) + exp(c + b * wt + e[2]) * t";
    let problem = model(lines);
    assert_eq!(routes(&problem, &["a", "c", "b"]), [Route::Mean; 3]);
    assert_eq!(
        problem
            .terms
            .iter()
            .filter(|t| problem.theta.names[t.theta] == "b")
            .count(),
        2
    );
    let unseen = unreferenced(lines, "e[1] * e[2]");
    assert_eq!(routes(&unseen, &["a", "c", "b"]), [Route::Score; 3]);
    assert!(relative(log_lik(&problem), log_lik(&unseen), 1.0) < 1e-10);
}

/// `mean = a - (b * wt - 3 b) / 2 - 7`
#[test]
fn coefficients_of_a_mean_are_those_of_its_linear_form() {
    let problem = model(
        "fixed a = 0.4\nfixed b = 0.1\nrandom e ~ normal(a - (b * wt - 3 * b) / 2 - 7, o) | id\nf <- e * t",
    );
    let values = |name: &str| {
        let k = common::position(&problem, name);
        let term = problem.terms.iter().find(|term| term.theta == k);
        term.unwrap().values.clone()
    };
    assert_eq!(values("a"), [1.0; 10]);
    for (i, value) in values("b").into_iter().enumerate() {
        assert_eq!(value, -(50.0 + 4.0 * i as f64 - 3.0) / 2.0);
    }
}

/// Spellings that must not be recognised: the parameter `a` takes the score route.
const REFUSED: [(&str, &str); 6] = [
    (
        "used twice",
        "random e ~ normal(0, o) | id\nf <- exp(a + e) * t + 0.1 * e",
    ),
    (
        "used twice in one term",
        "random e ~ normal(0, o) | id\nf <- (a + e) + t * (2 * a + e)",
    ),
    (
        "a sum that varies by row",
        "random e ~ normal(0, o) | id\nf <- exp(a * t + e)",
    ),
    ("a product", "random e ~ normal(0, o) | id\nf <- a * e * t"),
    (
        "also used elsewhere",
        "random e ~ normal(0, o) | id\nf <- exp(a + e) + a * t",
    ),
    (
        "in mean and program",
        "random e ~ normal(a, o) | id\nf <- e + a * t",
    ),
];

#[test]
fn what_is_not_a_sum_takes_the_score_route() {
    for (what, lines) in REFUSED {
        let lines = format!("fixed a = 0.4\n{lines}");
        let problem = model(&lines);
        assert_eq!(route(&problem, "a"), Route::Score, "{what}");
        let effect = unreferenced(&lines, "e");
        let error = relative(log_lik(&problem), log_lik(&effect), 1.0);
        assert!(error < 1e-10, "{what}: {error:.1e}");
    }
}

#[test]
fn an_effect_used_twice_keeps_its_own_mean() {
    let problem = model("fixed a = 0.4\nrandom e ~ normal(0, o) | id\nf <- exp(a + e) + e * t");
    assert!(problem.form.designs[0].is_empty());
    assert_eq!(
        problem.form.graph.as_constant(problem.form.shifts[0]),
        Some(0.0)
    );
}

#[test]
fn a_product_with_a_covariate_that_is_not_positive_is_left_alone() {
    let lines = "fixed a = positive(1.4)\nrandom e ~ normal(0, o) | id\nf <- a * z * exp(e) * t";
    let data = data().with("z", |_, i| i as f64 - 3.0);
    let problem = problem(&text(lines), &data);
    assert_eq!(route(&problem, "a"), Route::Score);
    assert!(log_lik(&problem).is_finite());
}

#[test]
fn a_nonlinear_mean_takes_the_score_route_and_its_density_enters_the_program() {
    let problem = model(
        "fixed a = 0.4\nfixed b = 0.5\nrandom e ~ normal(a * exp(b * wt / 70), o) | id\nf <- e * t",
    );
    assert_eq!(routes(&problem, &["a", "b"]), [Route::Score; 2]);
    assert_eq!(problem.programs.numeric, [0]);
    // d/da of log N(phi; a exp(b wt / 70), o) by hand.
    let theta = problem.theta.start.clone();
    let gradient = common::likelihood::gradient_theta(Isa::detect(), &problem, &theta, &[0.7; 10]);
    let expected: f64 = (0..10)
        .map(|i| (0.5 * (50.0 + 4.0 * f64::from(i)) / 70.0).exp())
        .map(|x| x * (0.7 - 0.4 * x) / 0.09)
        .sum();
    let k = common::position(&problem, "a");
    assert!(relative(gradient[k], expected, 1.0) < 1e-12);
}

#[test]
fn a_fixed_parameter_is_fixed_and_its_neighbors_are_still_recognised() {
    let lines =
        "fixed a = 0.4\nfixed b = 0.01\nrandom e ~ normal(0, o) | id\nf <- exp(a + b * wt + e)";
    let problem = problem_with_fixed(&text(lines), &data(), &["b"]);
    assert_eq!(routes(&problem, &["a", "b"]), [Route::Mean, Route::Fixed]);
    assert_eq!(problem.terms.len(), 1);
}

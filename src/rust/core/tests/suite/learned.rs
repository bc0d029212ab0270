//! Learned functions: numbers of weights, values by their definitions, derivatives in weights and inputs.

use crate::common::data::Data;
use crate::common::likelihood::{
    derived_values, gradient_phi, gradient_theta, information, predicted, values,
};
use crate::common::numeric::assert_close;
use crate::common::{model_error, problem};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::{Problem, Route};

const ACTIVATIONS: [&str; 6] = ["tanh", "relu", "softplus", "sigmoid", "swish", "gelu"];

fn network(inputs: usize, hidden: &[usize], outputs: usize, activation: &str, end: &str) -> String {
    format!(
        r#"{{"kind": "network", "inputs": {inputs}, "hidden": {hidden:?}, "outputs": {outputs},
            "activation": "{activation}", "output_activation": "{end}", "bias": true}}"#
    )
    .replace('\n', " ")
}

fn tree(inputs: usize, depth: usize, outputs: usize) -> String {
    format!(
        r#"{{"kind": "soft_tree", "inputs": {inputs}, "depth": {depth}, "outputs": {outputs}}}"#
    )
}

const SPLINE: &str =
    r#"{"kind": "spline", "knots": [-3, -3, -3, -3, -1, 0, 1.5, 3, 3, 3, 3], "degree": 3}"#;

fn data() -> Data {
    Data::new(4, |i| 3 + i)
        .with("x", |row, _| 2.0 * (1.3 * row as f64).sin())
        .with("z", |row, _| (0.7 * row as f64).cos())
        .with("time", |row, i| {
            0.5 + row as f64 - (0..i).map(|i| 3 + i).sum::<usize>() as f64
        })
        .with("y", |row, _| (0.9 * row as f64).sin())
        .timed("time")
}

fn points(problem: &Problem) -> Vec<f64> {
    (0..problem.n_subjects() * problem.n_phi())
        .map(|k| 0.3 * (2.1 * k as f64 + 0.2).sin())
        .collect()
}

/// Gradients in `theta` and `phi` of a model against central differences.
fn derivatives_are_differences(model: &str, tolerance: f64) {
    let problem = problem(model, &data());
    let isa = Isa::detect();
    let (theta, phi) = (problem.theta.start.clone(), points(&problem));
    // The program for `theta` also holds the density of effects whose means follow gradients.
    let program = &problem.programs.theta;
    let of_theta = |theta: &[f64]| -> f64 {
        derived_values(isa, &problem, program, theta, &phi)
            .iter()
            .sum()
    };
    let of_phi = |phi: &[f64]| -> f64 { values(isa, &problem, &theta, phi).iter().sum() };
    let h = 1e-5;
    let difference = |at: &[f64], k: usize, f: &dyn Fn(&[f64]) -> f64| {
        let (mut up, mut down) = (at.to_vec(), at.to_vec());
        up[k] += h;
        down[k] -= h;
        (f(&up) - f(&down)) / (2.0 * h)
    };
    let by_theta = gradient_theta(isa, &problem, &theta, &phi);
    for k in 0..theta.len() {
        let found = difference(&theta, k, &of_theta);
        let what = format!("{model}\nin {}", problem.theta.names[k]);
        assert_close(by_theta[k], found, tolerance, &what);
    }
    let by_phi = gradient_phi(isa, &problem, &theta, &phi);
    for k in 0..phi.len() {
        let found = difference(&phi, k, &of_phi);
        assert_close(by_phi[k], found, tolerance, &format!("{model}\nin phi {k}"));
    }
}

/// The kinds of functions of one input.
fn kinds() -> Vec<String> {
    let mut kinds: Vec<String> = (ACTIVATIONS.iter())
        .map(|activation| network(1, &[3, 2], 1, activation, "identity"))
        .collect();
    for end in ["softplus", "sigmoid", "tanh"] {
        kinds.push(network(1, &[2], 1, "tanh", end));
    }
    kinds.push(network(1, &[], 1, "tanh", "identity"));
    kinds.push(tree(1, 2, 1));
    kinds.push(SPLINE.into());
    kinds
}

#[test]
fn gradients_with_weights_of_the_population() {
    for kind in kinds() {
        derivatives_are_differences(
            &format!(
                "learned f = {kind}\nfixed s = positive(0.5)\nfixed w = positive(0.3)\n\
                 random e ~ normal(0, w) | id\ny ~ normal(f(x) + f(0.3 * x + e), s)"
            ),
            1e-6,
        );
    }
}

#[test]
fn gradients_with_weights_of_the_subjects() {
    for kind in kinds() {
        derivatives_are_differences(
            &format!(
                "learned f = {kind}\nfixed s = positive(0.5)\n\
                 random e ~ mvnormal(f, diag(1, length(f))) | id\ny ~ normal(f(x, weights = e), s)"
            ),
            1e-6,
        );
    }
}

#[test]
fn gradients_inside_equations_however_they_are_solved() {
    for solver in ["explicit", "stiff"] {
        for kind in [network(1, &[3], 1, "tanh", "softplus"), tree(1, 2, 1)] {
            for weights in ["", ", weights = e"] {
                derivatives_are_differences(
                    &format!(
                        "learned f = {kind}\nfixed s = positive(0.5)\n\
                         random e ~ mvnormal(f, diag(1, length(f))) | id\n\
                         d/dt(a) <- f(a{weights}) - 0.5 * a\na(0) <- 1 + f(0.2{weights})\n\
                         y ~ normal(a, s)\node rtol = 1e-10\node atol = 1e-12\node solver = \"{solver}\""
                    ),
                    2e-5,
                );
            }
        }
    }
    // A rate that the function gives: equations that are linear.
    derivatives_are_differences(
        &format!(
            "learned f = {}\nfixed s = positive(0.5)\nfixed w = positive(0.3)\nrandom e ~ normal(0, w) | id\n\
             k <- f(e)\nd/dt(a) <- -k * a\na(0) <- 2\ny ~ normal(a, s)",
            network(1, &[3], 1, "tanh", "softplus")
        ),
        1e-6,
    );
}

/// With one record a subject the expected information is `J J' / s^2`, `J` the slopes that the adjoint finds.
#[test]
fn slopes_forward_are_those_backward() {
    for kind in kinds() {
        let model = format!(
            "learned f = {kind}\nrandom e ~ mvnormal(f, diag(1, length(f))) | id\ny ~ normal(f(x, weights = e), 0.5)"
        );
        let data = Data::new(5, |_| 1)
            .with("x", |row, _| 2.0 * (1.3 * row as f64).sin())
            .with("y", |row, _| 3.0 + (0.9 * row as f64).sin());
        let problem = problem(&model, &data);
        let (theta, phi, isa) = (problem.theta.start.clone(), points(&problem), Isa::detect());
        let d = problem.n_phi();
        let gradient = gradient_phi(isa, &problem, &theta, &phi);
        let found = information(isa, &problem, &theta, &phi);
        let means = predicted(&problem, &theta, &phi);
        for i in 0..5 {
            let miss = (data.column("y")[i] - means[i]) / 0.25;
            let slope = |k: usize| gradient[i * d + k] / miss;
            for a in 0..d {
                for b in 0..=a {
                    let wanted = slope(a) * slope(b) / 0.25;
                    let own = found[i][a * (a + 1) / 2 + b];
                    assert_close(own, wanted, 1e-9, &format!("{kind} {a} {b}"));
                }
            }
        }
    }
}

fn weights_of(kind: &str) -> usize {
    let problem = problem(
        &format!("learned f = {kind}\nrandom e ~ normal(0, 1) | id\ny ~ normal(f[1] + e, 1)"),
        &data(),
    );
    problem.theta.base.iter().filter(|b| *b == "f").count()
}

#[test]
fn functions_have_as_many_weights_as_their_definitions_say() {
    assert_eq!(weights_of(&network(1, &[4], 1, "tanh", "identity")), 13);
    assert_eq!(weights_of(&network(1, &[2], 1, "tanh", "identity")), 7);
    assert_eq!(
        weights_of(&network(13, &[64, 64], 1, "tanh", "identity")),
        5121
    );
    assert_eq!(weights_of(&tree(1, 2, 1)), 10);
    assert_eq!(weights_of(SPLINE), 7);
}

/// What the model predicts for the first subject at `x`, all effects 0.
fn value(model: &str, x: f64) -> f64 {
    let data = Data::new(2, |_| 1)
        .with("x", |_, _| x)
        .with("y", |_, _| 0.0);
    let problem = problem(model, &data);
    let phi = vec![0.0; 2 * problem.n_phi()];
    predicted(&problem, &problem.theta.start, &phi)[0]
}

fn called(kind: &str, call: &str, x: f64) -> f64 {
    value(
        &format!("learned f = {kind}\nrandom e ~ normal(0, 1) | id\ny ~ normal({call} + 0 * e, 1)"),
        x,
    )
}

#[test]
fn the_order_of_weights_is_matrices_by_columns_then_biases() {
    // 2-2-1: W1 = [1 3; 2 4], b1 = [5, 6], W2 = [7 8], b2 = 9, all over ten.
    let kind = network(2, &[2], 1, "tanh", "identity");
    let weights = "weights = c(.1, .2, .3, .4, .5, .6, .7, .8, .9)".replace('.', "0.");
    let found = called(&kind, &format!("f(x, 2, {weights})"), 1.5);
    let h1 = (0.1f64 * 1.5 + 0.3 * 2.0 + 0.5).tanh();
    let h2 = (0.2f64 * 1.5 + 0.4 * 2.0 + 0.6).tanh();
    assert_close(found, 0.7 * h1 + 0.8 * h2 + 0.9, 1e-14, "network");
    // Depth 2, one input: split weights, biases, leaves; leaves in the order of the construction by levels.
    let weights = "weights = c(1, 2, 3, 0.1, 0.2, 0.3, 10, 20, 30, 40)";
    let found = called(&tree(1, 2, 1), &format!("f(x, {weights})"), 0.5);
    let p = |w: f64, b: f64| 1.0 / (1.0 + (-(w * 0.5 + b)).exp());
    let (root, left, right) = (p(1.0, 0.1), p(2.0, 0.2), p(3.0, 0.3));
    let wanted = root * left * 10.0
        + (1.0 - root) * right * 20.0
        + root * (1.0 - left) * 30.0
        + (1.0 - root) * (1.0 - right) * 40.0;
    assert_close(found, wanted, 1e-13, "tree");
    let zero = called(
        &tree(1, 2, 1),
        "f(x, weights = c(0, 0, 0, 0, 0, 0, 1, 2, 3, 6))",
        0.7,
    );
    assert_close(zero, 3.0, 1e-14, "mean of the leaves");
}

#[test]
fn basis_functions_of_a_spline_add_up_to_one_and_end_at_the_knots() {
    let one = "f(x, weights = c(1, 1, 1, 1, 1, 1, 1))";
    for x in [-3.0, -2.2, -1.0, -0.3, 0.0, 1.1, 1.5, 2.9, 3.0] {
        assert_close(called(SPLINE, one, x), 1.0, 1e-14, "sum of the basis");
    }
    // The last basis function alone is 1 at the last knot.
    assert_close(
        called(SPLINE, "f(x, weights = c(0, 0, 0, 0, 0, 0, 1))", 3.0),
        1.0,
        1e-14,
        "end",
    );
    for x in [-3.001, 3.001] {
        assert!(called(SPLINE, one, x).is_nan(), "{x}");
    }
    // Of degree 1 it is the polygon through its weights.
    let polygon = r#"{"kind": "spline", "knots": [0, 0, 1, 3, 3], "degree": 1}"#;
    assert_close(
        called(polygon, "f(x, weights = c(2, 4, 10))", 2.0),
        7.0,
        1e-14,
        "polygon",
    );
}

#[test]
fn shares_of_softmax_add_up_to_one_however_large_its_inputs_are() {
    let kind = network(1, &[3], 3, "tanh", "softmax");
    assert_close(called(&kind, "sum(f(1000 * x))", 1.0), 1.0, 1e-14, "sum");
    assert_close(
        called(&kind, "f(x)[2] + f(x)[1] + f(x)[3]", 0.4),
        1.0,
        1e-14,
        "parts",
    );
}

#[test]
fn weights_follow_gradients_unless_they_are_means_of_effects() {
    let kind = network(1, &[3], 1, "tanh", "identity");
    let own = format!(
        "learned f = {kind}\nfixed s = positive(1)\nfixed w = positive(1)\nrandom e ~ normal(0, w) | id\n\
         y ~ normal(f(x) + e, s)"
    );
    let means = format!(
        "learned f = {kind}\nfixed s = positive(1)\nrandom e ~ mvnormal(f, diag(1, length(f))) | id\n\
         y ~ normal(f(x, weights = e), s)"
    );
    for (model, route) in [(own, Route::Gradient), (means, Route::Mean)] {
        let problem = problem(&model, &data());
        let of_f = |k: &usize| problem.theta.base[*k] == "f";
        let mut own = (0..problem.theta.len()).filter(of_f);
        assert!(own.all(|k| problem.theta.routes[k] == route), "{model}");
    }
}

#[test]
fn wrong_calls_name_the_function() {
    let kind = network(2, &[2], 1, "tanh", "identity");
    for (call, reason) in [
        ("f(x)", "learned_inputs"),
        ("f(x, z, x)", "learned_inputs"),
        ("f(x, z, weights = c(1, 2))", "learned_weights"),
        ("f(x, z, wheights = e)", "unknown_argument"),
        ("g(x)", "unknown_function"),
    ] {
        let error = model_error(&format!(
            "learned f = {kind}\nrandom e ~ normal(0, 1) | id\ny ~ normal({call} + e, 1)"
        ));
        assert_eq!(error.reason, reason, "{call}: {error}");
        assert!(error.to_string().contains("y ~ normal"), "{error}");
    }
    for (kind, part) in [
        (
            r#"{"kind": "spline", "knots": [0, 2, 1, 3], "degree": 1}"#,
            "do not ascend",
        ),
        (
            r#"{"kind": "spline", "knots": [1, 1, 1], "degree": 1}"#,
            "at one place",
        ),
        (
            r#"{"kind": "soft_tree", "inputs": 0, "depth": 1, "outputs": 1}"#,
            "is 0",
        ),
    ] {
        let error = model_error(&format!(
            "learned f = {kind}\nrandom e ~ normal(0, 1) | id\ny ~ normal(f(x) + e, 1)"
        ));
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = model_error("fixed a = 1\nrandom e ~ planar_flow(a) | id\ny ~ normal(e, 1)");
    assert_eq!(error.reason, "not_a_flow");
}

/// A flow without layers that bend is the normal distribution itself; one with layers keeps the density of its image.
#[test]
fn a_planar_flow_is_the_image_of_a_normal_vector() {
    derivatives_are_differences(
        "learned f = {\"kind\": \"planar_flow\", \"dimension\": 2, \"layers\": 2}\nfixed s = positive(0.5)\n\
         random e ~ planar_flow(f) | id\ny ~ normal(e[1] + x * e[2], s)",
        1e-6,
    );
    let model = "learned f = {\"kind\": \"planar_flow\", \"dimension\": 1, \"layers\": 1}\n\
                 random e ~ planar_flow(f) | id\ny ~ normal(e, 1)";
    let problem = problem(model, &Data::new(2, |_| 1).with("y", |_, _| 0.0));
    let theta = &problem.theta.start;
    let (w, u, b) = (theta[0], theta[1], theta[2]);
    let soft = (w * u).exp().ln_1p() - 1.0;
    let bent = u + (soft - w * u) / w;
    for z in [-1.5, 0.2, 2.0] {
        let found = predicted(&problem, theta, &[z, 0.0])[0];
        assert_close(found, z + bent * (w * z + b).tanh(), 1e-14, "image");
    }
}

//! The linearized model against closed forms.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::numeric::relative;
use crate::common::pharmacokinetics::{self, curvature};
use crate::common::{joint, position, try_joint};
use nlmers_core::inference::joint::{joint_modes, laplace};
use nlmers_core::inference::linear::Linearized;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::problem::{EffectValues, Given, Joint};

const WAY_OUT: &str = "Ask for another.";

fn modes(joint: &Joint) -> EffectValues {
    joint_modes(joint, &joint.theta.start).unwrap().points
}

fn log_lik(joint: &Joint) -> Vec<f64> {
    let modes = modes(joint);
    let linearized = Linearized::new(joint, &joint.theta.start, &modes, WAY_OUT).unwrap();
    linearized.log_lik().unwrap()
}

const LINEAR: &str = "
    fixed m = real(1.8, 0.3)
    fixed b = 0.4
    fixed w = covariance_matrix(0.7, 0.2, 0.2, 0.4)
    fixed s = positive(0.6)
    random e ~ mvnormal(m, w) | id
    y ~ normal(e[1] + x * e[2] + b * z, s)";

fn linear_data() -> Data {
    let mut draw = Generator(2);
    Data::new(12, |i| 1 + i % 4)
        .with("x", |row, _| (row as f64 * 0.7).sin())
        .with("z", |row, _| (row as f64 * 1.3).cos())
        .with("y", |row, _| {
            if row == 5 || row == 11 {
                f64::NAN
            } else {
                2.0 + draw.normal()
            }
        })
}

#[test]
fn a_linear_model_is_its_own_linearization() {
    let joint = joint(LINEAR, &linear_data());
    let exact = quadrature(joint.main(), &joint.theta.start, 1).unwrap();
    for (value, exact) in log_lik(&joint).iter().zip(&exact.subjects) {
        assert!(relative(*value, *exact, 1.0) < 1e-8, "{value} {exact}");
    }
}

#[test]
fn lognormal_outcomes_are_normal_in_their_logarithms() {
    let data = linear_data();
    let y = data.column("y").to_vec();
    let data = data.with("y", |row, _| y[row].exp());
    let joint = joint(&LINEAR.replace("y ~ normal", "y ~ lognormal"), &data);
    let exact = quadrature(joint.main(), &joint.theta.start, 1).unwrap();
    for (value, exact) in log_lik(&joint).iter().zip(&exact.subjects) {
        assert!(relative(*value, *exact, 1.0) < 1e-8, "{value} {exact}");
    }
}

#[test]
fn crossed_groupings_hang_together() {
    let mut draw = Generator(9);
    let data = Data::new(4, |_| 6).with("y", |row, i| {
        1.0 + 0.3 * (i as f64) - 0.2 * (row % 3) as f64 + 0.4 * draw.normal()
    });
    let text = "
        fixed m = 1
        fixed oa = positive(0.9)
        fixed ob = positive(0.5)
        random a ~ normal(0, oa) | id
        random b ~ normal(0, ob) | item
        y ~ normal(m + a + b, 0.4)";
    let items = (0..24).map(|row| row % 3).collect();
    let groups = [("id", data.subject.clone()), ("item", items)];
    let joint = common::groups::joint(text, &data, &groups, &Given::default()).unwrap();
    let exact = laplace(&joint, &joint.theta.start, None).unwrap();
    let value = log_lik(&joint)[0];
    assert!(
        relative(value, exact.log_lik, 1.0) < 1e-7,
        "{value} {}",
        exact.log_lik
    );
}

/// The expected information of a linear model: that of generalized least squares for the means, and minus the mean of the
/// Hessian for the variances, here of data that have exactly the covariance of the model.
#[test]
fn the_information_of_a_random_intercept_is_that_of_its_formula() {
    let (n, k) = (7.0, 3.0);
    let data = Data::new(7, |_| 3).with("y", |row, i| (row % 3) as f64 + 0.3 * i as f64);
    let joint = joint(
        "
        fixed m = 1
        fixed o = positive(0.8)
        fixed s = positive(0.5)
        random b ~ normal(m, o) | id
        y ~ normal(b, s)",
        &data,
    );
    let at = modes(&joint);
    let linearized = Linearized::new(&joint, &joint.theta.start, &at, WAY_OUT).unwrap();
    let (free, found) = linearized.information().unwrap();
    assert_eq!(free, [0, 1, 2]);
    let (o2, s2): (f64, f64) = (0.64, 0.25);
    let total = s2 + k * o2;
    // Eigenvalues of V: `total` once and `s2` k - 1 times; in the logarithms of the SDs their slopes are 2 k o2 and 2 s2.
    let expected = [
        [n * k / total, 0.0, 0.0],
        [
            0.0,
            0.5 * n * (2.0 * k * o2 / total).powi(2),
            0.5 * n * 4.0 * k * o2 * s2 / (total * total),
        ],
        [
            0.0,
            0.5 * n * 4.0 * k * o2 * s2 / (total * total),
            0.5 * n * ((2.0 * s2 / total).powi(2) + (k - 1.0) * 4.0),
        ],
    ];
    for (a, row) in expected.iter().enumerate() {
        for (b, value) in row.iter().enumerate() {
            let error = relative(found[(a, b)], *value, 1.0);
            assert!(error < 1e-6, "{a} {b}: {} {value}", found[(a, b)]);
        }
    }
}

#[test]
fn parameters_of_the_predictions_alone_have_the_information_of_least_squares() {
    let joint = joint(LINEAR, &linear_data());
    let at = modes(&joint);
    let theta = &joint.theta.start;
    let linearized = Linearized::new(&joint, theta, &at, WAY_OUT).unwrap();
    let (free, found) = linearized.information().unwrap();
    // In the means the log-likelihood of a linear model is quadratic: its Hessian is the expected information.
    let means: Vec<usize> = ["m[1]", "m[2]", "b"]
        .map(|name| position(joint.main(), name))
        .to_vec();
    let here: Vec<f64> = means.iter().map(|k| theta[*k]).collect();
    let exact = curvature(&here, 1e-2, |x| {
        let mut moved = theta.clone();
        means.iter().zip(x).for_each(|(k, x)| moved[*k] = *x);
        quadrature(joint.main(), &moved, 1).unwrap().log_lik
    });
    let place = |k: usize| free.iter().position(|f| *f == means[k]).unwrap();
    for a in 0..3 {
        for b in 0..3 {
            let value = found[(place(a), place(b))];
            assert!(
                relative(value, exact[(a, b)], 1.0) < 1e-5,
                "{a} {b}: {value} {}",
                exact[(a, b)]
            );
        }
    }
}

#[test]
fn a_curved_model_is_linearized_about_its_modes() {
    let joint = pharmacokinetics::problem();
    let exact = quadrature(joint.main(), &joint.theta.start, 15)
        .unwrap()
        .log_lik;
    let linear: f64 = log_lik(&joint).iter().sum();
    assert!((linear - exact).abs() < 3.0, "{linear} {exact}");
    assert!(
        (linear - exact).abs() > 1e-3,
        "an approximation: {linear} {exact}"
    );
}

#[test]
fn what_is_not_normal_is_refused_by_name_with_a_way_out() {
    let data = Data::new(3, |_| 2)
        .with("y", |row, _| (row % 2) as f64)
        .with("n", |row, _| row as f64);
    let start = "
        fixed a = 0.1
        fixed o = positive(0.8)
        random e ~ normal(0, o) | id
        y ~ normal(a + e, 1)";
    let cases = [
        (format!("{start}\nn ~ poisson(exp(e))"), "`n` is poisson"),
        (
            start.replace(
                "normal(a + e, 1)",
                "censored(normal(a + e, 1), lower = 0.5)",
            ),
            "`y` is censored",
        ),
        (
            start.replace("e ~ normal(0, o)", "e ~ gamma(o, 2)"),
            "`e` is not",
        ),
    ];
    for (text, part) in cases {
        let joint = joint(&text, &data);
        let at = joint.points(vec![vec![0.1; 3]]);
        let error = Linearized::new(&joint, &joint.theta.start, &at, WAY_OUT)
            .err()
            .unwrap();
        assert_eq!(error.reason, "not_normal");
        assert!(error.problem.contains(part), "{error}");
        assert_eq!(error.hint.as_deref(), Some(WAY_OUT));
    }
    let given = Given {
        levels: vec![("e".into(), "s2".into(), 0.3)],
        ..Given::default()
    };
    let joint = try_joint(start, &data, &given).unwrap();
    let at = joint.points(vec![vec![0.1; 3]]);
    let error = Linearized::new(&joint, &joint.theta.start, &at, WAY_OUT)
        .err()
        .unwrap();
    assert!(error.problem.contains("given values"), "{error}");
}

//! Floors under the standard deviations of effects, whatever the parameter is that stands for them.

use crate::common::data::{Data, Generator};
use crate::common::joint;
use nlmers_core::monitor::Silent;
use nlmers_core::problem::natural;
use nlmers_core::saem::options::{AnnealOptions, AnnealSchedule};
use nlmers_core::saem::{fit, FitStatus, SaemOptions};

fn model(declared: &str, covariance: &str) -> String {
    format!(
        "fixed a = 1\nfixed b = 1\n{declared}\nfixed s = positive(0.5)
         random e ~ mvnormal(c(a, b), {covariance}) | id
         y ~ normal(e[1] + e[2] * x, s)"
    )
}

/// Subjects that do not differ.
fn alike() -> Data {
    let mut draw = Generator(8);
    Data::new(12, |_| 6)
        .with("x", |row, _| (row % 6) as f64 / 3.0 - 1.0)
        .with("y", |_, _| 2.0 + 0.5 * draw.normal())
}

/// The parameters of an effect's covariance, and where among the natural values their standard deviations are.
fn models() -> Vec<(String, &'static [usize], bool)> {
    vec![
        (
            model("fixed o = positive(0.2, 0.2)", "diag(o)"),
            &[2, 3],
            true,
        ),
        (
            model("fixed o = positive(0.5, 0.5)", "diag(o^2)"),
            &[2, 3],
            false,
        ),
        (
            model("fixed w = covariance_matrix(0.2, 0.05, 0.05, 0.2)", "w"),
            &[2, 4],
            true,
        ),
    ]
}

#[test]
fn var_lb_value_is_a_standard_deviation() {
    for (text, places, squared) in models() {
        let joint = joint(&text, &alike());
        for acceleration in [true, false] {
            let options = SaemOptions {
                acceleration,
                anneal: AnnealOptions {
                    var_lb_value: Some(0.01),
                    ..AnnealOptions::default()
                },
                ..SaemOptions::two_phases(400, 50)
            };
            let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
            let values = natural(joint.model(), &fit.theta);
            let sds = places.iter().map(|k| values[*k]);
            let sds: Vec<f64> = sds.map(|v| if squared { v.sqrt() } else { v }).collect();
            assert!(sds.iter().all(|sd| *sd > 0.01 * (1.0 - 1e-9)), "{sds:?}");
            let least = sds.iter().fold(f64::INFINITY, |m, x| m.min(*x));
            assert!(least < 0.02, "{text}: {sds:?}");
            assert_ne!(fit.status, FitStatus::NotFinite);
        }
    }
}

#[test]
fn a_floor_of_the_annealing_is_a_part_of_the_starting_deviation() {
    for (text, places, squared) in models() {
        let joint = joint(&text, &alike());
        let options = SaemOptions {
            acceleration: false,
            anneal: AnnealOptions {
                sa_anneal_schedule: AnnealSchedule::Linear,
                sa_anneal_alpha: 0.9,
                sa_anneal_iters: 101,
                ..AnnealOptions::default()
            },
            ..SaemOptions::two_phases(110, 0)
        };
        let fit = fit(&joint, &options, 1, 1, &Silent).unwrap();
        let start = natural(joint.model(), &joint.theta.start);
        for (k, theta) in fit.trace.theta.iter().take(101).enumerate() {
            let values = natural(joint.model(), theta);
            let part = 0.9 * (1.0 - k as f64 / 100.0);
            for place in places {
                let ratio = values[*place] / start[*place];
                let ratio = if squared { ratio.sqrt() } else { ratio };
                assert!(ratio > part * (1.0 - 1e-9), "{text} {k}: {ratio} {part}");
            }
        }
        let half = natural(joint.model(), &fit.trace.theta[50]);
        let ratio = half[places[0]] / start[places[0]];
        let ratio = if squared { ratio.sqrt() } else { ratio };
        assert!((ratio - 0.45).abs() < 1e-9, "{text}: {ratio}");
    }
}

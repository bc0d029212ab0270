//! Draws of every family against its distribution function.

use crate::common::data::{Data, Generator};
use crate::common::draws::{distance, evaluate, Bits, Here, N};
use crate::common::families::{arguments, families, grid, Space, PARAMETERS};
use crate::common::problem;
use nlmers_core::distributions;

#[test]
fn draws_follow_the_density_at_the_arguments_of_the_family() {
    let mut rng = Bits(Generator(7));
    for family in families() {
        let (values, weights) = grid(family.space);
        let data = Data::new(2, |_| 1).with("y", |_, _| values[values.len() / 2]);
        let problem = problem(&format!("{PARAMETERS}\ny ~ {}", family.statement), &data);
        let (graph, density) = (&problem.form.graph, &problem.form.densities[0]);
        let leaves = Here {
            theta: &problem.theta.start,
            phi: 0.0,
        };
        let args = evaluate(graph, &density.arguments, &leaves);
        let known = problem.model.outcomes[0].family;
        let mut draws: Vec<f64> = (0..N).map(|_| known.draw(&args, &mut rng)).collect();
        let mut below = 0.0;
        let points: Vec<(f64, f64)> = values
            .iter()
            .zip(&weights)
            .map(|(y, w)| {
                let mass = (family.log_density)(*y, arguments(0.4, [0.0; 3])).exp() * w;
                let mass = if mass.is_nan() { 0.0 } else { mass };
                below += mass;
                // Half of a cell lies above its middle.
                let above = if matches!(family.space, Space::Whole { .. }) {
                    0.0
                } else {
                    0.5
                };
                (*y, below - above * mass)
            })
            .collect();
        let gap = distance(&mut draws, &points);
        assert!(gap < 4.5, "{}: {gap}", family.statement);
    }
}

#[test]
fn an_event_has_the_probability_of_its_cumulative_hazard() {
    let mut rng = Bits(Generator(8));
    let draw = |name: &str, args: &[f64], rng: &mut Bits| {
        let family = distributions::family(name).unwrap();
        family.draw(args, rng)
    };
    let mean = (0..N).map(|_| draw("event", &[0.7], &mut rng)).sum::<f64>() / N as f64;
    assert!((mean - 0.503_414_7).abs() < 0.011, "{mean}");
    assert!(draw("custom", &[], &mut rng).is_nan());
    assert!(draw("gamma", &[-1.0, 1.0], &mut rng).is_nan());
    assert_eq!(draw("poisson", &[0.0], &mut rng), 0.0);
}

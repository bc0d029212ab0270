//! Random effects that are not Gaussian: density of `phi`, moments, information and draws.

use crate::common;
use crate::common::data::Generator;
use crate::common::draws::{distance, evaluate, Bits, Here, N};
use nlmers_core::distributions;
use nlmers_core::distributions::effects::EffectDensity;
use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ir::scalar::ScalarProgram;

type Family = (&'static str, &'static [f64], fn(f64) -> f64);

/// Names, arguments and the effect as a function of `phi`.
const FAMILIES: [Family; 4] = [
    ("exponential", &[1.7], f64::exp),
    ("gamma", &[2.5, 0.4], f64::exp),
    ("beta", &[1.5, 3.0], |x| 1.0 / (1.0 + (-x).exp())),
    ("student_t", &[9.0, 0.3, 0.6], |x| x),
];

fn known(name: &str) -> &'static distributions::Family {
    distributions::family(name).unwrap()
}

const STEP: f64 = 0.01;

/// The nodes of a family: `phi`, its arguments as coordinates of `theta`, and what is said of them.
struct Setting {
    graph: Graph,
    phi: Node,
    arguments: Vec<Node>,
    effect: EffectDensity,
}

fn setting((family, args, _): Family) -> Setting {
    let mut graph = Graph::new();
    let phi = graph.phi(0);
    let arguments: Vec<Node> = (0u32..).zip(args).map(|(k, _)| graph.theta(k)).collect();
    let effect = (known(family).effect.as_ref().unwrap().density)(&mut graph, phi, &arguments);
    Setting {
        graph,
        phi,
        arguments,
        effect,
    }
}

impl Setting {
    fn at(&self, roots: &[Node], phi: f64, theta: &[f64]) -> Vec<f64> {
        evaluate(&self.graph, roots, &Here { theta, phi })
    }

    /// `phi` and the mass of the cell around it, where there is any.
    fn masses(&self, theta: &[f64]) -> Vec<(f64, f64)> {
        let cells = (-6000..=6000).map(|k| f64::from(k) * STEP);
        let mass = |x: f64| self.at(&[self.effect.log_density], x, theta)[0].exp() * STEP;
        cells
            .map(|x| (x, mass(x)))
            .filter(|(_, p)| *p > 0.0)
            .collect()
    }

    /// Score in `phi` and the arguments, by adjoints.
    fn slopes(&self, root: Node, phi: f64, theta: &[f64]) -> Vec<f64> {
        let program = ScalarProgram::new(&self.graph, &[root]);
        let mut memory = Vec::new();
        program.evaluate(&self.graph, &Here { theta, phi }, &mut memory);
        let adjoint = program.adjoints(&self.graph, &memory, &[1.0]);
        let nodes = std::iter::once(&self.phi).chain(&self.arguments);
        nodes.map(|node| adjoint[node.index()]).collect()
    }
}

#[test]
fn densities_have_the_moments_they_say() {
    for family in FAMILIES {
        let (name, args, natural) = family;
        let setting = setting(family);
        let (mut total, mut sums) = (0.0, [0.0; 4]);
        for (x, p) in setting.masses(args) {
            let value = natural(x);
            total += p;
            let terms = [x, x * x, value, value * value];
            sums.iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| *sum += p * term);
        }
        assert!((total - 1.0).abs() < 1e-9, "{name}: {total}");
        let sd = |mean: f64, square: f64| (square - mean * mean).sqrt();
        let said = setting.at(&[setting.effect.mean, setting.effect.sd], 0.0, args);
        let (mean, spread) = known(name).reference(args);
        for (a, b) in [
            (mean, sums[0]),
            (spread, sd(sums[0], sums[1])),
            (said[0], sums[2]),
            (said[1], sd(sums[2], sums[3])),
        ] {
            assert!((a - b).abs() < 1e-5, "{name}: {a} {b}");
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_value() {
    for family in FAMILIES {
        let (name, args, _) = family;
        let setting = setting(family);
        let root = setting.effect.log_density;
        for x in [-3.0, -0.2, 0.9] {
            let found = setting.slopes(root, x, args);
            let point = [&[x], args].concat();
            let slope = common::numeric::gradient(&point, 1e-3, |point| {
                setting.at(&[root], point[0], &point[1..])[0]
            });
            for (a, b) in found.iter().zip(&slope) {
                assert!(
                    (a - b).abs() < 1e-7 * b.abs().max(1.0),
                    "{name}: {found:?} {slope:?}"
                );
            }
        }
    }
}

#[test]
fn expected_information_is_the_variance_of_the_score() {
    for family in FAMILIES {
        let (name, args, _) = family;
        let setting = setting(family);
        let n = args.len() + 1;
        let mut expected = vec![0.0; n * n];
        for (x, p) in setting.masses(args).into_iter().step_by(5) {
            let score = setting.slopes(setting.effect.log_density, x, args);
            for (k, sum) in expected.iter_mut().enumerate() {
                *sum += 5.0 * p * score[k / n] * score[k % n];
            }
        }
        let mut found = vec![0.0; n * n];
        for (argument, weight) in &setting.effect.information {
            let weight = setting.at(&[*weight], 0.3, args)[0];
            let slope = setting.slopes(*argument, 0.3, args);
            for (k, sum) in found.iter_mut().enumerate() {
                *sum += weight * slope[k / n] * slope[k % n];
            }
        }
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-6, "{name}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn draws_follow_the_density() {
    let mut rng = Bits(Generator(9));
    for family in FAMILIES {
        let (name, args, natural) = family;
        let mut below = 0.0;
        let masses = setting(family).masses(args).into_iter();
        let points: Vec<(f64, f64)> = masses
            .map(|(x, p)| {
                below += p;
                (natural(x), below - 0.5 * p)
            })
            .collect();
        let mut draws: Vec<f64> = (0..N).map(|_| known(name).draw(args, &mut rng)).collect();
        let gap = distance(&mut draws, &points);
        assert!(gap < 4.5, "{name}: {gap}");
    }
    assert!(known("weibull").effect.is_none());
}

#[test]
fn a_reference_is_finite_where_the_variance_is_not() {
    let (mean, sd) = known("student_t").reference(&[1.0, 2.0, 0.5]);
    assert_eq!((mean, sd), (2.0, 0.5 * 3.0f64.sqrt()));
}

/// Variances of effects, mean over the levels, have the slopes of their formulas: `o^2 mean(wt)`, `o^2 9 / 7`.
#[test]
fn variances_have_gradients() {
    let mean = (0..10).map(|i| 50.0 + 4.0 * f64::from(i)).sum::<f64>() / 10.0;
    for (law, factor) in [
        ("normal(0, o * sqrt(wt))", mean),
        ("student_t(9, 0, o)", 9.0 / 7.0),
    ] {
        let lines = format!("random e ~ {law} | id\n f <- exp(0.1 * e) * t");
        let text = common::effects::text(&lines);
        let joint = common::joint(&text, &common::effects::data());
        let theta = &joint.theta.start;
        let gradients = joint.law_gradients(theta);
        let [(0, 0, gradient)] = gradients.as_slice() else {
            panic!("{law}: {gradients:?}")
        };
        // The first parameter is `log(o)`.
        let slope = 2.0 * (2.0 * theta[0]).exp() * factor;
        common::numeric::assert_close(gradient[0], slope, 1e-12, law);
        assert_eq!(gradient[1..], [0.0], "{law}");
    }
}

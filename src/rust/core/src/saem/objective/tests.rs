//! The objective against its definition, its gradient against differences, and the optimizers on it.

use super::*;
use crate::data::Layout;
use crate::data::{Frame, GroupingColumn};
use crate::ir::column::LANES;
use crate::model::compile;
use crate::problem::{BoundProgram, Given, Means, Prior, Route};
use crate::saem::numeric::{Material, NumericStep};
use crate::saem::optimizer::{Derivative, OptimizerOptions};
use crate::saem::options::{BuiltinStats, MStepOptions};
use crate::saem::store::Store;
use crate::saem::{choose_routes, SaemOptions};

#[path = "../../../tests/suite/common/text.rs"]
#[allow(dead_code)]
mod text;

const N: usize = 70;

fn wave(k: usize) -> f64 {
    (1.7 * k as f64 + 0.3 * (k * k) as f64).sin()
}

/// 70 subjects with 3 rows at 5 sites.
fn frame(n_groups: usize) -> Frame {
    let rows = 3 * N;
    let column = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).collect::<Vec<f64>>();
    let grouping = |name: &str, n: usize, code: &dyn Fn(usize) -> usize| GroupingColumn {
        name: name.into(),
        labels: (0..n).map(|i| format!("{name}{i}")).collect(),
        codes: (0..rows).map(code).collect(),
    };
    let groupings = [
        grouping("id", N, &|r| r / 3),
        grouping("site", 5, &|r| (r / 3) % 5),
    ];
    Frame {
        n_rows: rows,
        columns: vec![
            ("t".into(), column(&|r| 1.0 + (r % 3) as f64)),
            ("x".into(), column(&|r| wave(r / 3))),
            ("y".into(), column(&|r| 2.0 + wave(r) + wave(r / 3 + 7))),
            ("w".into(), column(&|r| (3.0 + 2.0 * wave(r)).exp())),
        ],
        group: "id".into(),
        labels: groupings[0].labels.clone(),
        codes: groupings[0].codes.clone(),
        time: None,
        groupings: if n_groups > 1 {
            groupings.to_vec()
        } else {
            Vec::new()
        },
        events: Vec::new(),
        from_first_record: false,
    }
}

fn joint(model: &str, n_groups: usize, options: &SaemOptions) -> Joint {
    let specification = serde_json::from_value(text::model(model)).unwrap();
    let model = compile(&specification).unwrap();
    let mut joint = Joint::new(&model, &frame(n_groups), &Given::default()).unwrap();
    choose_routes(&mut joint, options);
    joint
}

fn numeric(optimizer: OptimizerOptions) -> SaemOptions {
    SaemOptions {
        optimizer,
        mstep: MStepOptions {
            builtin_stats: BuiltinStats::None,
            ..MStepOptions::default()
        },
        ..SaemOptions::default()
    }
}

const LBFGS: OptimizerOptions = OptimizerOptions::Lbfgs {
    maxiters: 200,
    g_tol: 1e-9,
    memory: 10,
    adtype: Derivative::Reverse,
};

/// A made-up draw of every lane.
fn snapshot(joint: &Joint, layouts: &[Layout], seed: usize) -> ChainSnapshot {
    let each = joint.parts.iter().zip(layouts);
    let phi = each.map(|(part, layout)| {
        let blocks = layout.blocks.iter().enumerate();
        let columns = |b: usize| -> Vec<Column> {
            (0..part.n_phi())
                .map(|k| {
                    let place = |l: usize| wave(seed * 1000 + b * 64 + l + 17 * k);
                    Column(std::array::from_fn::<f64, LANES, _>(|l| 0.6 * place(l)))
                })
                .collect()
        };
        blocks.map(|(b, _)| columns(b)).collect()
    });
    ChainSnapshot { phi: phi.collect() }
}

/// What a test works on: a store of three iterations of two chains.
fn with_material(
    joint: &Joint,
    options: &SaemOptions,
    test: impl for<'x> FnOnce(&'x Joint, Material<'_, 'x>, &[usize]),
) {
    let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(2)).collect();
    let free: Vec<usize> = (0..joint.theta.len())
        .filter(|k| joint.theta.routes[*k] != Route::Fixed)
        .collect();
    let each = joint.parts.iter().zip(&layouts);
    let mut parts: Vec<GroupingRun> = each
        .map(|(problem, layout)| GroupingRun::new(problem, layout, &joint.theta.start).unwrap())
        .collect();
    let mut store = Store::new(options.mstep.max_store);
    for (seed, gain) in [1.0, 0.5, 0.25].into_iter().enumerate() {
        store.push(gain, || snapshot(joint, &layouts, seed));
    }
    let workers = Workers::new(2).unwrap();
    let material = Material {
        parts: &mut parts,
        store: &store,
        workers: &workers,
    };
    test(joint, material, &free);
}

const MODELS: [(&str, usize); 4] = [
    (
        "fixed a = real(0.4, 0.2)
         fixed o = positive(0.7)
         fixed s = positive(1.5)
         random e ~ normal(a[1] + a[2] * x, o) | id
         y ~ normal(e, s)",
        1,
    ),
    (
        "fixed a = 0.4
         fixed b = positive(0.8)
         fixed v = covariance_matrix(0.5, 0.1, 0.1, 0.3)
         fixed s = positive(1.5)
         random e ~ mvnormal(c(a, 0), v) | id
         y ~ normal(b * exp(e[1] / 3) + t * e[2], s)",
        1,
    ),
    (
        "fixed a = 0.4
         fixed o = positive(0.7)
         fixed k = positive(1.3)
         fixed s = positive(1.5)
         random e ~ normal(exp(a) + o * x, o) | id
         random g ~ exponential(k) | id
         y ~ normal(e + g * t, s)",
        1,
    ),
    (
        "fixed a = 0.4
         fixed o = positive(0.7)
         fixed k = positive(1.3)
         fixed u = positive(0.4)
         fixed s = positive(1.5)
         random e ~ normal(a, o) | id
         random c ~ normal(0, u) | site
         random g ~ exponential(k) | site
         y ~ normal(e * exp(c / 5) + g * t, s)",
        2,
    ),
];

/// Once more from the definition: lane by lane, with the densities that the samplers use.
fn by_hand(joint: &Joint, material: &Material, theta: &[f64]) -> f64 {
    let mut total = 0.0;
    let weights = [0.375, 0.375, 0.25];
    for (weight, (_, snapshot)) in weights.into_iter().zip(&material.store.slots) {
        let draws = SnapshotDraws {
            snapshot,
            parts: material.parts,
        };
        for (g, part) in joint.parts.iter().enumerate() {
            let layout = material.parts[g].layout();
            let program = if g == 0 {
                &part.programs.likelihood
            } else {
                &part.programs.corrections
            };
            let mut values = BoundProgram::new(part, layout, program);
            values.set_known(Arc::new(joint.known(part, layout, &draws)));
            values.prepare(theta);
            let prior = Prior::new(part, theta).unwrap();
            let means = Means::new(part, layout, theta);
            for (b, block) in layout.blocks.iter().enumerate() {
                let phi = &snapshot.phi[g][b];
                let likelihood = values.log_lik(b, phi, &mut Vec::new());
                let isa = crate::ir::vmath::Isa::detect();
                let density = prior.log_density(isa, phi, &means.columns(layout, b));
                for l in 0..block.lanes.len() {
                    total += 0.5 * weight * (likelihood.0[l] + density.0[l]);
                }
            }
        }
    }
    total
}

#[test]
fn the_objective_is_the_weighted_sum_of_the_complete_data_densities() {
    for (model, groups) in MODELS {
        let options = numeric(LBFGS);
        let joint = joint(model, groups, &options);
        with_material(&joint, &options, |joint, material, _| {
            let theta: Vec<f64> = joint.theta.start.iter().map(|x| x + 0.1).collect();
            let expected = by_hand(joint, &material, &theta);
            let stored = material.store.active();
            let found = Q::new(joint, material.parts, stored, material.workers).value(&theta);
            let miss = (found - expected).abs() / expected.abs();
            assert!(miss < 1e-12, "{found} {expected}\n{model}");
        });
    }
}

#[test]
fn case_38_the_gradient_of_the_objective_is_that_of_central_differences() {
    for (model, groups) in MODELS {
        for stats in [BuiltinStats::None, BuiltinStats::Auto] {
            let mut options = numeric(LBFGS);
            options.mstep.builtin_stats = stats;
            let joint = joint(model, groups, &options);
            with_material(&joint, &options, |joint, material, free| {
                let theta: Vec<f64> = joint.theta.start.iter().map(|x| x + 0.1).collect();
                let stored = material.store.active();
                let mut q = Q::new(joint, material.parts, stored, material.workers);
                let gradient = q.gradient(free, &theta).unwrap();
                let (_, bent) = q.in_population();
                let cheap = q.population_gradient(free, &theta).unwrap();
                for (position, k) in free.iter().enumerate() {
                    let name = &joint.theta.names[*k];
                    let difference = |f: &mut dyn FnMut(&[f64]) -> f64| {
                        let h = 1e-4;
                        let mut side = |step: f64| {
                            let mut moved = theta.clone();
                            moved[*k] += step;
                            f(&moved)
                        };
                        (8.0 * (side(h) - side(-h)) - side(2.0 * h) + side(-2.0 * h)) / (12.0 * h)
                    };
                    let expected = difference(&mut |theta| q.value(theta));
                    let miss = (gradient[position] - expected).abs() / expected.abs().max(1.0);
                    assert!(
                        miss < 1e-5,
                        "{name} {} {expected}\n{model}",
                        gradient[position]
                    );
                    if !bent.contains(k) {
                        let expected = difference(&mut |theta| q.population(theta));
                        let miss = (cheap[position] - expected).abs() / expected.abs().max(1.0);
                        assert!(
                            miss < 1e-5,
                            "{name} {} {expected}\n{model}",
                            cheap[position]
                        );
                    }
                }
            });
        }
    }
}

#[test]
fn the_optimizers_agree_on_the_objective() {
    let others = [
        OptimizerOptions::NelderMead {
            maxiters: 5000,
            f_tol: 1e-11,
        },
        OptimizerOptions::Adam {
            rate: 0.05,
            maxiters: 3000,
            adtype: Derivative::Reverse,
        },
        OptimizerOptions::Lbfgs {
            maxiters: 200,
            g_tol: 1e-5,
            memory: 5,
            adtype: Derivative::Finite,
        },
    ];
    let run = |model: &str, groups: usize, optimizer: OptimizerOptions| {
        let options = numeric(optimizer);
        let joint = joint(model, groups, &options);
        let mut theta = joint.theta.start.clone();
        let mut value = 0.0;
        with_material(&joint, &options, |joint, mut material, free| {
            let step = NumericStep::new(joint, &options);
            value = step.run(&mut material, 1.0, &mut theta).objective;
            let stored = material.store.active();
            let mut q = Q::new(joint, material.parts, stored, material.workers);
            let gradient = q.gradient(free, &theta).unwrap();
            if optimizer == LBFGS {
                let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
                assert!(largest < 1e-5, "{gradient:?}\n{model}");
            }
        });
        (theta, value)
    };
    for (model, groups) in &MODELS[..2] {
        let (theta, value) = run(model, *groups, LBFGS);
        for other in others {
            let (found, reached) = run(model, *groups, other);
            assert!(
                (value - reached).abs() < 1e-6,
                "{other:?} {value} {reached}"
            );
            for (a, b) in theta.iter().zip(&found) {
                assert!((a - b).abs() < 1e-5, "{other:?} {theta:?} {found:?}");
            }
        }
    }
}

#[test]
fn a_parameter_of_the_population_alone_is_maximized_apart() {
    // Normal effects: the maximum is that of the moments, whatever the outcomes say.
    let options = numeric(LBFGS);
    let joint = joint(MODELS[0].0, 1, &options);
    let mut theta = joint.theta.start.clone();
    with_material(&joint, &options, |joint, mut material, _| {
        NumericStep::new(joint, &options).run(&mut material, 1.0, &mut theta);
        let stored = material.store.active();
        let q = Q::new(joint, material.parts, stored, material.workers);
        let means = Means::new(&joint.parts[0], q.parts[0].layout(), &theta);
        let variance = q.moments[0].covariance(&means, 0, 0);
        assert!((theta[2] - 0.5 * variance.ln()).abs() < 1e-8, "{theta:?}");
    });
}

#[test]
fn case_25_nothing_moves_with_gain_zero() {
    let mut options = numeric(LBFGS);
    options.mstep.mstep_sa_on_params = true;
    let joint = joint(MODELS[0].0, 1, &options);
    let mut theta = joint.theta.start.clone();
    with_material(&joint, &options, |joint, mut material, _| {
        let step = NumericStep::new(joint, &options);
        step.run(&mut material, 0.0, &mut theta);
    });
    assert_eq!(theta, joint.theta.start);
}

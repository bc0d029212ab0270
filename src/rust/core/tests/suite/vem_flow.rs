//! Planar flows come closer to skewed conditional distributions than Gaussians, and stay below the likelihood.

use crate::common::data::{Data, Generator};
use crate::common::{joint, pharmacokinetics};
use nlmers_core::fitted::FitStatus;
use nlmers_core::inference::posterior::Batches;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::monitor::Silent;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::Joint;
use nlmers_core::vem::options::{OuterMethod, PosteriorFamily, RuleKind};
use nlmers_core::vem::{bound, fit, PointRule, VemFit, VemOptions};

/// Few counts a subject, many of them zero: conditional distributions lean to the left.
fn counts() -> Joint {
    let mut draw = Generator(14);
    let effects: Vec<f64> = (0..25).map(|_| 1.5 * draw.normal()).collect();
    let data = Data::new(25, |_| 2).with("y", |_, i| draw.poisson((effects[i] - 0.5).exp()));
    joint(
        "fixed m = 0
        fixed o = positive(1)
        random b ~ normal(0, o) | id
        y ~ poisson(exp(m + b))",
        &data,
    )
}

fn options(family: PosteriorFamily) -> VemOptions {
    VemOptions {
        family,
        rule: RuleKind::Qmc,
        points: Some(192),
        polish: false,
        ..VemOptions::default()
    }
}

fn run(joint: &Joint, options: &VemOptions, threads: usize) -> VemFit {
    fit(joint, options, (3, threads), None, &Silent).unwrap()
}

fn log_lik(joint: &Joint, theta: &[f64]) -> f64 {
    quadrature(joint.main(), theta, 41).unwrap().log_lik
}

#[test]
fn a_flow_is_between_the_gaussian_and_the_likelihood() {
    let joint = counts();
    let gaussian = run(&joint, &options(PosteriorFamily::FullRank), 1);
    let flow = run(&joint, &options(PosteriorFamily::PlanarFlow), 1);
    let gap = |found: &VemFit| log_lik(&joint, &found.fit.theta) - found.elbo.value();
    assert!(flow.elbo.error < 0.05);
    assert!(gap(&flow) > -4.0 * flow.elbo.error, "{}", gap(&flow));
    assert!(
        gap(&flow) < 0.3 * gap(&gaussian),
        "{} {}",
        gap(&flow),
        gap(&gaussian)
    );
    assert!(flow.elbo.value() > gaussian.elbo.value());
    assert_eq!(
        flow.fit.status,
        FitStatus::Converged,
        "{:?}",
        flow.fit.evidence
    );
    assert!(flow.flows.iter().all(|layers| layers.len() == 2) && flow.flows.len() == 25);
    assert!(gaussian.flows.is_empty());
}

/// At the end neither mean, scale nor any number of a layer can be moved to gain anything at the points of the run.
#[test]
fn the_flow_of_every_batch_is_a_maximum() {
    let joint = counts();
    let options = options(PosteriorFamily::PlanarFlow);
    let found = run(&joint, &options, 1);
    let rule = PointRule::new(&options, &Batches::new(&joint), 3);
    let kept = |flow: &&nlmers_core::vem::FlowLayers| flow[0].v[0] != 0.0;
    let batch = found.flows.iter().position(|flow| kept(&flow)).unwrap();
    let at = |q: &nlmers_core::inference::posterior::BatchPosteriors,
              flows: &[nlmers_core::vem::FlowLayers]| {
        let workers = Workers::single();
        bound(&joint, &found.fit.theta, (q, flows), (&rule, 0), &workers).unwrap()[batch]
    };
    let h = 1e-4;
    let mut slopes = Vec::new();
    for k in 0..6 {
        let side = |h: f64| {
            let (mut q, mut flows) = (found.q.clone(), found.flows.clone());
            let layer = &mut flows[batch][k.min(1)];
            match k {
                0 | 1 => layer.v[0] += h,
                2 => layer.b += h,
                3 => flows[batch][0].b += h,
                4 => q[batch].mean[0] += h,
                _ => q[batch].chol[0] += h,
            }
            at(&q, &flows)
        };
        slopes.push((side(h) - side(-h)) / (2.0 * h));
    }
    // All but the ridge's pull.
    assert!(slopes.iter().all(|slope| slope.abs() < 5e-3), "{slopes:?}");
}

#[test]
fn no_flow_is_the_gaussian() {
    let joint = pharmacokinetics::problem();
    let found = run(&joint, &options(PosteriorFamily::FullRank), 1);
    let mut flows = run(&joint, &options(PosteriorFamily::PlanarFlow), 1).flows;
    for layer in flows.iter_mut().flatten() {
        layer.v.fill(0.0);
    }
    let rule = PointRule::verifying(64, 1);
    let at = |flows: &[nlmers_core::vem::FlowLayers]| {
        let (theta, workers) = (&found.fit.theta, Workers::single());
        bound(&joint, theta, (&found.q, flows), (&rule, 0), &workers).unwrap()
    };
    for (bent, gaussian) in at(&flows).iter().zip(at(&[])) {
        assert!((bent - gaussian).abs() < 1e-9, "{bent} {gaussian}");
    }
}

#[test]
fn three_effects_gain_as_well_and_so_do_visits() {
    let joint = pharmacokinetics::problem();
    let gaussian = run(&joint, &options(PosteriorFamily::FullRank), 1);
    let flow = run(&joint, &options(PosteriorFamily::PlanarFlow), 1);
    let value = log_lik(&joint, &flow.fit.theta);
    assert!(flow.elbo.value() > gaussian.elbo.value() - 0.01);
    assert!(flow.elbo.value() < value + 4.0 * flow.elbo.error);
    let optimizer = OuterMethod::Adam { rate: 0.05 };
    let visits = VemOptions {
        optimizer,
        batch_size: Some(4),
        maxiters: 90,
        ..options(PosteriorFamily::PlanarFlow)
    };
    let visits = run(&joint, &visits, 1);
    let excess = 2.0 * (flow.elbo.value() - visits.elbo.value());
    assert!(excess.abs() < 0.2, "{excess}");
}

#[test]
fn flows_have_the_same_bits_with_any_number_of_threads() {
    let joint = counts();
    let bits = |threads: usize| {
        let found = run(&joint, &options(PosteriorFamily::PlanarFlow), threads);
        let layers = found.flows.iter().flatten().map(|layer| layer.b.to_bits());
        let theta = found.fit.theta.iter().map(|x| x.to_bits());
        theta.chain(layers).collect::<Vec<u64>>()
    };
    let one = bits(1);
    assert_eq!(one, bits(2));
    assert_eq!(one, bits(7));
}

#[test]
fn flows_and_fresh_points_are_refused_together() {
    let rule = RuleKind::MonteCarlo;
    let options = VemOptions {
        rule,
        ..options(PosteriorFamily::PlanarFlow)
    };
    let found = fit(&counts(), &options, (1, 1), None, &Silent);
    let error = found.err().unwrap();
    assert_eq!(error.reason, "flow_of_fresh_points");
    assert!(error.hint.unwrap().contains("qmc"));
}

//! Importance sampling against quadrature and closed forms.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::{joint, pharmacokinetics};
use nlmers_core::inference::importance::{Importance, ImportanceSampling};
use nlmers_core::inference::joint::{joint_modes, laplace};
use nlmers_core::inference::posterior::BatchPosteriors;
use nlmers_core::inference::proposal::around;
use nlmers_core::inference::quadrature::quadrature;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{Given, Joint};

fn sampling<'a>(
    joint: &'a Joint,
    workers: &'a Workers,
    seed: u64,
    draws: usize,
) -> ImportanceSampling<'a> {
    ImportanceSampling {
        trusts: false,
        joint,
        theta: &joint.theta.start,
        workers,
        seed,
        draws,
    }
}

/// Around the modes, not yet moved.
fn proposal(joint: &Joint) -> BatchPosteriors {
    let theta = &joint.theta.start;
    let modes = joint_modes(joint, theta).unwrap();
    around(joint, theta, &modes.points).unwrap()
}

fn run(joint: &Joint, seed: u64, draws: usize) -> Importance {
    let workers = Workers::single();
    let sampling = sampling(joint, &workers, seed, draws);
    let posterior = sampling.moved(&proposal(joint)).unwrap();
    sampling.run(&posterior).unwrap()
}

fn counts() -> Joint {
    let mut draw = Generator(4);
    let effects: Vec<f64> = (0..80).map(|_| 0.8 * draw.normal()).collect();
    let data =
        Data::new(80, |i| 1 + i % 4).with("y", |_, i| draw.poisson((0.5 + effects[i]).exp()));
    joint(
        "
        fixed a = 0.5
        fixed o = positive(0.8)
        random e ~ normal(a, o) | id
        y ~ poisson(exp(e))",
        &data,
    )
}

#[test]
fn the_log_likelihood_is_that_of_quadrature_within_its_own_error() {
    for (joint, nodes) in [(pharmacokinetics::problem(), 15), (counts(), 40)] {
        let exact = quadrature(joint.main(), &joint.theta.start, nodes).unwrap();
        for seed in 1..=5 {
            let found = run(&joint, seed, 1024);
            let (value, error) = (found.total(), found.total_error());
            let miss = (value - exact.log_lik).abs();
            assert!(miss < 0.02 && miss < 4.0 * error, "{miss} {error}");
            assert!(error < 0.02, "{error}");
            for (one, exact) in found.log_lik.iter().zip(&exact.subjects) {
                assert!((one - exact).abs() < 0.02, "{one} {exact}");
            }
            assert!(found.sound().iter().all(|sound| *sound));
            assert!(found.ess.iter().all(|ess| *ess > 400.0 && *ess <= 1024.0));
        }
    }
}

#[test]
fn the_error_that_is_told_is_the_error_that_is_made() {
    let joint = counts();
    let workers = Workers::single();
    let exact = quadrature(joint.main(), &joint.theta.start, 40).unwrap();
    let posterior = proposal(&joint);
    let squares = (0..60).map(|seed| {
        let found = sampling(&joint, &workers, seed, 64)
            .run(&posterior)
            .unwrap();
        ((found.total() - exact.log_lik) / found.total_error()).powi(2)
    });
    let mean = squares.sum::<f64>() / 60.0;
    // Three standard deviations of the mean of sixty squares.
    assert!((0.45..1.65).contains(&mean), "{mean}");
}

#[test]
fn a_gaussian_posterior_has_the_weights_of_the_t_distribution_alone() {
    let mut draw = Generator(2);
    let data = Data::new(9, |i| 1 + i % 4)
        .with("x", |row, _| (row as f64 * 0.7).sin())
        .with("y", |_, _| 2.0 + draw.normal());
    let joint = joint(
        "
        fixed m = real(1.8, 0.3)
        fixed w = covariance_matrix(0.7, 0.2, 0.2, 0.4)
        random e ~ mvnormal(m, w) | id
        y ~ normal(e[1] + x * e[2], 0.6)",
        &data,
    );
    let workers = Workers::single();
    let exact = quadrature(joint.main(), &joint.theta.start, 1).unwrap();
    let found = sampling(&joint, &workers, 3, 4096)
        .run(&proposal(&joint))
        .unwrap();
    for (one, exact) in found.log_lik.iter().zip(&exact.subjects) {
        assert!((one - exact).abs() < 5e-3, "{one} {exact}");
    }
    // E w^2 of the normal density over that of the t distribution: int exp(-u) (1 + u/5)^3.5 du / 2 in two dimensions.
    let square = common::numeric::log_integral(0.0, 60.0, 60_000, |u| -u + 3.5 * (u / 5.0).ln_1p());
    let expected = 2.0 / square.exp();
    let fraction = found.ess[0] / 4096.0;
    assert!((fraction - expected).abs() < 5e-3, "{fraction} {expected}");
    assert!(found.khat.iter().all(|k| *k < 0.0), "{:?}", found.khat);
}

/// The proposals around the modes, moved and stretched.
fn displaced(joint: &Joint, by: f64, factor: f64) -> BatchPosteriors {
    let mut posterior = proposal(joint);
    for q in &mut posterior {
        q.mean[0] += by;
        q.chol.iter_mut().for_each(|l| *l *= factor);
    }
    posterior
}

#[test]
fn a_proposal_off_the_mark_is_mended_by_a_pilot() {
    let joint = pharmacokinetics::problem();
    let workers = Workers::single();
    let sampling = sampling(&joint, &workers, 1, 1000);
    let mean = |q: &BatchPosteriors| sampling.run(q).unwrap().ess.iter().sum::<f64>() / 12.0;
    let off = displaced(&joint, 0.2, 2.0);
    let (before, after) = (mean(&off), mean(&sampling.moved(&off).unwrap()));
    let best = mean(&proposal(&joint));
    assert!(before < 0.5 * best, "{before} {best}");
    assert!(after > 0.85 * best, "{after} {best}");
}

/// A scale that is far too small leaves the posterior to the tail of the t distribution; one that is off and narrow as
/// well may not even have poor weights.
#[test]
fn a_proposal_that_misses_the_posterior_is_replaced() {
    let joint = pharmacokinetics::problem();
    let workers = Workers::single();
    let exact = quadrature(joint.main(), &joint.theta.start, 15).unwrap();
    for (by, factor) in [(0.3, 0.02), (1.0, 0.01), (0.0, 0.05)] {
        let sampling = sampling(&joint, &workers, 1, 1000);
        let off = displaced(&joint, by, factor);
        for found in [
            sampling.run(&off).unwrap(),
            sampling.run(&sampling.moved(&off).unwrap()).unwrap(),
        ] {
            assert!(found.sound().iter().all(|sound| *sound), "{:?}", found.khat);
            let miss = (found.total() - exact.log_lik).abs();
            assert!(miss < 4.0 * found.total_error() && miss < 0.1, "{miss}");
        }
    }
}

/// Weights that are poor in some batches leave the draws of all others alone.
#[test]
fn good_proposals_keep_their_draws() {
    let joint = pharmacokinetics::problem();
    let workers = Workers::single();
    let sampling = sampling(&joint, &workers, 1, 1000);
    let good = proposal(&joint);
    let mut mixed = good.clone();
    mixed[3] = displaced(&joint, 0.3, 0.02)[3].clone();
    let (one, two) = (sampling.run(&good).unwrap(), sampling.run(&mixed).unwrap());
    for b in (0..12).filter(|b| *b != 3) {
        assert_eq!(one.log_lik[b].to_bits(), two.log_lik[b].to_bits());
        assert_eq!(one.ess[b].to_bits(), two.ess[b].to_bits());
    }
    assert!((one.log_lik[3] - two.log_lik[3]).abs() < 0.05);
}

#[test]
fn bits_do_not_depend_on_threads_nor_on_how_batches_are_grouped() {
    let joint = counts();
    let posterior = proposal(&joint);
    let one = Workers::single();
    let alone = sampling(&joint, &one, 5, 3000).run(&posterior).unwrap();
    assert_eq!(alone.draws, 3000);
    for threads in [2, 3] {
        let workers = Workers::new(threads).unwrap();
        assert_eq!(
            alone,
            sampling(&joint, &workers, 5, 3000).run(&posterior).unwrap()
        );
    }
    // 80 subjects of 3000 draws are several groups; each subject has the draws it would have by itself.
    let mut seen = vec![0; 80];
    let mut groups = 0;
    let visited = sampling(&joint, &one, 5, 3000).visit(&posterior, |cloud, drawn| {
        groups += 1;
        drawn.members.iter().for_each(|b| seen[*b] += 1);
        assert_eq!(cloud.batches.len(), drawn.members.len());
        for own in drawn.weights.chunks(cloud.copies) {
            assert!((own.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    });
    assert_eq!(alone, visited.unwrap());
    assert!(groups > 2, "{groups}");
    assert!(seen.iter().all(|n| *n == 1));
    assert_ne!(
        alone,
        sampling(&joint, &one, 6, 3000).run(&posterior).unwrap()
    );
}

#[test]
fn crossed_groupings_are_sampled_together() {
    let mut draw = Generator(9);
    let a: Vec<f64> = (0..4).map(|_| draw.normal()).collect();
    let b: Vec<f64> = (0..3).map(|_| 0.5 * draw.normal()).collect();
    let data =
        Data::new(4, |_| 6).with("y", |row, i| 1.0 + a[i] + b[row % 3] + 0.4 * draw.normal());
    let codes: Vec<usize> = (0..24).map(|row| row % 3).collect();
    let subjects = data.subject.clone();
    let text = "
        fixed m = 1
        fixed oa = positive(0.9)
        fixed ob = positive(0.5)
        fixed s = positive(0.4)
        random a ~ normal(0, oa) | id
        random b ~ normal(0, ob) | item
        y ~ normal(m + a + b, s)";
    let groups = [("id", subjects), ("item", codes)];
    let joint = common::groups::joint(text, &data, &groups, &Given::default()).unwrap();
    // Laplace's approximation is exact here.
    let exact = laplace(&joint, &joint.theta.start, None).unwrap();
    let found = run(&joint, 1, 4096);
    assert_eq!(found.log_lik.len(), 1);
    let miss = (found.total() - exact.log_lik).abs();
    assert!(miss < 0.05 && miss < 5.0 * found.total_error(), "{miss}");
}

#[test]
fn a_batch_without_any_density_says_so() {
    let data = Data::new(3, |_| 2)
        .with("x", |_, i| if i == 1 { 1.0 } else { 2e6 })
        .with("y", |_, _| 14.0);
    let text = "
        fixed a = 0.5
        fixed o = positive(0.8)
        random e ~ normal(0, o) | id
        y ~ normal(log(x - 1e6 + 0 * e) + a + e, 1)";
    let found = run(&joint(text, &data), 1, 100);
    assert_eq!(found.sound(), [true, false, true]);
    assert_eq!(found.log_lik[1], f64::NEG_INFINITY);
    assert_eq!(found.ess[1], 0.0);
    assert!(found.khat[1].is_nan() && found.mc_error[1].is_nan());
}

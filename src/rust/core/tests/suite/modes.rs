//! The final empirical Bayes modes: other starts, rescue, optimizers, effects that stay at their means.

use crate::common::data::{Data, Generator};
use crate::common::joint;
use nlmers_core::inference::climb::Climber;
use nlmers_core::inference::ebe::{
    final_modes, EbModes, EbeOptimizer, EbeOptions, EbeSearch, StartDesign,
};
use nlmers_core::inference::multistart::{MultiStart, StartPlan};
use nlmers_core::ir::vmath::pnorm;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{EffectValues, Joint, Means, Prior};

fn find(joint: &Joint, options: &EbeOptions) -> EbModes {
    let search = EbeSearch {
        workers: &Workers::single(),
        options,
        seed: 7,
        pinned: &[],
        candidate: None,
    };
    final_modes(joint, &joint.theta.start, &search).unwrap()
}

fn from(joint: &Joint, options: &EbeOptions, candidate: &EffectValues) -> EbModes {
    let search = EbeSearch {
        workers: &Workers::single(),
        options,
        seed: 7,
        pinned: &[],
        candidate: Some(candidate),
    };
    final_modes(joint, &joint.theta.start, &search).unwrap()
}

/// Two hills, a low one where the search starts and one that is `ln(400) - 2.5^2 / 2` higher at about 2.4.
fn two_hills() -> Joint {
    let data = Data::new(3, |_| 1).with("y", |_, _| 1.0);
    joint(
        "fixed o = positive(1)
         random e ~ normal(0, o) | id
         y ~ custom(log(exp(-12.5 * (e - 0.1)^2) + 400 * exp(-12.5 * (e - 2.5)^2)))",
        &data,
    )
}

/// The maximum of the higher hill alone: `25 (2.5 - e) = e`.
const HIGH: f64 = 62.5 / 26.0;

#[test]
fn one_start_lands_on_the_lower_hill_and_other_starts_find_the_higher_one() {
    let joint = two_hills();
    let once = find(&joint, &EbeOptions::default());
    assert_eq!(once.rounds[0], [0; 3]);
    assert!(once.converged[0].iter().all(|c| *c), "a maximum it is");
    assert!(once.points.values[0].iter().all(|e| (e - 0.1).abs() < 0.01));
    let all = EbeOptions {
        ebe_grad_tol: 0.0,
        ..EbeOptions::default()
    };
    let searched = find(&joint, &all);
    assert!(searched.rounds[0].iter().all(|n| *n >= 1));
    assert!(searched.converged[0].iter().all(|c| *c));
    let values = &searched.points.values[0];
    assert!(values.iter().all(|e| (e - HIGH).abs() < 1e-6), "{values:?}");
}

#[test]
fn a_candidate_on_the_higher_hill_is_followed_and_one_that_is_lower_is_not() {
    let joint = two_hills();
    let candidate = joint.points(vec![vec![2.2, -3.0, 0.0]]);
    let found = from(&joint, &EbeOptions::default(), &candidate);
    let values = &found.points.values[0];
    assert!((values[0] - HIGH).abs() < 1e-6, "{values:?}");
    assert!(
        values[1..].iter().all(|e| (e - 0.1).abs() < 0.01),
        "{values:?}"
    );
}

/// A density that exists for `1.8 < e < 2.2` only: nowhere near the mean.
fn hidden() -> Joint {
    let data = Data::new(2, |_| 1)
        .with("x", |_, i| if i == 0 { 1.0 } else { 0.0 })
        .with("y", |_, _| 1.0);
    joint(
        "fixed o = positive(1)
         random e ~ normal(0, o) | id
         y ~ custom(x * log(0.04 - (e - 2)^2 + 100 * (1 - x)))",
        &data,
    )
}

/// `2 (2 - e) / (0.04 - (e - 2)^2) = e`
fn hidden_mode() -> f64 {
    let slope = |e: f64| 2.0 * (2.0 - e) / (0.04 - (e - 2.0).powi(2)) - e;
    let (mut low, mut high) = (1.81, 2.19);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[test]
fn a_rescue_with_more_starts_finds_what_a_few_do_not() {
    let joint = hidden();
    let few = EbeOptions {
        ebe_multistart_n: 2,
        ebe_multistart_k: 1,
        ebe_multistart_max_rounds: 3,
        ebe_rescue_on_high_grad: false,
        ..EbeOptions::default()
    };
    let lost = find(&joint, &few);
    assert_eq!(lost.converged[0], [false, true]);
    assert_eq!(lost.rounds[0], [3, 0], "2, 4 and 8 starts");
    let rescue = EbeOptions {
        ebe_rescue_on_high_grad: true,
        ..few
    };
    let found = find(&joint, &rescue);
    assert_eq!(found.converged[0], [true, true]);
    assert_eq!(found.rounds[0], [4, 0]);
    // The effect enters as e - 2 only: that is phi.
    let mode = 2.0 + found.points.values[0][0];
    assert!((mode - hidden_mode()).abs() < 1e-7, "{mode}");
    let shy = EbeOptions {
        ebe_rescue_multistart_n: 3,
        ebe_rescue_multistart_k: 1,
        ebe_rescue_max_rounds: 2,
        ..rescue
    };
    let lost = find(&joint, &shy);
    assert_eq!((lost.converged[0][0], lost.rounds[0][0]), (false, 5));
}

/// A ragged density: more starts find higher points, and the slope vanishes nowhere exactly enough.
#[test]
fn rounds_go_on_while_they_gain_and_end_at_their_number() {
    let data = Data::new(4, |_| 1).with("y", |_, _| 1.0);
    let joint = joint(
        "fixed o = positive(1)
         random e ~ normal(0, o) | id
         y ~ custom(40 * sin(3 * e) * sin(500 * e))",
        &data,
    );
    let rounds = |ebe_multistart_max_rounds| {
        let options = EbeOptions {
            ebe_grad_tol: 0.0,
            ebe_multistart_n: 2,
            ebe_multistart_k: 1,
            ebe_multistart_max_rounds,
            ebe_rescue_on_high_grad: false,
            ..EbeOptions::default()
        };
        find(&joint, &options).rounds.remove(0)
    };
    assert_eq!(rounds(0), [0; 4]);
    assert_eq!(rounds(1), [1; 4]);
    let six = rounds(6);
    assert!(six.iter().all(|n| (2..=6).contains(n)), "{six:?}");
    assert!(six.iter().any(|n| *n > 2), "{six:?}");
}

/// Curves with normal and count data.
fn curves(n: usize) -> Joint {
    let mut draw = Generator(8);
    let data = Data::new(n, |i| 2 + i % 5)
        .with("t", |row, _| 0.5 + (row % 6) as f64)
        .with("y", |_, _| draw.between(0.5, 9.0))
        .with("n", |row, _| (row % 4) as f64);
    joint(
        "fixed lv = 2
         fixed lk = -0.5
         fixed o = positive(0.6, 0.8)
         random e ~ mvnormal(c(lv, lk), diag(o)) | id
         f <- exp(e[1]) * (1 - exp(-exp(e[2]) * t))
         y ~ normal(f, add_prop(0.3, 0.1))
         n ~ poisson(exp(e[2]) + 0.1)",
        &data,
    )
}

#[test]
fn all_optimizers_find_the_same_modes() {
    let joint = curves(70);
    let of = |ebe_optimizer, ebe_grad_tol| {
        let options = EbeOptions {
            ebe_optimizer,
            ebe_maxiters: 500,
            ebe_grad_tol,
            ebe_rescue_grad_tol: ebe_grad_tol,
            ..EbeOptions::default()
        };
        find(&joint, &options)
    };
    let newton = of(EbeOptimizer::Newton, 1e-6);
    assert!(newton.converged[0].iter().all(|c| *c));
    assert!(newton.slopes[0].iter().all(|s| *s <= 1e-6));
    for (optimizer, tol, near) in [
        (EbeOptimizer::Lbfgs, 1e-4, 1e-5),
        (EbeOptimizer::NelderMead, 1e-2, 1e-4),
    ] {
        let other = of(optimizer, tol);
        let lost = other.converged[0].iter().filter(|c| !**c).count();
        assert_eq!(lost, 0, "{optimizer:?} {:?}", other.slopes[0]);
        let pairs = newton.points.values[0].iter().zip(&other.points.values[0]);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < near, "{optimizer:?} {worst}");
    }
}

#[test]
fn few_steps_leave_modes_that_other_starts_must_find() {
    let joint = curves(70);
    let short = EbeOptions {
        ebe_maxiters: 3,
        ..EbeOptions::once()
    };
    let cut = find(&joint, &short);
    assert!(cut.converged[0].iter().any(|c| !*c));
    let loose = EbeOptions {
        ebe_grad_tol: 1e9,
        ..EbeOptions::default()
    };
    assert_eq!(find(&joint, &loose).rounds[0], [0; 70]);
}

#[test]
fn pinned_effects_stay_at_their_means_and_the_others_answer_to_it() {
    let joint = curves(9);
    let theta = &joint.theta.start;
    let options = EbeOptions::default();
    let search = EbeSearch {
        workers: &Workers::single(),
        options: &options,
        seed: 1,
        pinned: &[1],
        candidate: None,
    };
    let pinned = final_modes(&joint, theta, &search).unwrap();
    assert!(pinned.converged[0].iter().all(|c| *c));
    let values = &pinned.points.values[0];
    assert!(values.iter().skip(1).step_by(2).all(|e| *e == -0.5));
    let free = find(&joint, &options).points.values.remove(0);
    let moved = |k: usize| {
        let pairs = values.iter().zip(&free).skip(k).step_by(2);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(moved(0) > 0.01 && moved(1) > 0.01);
    let first: Vec<f64> = values.iter().step_by(2).copied().collect();
    assert!(first.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.1));
}

#[test]
fn a_latin_hypercube_has_one_start_in_each_interval_and_draws_do_not_depend_on_others() {
    let joint = joint(
        "fixed w = covariance_matrix(0.7, 0.2, 0.2, 0.4)
         random e ~ mvnormal(c(1, -2), w) | id
         y ~ normal(e[1] + e[2], 1)",
        &Data::new(5, |_| 1).with("y", |_, _| 1.0),
    );
    let (problem, theta) = (joint.main(), &joint.theta.start);
    let prior = Prior::new(problem, theta).unwrap();
    let layout = problem.layout(1);
    let means = Means::new(problem, &layout, theta);
    let search = MultiStart {
        climber: Climber {
            workers: &Workers::single(),
            problem,
            theta,
            prior: &prior,
            options: &EbeOptions::default(),
        },
        means: &means,
        layout: &layout,
        seed: 3,
    };
    let plan = |n, sampling| StartPlan {
        n,
        k: 1,
        rounds: 1,
        tol: 0.0,
        sampling,
        first: 0,
    };
    let whitened = |draws: &[f64]| -> Vec<[f64; 2]> {
        let one = |phi: &[f64]| {
            let first = (phi[0] - 1.0) / prior.chol[(0, 0)];
            let second = (phi[1] + 2.0 - prior.chol[(1, 0)] * first) / prior.chol[(1, 1)];
            [first, second]
        };
        draws.chunks(2).map(one).collect()
    };
    let intervals = |draws: &[f64], k: usize| {
        let mut each: Vec<usize> = whitened(draws)
            .iter()
            .map(|z| (pnorm::<false>(z[k]) * 100.0) as usize)
            .collect();
        each.sort_unstable();
        each
    };
    let draws = search.draws(2, plan(100, StartDesign::Lhs));
    let expected: Vec<usize> = (0..100).collect();
    assert_eq!(intervals(&draws, 0), expected);
    assert_eq!(intervals(&draws, 1), expected);
    let random = search.draws(2, plan(100, StartDesign::Random));
    assert_ne!(intervals(&random, 0), expected);
    assert_ne!(search.draws(3, plan(100, StartDesign::Lhs)), draws);
    let more = search.draws(2, plan(200, StartDesign::Random));
    assert_eq!(more[..200], random[..]);
}

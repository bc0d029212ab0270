//! Start a mixture from classes that differ.
//!
//! Where all classes are alike the likelihood has a saddle, and where one of them takes all subjects a maximum of its own,
//! to which a Gaussian around one mode of each subject is drawn. So subjects are also put in classes by their effects
//! (along each effect by itself, in all orders of the classes), the model is fitted as if these classes were known, and
//! what that leads to is a start of the mixture. The start of the user stays unless another one is clearly more likely.

use super::arrive::SMALLEST_SPREAD;
use super::direct;
use super::method::Method;
use crate::error::Result;
use crate::inference::classes::log_lik_by_modes;
use crate::inference::importance::{ImportanceSampling, REPLICATES};
use crate::inference::information::scores;
use crate::inference::posterior::{BatchGaussian, Batches};
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::Joint;
use crate::saem::RunEnds;
use crate::vem::{self, VemOptions};

/// Log-likelihood by which another start must be better.
const CLEAR: f64 = 1.0;

/// Most divisions of the subjects that are tried.
const MOST: usize = 12;

/// Iterations of a fit with known classes, which need not be its last digits.
const FEW: usize = 25;

/// Most rounds of a division along a line.
const ROUNDS: usize = 100;

/// What a start leads to.
struct Led {
    theta: Vec<f64>,
    /// Log-likelihood of the mixture, by Laplace's method in each class.
    value: f64,
    /// Numbers that may tell the subjects apart: `[direction][subject]`.
    directions: Vec<Vec<f64>>,
}

struct Trial<'a> {
    method: &'a Method,
    course: &'a RunEnds,
    monitor: &'a dyn Monitor,
    workers: &'a Workers,
    seed: u64,
}

/// A better start than that of the problem; `None` where there are no classes, or none is found.
pub fn better_start(
    problem: &Joint,
    (method, course): (&Method, &RunEnds),
    (seed, workers): (u64, &Workers),
    monitor: &dyn Monitor,
) -> Option<Vec<f64>> {
    if problem.n_classes() == 0 {
        return None;
    }
    let trial = Trial {
        method,
        course,
        monitor,
        workers,
        seed,
    };
    let mut joint = problem.clone();
    joint.floor_spreads(SMALLEST_SPREAD);
    let first = trial.lead(&joint, None)?;
    let mut start = first.theta.clone();
    for k in joint
        .main()
        .form
        .thetas_of(joint.main().form.classes.clone())
    {
        start[k] = joint.theta.start[k];
    }
    let mut best: Option<Led> = None;
    for classes in divisions(&first.directions, joint.n_classes()) {
        if monitor.interrupted() {
            break;
        }
        let mut known = joint.with_classes(&classes);
        known.start_from(&start);
        let least = best.as_ref().map_or(first.value + CLEAR, |best| best.value);
        best = match trial.lead(&known, Some(&joint)) {
            Some(led) if led.value > least => Some(led),
            _ => best,
        };
    }
    best.map(|best| best.theta)
}

impl Trial<'_> {
    /// Where the start of `joint` leads; `open`: the mixture, where the classes of `joint` are known.
    fn lead(&self, joint: &Joint, open: Option<&Joint>) -> Option<Led> {
        let mixture = open.unwrap_or(joint);
        let led = if direct::is_direct(joint) {
            self.directly(joint, mixture)
        } else {
            self.by_bound(joint, mixture)
        };
        led.ok().filter(|led| led.value.is_finite())
    }

    fn by_bound(&self, joint: &Joint, mixture: &Joint) -> Result<Led> {
        let options = VemOptions {
            maxiters: FEW,
            ..VemOptions::default()
        };
        let way = (self.seed, self.workers);
        let (theta, q, _) = vem::bring(joint, &options, way, self.monitor)?;
        let n = joint.main().n_subjects();
        let mut directions = vec![vec![0.0; n]; joint.main().n_phi()];
        for (own, q) in Batches::new(joint).coordinates.iter().zip(&q) {
            for (at, mean) in own.iter().zip(&q.mean) {
                directions[at.effect][at.level] = *mean;
            }
        }
        Ok(Led {
            value: log_lik_by_modes(mixture, &theta, self.workers)?,
            directions,
            theta,
        })
    }

    /// Without effects the scores of the subjects tell them apart.
    fn directly(&self, joint: &Joint, mixture: &Joint) -> Result<Led> {
        let Self {
            method,
            course,
            monitor,
            workers,
            seed,
        } = *self;
        let found = direct::fit(joint, (method, course), (seed, workers), monitor)?;
        let theta = found.fit.theta;
        let nothing = BatchGaussian {
            mean: Vec::new(),
            chol: Vec::new(),
        };
        let sampling = ImportanceSampling {
            trusts: true,
            joint,
            theta: &theta,
            workers,
            seed,
            draws: REPLICATES,
        };
        let told = scores(&sampling, &vec![nothing; joint.n_batches])?;
        let p = told.free.len();
        let batches = &joint.batches[0];
        let along = |k: usize| {
            let each = batches.iter().map(|batch| told.scores[batch * p + k]);
            each.collect()
        };
        Ok(Led {
            value: direct::log_lik(mixture, &theta, workers)?.total(),
            directions: (0..p).map(along).collect(),
            theta,
        })
    }
}

/// Classes of the subjects by each direction, in all orders: from one.
fn divisions(directions: &[Vec<f64>], k: usize) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for values in directions {
        let Some(groups) = divided(values, k) else {
            continue;
        };
        for order in orders(k) {
            let classes = groups.iter().map(|group| order[*group]).collect();
            if found.len() < MOST && !found.contains(&classes) {
                found.push(classes);
            }
        }
    }
    found
}

/// Groups of values that lie together, from the lowest: Lloyd's algorithm from quantiles. `None` where a group is empty.
fn divided(values: &[f64], k: usize) -> Option<Vec<usize>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let quantile = |j: usize| sorted.get((2 * j + 1) * n / (2 * k)).copied();
    let mut centers: Vec<f64> = (0..k).map(quantile).collect::<Option<_>>()?;
    let nearest = |centers: &[f64], x: f64| {
        let away = |j: usize| (centers[j] - x).abs();
        (1..k).fold(0, |best, j| if away(j) < away(best) { j } else { best })
    };
    let mut groups = Vec::new();
    for _ in 0..ROUNDS {
        let next: Vec<usize> = values.iter().map(|x| nearest(&centers, *x)).collect();
        if next == groups {
            break;
        }
        for (j, center) in centers.iter_mut().enumerate() {
            let own = values.iter().zip(&next).filter(|(_, group)| **group == j);
            let (sum, count) = own.fold((0.0, 0.0), |(sum, n), (x, _)| (sum + x, n + 1.0));
            if count == 0.0 {
                return None;
            }
            *center = sum / count;
        }
        groups = next;
    }
    Some(groups)
}

/// Orders of the classes, from one: all of three or fewer, else the two that run along the line.
fn orders(k: usize) -> Vec<Vec<usize>> {
    let up: Vec<usize> = (1..=k).collect();
    if k > 3 {
        let down = up.iter().rev().copied().collect();
        return vec![up, down];
    }
    let mut found: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..k {
        found = (found.iter())
            .flat_map(|begun| {
                let rest = up.iter().filter(|class| !begun.contains(class));
                rest.map(|class| [begun.as_slice(), &[*class]].concat())
            })
            .collect();
    }
    found
}

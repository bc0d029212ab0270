//! Improve the draws of batches whose importance weights are poor, and find batches whose draws miss something.
//!
//! All happens in coordinates in which the population distribution is standard normal, `phi = m + C z`, `C C' = Omega`:
//! however flat `Omega` is, nothing is lost in rounding. A mixture of t distributions is fitted to weighted draws, a few
//! rounds of it, the weights of the first ones tempered until enough draws count. Two components are never fitted: the
//! population, which bounds the weights by `p(y | phi)` over its share, and the moments of all draws, widened. Sources:
//! Hesterberg (1995), Weighted average importance sampling and defensive mixture distributions; Cappe et al. (2008).

use super::classes::posteriors_in_classes;
use super::cloud::{layouts_of, Cloud};
use super::importance::ImportanceSampling;
use super::mixture::{gaussian, moments, StudentComponent, StudentMixture};
use super::points::LatticePoints;
use super::posterior::{population, BatchGaussian, BatchPosteriors, Batches};
use std::sync::OnceLock;

use crate::distributions::LN_SQRT_2PI;
use crate::error::Result;
use crate::ir::vmath::pnorm;
use crate::problem::Prior;

/// Rounds in which mixtures are fitted.
const ROUNDS: usize = 5;

/// Draws of a round.
const FEWEST_DRAWS: usize = 1024;
const MOST_DRAWS: usize = 4096;

/// Effective part of the draws at which a mixture is good enough.
const GOOD: f64 = 0.4;

/// Shares of the population and of the widened moments, and how far these are widened.
const DEFENSE: f64 = 0.1;
const WIDENED: f64 = 2.0;

/// How far the proposal that is checked is widened.
const WIDE: f64 = 3.0;

/// Draws of a check.
const CHECKS: usize = 64;

/// With one effect they are more, and evenly spread so many standard deviations to both sides: dense enough to hit a
/// narrow second mode.
const CHECKS_OF_ONE: usize = 256;
const EVENLY: f64 = 4.5;

/// A draw is missed when its weight is more than this part of the sum of all, and a batch is when such draws have more
/// than this part of its likelihood.
const LARGE: f64 = 0.05;
const MISSED: f64 = 0.005;

/// Most effects of a batch to which mixtures are fitted.
pub const MOST_EFFECTS: usize = 30;

/// Draws of a batch: where they are, and log densities of data and effects, and of the draws.
pub struct Sample {
    pub phi: Vec<f64>,
    z: Vec<f64>,
    log_p: Vec<f64>,
    log_q: Vec<f64>,
}

impl Sample {
    pub fn log_weights(&self) -> Vec<f64> {
        let pairs = self.log_p.iter().zip(&self.log_q);
        let weight = |x: f64| if x.is_nan() { f64::NEG_INFINITY } else { x };
        pairs.map(|(p, q)| weight(p - q)).collect()
    }
}

/// What draws are made of.
pub struct DrawTarget<'a> {
    pub sampling: ImportanceSampling<'a>,
    /// The population distribution of every batch.
    pub population: BatchPosteriors,
    priors: Vec<Prior>,
    /// The conditional distributions of every batch in each class of the subjects, as their modes say, once they are asked
    /// for.
    classes: OnceLock<Vec<BatchPosteriors>>,
}

impl<'a> DrawTarget<'a> {
    /// # Errors
    /// A population distribution that does not exist.
    pub fn new(sampling: ImportanceSampling<'a>) -> Result<Self> {
        let ImportanceSampling { joint, theta, .. } = sampling;
        let priors = joint.priors(theta)?;
        Ok(Self {
            sampling,
            population: population(&Batches::new(joint), &joint.means(theta), &priors),
            priors,
            classes: OnceLock::new(),
        })
    }

    /// The conditional distributions of a batch in the classes, seen from the population.
    fn in_classes(&self, batch: usize) -> Vec<BatchGaussian> {
        let ImportanceSampling {
            joint,
            theta,
            workers,
            ..
        } = self.sampling;
        let found = self
            .classes
            .get_or_init(|| posteriors_in_classes(joint, theta, workers));
        let seen = |q: &BatchPosteriors| self.population[batch].seen(&q[batch]);
        found.iter().map(seen).collect()
    }

    /// Draws from a mixture for each of `members`, all of which have effects.
    fn mixed(
        &self,
        members: &[usize],
        mixtures: &[StudentMixture],
        lattices: &[LatticePoints],
    ) -> Vec<Sample> {
        self.sample(members, |i| mixtures[i].draw(lattices, members[i]))
    }

    /// Draws for a check: from a mixture, evenly spread where there is but one effect.
    fn checked(&self, members: &[usize], mixtures: &[StudentMixture]) -> Vec<Sample> {
        let lattices = self.checking();
        self.sample(members, |i| {
            if self.population[members[i]].dim() == 1 {
                evenly(&lattices, members[i])
            } else {
                mixtures[i].draw(&lattices, members[i])
            }
        })
    }

    /// Draws for each of `members`; `draw`: standardized, with their log densities.
    fn sample(
        &self,
        members: &[usize],
        draw: impl Fn(usize) -> (Vec<f64>, Vec<f64>) + Sync,
    ) -> Vec<Sample> {
        let ImportanceSampling {
            joint,
            theta,
            workers,
            ..
        } = self.sampling;
        let place = |_: &mut (), i: usize| {
            let (z, log_q) = draw(i);
            let home = &self.population[members[i]];
            let d = home.dim();
            let mut phi = vec![0.0; z.len()];
            for (phi, z) in phi.chunks_exact_mut(d).zip(z.chunks_exact(d)) {
                home.place(z, phi);
            }
            Sample {
                log_p: z.chunks_exact(d).map(log_normal).collect(),
                phi,
                z,
                log_q,
            }
        };
        let mut found = workers.map_range(members.len(), || (), place);
        let copies = found.first().map_or(0, |s| s.log_q.len());
        let layouts = layouts_of(joint, members, copies);
        let mut cloud = Cloud::at((joint, &layouts), members, theta, self.priors.clone());
        let all: Vec<&[f64]> = found.iter().map(|s| s.phi.as_slice()).collect();
        cloud.set(&all.concat());
        // The density of given effects counts in the likelihood of their batch.
        if joint.parts.iter().any(|part| part.held.is_some()) {
            let log_prior = cloud.log_prior();
            let each = found.iter_mut().zip(log_prior.chunks(copies.max(1)));
            for ((sample, own), b) in each.zip(members) {
                let volume = self.population[*b].log_det();
                (sample.log_p.iter_mut().zip(own)).for_each(|(p, prior)| *p = prior + volume);
            }
        }
        let log_lik = cloud.log_lik(workers);
        for (sample, own) in found.iter_mut().zip(log_lik.chunks(copies.max(1))) {
            sample.log_p.iter_mut().zip(own).for_each(|(p, y)| *p += y);
        }
        found
    }

    fn checking(&self) -> Vec<LatticePoints> {
        let one = self.population.iter().all(|home| home.dim() <= 1);
        let draws = if one { CHECKS_OF_ONE } else { CHECKS };
        self.sampling.lattices(draws, 2 + ROUNDS + 1, 1)
    }

    /// Better draws of `members`, `draws` of each.
    pub fn improved(
        &self,
        members: &[usize],
        posterior: &BatchPosteriors,
        draws: usize,
    ) -> Vec<Sample> {
        let first = |b: &usize| {
            let q = self.population[*b].seen(&posterior[*b]);
            let classes = self.in_classes(*b);
            let share = if classes.is_empty() { 0.4 } else { 0.2 };
            let own = |class: &BatchGaussian| part(share / classes.len() as f64, class, 1.0);
            let mut components: Vec<StudentComponent> = classes.iter().map(own).collect();
            components.extend([
                part(share, &q, 1.0),
                part(0.2, &q, WIDE),
                part(0.4, &standard(q.dim()), 1.0),
            ]);
            StudentMixture { components }
        };
        let mut mixtures: Vec<StudentMixture> = members.iter().map(first).collect();
        let trial = draws.clamp(FEWEST_DRAWS, MOST_DRAWS);
        for round in 0..ROUNDS {
            let lattices = self.sampling.lattices(trial, 2 + round, 1);
            let samples = self.mixed(members, &mixtures, &lattices);
            let learn = |_: &mut (), i: usize| learned(&samples[i]);
            let found = self.sampling.workers.map_range(members.len(), || (), learn);
            // What the first draws did not hit is not known yet.
            let first = round == 0;
            let mut good = !first;
            for (mixture, (next, part)) in mixtures.iter_mut().zip(found) {
                good &= part >= GOOD;
                // A mixture that serves is left alone.
                if let Some(next) = next.filter(|_| first || part < GOOD) {
                    *mixture = next;
                }
            }
            if good {
                break;
            }
        }
        let lattices = self.sampling.lattices(draws, 2 + ROUNDS, 1);
        self.mixed(members, &mixtures, &lattices)
    }

    /// Those of `members` whose likelihood `values` by so many `draws` around `posterior` leaves something out: draws
    /// from the population and from a wide neighborhood find it.
    pub fn missed(
        &self,
        members: &[usize],
        posterior: &BatchPosteriors,
        (values, draws): (&[f64], usize),
    ) -> Vec<usize> {
        let seen = |b: &usize| self.population[*b].seen(&posterior[*b]);
        let own: Vec<BatchGaussian> = members.iter().map(seen).collect();
        let mixture = |(q, b): (&BatchGaussian, &usize)| {
            let home = standard(q.dim());
            let classes = self.in_classes(*b);
            let share = if classes.is_empty() { 0.5 } else { 0.25 };
            let own = |class: &BatchGaussian| part(2.0 * share / classes.len() as f64, class, WIDE);
            let mut components: Vec<StudentComponent> = classes.iter().map(own).collect();
            components.extend([part(share, &home, 1.0), part(share, q, WIDE)]);
            StudentMixture { components }
        };
        let mixtures: Vec<StudentMixture> = own.iter().zip(members).map(mixture).collect();
        let samples = self.checked(members, &mixtures);
        let mut found = Vec::new();
        for (i, sample) in samples.iter().enumerate() {
            let alone = StudentMixture {
                components: vec![part(1.0, &own[i], 1.0)],
            };
            let limit = values[i] + (LARGE * draws as f64).ln();
            let alone = alone.log_densities(&sample.z);
            let beyond = sample.log_p.iter().zip(alone).map(|(p, q)| p - q > limit);
            let weights = sample.log_weights();
            let mass = beyond.zip(&weights).filter(|(beyond, _)| *beyond);
            let mass: f64 = mass.map(|(_, w)| (w - values[i]).exp()).sum();
            if mass > MISSED * weights.len() as f64 {
                found.push(members[i]);
            }
        }
        found
    }

    /// Mass that draws from the population find where `outside` says so, as part of the likelihood `values`.
    pub fn outside(
        &self,
        members: &[usize],
        values: &[f64],
        outside: impl Fn(usize, &[f64]) -> bool,
    ) -> Vec<f64> {
        let home = |b: &usize| StudentMixture {
            components: vec![part(1.0, &standard(self.population[*b].dim()), 1.0)],
        };
        let mixtures: Vec<StudentMixture> = members.iter().map(home).collect();
        let samples = self.checked(members, &mixtures);
        let mass = |(i, sample): (usize, &Sample)| {
            let d = self.population[members[i]].dim();
            let weights = sample.log_weights();
            let rows = sample.phi.chunks_exact(d).zip(&weights);
            let found = rows.filter(|(phi, _)| outside(members[i], phi));
            let sum: f64 = found.map(|(_, w)| (w - values[i]).exp()).sum();
            sum / weights.len() as f64
        };
        samples.iter().enumerate().map(mass).collect()
    }

    /// The Gaussian with the moments of weighted draws of a batch; `None` where they span no volume.
    pub fn gaussian(&self, batch: usize, phi: &[f64], weights: &[f64]) -> Option<BatchGaussian> {
        let home = &self.population[batch];
        let d = home.dim();
        if d == 0 {
            return None;
        }
        let z: Vec<f64> = (phi.chunks_exact(d))
            .flat_map(|phi| home.standardized(phi))
            .collect();
        let inner = gaussian(&moments(&z, weights, d), 1.0)?;
        Some(home.carried(&inner))
    }
}

fn standard(d: usize) -> BatchGaussian {
    let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| f64::from(u8::from(i == j))));
    BatchGaussian {
        mean: vec![0.0; d],
        chol: pairs.collect(),
    }
}

/// Draws of the uniform distribution within [`EVENLY`] standard deviations, and their log densities.
fn evenly(lattices: &[LatticePoints], batch: usize) -> (Vec<f64>, Vec<f64>) {
    let normals = lattices.iter().flat_map(|l| l.normals(batch, 1));
    let draws: Vec<f64> = normals
        .map(|x| EVENLY * (2.0 * pnorm::<false>(x) - 1.0))
        .collect();
    let logs = vec![-(2.0 * EVENLY).ln(); draws.len()];
    (draws, logs)
}

fn log_normal(z: &[f64]) -> f64 {
    let square: f64 = z.iter().map(|z| z * z).sum();
    -0.5 * square - LN_SQRT_2PI * z.len() as f64
}

fn part(share: f64, place: &BatchGaussian, stretch: f64) -> StudentComponent {
    StudentComponent {
        share,
        place: BatchGaussian {
            mean: place.mean.clone(),
            chol: place.chol.iter().map(|x| x * stretch).collect(),
        },
    }
}

/// Components with the two that are never fitted.
fn defended(
    mut components: Vec<StudentComponent>,
    whole: &BatchGaussian,
    stretch: f64,
) -> StudentMixture {
    components.push(part(DEFENSE, &standard(whole.dim()), 1.0));
    components.push(part(DEFENSE, whole, stretch));
    StudentMixture { components }
}

/// The mixture that weighted draws ask for, and the effective part of them.
fn learned(sample: &Sample) -> (Option<StudentMixture>, f64) {
    let logs = sample.log_weights();
    let n = logs.len();
    let d = sample.z.len() / n.max(1);
    let plain = normalized(&logs, 1.0);
    let effective = effective(&plain);
    let wanted = (4.0 * (1.0 + d as f64 + 0.5 * (d * (d + 1)) as f64)).clamp(20.0, 0.25 * n as f64);
    let weights = tempered(&logs, wanted);
    let whole = moments(&sample.z, &weights, d);
    let mixture = StudentMixture::fitted(&sample.z, &weights, d).zip(gaussian(&whole, 1.0));
    let mixture = mixture.map(|(mut fitted, whole)| {
        let kept = 1.0 - 2.0 * DEFENSE;
        fitted.components.iter_mut().for_each(|c| c.share *= kept);
        defended(fitted.components, &whole, WIDENED)
    });
    (mixture, effective / n as f64)
}

fn normalized(logs: &[f64], power: f64) -> Vec<f64> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return vec![0.0; logs.len()];
    }
    let weight = |log: &f64| (power * (log - largest)).exp();
    let weights: Vec<f64> = logs.iter().map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

fn effective(weights: &[f64]) -> f64 {
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    if squares > 0.0 {
        1.0 / squares
    } else {
        0.0
    }
}

/// Weights to the largest power, up to one, at which so many draws are effective.
fn tempered(logs: &[f64], wanted: f64) -> Vec<f64> {
    let plain = normalized(logs, 1.0);
    if effective(&plain) >= wanted {
        return plain;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if effective(&normalized(logs, middle)) >= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    normalized(logs, low)
}

//! Draw the random effects of all levels from their conditional distribution at fixed parameters.
//!
//! `phi ~ p(phi | y; theta)` by the Markov chains of the E-step, started at effects that are known or at the means. After
//! a burn-in the chains run on for a while, which shows how far apart their draws must be: at the smallest lag at which
//! no autocorrelation `rho_l = mean((x_t - m)(x_{t+l} - m)) / var(x)` of any effect of any level exceeds a bound, one draw
//! of each chain is taken. The autocorrelations are those of all chains of a level together, about their common mean.
//! Source: Geyer (1992), Practical Markov chain Monte Carlo.

use super::estep::{Chains, SweepTurn};
use super::exchange::exchange;
use super::options::SaemOptions;
use super::part::{know, ChainDraws, GroupingRun};
use super::schedule::Phase;
use super::turns::{plan, turns};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::LANES;
use crate::parallel::Workers;
use crate::problem::{EffectDraws, EffectValues, Joint};

/// Iterations before any draw counts, and those that show the autocorrelation.
const BURN_IN: usize = 60;
const PILOT: usize = 128;

/// Autocorrelation between two draws that are taken, unless the longest lag is reached.
const NEARLY_NONE: f64 = 0.1;
const LONGEST_LAG: usize = 32;

/// Blocks of lanes that the chains of all levels of the largest grouping fill at least.
const BLOCKS: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ConditionalSampling<'a> {
    /// Draws of every level.
    pub draws: usize,
    pub seed: u64,
    /// Effects at which the chains start, else the means.
    pub first: Option<&'a EffectValues>,
}

/// Draws of the effects of all groupings.
#[derive(Debug, Clone)]
pub struct Samples {
    /// `phi`, `[grouping][draw][level x effect]`.
    pub phi: Vec<Vec<Vec<f64>>>,
    /// Chains of each level, and iterations between two draws of one.
    pub chains: usize,
    pub thinning: usize,
    /// Largest autocorrelation at this lag of any effect of any level.
    pub autocorrelation: f64,
}

/// Draw the effects of all levels; those with given values keep them.
///
/// # Errors
/// A population distribution that does not exist; a level whose data have no density at any draw.
pub fn conditional_samples(
    joint: &Joint,
    theta: &[f64],
    sampling: &ConditionalSampling,
    workers: &Workers,
) -> Result<Samples> {
    let levels = joint.parts.iter().map(|part| part.n_subjects()).max();
    let wanted = (BLOCKS * LANES).div_ceil(levels.unwrap_or(1).max(1));
    let chains = wanted.min(sampling.draws).max(1);
    let layouts: Vec<Layout> = (joint.parts.iter().map(|part| part.layout(chains))).collect();
    let mut walk = ConditionalChains::new(joint, theta, &layouts, sampling.seed)?;
    if let Some(points) = sampling.first {
        walk.start_at(points);
    }
    for _ in 0..BURN_IN {
        walk.advance(workers);
    }
    walk.check()?;
    let mut history = Vec::with_capacity(PILOT);
    for _ in 0..PILOT {
        walk.advance(workers);
        history.push(walk.snapshot());
    }
    let (thinning, autocorrelation) = spacing(joint, &history, chains);
    let mut samples = Samples {
        phi: vec![Vec::with_capacity(sampling.draws); joint.parts.len()],
        chains,
        thinning,
        autocorrelation,
    };
    while samples.phi[0].len() < sampling.draws {
        for _ in 0..thinning {
            walk.advance(workers);
        }
        let taken = chains.min(sampling.draws - samples.phi[0].len());
        for (all, now) in samples.phi.iter_mut().zip(walk.snapshot()) {
            all.extend(now.into_iter().take(taken));
        }
    }
    Ok(samples)
}

/// `phi` of all chains at one time: `[grouping][chain][level x effect]`.
type ChainPhi = Vec<Vec<Vec<f64>>>;

/// The chains of all groupings on their way.
struct ConditionalChains<'a> {
    joint: &'a Joint,
    options: SaemOptions,
    parts: Vec<GroupingRun<'a>>,
    seed: u64,
    iteration: usize,
}

impl<'a> ConditionalChains<'a> {
    fn new(joint: &'a Joint, theta: &[f64], layouts: &'a [Layout], seed: u64) -> Result<Self> {
        let parts = joint.parts.iter().zip(layouts);
        let parts: Result<Vec<GroupingRun>> = parts
            .map(|(problem, layout)| GroupingRun::new(problem, layout, theta))
            .collect();
        let mut parts = parts.map_err(|_| {
            Error::new(
                ErrorClass::Numeric,
                "no_population_distribution",
                "The covariance of the random effects is not positive definite at the estimates.",
            )
            .hint("See `convergence()`; an effect whose SD is 0 can be left out of the model.")
        })?;
        let options = SaemOptions::default();
        for part in &mut parts {
            part.chains = Some(Chains::new(
                &part.target(SweepTurn::START),
                seed,
                options.sampler,
            ));
        }
        Ok(Self {
            joint,
            options,
            parts,
            seed,
            iteration: 0,
        })
    }

    /// Move the chains to these values of `phi` where they are numbers.
    fn start_at(&mut self, points: &EffectValues) {
        for (part, values) in self.parts.iter_mut().zip(&points.values) {
            part.start_at(values);
        }
    }

    /// One iteration: every grouping in turn, given the others.
    fn advance(&mut self, workers: &Workers) {
        self.iteration += 1;
        // While exploring, the sampler also proposes from the population: chains find a second mode.
        let phase = Phase::Exploration;
        let turns = turns(self.joint, phase);
        for turn in 0..turns {
            let number = (self.iteration - 1) * turns + turn + 1;
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            if number > 1 {
                let exchanges = &self.joint.exchanges;
                exchange(&mut self.parts, exchanges, self.seed, number);
            }
            for group in (0..self.parts.len()).rev() {
                self.draw(group, number, turn, workers);
            }
        }
    }

    fn draw(&mut self, group: usize, number: u32, turn: usize, workers: &Workers) {
        know(&mut self.parts, self.joint, group);
        let plan = plan(
            &self.options,
            self.joint,
            Phase::Exploration,
            self.iteration,
        );
        if let Some(mut chains) = self.parts[group].chains.take() {
            let turn = SweepTurn {
                iteration: self.iteration,
                number,
                first: turn == 0,
            };
            chains.step(&self.parts[group].target(turn), plan, workers);
            self.parts[group].chains = Some(chains);
        }
    }

    fn snapshot(&self) -> ChainPhi {
        let draws = ChainDraws { parts: &self.parts };
        let of = |part: &GroupingRun| {
            let (n, d) = (part.problem().n_subjects(), part.problem().n_phi());
            let group = part.problem().group;
            let chain = |copy| (0..n * d).map(move |at| (copy, at));
            let chain = |copy| chain(copy).map(|(copy, at)| draws.phi(group, at % d, at / d, copy));
            (0..part.layout().copies)
                .map(|copy| chain(copy).collect())
                .collect()
        };
        self.parts.iter().map(of).collect()
    }

    /// # Errors
    /// A level with a chain whose density is not finite: it never moves.
    fn check(&self) -> Result<()> {
        for part in &self.parts {
            let chains = part.chains.as_ref();
            let Some(level) = chains.and_then(|chains| chains.lost(part.layout())) else {
                continue;
            };
            let records = &part.problem().records;
            return Err(Error::new(
                ErrorClass::Numeric,
                "no_density",
                format!(
                    "The likelihood of `{}` {} is not finite at any draw of its random effects.",
                    records.group, records.labels[level]
                ),
            )
            .field("subject", &records.labels[level])
            .hint(
                "See `convergence()`: the estimates are far from where the data have a density.",
            ));
        }
        Ok(())
    }
}

/// The smallest lag at which draws are nearly uncorrelated, and the largest autocorrelation there.
fn spacing(joint: &Joint, history: &[ChainPhi], chains: usize) -> (usize, f64) {
    let mut lag = 1;
    loop {
        let largest = largest_autocorrelation(joint, history, chains, lag);
        if largest < NEARLY_NONE || 2 * lag > LONGEST_LAG {
            return (lag, largest);
        }
        lag *= 2;
    }
}

/// Over all effects of all levels that move; 1 where chains stand still.
fn largest_autocorrelation(joint: &Joint, history: &[ChainPhi], chains: usize, lag: usize) -> f64 {
    let mut largest = f64::NEG_INFINITY;
    for (g, part) in joint.parts.iter().enumerate() {
        let d = part.n_phi();
        for at in 0..part.n_subjects() * d {
            if part.is_held(at / d, at % d) {
                continue;
            }
            let series = |chain: usize| history.iter().map(move |now| now[g][chain][at]);
            let all: Vec<Vec<f64>> = (0..chains).map(|chain| series(chain).collect()).collect();
            largest = largest.max(autocorrelation(&all, lag));
        }
    }
    largest
}

fn autocorrelation(series: &[Vec<f64>], lag: usize) -> f64 {
    let n: usize = series.iter().map(Vec::len).sum();
    let mean = series.iter().flatten().sum::<f64>() / n as f64;
    let variance = series
        .iter()
        .flatten()
        .map(|x| (x - mean).powi(2))
        .sum::<f64>()
        / n as f64;
    let pairs = || series.iter().flat_map(|x| x.iter().zip(&x[lag..]));
    let covariance = pairs().map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let ratio = covariance / pairs().count() as f64 / variance;
    if ratio.is_finite() {
        ratio
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::autocorrelation;

    #[test]
    fn a_chain_that_alternates_repeats_itself_at_every_second_lag() {
        let series = vec![(0..40).map(|t| f64::from(t % 2)).collect::<Vec<_>>(); 2];
        assert!((autocorrelation(&series, 1) + 1.0).abs() < 1e-12);
        assert!((autocorrelation(&series, 2) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn chains_in_different_places_are_correlated_and_one_that_stands_still_is() {
        let noise = |t: u32| f64::from((t * 7919) % 101) / 101.0;
        let apart: Vec<Vec<f64>> = (0..2u32)
            .map(|c| (0..50).map(|t| 10.0 * f64::from(c) + noise(t)).collect())
            .collect();
        assert!(autocorrelation(&apart, 4) > 0.9);
        assert_eq!(autocorrelation(&[vec![1.0; 20]], 1), 1.0);
    }
}

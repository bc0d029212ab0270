//! Keep what one grouping needs through the iterations.

use std::sync::Arc;

use super::estep::{Chains, EStepReport, EStepTarget, SweepTurn};
use crate::data::Layout;
use crate::error::Result;
use crate::keep::keeps;
use crate::mstep::{add, Population, Statistics};
use crate::parallel::Workers;
use crate::problem::{EffectDraws, Joint, Known, Problem};

/// A grouping: its population on the layout of its chains, the chains and the statistics of their draws.
pub struct GroupingRun<'a> {
    /// With the smoothed statistics.
    pub population: Population<'a>,
    /// Statistics of the current iteration alone.
    pub now: Statistics,
    pub chains: Option<Chains>,
    /// Effects of the other groupings at the last turn.
    known: Arc<Vec<Known>>,
    /// Block and lane of `level * copies + copy`.
    places: Vec<(usize, usize)>,
}

keeps!(GroupingRun<'_>:
    values { now }
    parts { population, chains }
    rebuilt { known, places });

impl<'a> GroupingRun<'a> {
    /// # Errors
    /// A population distribution that does not exist.
    pub fn new(problem: &'a Problem, layout: &'a Layout, theta: &[f64]) -> Result<Self> {
        let population = Population::new(problem, layout, theta)?;
        Ok(Self {
            now: population.statistics.clone(),
            population,
            chains: None,
            known: Arc::default(),
            places: layout.places(),
        })
    }

    pub fn problem(&self) -> &'a Problem {
        self.population.at.problem
    }

    pub fn layout(&self) -> &'a Layout {
        self.population.at.layout
    }

    /// What a turn draws from, without asking for derivatives or scores.
    pub fn target(&self, turn: SweepTurn) -> EStepTarget<'_, 'a> {
        EStepTarget {
            at: &self.population.at,
            derivatives: None,
            origin: &self.population.statistics.origin,
            averages_gradient: false,
            scores: None,
            active: None,
            turn,
        }
    }

    /// Move the chains to these values of `phi` (`levels x d`, row-major), where they are numbers and free.
    pub fn start_at(&mut self, values: &[f64]) {
        let (d, copies) = (self.problem().n_phi(), self.layout().copies);
        for (at, value) in values.iter().enumerate() {
            let (level, k) = (at / d, at % d);
            if !value.is_finite() || self.problem().is_held(level, k) {
                continue;
            }
            for copy in 0..copies {
                let (block, lane) = self.place(level, copy);
                if let Some(chains) = &mut self.chains {
                    *chains.phi_mut(block, lane, k) = *value;
                }
            }
        }
    }

    /// True when derivatives of the program for `theta` are read.
    pub fn needs_derivatives(&self) -> bool {
        if self.problem().group == 0 {
            self.population.mstep.needs_derivatives()
        } else {
            let problem = self.problem();
            !problem.programs.numeric.is_empty() || !problem.form.corrections.is_empty()
        }
    }

    /// Multiply by `ratio` the distances of the draws of an effect from their means, where the draws are free.
    pub fn draw_in(&mut self, k: usize, ratio: f64) {
        let problem = self.problem();
        for level in (0..problem.n_subjects()).filter(|i| !problem.is_held(*i, k)) {
            let mean = self.population.means().of(level)[k];
            for copy in 0..self.layout().copies {
                let (block, lane) = self.place(level, copy);
                if let Some(chains) = &mut self.chains {
                    let phi = chains.phi_mut(block, lane, k);
                    *phi = mean + ratio * (*phi - mean);
                }
            }
        }
    }

    /// Block and lane of a level in a copy.
    pub fn place(&self, level: usize, copy: usize) -> (usize, usize) {
        self.places[level * self.layout().copies + copy]
    }

    /// Complete-data score at the current draws, where the population stands.
    fn score(&mut self, free: &[usize], workers: &Workers) -> Option<Vec<f64>> {
        self.population.at.set_known(self.known.clone());
        let gradient = (self.chains.as_mut()?).gradient(&self.population.at, workers);
        Some(self.population.by(&self.now).score(free, &gradient))
    }
}

/// The draws of all chains.
pub struct ChainDraws<'p, 'a> {
    pub parts: &'p [GroupingRun<'a>],
}

impl EffectDraws for ChainDraws<'_, '_> {
    fn phi(&self, group: usize, k: usize, level: usize, copy: usize) -> f64 {
        let part = &self.parts[group];
        let (block, lane) = part.place(level, copy);
        part.chains
            .as_ref()
            .map_or(f64::NAN, |chains| chains.phi(block, lane, k))
    }
}

/// Move all groupings to a `theta`; `None`, and none has moved, where a population distribution does not exist.
pub fn stand(parts: &mut [GroupingRun], joint: &Joint, theta: &[f64]) -> Option<()> {
    if parts.iter().any(|part| part.population.at.theta() != theta) {
        let priors = joint.priors(theta).ok()?;
        for (part, prior) in parts.iter_mut().zip(priors) {
            part.population.at.set(theta, prior);
        }
    }
    Some(())
}

/// Let a grouping know the draws of the others.
pub fn know(parts: &mut [GroupingRun], joint: &Joint, group: usize) {
    let part = &parts[group];
    let known = joint.known(part.problem(), part.layout(), &ChainDraws { parts });
    let part = &mut parts[group];
    part.known = Arc::new(known);
    part.population.at.set_known(part.known.clone());
}

/// The gradient of the complete-data log density in `theta`: the sum of what the groupings' programs give.
pub fn total_gradient(reports: &[EStepReport]) -> Vec<f64> {
    let longest = reports.iter().map(|r| r.gradient.len()).max().unwrap_or(0);
    let mut total = vec![0.0; longest];
    for report in reports {
        add(&mut total, &report.gradient);
    }
    total
}

/// Complete-data score at the current draws and any `theta`, to which all groupings move; `None` where it does not exist.
pub fn score_at(
    parts: &mut [GroupingRun],
    joint: &Joint,
    (free, theta): (&[usize], &[f64]),
    workers: &Workers,
) -> Option<Vec<f64>> {
    stand(parts, joint, theta)?;
    let mut total = vec![0.0; free.len()];
    for part in parts {
        add(&mut total, &part.score(free, workers)?);
    }
    Some(total)
}

//! Keep what one grouping needs through the iterations.

use std::sync::Arc;

use super::estep::{Chains, Report};
use crate::data::Layout;
use crate::keep::keeps;
use crate::mstep::{MStep, Scores, Statistics};
use crate::parallel::Workers;
use crate::problem::{
    Derivatives, Draws, Joint, Known, MeanProgram, Means, Prior, Problem, Values,
};

/// A grouping: its problem, programs bound to its layout, chains and statistics.
pub struct Part<'a> {
    pub problem: &'a Problem,
    pub layout: &'a Layout,
    pub values: Values<'a>,
    pub derivatives: Derivatives<'a>,
    pub mean_program: MeanProgram<'a>,
    pub mstep: MStep<'a>,
    /// Smoothed statistics, and those of the current iteration alone.
    pub statistics: Statistics,
    pub now: Statistics,
    pub chains: Option<Chains>,
    /// Effects of the other groupings at the last turn.
    known: Arc<Vec<Known>>,
    /// Block and lane of `level * copies + copy`.
    places: Vec<(usize, usize)>,
}

keeps!(Part<'_>:
    values { statistics, now }
    parts { mstep, chains }
    rebuilt { problem, layout, values, derivatives, mean_program, known, places });

impl<'a> Part<'a> {
    pub fn new(problem: &'a Problem, layout: &'a Layout, theta: &[f64]) -> Self {
        let mut mean_program = MeanProgram::new(problem, layout);
        let statistics = Statistics::new(&mean_program.at(theta));
        Self {
            problem,
            layout,
            values: Values::new(problem, layout, &problem.programs.likelihood),
            derivatives: Derivatives::new(problem, layout, &problem.programs.theta),
            mean_program,
            mstep: MStep::new(problem),
            now: statistics.clone(),
            statistics,
            chains: None,
            known: Arc::default(),
            places: layout.places(),
        }
    }

    /// Move the chains to these values of `phi` (`levels x d`, row-major), where they are numbers and free.
    pub fn start_at(&mut self, values: &[f64]) {
        let (d, copies) = (self.problem.n_phi(), self.layout.copies);
        for (at, value) in values.iter().enumerate() {
            let (level, k) = (at / d, at % d);
            if !value.is_finite() || self.problem.is_held(level, k) {
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
        if self.problem.group == 0 {
            self.mstep.needs_derivatives()
        } else {
            !self.problem.programs.numeric.is_empty() || !self.problem.form.corrections.is_empty()
        }
    }

    /// Multiply by `ratio` the distances of the draws of an effect from their means, where the draws are free.
    pub fn draw_in(&mut self, k: usize, means: &Means, ratio: f64) {
        for level in (0..self.problem.n_subjects()).filter(|i| !self.problem.is_held(*i, k)) {
            let mean = means.of(level)[k];
            for copy in 0..self.layout.copies {
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
        self.places[level * self.layout.copies + copy]
    }

    /// Compute everything that depends on `theta` and on the other groupings' effects.
    pub fn prepare(&mut self, known: Vec<Known>, theta: &[f64]) {
        self.known = Arc::new(known);
        self.values.set_known(self.known.clone());
        self.values.prepare(theta);
        if self.needs_derivatives() {
            self.derivatives.set_known(self.known.clone());
            self.derivatives.prepare(theta);
        }
    }

    /// Complete-data score at the current draws and any `theta`: what the chains' program gives, and the moments.
    ///
    /// `None` when the population distribution does not exist there.
    pub fn score(&mut self, free: &[usize], theta: &[f64], workers: &Workers) -> Option<Vec<f64>> {
        let prior = Prior::new(self.problem, theta).ok()?;
        let means = self.mean_program.at(theta);
        let mut derivatives =
            Derivatives::new(self.problem, self.layout, &self.problem.programs.theta);
        derivatives.set_known(self.known.clone());
        derivatives.prepare(theta);
        let copies = self.layout.copies;
        let chains = self.chains.as_mut()?;
        let gradient = chains.gradient(&derivatives, theta, copies, workers);
        let scores = Scores::new(self.problem, free, &prior, Some(&derivatives), theta);
        Some(scores.total(&self.mstep.linear, &self.now, &means, &gradient))
    }
}

/// The draws of all chains.
pub struct ChainDraws<'p, 'a> {
    pub parts: &'p [Part<'a>],
}

impl Draws for ChainDraws<'_, '_> {
    fn phi(&self, group: usize, k: usize, level: usize, copy: usize) -> f64 {
        let part = &self.parts[group];
        let (block, lane) = part.place(level, copy);
        part.chains
            .as_ref()
            .map_or(f64::NAN, |chains| chains.phi(block, lane, k))
    }
}

/// Means of `phi` of every grouping.
pub fn all_means(parts: &mut [Part], theta: &[f64]) -> Vec<Means> {
    let each = parts.iter_mut();
    each.map(|part| part.mean_program.at(theta)).collect()
}

/// Population distributions of every grouping; `None` when one does not exist.
pub fn all_priors(joint: &Joint, theta: &[f64]) -> Option<Vec<Prior>> {
    let each = joint.parts.iter();
    each.map(|part| Prior::new(part, theta).ok()).collect()
}

/// The gradient of the complete-data log density in `theta`: the sum of what the groupings' programs give.
pub fn total_gradient(reports: &[Report]) -> Vec<f64> {
    let longest = reports.iter().map(|r| r.gradient.len()).max().unwrap_or(0);
    let mut total = vec![0.0; longest];
    for report in reports {
        for (total, own) in total.iter_mut().zip(&report.gradient) {
            *total += own;
        }
    }
    total
}

/// Complete-data score at the current draws and any `theta`.
pub fn total_score(
    parts: &mut [Part],
    free: &[usize],
    theta: &[f64],
    workers: &Workers,
) -> Option<Vec<f64>> {
    let mut total = vec![0.0; free.len()];
    for part in parts {
        for (total, own) in total.iter_mut().zip(part.score(free, theta, workers)?) {
            *total += own;
        }
    }
    Some(total)
}

//! Say what the random effects of a linearized model are distributed as, level by level.

use super::posterior::FreeEffect;
use crate::error::Result;
use crate::problem::{Joint, Means, Prior, Problem};

/// What the population says at one `theta`.
pub(super) struct PopulationMoments {
    means: Vec<Means>,
    priors: Vec<Prior>,
    /// For each grouping mean and standard deviation of the effects whose distribution differs from level to level,
    /// `levels x effects`.
    by_level: Vec<Vec<Option<(f64, f64)>>>,
}

impl PopulationMoments {
    /// # Errors
    /// A distribution that does not exist.
    pub fn new(joint: &Joint, theta: &[f64]) -> Result<Self> {
        let parts = joint.parts.iter();
        Ok(Self {
            means: joint.means(theta),
            priors: joint.priors(theta)?,
            by_level: parts.map(|part| of_levels(part, theta)).collect(),
        })
    }

    pub fn mean(&self, c: &FreeEffect) -> f64 {
        let own = self.of_level(c).map(|(mean, _)| mean);
        own.unwrap_or_else(|| self.means[c.group].of(c.level)[c.effect])
    }

    pub fn covariance(&self, a: &FreeEffect, b: &FreeEffect) -> f64 {
        if (a.group, a.level) != (b.group, b.level) {
            return 0.0;
        }
        match self.of_level(a).filter(|_| a.effect == b.effect) {
            Some((_, sd)) => sd * sd,
            None => self.priors[a.group].omega[(a.effect, b.effect)],
        }
    }

    fn of_level(&self, c: &FreeEffect) -> Option<(f64, f64)> {
        let d = self.priors[c.group].omega.ncols();
        *self.by_level[c.group].get(c.level * d + c.effect)?
    }
}

/// Mean and standard deviation of the effects that are normal with those of their level; empty without.
fn of_levels(part: &Problem, theta: &[f64]) -> Vec<Option<(f64, f64)>> {
    let d = part.n_phi();
    let mut found = Vec::new();
    part.each_law(theta, |level, k, _, arguments| {
        found.resize(part.n_subjects() * d, None);
        if let [mean, sd] = arguments {
            found[level * d + k] = Some((*mean, *sd));
        }
    });
    found
}

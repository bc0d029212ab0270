//! Choose the form of the model in which an estimate is looked at.
//!
//! Where the data of a level say little of an effect, its mean is best known from the program: in `phi ~ N(m, Omega)`
//! the complete data know `m` ever better as `Omega` falls, and the observed information is the small difference of two
//! large numbers. Such effects stand apart from their means, so that at most half of the information about a mean is
//! missing (Papaspiliopoulos, Roberts & Skoeld 2007). Effects whose variance is 0 are absent, and so is what says how
//! far they vary.

use super::arrive::MaximumSearch;
use super::zero::SpreadCoordinate;
use crate::distributions::LN_SQRT_2PI;
use crate::error::Result;
use crate::inference::information::free;
use crate::inference::posterior::{BatchPosteriors, Batches};
use crate::problem::{Joint, Theta};

/// Part of the variance of an effect that is left given the data, from which it stands apart.
const SHRUNK: f64 = 0.5;

/// A form of the model and what belongs to it.
pub struct Stance {
    /// `None` for the model as it is.
    pub joint: Option<Joint>,
    /// Effects of the model whose `phi` no longer holds their mean.
    pub moved: Vec<bool>,
    /// Precision of the prior of each free coordinate.
    pub penalty: Vec<f64>,
    /// Bounds, without room for variances that are 0 among others.
    pub bounds: Theta,
    pub q: BatchPosteriors,
    /// Log density of the absent effects of each batch at their means, which is part of no likelihood.
    pub absent: Vec<f64>,
}

impl MaximumSearch<'_> {
    /// The form for an estimate; `q`: distributions of the effects of the model as it is.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn stance(
        &self,
        theta: &[f64],
        q: &BatchPosteriors,
        (spreads, zero): (&[SpreadCoordinate], &[bool]),
    ) -> Result<Stance> {
        let n = self.joint.model().effects.len();
        let (mut absent, mut apart) = (vec![false; n], self.shrunk(theta, q));
        let mut fixed = Vec::new();
        for (spread, _) in spreads.iter().zip(zero).filter(|(_, zero)| **zero) {
            let among = if spread.alone {
                &mut absent
            } else {
                &mut apart
            };
            spread.effects.iter().for_each(|k| among[*k] = true);
            if spread.alone {
                fixed.push(spread.coordinate);
            }
        }
        for (k, effect) in self.joint.model().effects.iter().enumerate() {
            apart[k] &= effect.gaussian;
            absent[k] &= effect.gaussian;
        }
        let wanted = apart.iter().chain(&absent).any(|x| *x);
        let joint = if wanted {
            Some(self.joint.recast(&apart, &absent, (&fixed, theta))?)
        } else {
            None
        };
        let moved = (0..n).map(|k| (apart[k] || absent[k]) && self.joint.is_centered(k));
        let moved = moved.collect();
        let form = joint.as_ref().unwrap_or(self.joint);
        let mut bounds = form.theta.clone();
        for (spread, _) in spreads.iter().zip(zero).filter(|(_, zero)| **zero) {
            bounds.lower[spread.coordinate] = spread.lowest;
            bounds.upper[spread.coordinate] = spread.lowest;
        }
        let all = free(self.joint);
        let penalty = free(form).into_iter().map(|k| {
            let at = all.iter().position(|a| *a == k);
            at.map_or(0.0, |at| self.penalty[at])
        });
        let penalty: Vec<f64> = penalty.collect();
        let q = match &joint {
            Some(joint) => MaximumSearch { joint, ..*self }.laplace(theta, None)?,
            None => q.clone(),
        };
        Ok(Stance {
            absent: self.density_of(&absent, theta),
            joint,
            moved,
            penalty,
            bounds,
            q,
        })
    }

    /// Log density at their means of effects that are absent, one entry a batch.
    fn density_of(&self, absent: &[bool], theta: &[f64]) -> Vec<f64> {
        let mut total = vec![0.0; self.joint.n_batches];
        let Ok(priors) = self.joint.priors(theta) else {
            return total;
        };
        for (b, own) in Batches::new(self.joint).coordinates.iter().enumerate() {
            for c in own {
                if absent[self.joint.parts[c.group].form.offset + c.effect] {
                    let variance = priors[c.group].omega[(c.effect, c.effect)];
                    total[b] -= LN_SQRT_2PI + 0.5 * variance.ln();
                }
            }
        }
        total
    }

    /// Effects of the model about which the data of a level say less than the population, on average.
    fn shrunk(&self, theta: &[f64], q: &BatchPosteriors) -> Vec<bool> {
        let n = self.joint.model().effects.len();
        let Ok(priors) = self.joint.priors(theta) else {
            return vec![false; n];
        };
        let (mut left, mut count) = (vec![0.0; n], vec![0.0f64; n]);
        for (q, own) in q.iter().zip(&Batches::new(self.joint).coordinates) {
            for (i, c) in own.iter().enumerate() {
                let effect = self.joint.parts[c.group].form.offset + c.effect;
                left[effect] += q.covariance(i, i) / priors[c.group].omega[(c.effect, c.effect)];
                count[effect] += 1.0;
            }
        }
        (0..n)
            .map(|k| left[k] > SHRUNK * count[k].max(1.0))
            .collect()
    }
}
